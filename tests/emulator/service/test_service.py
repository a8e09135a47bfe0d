"""Behavior common to all operations: addresses, permissions, limits and configuration."""

from datetime import datetime, timedelta

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from tests.emulator.conftest import add, code, mailbox_of, states

pytestmark = pytest.mark.anyio


async def test_every_answer_has_a_unique_request_id(mailbox: httpx.AsyncClient, web: httpx.AsyncClient) -> None:
    answers = [await mailbox.get("message-store"), await mailbox.get("nowhere"), await web.get("http://x/")]
    assert len({answer.headers["rcrequestid"] for answer in answers}) == 3


async def test_the_gateway_answers_for_an_unknown_address(mailbox: httpx.AsyncClient) -> None:
    for path in ("message-stores", "message-store/1/content", "/restapi/v2.0/account/~/message-store", "/"):
        answer = await mailbox.get(path)
        assert (answer.status_code, answer.headers["server"]) == (404, "nginx")
        assert answer.json() == {"errorCode": "AGW-404", "message": "Resource not found", "errors": []}


async def test_an_encoded_question_mark_does_not_end_the_path(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    add(emulator)
    for path in ("message-store/%3Fpurge=true", "message-store/%23"):
        assert code(await mailbox.delete(path)) == (404, "CMN-102")
    assert states(emulator) == ["Alive"]


async def test_an_unsupported_method_is_not_allowed(mailbox: httpx.AsyncClient) -> None:
    answer = await mailbox.post("message-store", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET"


@pytest.mark.parametrize(
    ("headers", "query"),
    [({"X-HTTP-Method-Override": "DELETE"}, ""), ({}, "?_method=delete")],
)
async def test_a_post_can_override_its_method(
    mailbox: httpx.AsyncClient, emulator: Emulator, headers: dict[str, str], query: str
) -> None:
    message_id = add(emulator)
    answer = await mailbox.post(f"message-store/{message_id}{query}", headers=headers)
    assert answer.status_code == 204
    assert states(emulator) == ["Deleted"]
    assert emulator.requests[-1].method == "DELETE"


async def test_a_post_with_two_different_overrides_is_refused(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    headers = {"X-HTTP-Method-Override": "DELETE"}
    answer = await mailbox.post(f"message-store/{message_id}?_method=PUT", headers=headers)
    assert answer.status_code == 400
    assert states(emulator) == ["Alive"]


async def test_a_get_cannot_override_its_method(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    assert (await mailbox.get(f"message-store/{message_id}?_method=DELETE")).status_code == 200
    assert states(emulator) == ["Alive"]


async def test_the_mailbox_has_an_address_with_its_real_ids_too(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    path = f"/restapi/v1.0/account/{emulator.account_id}/extension/{emulator.extension_id}/message-store"
    assert (await mailbox.get(emulator.server_url + path)).status_code == 200


async def test_the_app_needs_its_permission() -> None:
    with Emulator(scenario="empty", permissions=["ReadMessages"]) as emulator:
        async with mailbox_of(emulator) as mailbox:
            assert (await mailbox.get("message-store")).status_code == 200
            answer = await mailbox.delete("message-store")
            assert code(answer) == (403, "CMN-401")
            assert answer.json()["errorCode"] == "InsufficientPermissions"
            assert answer.json()["permissionName"] == "EditMessages"
            url = f"{emulator.server_url}/restapi/v1.0/account/~/message-store-configuration"
            assert code(await mailbox.get(url)) == (403, "CMN-401")


async def test_editing_includes_reading() -> None:
    with Emulator(scenario="empty", permissions=["EditMessages"]) as emulator:
        async with mailbox_of(emulator) as mailbox:
            assert (await mailbox.get("message-store")).status_code == 200


async def test_the_user_needs_the_permission_too() -> None:
    with Emulator(scenario="empty", user_permissions=["ReadMessages"]) as emulator:
        async with mailbox_of(emulator) as mailbox:
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


async def test_answers_state_the_limit_and_the_remaining_requests() -> None:
    with Emulator(scenario="empty") as emulator:
        async with mailbox_of(emulator) as mailbox:
            answer = await mailbox.get("message-store/111")
            limits = {name: value for name, value in answer.headers.items() if name.startswith("x-rate-limit")}
            assert limits == {
                "x-rate-limit-group": "light",
                "x-rate-limit-limit": "50",
                "x-rate-limit-remaining": "49",
                "x-rate-limit-window": "60",
            }
            assert (await mailbox.delete("message-store/111")).headers["x-rate-limit-remaining"] == "39"


async def test_past_the_limit_every_further_request_restarts_the_penalty(clock: list[datetime]) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        async with mailbox_of(emulator) as mailbox:
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


async def test_the_rate_limit_window_slides(clock: list[datetime]) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        async with mailbox_of(emulator) as mailbox:
            for _ in range(2):
                for _ in range(20):
                    await mailbox.delete("message-store/111")
                clock[0] += timedelta(seconds=30)
            answer = await mailbox.delete("message-store/111")
            assert answer.headers["x-rate-limit-remaining"] == "19"


async def test_a_rate_limited_request_does_nothing(clock: list[datetime]) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        add(emulator)
        async with mailbox_of(emulator) as mailbox:
            for _ in range(40):
                await mailbox.put("message-store/111", json={"readStatus": "Read"})
            assert (await mailbox.delete("message-store")).status_code == 429
        assert states(emulator) == ["Alive"]


async def test_logins_have_a_separate_limit() -> None:
    with Emulator(scenario="empty") as emulator:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app)) as client:
            url = f"{emulator.server_url}/restapi/oauth/token"
            answers = [await client.post(url, data={"grant_type": "x"}, auth=("a", "b")) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert answers[0].headers["x-rate-limit-group"] == "auth"
