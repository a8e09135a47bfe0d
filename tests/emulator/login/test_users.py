"""Several users of one account: their logins, their mailboxes and their rights in other mailboxes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, User
from tests.emulator.conftest import ANA, JWT_GRANT, code

pytestmark = pytest.mark.anyio

As = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def office(clock: list[datetime]) -> Iterator[Emulator]:
    with Emulator(now=lambda: clock[0]) as emulator:
        yield emulator


@pytest.fixture
async def log_in_as(office: Emulator) -> AsyncIterator[As]:
    """Return a function that logs in a user by extension number. Relative addresses start at the account."""
    async with AsyncExitStack() as clients:

        async def log_in_as(extension_number: str) -> httpx.AsyncClient:
            base = f"{office.server_url}/restapi/v1.0/account/~/"
            transport = httpx.ASGITransport(app=office.app)
            client = await clients.enter_async_context(httpx.AsyncClient(transport=transport, base_url=base))
            token = await ask_token(client, office, assertion=user(office, extension_number).jwt)
            client.headers["Authorization"] = f"Bearer {token['access_token']}"
            return client

        yield log_in_as


async def ask_token(client: httpx.AsyncClient, emulator: Emulator, **form: str) -> dict[str, Any]:
    auth = (emulator.client_id, emulator.client_secret)
    url = f"{emulator.server_url}/restapi/oauth/token"
    return (await client.post(url, data={"grant_type": JWT_GRANT, **form}, auth=auth)).json()


def user(emulator: Emulator, extension_number: str) -> User:
    [found] = [each for each in emulator.users if each.extension_number == extension_number]
    return found


def test_the_owner_comes_first_and_each_user_has_a_separate_login() -> None:
    with Emulator() as emulator:
        users = emulator.users
        assert (users[0].jwt, users[0].extension_id) == (emulator.jwt, emulator.extension_id)
    assert [each.extension_number for each in users] == ["101", "102", "103", "104"]
    assert [each.name for each in users] == ["Nadia Rahman", "Priya Nair", "Jonas Lindqvist", "Ewa Kowalczyk"]
    for field in ("extension_id", "jwt", "username", "password"):
        assert len({getattr(each, field) for each in users}) == 4
        assert all(getattr(each, field) for each in users)


def test_logins_are_the_same_at_each_start_and_differ_by_seed() -> None:
    with Emulator() as first, Emulator() as again, Emulator(seed=2) as other:
        assert again.users == first.users
        assert {each.password for each in other.users}.isdisjoint(each.password for each in first.users)
        assert {each.jwt for each in other.users}.isdisjoint(each.jwt for each in first.users)


def test_colleagues_have_a_few_messages_the_same_at_each_start(clock: list[datetime]) -> None:
    with Emulator(now=lambda: clock[0]) as first, Emulator(now=lambda: clock[0]) as again:
        for extension_id, mailbox in first.mailboxes.items():
            assert again.mailboxes[extension_id].messages() == mailbox.messages()
            if extension_id != first.extension_id:
                assert 3 <= len(mailbox.messages()) <= 10


def test_a_pager_message_is_in_the_mailboxes_of_its_sender_and_recipients() -> None:
    with Emulator() as emulator:
        priya, nadia = emulator.mailboxes[user(emulator, "102").extension_id], emulator.store
        [asked] = [record for record in nadia.messages() if record.get("subject", "").startswith("Is Maria Costa's")]
        [sent] = [record for record in priya.messages() if record.get("subject") == asked["subject"]]
    assert (asked["direction"], sent["direction"], sent["messageStatus"]) == ("Inbound", "Outbound", "Sent")
    assert (sent["from"], sent["to"], sent["creationTime"]) == (asked["from"], asked["to"], asked["creationTime"])
    assert sent["id"] != asked["id"]


def test_no_two_mailboxes_share_an_id_even_with_many_messages() -> None:
    with Emulator(messages=200) as emulator:
        for mailbox in emulator.mailboxes.values():
            for _ in range(50):
                mailbox.add(Draft(type="SMS", sender=ANA, text="Hi"))
        records = [record for mailbox in emulator.mailboxes.values() for record in mailbox.messages()]
    ids = [attachment["id"] for record in records for attachment in record["attachments"]]
    assert len({record["id"] for record in records}) == len(records)
    assert len(set(ids)) == len(ids)


def test_an_empty_scenario_leaves_every_mailbox_empty() -> None:
    with Emulator(scenario="empty") as emulator:
        assert [mailbox.messages() for mailbox in emulator.mailboxes.values()] == [[], [], [], []]


def test_a_database_file_keeps_every_mailbox(tmp_path: Path, clock: list[datetime]) -> None:
    path = tmp_path / "mailbox.db"
    with Emulator(db=path, now=lambda: clock[0]) as emulator:
        ewa = user(emulator, "104").extension_id
        added = emulator.mailboxes[ewa].add(Draft(type="SMS", sender=ANA, text="Hi"))
        before, users = {key: mailbox.messages() for key, mailbox in emulator.mailboxes.items()}, emulator.users
    clock[0] += timedelta(hours=1)
    with Emulator(db=path, now=lambda: clock[0]) as emulator:
        assert emulator.users == users
        assert {key: mailbox.messages() for key, mailbox in emulator.mailboxes.items()} == before
        assert emulator.mailboxes[ewa].add(Draft(type="SMS", sender=ANA, text="Hi"))["id"] > added["id"]


async def test_each_user_reads_and_changes_their_own_mailbox(office: Emulator, log_in_as: As) -> None:
    for number in ("102", "104"):
        client, extension_id = await log_in_as(number), user(office, number).extension_id
        url = "extension/~/message-store?dateFrom=2026-01"
        records = (await client.get(url)).json()["records"]
        assert records == office.mailboxes[extension_id].messages()
        assert all(f"/extension/{extension_id}/message-store/" in record["uri"] for record in records)
        assert (await client.delete(records[0]["uri"])).status_code == 204
        assert office.mailboxes[extension_id].messages()[0]["availability"] == "Deleted"


async def test_a_message_of_another_mailbox_is_not_found_in_the_users_own(office: Emulator, log_in_as: As) -> None:
    priya, message_id = await log_in_as("102"), office.store.messages()[0]["id"]
    before = office.store.messages()
    for ask in (priya.get, priya.delete):
        answer = await ask(f"extension/~/message-store/{message_id}")
        assert (code(answer), answer.json()["parameterName"]) == ((404, "CMN-102"), "messageId")
    assert (await priya.delete("extension/~/message-store?purge=true")).status_code == 204
    assert office.store.messages() == before
    assert {record["availability"] for record in office.mailboxes[user(office, "102").extension_id].messages()} == {
        "Purged"
    }


async def test_an_administrator_reads_the_messages_of_others(office: Emulator, log_in_as: As) -> None:
    nadia, jonas = await log_in_as("101"), user(office, "103").extension_id
    listed = (await nadia.get(f"extension/{jonas}/message-store?dateFrom=2026-01")).json()
    assert listed["records"] == office.mailboxes[jonas].messages()
    assert f"/extension/{jonas}/message-store?" in listed["uri"]
    voicemail = next(record for record in listed["records"] if record["type"] == "VoiceMail")
    assert (await nadia.get(voicemail["uri"])).json()["id"] == voicemail["id"]
    assert (await nadia.get(voicemail["attachments"][0]["uri"])).status_code == 200
    synced = (await nadia.get(f"extension/{jonas}/message-sync?syncType=FSync&dateFrom=2026-01")).json()
    assert synced["records"] == listed["records"]


async def test_a_sync_token_of_one_mailbox_is_refused_in_another(office: Emulator, log_in_as: As) -> None:
    nadia, jonas = await log_in_as("101"), user(office, "103").extension_id
    token = (await nadia.get("extension/~/message-sync?syncType=FSync")).json()["syncInfo"]["syncToken"]
    answer = await nadia.get(f"extension/{jonas}/message-sync?syncType=ISync&syncToken={token}")
    assert code(answer) == (400, "MSG-333")


async def test_an_administrator_cannot_change_the_messages_of_others(office: Emulator, log_in_as: As) -> None:
    nadia, jonas = await log_in_as("101"), user(office, "103").extension_id
    before = office.mailboxes[jonas].messages()
    one = f"extension/{jonas}/message-store/{before[0]['id']}"
    answers = [
        await nadia.delete(f"extension/{jonas}/message-store"),
        await nadia.delete(one),
        await nadia.put(one, json={"readStatus": "Unread"}),
        await nadia.patch(one, json={"availability": "Deleted"}),
    ]
    for answer in answers:
        assert code(answer) == (403, "CMN-419")
        assert answer.json()["permissionsName"] == "EditMessages"
    assert office.mailboxes[jonas].messages() == before


async def test_a_colleague_cannot_read_the_messages_of_others(office: Emulator, log_in_as: As) -> None:
    priya = await log_in_as("102")
    for other in (office.extension_id, user(office, "104").extension_id):
        for path in ("message-store", "message-store/1", "message-sync?syncType=FSync", "message-store/1/content/1"):
            answer = await priya.get(f"extension/{other}/{path}")
            assert code(answer) == (403, "CMN-419")
            body = answer.json()
            assert body["permissionsName"] == body["errors"][0]["permissionsName"] == "ReadMessages"


async def test_a_users_own_mailbox_by_its_id_needs_no_extended_scope(office: Emulator, log_in_as: As) -> None:
    priya, own = await log_in_as("102"), user(office, "102").extension_id
    assert (await priya.get(f"extension/{own}/message-store")).status_code == 200


async def test_an_unknown_account_or_extension_is_not_found(log_in_as: As) -> None:
    for number in ("101", "102"):
        client = await log_in_as(number)
        for path, parameter in {
            "extension/102/message-store": "extensionId",
            "extension/1/message-store": "extensionId",
            "/restapi/v1.0/account/1/extension/~/message-store": "accountId",
        }.items():
            answer = await client.get(path if path[0] != "/" else str(client.base_url.join(path)))
            assert (code(answer), answer.json()["parameterName"]) == ((404, "CMN-102"), parameter)


async def test_only_an_administrator_reads_the_retention_period(log_in_as: As) -> None:
    assert (await (await log_in_as("101")).get("message-store-configuration")).status_code == 200
    answer = await (await log_in_as("102")).get("message-store-configuration")
    assert code(answer) == (403, "CMN-408")
    assert answer.json()["permissionName"] == "AccountAdministration"


async def test_one_colleague_may_read_but_not_change_messages(office: Emulator, log_in_as: As) -> None:
    jonas = await log_in_as("103")
    message = office.mailboxes[user(office, "103").extension_id].messages()[0]
    assert (await jonas.get(message["uri"])).status_code == 200
    for answer in (await jonas.put(message["uri"], json={"readStatus": "Read"}), await jonas.delete(message["uri"])):
        assert code(answer) == (403, "CMN-408")
        assert answer.json()["permissionName"] == "EditMessages"


async def test_no_user_has_a_permission_that_the_app_lacks(clock: list[datetime]) -> None:
    with Emulator(permissions=["ReadMessages"], now=lambda: clock[0]) as emulator:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app)) as client:
            for number in ("101", "104"):
                token = await ask_token(client, emulator, assertion=user(emulator, number).jwt)
                headers = {"Authorization": f"Bearer {token['access_token']}"}
                url = f"{emulator.server_url}/restapi/v1.0/account/~/extension/~/message-store/1"
                assert code(await client.delete(url, headers=headers)) == (403, "CMN-401")


async def test_an_owner_without_administrator_rights_reads_only_their_own_mailbox(clock: list[datetime]) -> None:
    with Emulator(user_permissions=["ReadMessages"], now=lambda: clock[0]) as emulator:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app)) as client:
            token = await ask_token(client, emulator, assertion=emulator.jwt)
            other = user(emulator, "102").extension_id
            url = f"{emulator.server_url}/restapi/v1.0/account/~/extension/{other}/message-store"
            answer = await client.get(url, headers={"Authorization": f"Bearer {token['access_token']}"})
    assert code(answer) == (403, "CMN-419")


async def test_each_user_has_separate_limits(log_in_as: As) -> None:
    priya, ewa = await log_in_as("102"), await log_in_as("104")
    answers = [(await priya.delete("extension/~/message-store/1")).status_code for _ in range(41)]
    assert answers == [404] * 40 + [429]
    answer = await ewa.delete("extension/~/message-store/1")
    assert (answer.status_code, answer.headers["x-rate-limit-remaining"]) == (404, "39")


async def test_each_user_has_five_separate_sessions(office: Emulator) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=office.app)) as client:
        first = await ask_token(client, office, assertion=user(office, "102").jwt)
        for _ in range(5):
            await ask_token(client, office, assertion=user(office, "104").jwt)
        assert office.sessions.user(first["access_token"]) == user(office, "102")


async def test_a_message_for_a_colleague_appears_only_in_their_mailbox(office: Emulator, log_in_as: As) -> None:
    nadia, ewa = await log_in_as("101"), await log_in_as("104")
    tokens = {
        client: (await client.get("extension/~/message-sync?syncType=FSync")).json()["syncInfo"]["syncToken"]
        for client in (nadia, ewa)
    }
    office.mailboxes[user(office, "104").extension_id].add(Draft(type="SMS", sender=ANA, text="For Ewa"))
    url = "extension/~/message-sync?syncType=ISync&syncToken="
    changes = {client: (await client.get(url + token)).json()["records"] for client, token in tokens.items()}
    assert (len(changes[nadia]), [record["subject"] for record in changes[ewa]]) == (0, ["For Ewa"])
