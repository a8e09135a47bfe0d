"""Records that RingCentral was recorded to send, through the tools that read: each field is shown, or not for a reason.

`recorded.json` has 38 records from public repositories and RingCentral's guide, of 2012 to 2026, with names and numbers
replaced. The last eight are of message threads, a newer API; they show what happens to records of another kind.
"""

import copy
import json
from collections.abc import Iterator
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import httpx2 as httpx
import pytest
from mcp import Client

from rc_mcp.media.kinds import labelled
from rc_mcp.ringcentral import Message
from rc_mcp.views.attached import is_text_body
from rc_mcp.views.messages import Detail, detail
from rc_mcp.views.transcripts import PARTIAL
from tests.desk import Desk, Era, call, text_of

RECORDS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("recorded.json").read_text("utf-8"))
ZONE = ZoneInfo("America/Los_Angeles")
_ADDRESS = "an address of RingCentral, which no tool takes; our own resource address is shown"
_THREAD = "of message threads, another API: none of the ten operations returns it"
_PART = "a part of the phone number, which is shown"
_ID = "an internal id; shown if name, number and extension number are missing"
_PLACE = "the place of the number, not of the person; shown if nothing else is known"
NOT_SHOWN = {
    "uri": _ADDRESS,
    "attachments[].uri": _ADDRESS,
    "conversation.uri": _ADDRESS,
    "attachments[].height": "the picture itself is shown",
    "attachments[].width": "the picture itself is shown",
    "eventType": "of push notifications only",
    "from.extensionId": _ID,
    "to[].extensionId": _ID,
    "from.location": _PLACE,
    "to[].location": _PLACE,
    "from.phoneNumberInfo.countryCode": _PART,
    "from.phoneNumberInfo.nationalDestinationCode": _PART,
    "from.phoneNumberInfo.subscriberNumber": _PART,
    "pgToDepartment": "the department is a recipient, and recipients are shown",
    "smsSendingAttemptsCount": "the status says what the attempts led to",
    "to[].target": "the only recipient, in these records; in a group `to_number` shows it",
    "priority": "Normal, in these records; another one is shown",
    **dict.fromkeys(
        ("threadId", "text", "author.extensionId", "author.extensionType", "author.name", "recordType", "status",
         "label", "statusReason", "ownerParty.phoneNumber", "guestParty.phoneNumber"),
        _THREAD,
    ),
}  # fmt: skip
SHOWN_AS = {"CompletedPartially": PARTIAL}

pytestmark = pytest.mark.anyio


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value of a JSON document with its path."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from leaves(inner, f"{path}[]")
    else:
        yield path, value


