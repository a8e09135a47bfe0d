"""Tests of exports: the task, its archives, and who may have them."""

import io
import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from zipfile import ZipFile

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, File
from rc_mcp.emulator.mailbox import exports
from tests.emulator.conftest import ANA, HELLO, JWT_GRANT

pytestmark = pytest.mark.anyio
EXPORTS = "/restapi/v1.0/account/~/message-store-report"
ALL = {"dateFrom": "2000-01-01T00:00:00Z"}
VOICEMAIL = Draft(type="VoiceMail", sender=ANA, media=("hang-up.wav",), transcript="Call me back")
Unpacked = dict[str, bytes]


@asynccontextmanager
async def logged_in(emulator: Emulator, user: int = 0) -> AsyncGenerator[httpx.AsyncClient]:
    """Open a client of a user, whose addresses are relative to the server."""
    transport = httpx.ASGITransport(app=emulator.app)
    async with httpx.AsyncClient(transport=transport, base_url=emulator.server_url) as client:
        answer = await client.post(
            "/restapi/oauth/token",
            data={"grant_type": JWT_GRANT, "assertion": emulator.users[user].jwt},
            auth=(emulator.client_id, emulator.client_secret),
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.fixture
async def client(emulator: Emulator) -> AsyncGenerator[httpx.AsyncClient]:
    async with logged_in(emulator) as client:
        yield client


async def finished(client: httpx.AsyncClient, clock: list[datetime], **asked: Any) -> list[Unpacked]:
    """Export, wait, and return the files of each archive by name."""
    created = await client.post(EXPORTS, json={**ALL, **asked})
    assert created.status_code == 202
    clock[0] += timedelta(milliseconds=exports.TAKES_MS)
    listed = await client.get(f"{EXPORTS}/{created.json()['id']}/archive")
    found: list[Unpacked] = []
    for record in listed.json()["records"]:
        archive = await client.get(record["uri"])
        assert archive.headers["content-type"] == "application/zip"
        assert len(archive.content) == record["size"]
        with ZipFile(io.BytesIO(archive.content)) as file:
            found.append({name: file.read(name) for name in file.namelist()})
    return found


def folder(emulator: Emulator, extension_id: str = "") -> str:
    return f"account/{emulator.account_id}/extension/{extension_id or emulator.extension_id}"


def records(archive: Unpacked, name: str) -> list[dict[str, Any]]:
    return json.loads(archive[f"{name}/message-store.json"])["records"]


async def test_the_first_archive_has_the_records_of_the_lists_for_each_extension(clock: list[datetime]) -> None:
    with Emulator(messages=20, rate_limits=False, now=lambda: clock[0]) as emulator:
        async with logged_in(emulator) as client:
            archive, *_ = await finished(client, clock)
            query = f"dateFrom={ALL['dateFrom']}&availability=Alive&availability=Deleted&perPage=1000&owner=Any"
            assert len(archive) == len(emulator.mailboxes) > 1
            for extension_id in emulator.mailboxes:
                path = f"/restapi/v1.0/account/~/extension/{extension_id}/message-store"
                listed = (await client.get(f"{path}?{query}")).json()["records"]
                assert listed
                assert records(archive, folder(emulator, extension_id)) == listed


async def test_the_other_archives_have_the_attachments_but_no_texts_of_messages(
    emulator: Emulator, client: httpx.AsyncClient, clock: list[datetime]
) -> None:
    emulator.store.add(HELLO)
    message = emulator.store.add(VOICEMAIL)
    _, contents = await finished(client, clock)
    recording, transcript = message["attachments"]
    place = f"{folder(emulator)}/message-store/{message['id']}/content"
    assert contents == {
        f"{place}/{recording['id']}.wav": emulator.store.content(message["id"], recording["id"]),
        f"{place}/{transcript['id']}.txt": b"Call me back",
    }


async def test_attachments_go_into_further_archives_when_one_is_full(
    emulator: Emulator, client: httpx.AsyncClient, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_ARCHIVE_BYTES", 1_500)
    for n in range(3):
        data = random.Random(n).randbytes(1_000)  # noqa: S311
        emulator.store.add(Draft(type="Fax", sender=ANA, media=(File(f"{n}.bin", data),)))
    _, *contents = await finished(client, clock)
    assert [len(archive) for archive in contents] == [1, 1, 1]


async def test_without_attachments_there_is_one_archive(
    emulator: Emulator, client: httpx.AsyncClient, clock: list[datetime]
) -> None:
    emulator.store.add(HELLO)
    assert len(await finished(client, clock)) == 1


async def test_an_export_has_the_messages_of_its_time_and_types_but_no_purged_ones(
    emulator: Emulator, client: httpx.AsyncClient, clock: list[datetime]
) -> None:
    old = emulator.store.add(Draft(type="SMS", sender=ANA, text="old", created=clock[0] - timedelta(days=3)))
    new, deleted, purged = (
        emulator.store.add(Draft(type="SMS", sender=ANA, text="new", availability=availability))
        for availability in ("Alive", "Deleted", "Purged")
    )
    emulator.store.add(VOICEMAIL)

    async def ids(**asked: Any) -> set[int]:
        archive, *_ = await finished(client, clock, messageTypes=["SMS"], **asked)
        return {record["id"] for record in records(archive, folder(emulator))}

    assert await ids() == {old["id"], new["id"], deleted["id"]}
    assert purged["id"] not in await ids()
    assert await ids(dateTo=(clock[0] - timedelta(days=2)).isoformat()) == {old["id"]}
    assert await ids(dateFrom=(clock[0] - timedelta(days=2)).isoformat()) == {new["id"], deleted["id"]}
    assert await ids(dateFrom=None) == {new["id"], deleted["id"]}


async def test_a_task_says_how_far_it_is(emulator: Emulator, client: httpx.AsyncClient, clock: list[datetime]) -> None:
    created = (await client.post(EXPORTS)).json()
    assert created["status"] == "Accepted"
    task = f"{EXPORTS}/{created['id']}"
    assert created["uri"] == f"{emulator.server_url}{task.replace('~', emulator.account_id)}"
    assert (await client.get(task)).json() == {**created, "status": "InProgress"}
    assert (await client.get(f"{task}/archive")).status_code == 404
    clock[0] += timedelta(milliseconds=exports.TAKES_MS)
    completed = (await client.get(task)).json()
    assert completed == {**created, "status": "Completed", "finishTime": completed["finishTime"]}
    assert (await client.get(f"{task}/archive/0")).status_code == 200
    for unknown in (f"{task}/archive/1", f"{EXPORTS}/1", f"{EXPORTS}/1/archive", f"{EXPORTS}/1/archive/0"):
        assert (await client.get(unknown)).json()["errors"][0]["errorCode"] == "CMN-102"


async def test_an_archive_can_be_fetched_with_the_token_in_its_address(
    emulator: Emulator, client: httpx.AsyncClient, web: httpx.AsyncClient, clock: list[datetime]
) -> None:
    task = (await client.post(EXPORTS)).json()
    clock[0] += timedelta(milliseconds=exports.TAKES_MS)
    token = client.headers["authorization"].removeprefix("Bearer ")
    answer = await web.get(f"{task['uri']}/archive/0?access_token={token}")
    assert answer.status_code == 200


async def test_an_account_has_two_exports_in_progress_and_keeps_ten(
    client: httpx.AsyncClient, clock: list[datetime]
) -> None:
    first = (await client.post(EXPORTS)).json()["id"]
    assert (await client.post(EXPORTS)).status_code == 202
    assert (await client.post(EXPORTS)).status_code == 503
    for _ in range(9):
        assert (await client.get(f"{EXPORTS}/{first}")).status_code == 200
        clock[0] += timedelta(milliseconds=exports.TAKES_MS)
        assert (await client.post(EXPORTS)).status_code == 202
    assert (await client.get(f"{EXPORTS}/{first}")).status_code == 404


async def test_only_administrators_export_and_it_counts_as_heavy(clock: list[datetime]) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        async with logged_in(emulator) as client:
            answer = await client.post(EXPORTS)
            assert answer.headers["X-Rate-Limit-Group"] == "heavy"
            assert answer.status_code == 202
        async with logged_in(emulator, 1) as client:
            answer = await client.post(EXPORTS)
            assert answer.status_code == 403
            assert answer.json()["errors"][0]["permissionName"] == "Users"


@pytest.mark.parametrize(
    ("body", "code", "name"),
    [
        ('{"dateFrom": "yesterday"}', "CMN-101", "dateFrom"),
        ('{"dateTo": 1}', "CMN-101", "dateTo"),
        ('{"dateTo": "0001-01-01T00:00:00+14:00"}', "CMN-101", "dateTo"),
        ('{"messageTypes": "SMS"}', "CMN-101", "messageTypes"),
        ('{"messageTypes": [["SMS"]]}', "CMN-101", "messageTypes"),
        ('{"messageTypes": ["Text"]}', "CMN-101", "messageTypes"),
        ("[]", "CMN-104", None),
        ("{", "CMN-103", None),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    client: httpx.AsyncClient, body: str, code: str, name: str | None
) -> None:
    answer = await client.post(EXPORTS, content=body, headers={"Content-Type": "application/json"})
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["errorCode"], error.get("parameterName")) == (400, code, name)


async def test_a_body_of_another_type_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post(EXPORTS, content="a=1", headers={"Content-Type": "text/plain"})).status_code == 415


async def test_an_export_has_nothing_that_is_due_to_be_purged_in_any_mailbox(clock: list[datetime]) -> None:
    with Emulator(scenario="empty", rate_limits=False, now=lambda: clock[0]) as emulator:
        colleague = emulator.users[1].extension_id
        emulator.mailboxes[colleague].add(VOICEMAIL)
        async with logged_in(emulator) as client:
            archive, *_ = await finished(client, clock)
            assert records(archive, folder(emulator, colleague))
        clock[0] += timedelta(days=31)
        async with logged_in(emulator) as client:
            archive, *_ = await finished(client, clock)
            assert records(archive, folder(emulator, colleague)) == []
