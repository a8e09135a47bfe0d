"""What holds for every operation: addresses, permissions, limits, configuration, and the passing of time."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, Party

pytestmark = pytest.mark.anyio

ANA = Party(phone_number="+15035550111")
HELLO = Draft(type="SMS", sender=ANA, text="Hello")
LogIn = Callable[[httpx.AsyncClient, Emulator], Awaitable[None]]


def add(emulator: Emulator, **more: Any) -> str:
    return str(emulator.store.add(replace(HELLO, **more))["id"])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["errorCode"]


def states(emulator: Emulator) -> list[str]:
    return [record["availability"] for record in emulator.store.messages()]


def client(emulator: Emulator) -> httpx.AsyncClient:
    base = f"{emulator.server_url}/restapi/v1.0/account/~/extension/~/"
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=base)


async def test_every_answer_has_a_request_id_of_its_own(mailbox: httpx.AsyncClient, web: httpx.AsyncClient) -> None:
    answers = [await mailbox.get("message-store"), await mailbox.get("nowhere"), await web.get("http://x/")]
    assert len({answer.headers["rcrequestid"] for answer in answers}) == 3


async def test_an_unknown_address_is_the_gateways_to_answer(mailbox: httpx.AsyncClient) -> None:
    for path in ("message-stores", "message-store/1/content", "/restapi/v2.0/account/~/message-store", "/"):
        answer = await mailbox.get(path)
        assert (answer.status_code, answer.headers["server"]) == (404, "nginx")
        assert answer.json() == {"errorCode": "AGW-404", "message": "Resource not found", "errors": []}


async def test_an_encoded_question_mark_does_not_cut_a_path_short(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    add(emulator)
    for path in ("message-store/%3Fpurge=true", "message-store/%23"):
        assert code(await mailbox.delete(path)) == (404, "CMN-102")
    assert states(emulator) == ["Alive"]


async def test_a_method_an_address_does_not_have_is_not_allowed(mailbox: httpx.AsyncClient) -> None:
    answer = await mailbox.post("message-store", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET"


@pytest.mark.parametrize(
    ("headers", "query"),
    [({"X-HTTP-Method-Override": "DELETE"}, ""), ({}, "?_method=delete")],
)
async def test_a_post_can_stand_for_another_method(
    mailbox: httpx.AsyncClient, emulator: Emulator, headers: dict[str, str], query: str
) -> None:
    message_id = add(emulator)
    answer = await mailbox.post(f"message-store/{message_id}{query}", headers=headers)
    assert answer.status_code == 204
    assert states(emulator) == ["Deleted"]
    assert emulator.requests[-1].method == "DELETE"


async def test_a_post_that_means_two_methods_is_refused(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    headers = {"X-HTTP-Method-Override": "DELETE"}
    answer = await mailbox.post(f"message-store/{message_id}?_method=PUT", headers=headers)
    assert answer.status_code == 400
    assert states(emulator) == ["Alive"]


async def test_a_get_stands_only_for_itself(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    assert (await mailbox.get(f"message-store/{message_id}?_method=DELETE")).status_code == 200
    assert states(emulator) == ["Alive"]


async def test_the_mailbox_is_reached_by_its_real_ids_too(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    path = f"/restapi/v1.0/account/{emulator.account_id}/extension/{emulator.extension_id}/message-store"
    assert (await mailbox.get(emulator.server_url + path)).status_code == 200


@pytest.mark.parametrize(
    ("account", "extension", "parameter"),
    [("1", "~", "accountId"), ("~", "1", "extensionId"), ("~", "101", "extensionId")],
)
async def test_other_ids_are_not_found(
    mailbox: httpx.AsyncClient, emulator: Emulator, account: str, extension: str, parameter: str
) -> None:
    path = f"/restapi/v1.0/account/{account}/extension/{extension}/message-store"
    answer = await mailbox.get(emulator.server_url + path)
    assert code(answer) == (404, "CMN-102")
    assert answer.json()["parameterName"] == parameter


async def test_a_colleagues_mailbox_takes_more_rights(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    with Emulator() as office:
        pages = [record for record in office.store.messages() if record["type"] == "Pager"]
    colleague = next(record["from"] for record in pages if record["direction"] == "Inbound")["extensionId"]
    path = f"/restapi/v1.0/account/~/extension/{colleague}/message-store"
    answer = await mailbox.delete(emulator.server_url + path)
    assert code(answer) == (403, "CMN-419")
    assert answer.json()["permissionsName"] == "EditMessages"


async def test_the_app_needs_its_permission(log_in: LogIn) -> None:
    with Emulator(scenario="empty", permissions=["ReadMessages"]) as emulator:
        async with client(emulator) as mailbox:
            await log_in(mailbox, emulator)
            assert (await mailbox.get("message-store")).status_code == 200
            answer = await mailbox.delete("message-store")
            assert code(answer) == (403, "CMN-401")
            assert answer.json()["errorCode"] == "InsufficientPermissions"
            assert answer.json()["permissionName"] == "EditMessages"
            url = f"{emulator.server_url}/restapi/v1.0/account/~/message-store-configuration"
            assert code(await mailbox.get(url)) == (403, "CMN-401")


async def test_editing_includes_reading(log_in: LogIn) -> None:
    with Emulator(scenario="empty", permissions=["EditMessages"]) as emulator:
        async with client(emulator) as mailbox:
            await log_in(mailbox, emulator)
            assert (await mailbox.get("message-store")).status_code == 200


async def test_the_user_needs_the_permission_too(log_in: LogIn) -> None:
    with Emulator(scenario="empty", user_permissions=["ReadMessages"]) as emulator:
        async with client(emulator) as mailbox:
            await log_in(mailbox, emulator)
            assert code(await mailbox.delete("message-store")) == (403, "CMN-408")
            path = f"/restapi/v1.0/account/~/extension/~/message-store/{add(emulator)}/content/1"
            answer = await mailbox.get(emulator.media_url + path)
            assert answer.json()["permissionName"] == "ReadMessageContent"


async def test_requests_are_recorded_as_they_were_sent(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    await mailbox.delete("message-store/111?purge=true")
    seen = emulator.requests[-1]
    assert (seen.entry_point, seen.method, seen.status, seen.time) == ("platform", "DELETE", 404, clock[0])
    assert seen.path == "/restapi/v1.0/account/~/extension/~/message-store/111"
    assert seen.query["purge"] == "true"
    assert emulator.requests[0].path == "/restapi/oauth/token"


async def test_the_retention_period_is_read_and_changed(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    url = f"{emulator.server_url}/restapi/v1.0/account/~/message-store-configuration"
    assert (await mailbox.get(url)).json() == {"retentionPeriod": 30}
    assert (await mailbox.put(url, json={"retentionPeriod": 45})).json() == {"retentionPeriod": 45}
    assert (await mailbox.get(url)).json() == {"retentionPeriod": 45}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"retentionPeriod": 6}', (400, "CMN-101")),
        ('{"retentionPeriod": 91}', (400, "CMN-101")),
        ('{"retentionPeriod": "30"}', (400, "CMN-101")),
        ('{"retentionPeriod": 7.5}', (400, "CMN-101")),
        ('{"retentionPeriod": true}', (400, "CMN-101")),
        ("{}", (400, "CMN-101")),
        ("[]", (400, "CMN-104")),
        ("{", (400, "CMN-103")),
    ],
)
async def test_a_wrong_retention_period_is_refused(
    mailbox: httpx.AsyncClient, emulator: Emulator, body: str, expected: tuple[int, str]
) -> None:
    url = f"{emulator.server_url}/restapi/v1.0/account/~/message-store-configuration"
    headers = {"Content-Type": "application/json"}
    assert code(await mailbox.put(url, content=body, headers=headers)) == expected
    assert (await mailbox.get(url)).json() == {"retentionPeriod": 30}


async def test_lowering_the_retention_period_purges_old_faxes_and_voicemails(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    old = clock[0] - timedelta(days=10)
    for kind in ("VoiceMail", "Fax", "SMS", "Pager"):
        add(emulator, type=kind, created=old)
    url = f"{emulator.server_url}/restapi/v1.0/account/~/message-store-configuration"
    await mailbox.put(url, json={"retentionPeriod": 7})
    await mailbox.get("message-store")
    kept = [record["type"] for record in emulator.store.messages() if record["availability"] == "Alive"]
    assert kept == ["Pager", "SMS"]


async def test_time_purges_what_was_deleted_and_then_forgets_it(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime], log_in: LogIn
) -> None:
    message_id = add(emulator)
    await mailbox.delete(f"message-store/{message_id}")
    seen = [states(emulator)]
    for _ in range(4):
        clock[0] += timedelta(days=2, hours=13)
        await log_in(mailbox, emulator)
        await mailbox.get("message-store")
        seen.append(states(emulator))
    assert seen == [["Deleted"], ["Deleted"], ["Purged"], ["Purged"], []]
    assert code(await mailbox.get(f"message-store/{message_id}")) == (404, "CMN-102")


async def test_answers_tell_the_limit_and_what_is_left_of_it(log_in: LogIn) -> None:
    with Emulator(scenario="empty") as emulator:
        async with client(emulator) as mailbox:
            await log_in(mailbox, emulator)
            answer = await mailbox.get("message-store/111")
            limits = {name: value for name, value in answer.headers.items() if name.startswith("x-rate-limit")}
            assert limits == {
                "x-rate-limit-group": "light",
                "x-rate-limit-limit": "50",
                "x-rate-limit-remaining": "49",
                "x-rate-limit-window": "60",
            }
            assert (await mailbox.delete("message-store/111")).headers["x-rate-limit-remaining"] == "39"


async def test_past_the_limit_every_further_request_restarts_the_penalty(clock: list[datetime], log_in: LogIn) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        async with client(emulator) as mailbox:
            await log_in(mailbox, emulator)
            answers = [await mailbox.delete("message-store/111") for _ in range(41)]
            assert [answer.status_code for answer in answers[-2:]] == [404, 429]
            assert answers[-1].json() == {
                "errorCode": "CMN-301",
                "message": "Request rate exceeded",
                "errors": [{"errorCode": "CMN-301", "message": "Request rate exceeded"}],
            }
            assert answers[-1].headers["retry-after"] == "60"
            clock[0] += timedelta(seconds=59)
            assert (await mailbox.delete("message-store/111")).status_code == 429
            clock[0] += timedelta(seconds=59)
            assert (await mailbox.delete("message-store/111")).status_code == 429
            assert (await mailbox.get("message-store")).status_code == 200
            clock[0] += timedelta(seconds=60)
            answer = await mailbox.delete("message-store/111")
            assert (answer.status_code, answer.headers["x-rate-limit-remaining"]) == (404, "39")


async def test_the_window_slides(clock: list[datetime], log_in: LogIn) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        async with client(emulator) as mailbox:
            await log_in(mailbox, emulator)
            for _ in range(2):
                for _ in range(20):
                    await mailbox.delete("message-store/111")
                clock[0] += timedelta(seconds=30)
            answer = await mailbox.delete("message-store/111")
            assert answer.headers["x-rate-limit-remaining"] == "19"


async def test_a_refused_request_does_nothing(clock: list[datetime], log_in: LogIn) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        add(emulator)
        async with client(emulator) as mailbox:
            await log_in(mailbox, emulator)
            for _ in range(40):
                await mailbox.put("message-store/111", json={"readStatus": "Read"})
            assert (await mailbox.delete("message-store")).status_code == 429
        assert states(emulator) == ["Alive"]


async def test_logging_in_has_a_limit_of_its_own(web: httpx.AsyncClient) -> None:
    with Emulator(scenario="empty") as emulator:
        async with client(emulator) as mailbox:
            url = f"{emulator.server_url}/restapi/oauth/token"
            answers = [await mailbox.post(url, data={"grant_type": "x"}, auth=("a", "b")) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert answers[0].headers["x-rate-limit-group"] == "auth"