def expected(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the path and the shown form of each field that should be shown."""
    message = Message.model_validate(record)
    bodies = [at for at, a in enumerate(message.attachments) if is_text_body(message, a) and message.subject]
    listed = {
        **record,
        # A text body repeats `subject`, and `conversation` has the exact digits of `conversationId`.
        "attachments": [a for at, a in enumerate(record.get("attachments", [])) if at not in bodies],
        "conversationId": None if "conversation" in record else record.get("conversationId"),
    }
    for path, value in leaves(listed):
        if path in NOT_SHOWN or value is None:
            continue
        shown = SHOWN_AS.get(str(value), str(value))
        if path.endswith("Time"):
            shown = datetime.fromisoformat(shown).astimezone(ZONE).isoformat(timespec="seconds")
        yield path, labelled(shown) if path == "attachments[].contentType" else shown


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record.get('type', 'thread')}-{record['id']}")
async def test_every_field_of_a_recorded_record_is_shown_or_left_out_for_a_reason(
    desk: Desk, record: dict[str, Any]
) -> None:
    serve(desk, [record])
    async with desk.client() as client:
        if str(record["id"]).isdigit():
            (shown,) = (await call(client, "read_message", message_id=str(record["id"])))["messages"]
        else:  # a note of a thread: no tool takes its id
            listing = await call(client, "list_messages", detail="full")
            (shown,) = next(iter(listing["messages"].values()))
            shown["last_modified"] = datetime.fromisoformat(record["lastModifiedTime"]).astimezone(ZONE)
            shown["last_modified"] = shown["last_modified"].isoformat(timespec="seconds")
    texts = [str(value) for _, value in leaves(shown)]
    missing = {path: value for path, value in expected(record) if not any(value in text for text in texts)}
    assert missing == {}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record.get('type', 'thread')}-{record['id']}")
def test_without_a_field_that_is_shown_the_message_looks_different(record: dict[str, Any]) -> None:
    message = Message.model_validate(record)
    repeats_subject = {at for at, a in enumerate(message.attachments) if is_text_body(message, a) and message.subject}
    for path in places(record):
        match path:
            case ("attachments", int(at), *_) if at in repeats_subject:
                continue
            case ("conversationId",) | ("conversation", "id") if {"conversationId", "conversation"} <= record.keys():
                continue  # each says the same as the other
            case _ if dotted(path) not in NOT_SHOWN:
                assert whole(without(record, path)) != whole(record), path
            case _:
                continue


Place = tuple[str | int, ...]


def places(value: object, place: Place = ()) -> Iterator[Place]:
    """Yield the keys and indexes that lead to each value, other than null, of a JSON document."""
    match value:
        case dict():
            for key, inner in cast("dict[str, object]", value).items():
                yield from places(inner, (*place, key))
        case list():
            for at, inner in enumerate(cast("list[object]", value)):
                yield from places(inner, (*place, at))
        case None:
            pass
        case _:
            yield place


def dotted(place: Place) -> str:
    return "".join("[]" if isinstance(key, int) else f".{key}" for key in place).removeprefix(".")


def without(record: dict[str, Any], place: Place) -> dict[str, Any]:
    *there, last = place
    shorter: Any = copy.deepcopy(record)
    parent = reduce(lambda inner, key: inner[key], there, shorter)
    del parent[last]
    return shorter


def whole(record: dict[str, Any]) -> Detail | None:
    """Return what `read_message` shows; None for a record without an id."""
    message = Message.read(record)
    return message and detail(message, "~", "~")


def test_every_reason_is_for_a_field_that_occurs() -> None:
    occurring = {path for record in RECORDS for path, _ in leaves(record)}
    assert set(NOT_SHOWN) <= occurring


def test_a_reason_that_names_a_value_is_true_of_all_records() -> None:
    assert {record.get("priority", "Normal") for record in RECORDS} == {"Normal"}
    assert {len(record["to"]) for record in RECORDS if any("target" in party for party in record.get("to", []))} == {1}


async def test_all_recorded_records_are_listed_and_synced(desk: Desk, era: Era) -> None:
    serve(desk, RECORDS)
    async with desk.client(era) as client:
        for tool in ("list_messages", "sync_messages"):
            rows = await call(client, tool)
            full = await call(client, tool, detail="full")
            summary = await call(client, tool, detail="summary")
            assert sum(len(table["untrusted_rows"]) for table in rows["messages"].values()) == len(RECORDS)
            assert sum(len(table) for table in full["messages"].values()) == len(RECORDS)
            assert sum(summary["summary"]["by_type"].values()) == len(RECORDS)
            assert summary["summary"]["unheard"] == {"no_transcript": 3, "partial_transcript": 1}
            assert summary["summary"]["attached"] == {"picture": 2}


async def test_each_attachment_of_the_recorded_records_can_be_read(desk: Desk) -> None:
    serve(desk, RECORDS)
    async with desk.client() as client:
        for record in RECORDS:
            for attachment in record.get("attachments", []):
                assert await kind_of(client, record, attachment) == labelled(attachment["contentType"])


async def kind_of(client: Client, record: dict[str, Any], attachment: dict[str, Any]) -> str:
    ids = {"message_id": str(record["id"]), "attachment_id": str(attachment["id"])}
    result = await client.call_tool("read_message_content", {**ids, "form": "embedded"})
    assert not result.is_error, text_of(result)
    return json.loads(text_of(result))["content_type"]


BYTES = {
    "text/plain": b"words",
    "audio/mpeg": b"ID3\x03\0\0",
    "audio/x-wav": b"RIFF\0\0\0\0WAVEfmt ",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/tiff": b"II*\0\x08\0\0\0",
    "application/pdf": b"%PDF-1.4\n",
}


def serve(desk: Desk, records: list[dict[str, Any]]) -> None:
    """RingCentral sends these records in lists, in syncs and by id, with their attachments."""
    by_id = {str(record["id"]): record for record in reversed(records)}
    kinds = {(str(r["id"]), str(a["id"])): a["contentType"] for r in records for a in r.get("attachments", [])}
    sync = {"syncType": "FSync", "syncToken": "token", "syncTime": desk.clock().isoformat()}

    def act(request: httpx.Request) -> httpx.Response | None:
        parts = request.url.path.split("/")
        if parts[-1] in {"message-store", "message-sync"}:
            body = {"records": records, "paging": {}, "navigation": {}, "syncInfo": sync}
            return httpx.Response(200, json=body)
        if parts[-2] == "content":
            kind = kinds[parts[-3], parts[-1]]
            return httpx.Response(200, content=BYTES[kind], headers={"Content-Type": kind})
        return httpx.Response(200, json=by_id[parts[-1]]) if parts[-2] == "message-store" else None

    desk.faults.before(act)
