"""The admin address: clock, new and stored messages, request log and faults, over HTTP and only for this machine."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.emulator.service.admin import Admin
from tests.emulator.conftest import log_in

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    application = Admin(emulator.app, emulator.mailboxes, emulator.clock).application()
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4000") as client:
        yield client


async def test_it_shows_a_summary_of_the_emulator(admin: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.store.add(Draft(type="SMS"))
    emulator.faults.inject("drop")
    assert (await admin.get("/")).json() == {
        "time": "2026-03-05T15:30:20.250Z",
        "time_scale": 1,
        "scenario": "empty",
        "messages": 1,
        "requests": 0,
        "faults": 1,
    }


async def test_it_moves_time(admin: httpx.AsyncClient, emulator: Emulator) -> None:
    answer = await admin.post("/clock", json={"days": 1, "hours": 2, "seconds": 0.5})
    assert (answer.status_code, answer.json()) == (200, {"time": "2026-03-06T17:30:20.750Z"})
    assert emulator.clock() == datetime(2026, 3, 6, 17, 30, 20, 750_000, tzinfo=UTC)


async def test_it_adds_messages(admin: httpx.AsyncClient, emulator: Emulator, mailbox: httpx.AsyncClient) -> None:
    sms = {"type": "SMS", "sender": {"phone_number": "+15035550111", "name": "Ana"}, "text": "Hi"}
    voicemail = {"type": "VoiceMail", "media": ["robocall.mp3"], "seconds": 6, "transcript": "Buy now"}
    group = {"type": "SMS", "recipients": [None, {"phone_number": "+15035550112"}], "created": "2026-03-05T15:00:00Z"}
    answers = [await admin.post("/messages", json=draft) for draft in (sms, voicemail, group)]
    assert [answer.status_code for answer in answers] == [201] * 3
    listed = (await mailbox.get("message-store")).json()["records"]
    assert sorted(record["id"] for record in listed) == [answer.json()["id"] for answer in answers]
    assert answers[0].json()["from"] == {"phoneNumber": "+15035550111", "name": "Ana"}
    assert answers[2].json()["creationTime"] == "2026-03-05T15:00:00.000Z"


async def test_it_takes_files_of_any_kind(
    admin: httpx.AsyncClient, emulator: Emulator, mailbox: httpx.AsyncClient
) -> None:
    data = b"\0 not a fax"
    scan = {"name": "scan.tif", "data": base64.b64encode(data).decode()}
    odd = {**scan, "name": "../x", "content_type": "application/x-odd"}
    answer = await admin.post("/messages", json={"type": "Fax", "media": [scan, odd, "velmont-order.pdf"], "pages": 2})
    assert answer.status_code == 201
    attachments = answer.json()["attachments"]
    kinds = [attachment["contentType"] for attachment in attachments]
    assert kinds == ["image/tiff", "application/x-odd", "application/pdf"]
    for attachment in attachments[:2]:
        assert (await mailbox.get(attachment["uri"])).content == data


async def test_it_adds_shared_messages(admin: httpx.AsyncClient, mailbox: httpx.AsyncClient) -> None:
    owner = {"extension_number": "201", "name": "New clients"}
    added = (await admin.post("/messages", json={"type": "SMS", "text": "Hi", "owner": owner})).json()
    assert (await mailbox.get("message-store")).json()["records"] == []
    assert (await mailbox.get("message-store?owner=Shared")).json()["records"] == [added]


async def test_it_shows_the_current_state_of_a_message(
    admin: httpx.AsyncClient, emulator: Emulator, mailbox: httpx.AsyncClient
) -> None:
    message_id = emulator.store.add(Draft(type="SMS", text="Hi"))["id"]
    assert (await admin.get(f"/messages/{message_id}")).json()["availability"] == "Alive"
    await mailbox.delete(f"message-store/{message_id}")
    assert (await admin.get(f"/messages/{message_id}")).json()["availability"] == "Deleted"
    await admin.post("/clock", json={"days": 5, "hours": 1})
    assert (await admin.get(f"/messages/{message_id}")).json()["availability"] == "Purged"
    await admin.post("/clock", json={"days": 5, "hours": 1})
    assert (await admin.get(f"/messages/{message_id}")).status_code == 404
    assert (await admin.get("/messages/none")).status_code == 404


async def test_it_lists_the_newest_messages_whatever_their_state(admin: httpx.AsyncClient, emulator: Emulator) -> None:
    for availability in ("Alive", "Deleted", "Purged"):
        emulator.store.add(Draft(type="SMS", availability=availability))
    everything = (await admin.get("/messages")).json()["messages"]
    assert [record["availability"] for record in everything] == ["Purged", "Deleted", "Alive"]
    assert (await admin.get("/messages", params={"limit": 1})).json()["messages"] == everything[:1]
    answer = await admin.get("/messages", params={"limit": "all"})
    assert (answer.status_code, answer.json()["field"]) == (400, "limit")


async def test_it_reaches_every_mailbox_of_the_account(admin: httpx.AsyncClient, emulator: Emulator) -> None:
    colleague = emulator.users[1].extension_id
    params = {"extension_id": colleague}
    added = (await admin.post("/messages", params=params, json={"type": "SMS", "text": "Hi"})).json()
    assert f"/extension/{colleague}/message-store/" in added["uri"]
    assert (await admin.get("/messages", params=params)).json()["messages"] == [added]
    assert (await admin.get(f"/messages/{added['id']}")).json() == added
    assert (await admin.get("/messages")).json()["messages"] == []
    answer = await admin.get("/messages", params={"extension_id": "1"})
    assert (answer.status_code, answer.json()["field"]) == (400, "extension_id")


async def test_it_shows_the_request_log_without_secrets(
    admin: httpx.AsyncClient, emulator: Emulator, mailbox: httpx.AsyncClient
) -> None:
    token = mailbox.headers.pop("Authorization").removeprefix("Bearer ")
    emulator.faults.inject("server_error")
    await mailbox.get("message-store", params={"messageType": ["SMS", "Fax"], "access_token": token})
    answer = await admin.get("/requests")
    assert token not in answer.text
    assert answer.json()["requests"][-1] == {
        "entry_point": "platform",
        "method": "GET",
        "path": "/restapi/v1.0/account/~/extension/~/message-store",
        "query": {"messageType": ["SMS", "Fax"], "access_token": ["hidden"]},
        "status": 503,
        "time": "2026-03-05T15:30:20.250Z",
        "fault": "server_error",
    }


async def test_it_injects_lists_and_clears_faults(admin: httpx.AsyncClient, mailbox: httpx.AsyncClient) -> None:
    drop = await admin.post("/faults", json={"kind": "drop", "operation": "deleteMessage", "acted": True})
    error = await admin.post("/faults", json={"kind": "server_error", "method": "GET", "status": 500, "times": 3})
    assert [answer.status_code for answer in (drop, error)] == [201] * 2
    assert (await mailbox.get("message-store")).status_code == 500
    listed = (await admin.get("/faults")).json()["faults"]
    assert [(fault["id"], fault["kind"], fault["times"]) for fault in listed] == [
        (drop.json()["id"], "drop", 1),
        (error.json()["id"], "server_error", 2),
    ]
    assert (await admin.delete(f"/faults/{error.json()['id']}")).status_code == 204
    assert (await mailbox.get("message-store")).status_code == 200
    assert (await admin.delete("/faults")).status_code == 204
    assert (await admin.get("/faults")).json() == {"faults": []}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/clock", {"hours": -1}, "hours"),
        ("/clock", {"hours": "soon"}, "hours"),
        ("/clock", {"weeks": 1}, "weeks"),
        ("/messages", {}, "type"),
        ("/messages", {"type": "Letter"}, "type"),
        ("/messages", {"type": "SMS", "txt": "Hi"}, "txt"),
        ("/messages", {"type": "SMS", "sender": {"phone": "1"}}, "sender.phone"),
        ("/messages", {"type": "SMS", "recipients": [{"name": 1}]}, "recipients.0.name"),
        ("/messages", {"type": "SMS", "created": "2026-03-05T15:00:00"}, "created"),
        ("/messages", {"type": "SMS", "created": "0001-03-05T15:00:00Z"}, "created"),
        ("/messages", {"type": "Fax", "media": ["../../../etc/passwd"]}, "media"),
        ("/messages", {"type": "Fax", "media": ["/etc/passwd"]}, "media"),
        ("/messages", {"type": "Fax", "statuses": "Sent"}, "statuses"),
        ("/messages", {"type": "SMS", "owner": {"name": "New clients"}}, "owner.extension_number"),
        (
            "/messages",
            {"type": "SMS", "owner": {"name": "", "extension_number": "2", "extension_type": "Robot"}},
            "owner.extension_type",
        ),
        ("/faults", {"kind": "crash"}, "kind"),
        ("/faults", {"kind": "drop", "operation": "delete"}, "operation"),
        ("/faults", {"kind": "drop", "times": 0}, "times"),
        ("/faults", {"kind": "drop", "status": 500}, "status"),
        ("/faults", {"kind": "latency", "seconds": "NaN"}, "seconds"),
    ],
)
async def test_an_error_names_the_wrong_field(
    admin: httpx.AsyncClient, emulator: Emulator, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await admin.post(path, json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert answer.json()["error"].startswith(f"{field}: ")
    assert (emulator.store.messages(), emulator.faults.active) == ([], {})
    assert emulator.clock() == datetime(2026, 3, 5, 15, 30, 20, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ({"name": "scan.tif"}, "media.0.file.data"),
        ({"name": "scan.tif", "data": "not base64"}, "media.0.file.data"),
        ({"name": "scan.tif", "data": "AA==", "content_type": "image/tiff\r\nX-Evil: 1"}, "media.0.file"),
        ({"name": "scan.tif", "data": "AA==", "path": "/etc/passwd"}, "media.0.file.path"),
        (7, "media.0.file"),
    ],
)
async def test_an_unusable_file_is_refused_by_its_field(
    admin: httpx.AsyncClient, emulator: Emulator, file: Any, field: str
) -> None:
    answer = await admin.post("/messages", json={"type": "Fax", "media": [file]})
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert emulator.store.messages() == []


async def test_only_a_json_object_is_accepted(admin: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    for body in ("{", "[]", "1", "null", '"x"', "[" * 100_000):
        assert (await admin.post("/faults", content=body, headers=headers)).status_code == 400
    form = await admin.post("/faults", data={"kind": "drop"})
    assert (form.status_code, form.json().keys()) == (415, {"error"})


async def test_errors_for_unknown_addresses_and_methods_are_json_too(admin: httpx.AsyncClient) -> None:
    for answer, status in ((await admin.get("/nowhere"), 404), (await admin.delete("/clock"), 405)):
        assert (answer.status_code, answer.json().keys()) == (status, {"error"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example:4000"},
        {"Host": "127.0.0.1.rebound.example"},
        {"Host": "[::1"},
        {"Host": ""},
        {"Host": "127.0.0.1:4000", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1:4000", "Origin": "http://127.0.0.1:5000"},
        {"Host": "127.0.0.1:4000", "Origin": "null"},
    ],
)
async def test_requests_from_other_web_pages_are_refused(
    admin: httpx.AsyncClient, emulator: Emulator, headers: dict[str, str]
) -> None:
    answer = await admin.post("/faults", json={"kind": "drop"}, headers=headers)
    assert answer.status_code == 403
    assert emulator.faults.active == {}


@pytest.mark.parametrize("headers", [{"Host": "localhost:4000"}, {"Origin": "http://127.0.0.1:4000"}])
async def test_local_programs_and_its_own_pages_are_accepted(admin: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await admin.get("/", headers=headers)).status_code == 200


async def test_it_is_served_only_on_request_and_only_to_this_machine() -> None:
    with Emulator(scenario="empty") as emulator:
        async with emulator.serve():
            assert emulator.admin_url is None
        async with emulator.serve("0.0.0.0", admin_port=0), httpx.AsyncClient() as client:  # noqa: S104
            assert emulator.admin_url is not None
            assert emulator.admin_url.startswith("http://127.0.0.1:")
            assert (await client.get(emulator.admin_url)).json()["scenario"] == "empty"
            answer = await client.get(f"{emulator.server_url}/faults")
            assert answer.json()["errorCode"] == "AGW-404"
        assert emulator.admin_url is None


async def test_a_drop_injected_over_http_loses_the_connection() -> None:
    with Emulator(scenario="empty") as emulator:
        message_id = emulator.store.add(Draft(type="SMS", sender=Party(name="Ana")))["id"]
        async with emulator.serve(admin_port=0), httpx.AsyncClient() as client:
            await log_in(client, emulator)
            fault = {"kind": "drop", "operation": "deleteMessage", "acted": True}
            assert (await client.post(f"{emulator.admin_url}/faults", json=fault)).status_code == 201
            url = f"{emulator.server_url}/restapi/v1.0/account/~/extension/~/message-store/{message_id}"
            with pytest.raises(httpx.RemoteProtocolError):
                await client.delete(url)
            state = await client.get(f"{emulator.admin_url}/messages/{message_id}")
            assert state.json()["availability"] == "Deleted"
