"""What is attached to a message: seen in rows and summaries, and each file reachable."""

import json
import re
from typing import Any

import pytest

from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Draft, Party
from rc_mcp.ringcentral import Message
from rc_mcp.views.attached import attached
from rc_mcp.views.messages import detail
from tests.desk import Desk, Era, call, text_of

SENDER = Party(phone_number="+15035550134")


def attachment(kind: str | None, content_type: str | None, **fields: object) -> dict[str, object]:
    return {"id": 5, "type": kind, "contentType": content_type, **fields}


BODY = attachment("Text", "text/plain")


@pytest.mark.parametrize(
    ("kind", "attachments", "shown"),
    [
        ("SMS", [BODY], None),
        ("SMS", [attachment(None, "text/plain")], None),
        ("SMS", [], None),
        ("SMS", [BODY, attachment("MmsAttachment", "image/jpeg")], "1 picture"),
        ("SMS", [attachment(None, "text/plain"), attachment(None, "image/heic")], "1 picture"),
        ("SMS", [attachment("MmsAttachment", "IMAGE/x-new")] * 2 + [attachment("MmsAttachment", "application/pdf")],
         "2 pictures, 1 PDF"),
        ("SMS", [BODY, attachment("MmsAttachment", "text/plain")], "1 text file"),
        ("SMS", [BODY, attachment("MmsAttachment", "text/x-vcard"), attachment("MmsAttachment", "video/3gpp")],
         "1 contact card, 1 video"),
        ("SMS", [BODY, attachment("MmsAttachment", "audio/amr"), attachment("MmsAttachment", "text/calendar")],
         "1 audio file, 1 calendar file"),
        ("SMS", [attachment("MmsAttachment", "application/octet-stream", fileName="IMG_1.JPG")], "1 picture"),
        ("SMS", [attachment("MmsAttachment", None, width=574)], "1 picture"),
        ("SMS", [attachment("MmsAttachment", "application/the-user-agreed")], "1 file"),
        ("Pager", [BODY, attachment("MmsAttachment", "image/png")], "1 picture"),
        ("Fax", [attachment("RenderedDocument", "application/pdf")], None),
        ("Fax", [attachment(None, "image/tiff")], None),
        ("Fax", [attachment("SourceDocument", "image/tiff"), attachment("RenderedDocument", "application/pdf")],
         "2 documents"),
        ("VoiceMail", [attachment("AudioRecording", "audio/wav"), attachment("AudioTranscription", None)], None),
        ("VoiceMail", [attachment("AudioRecording", "audio/mpeg")] * 2, "2 audio files"),
    ],
)  # fmt: skip
def test_attached_files_are_counted_by_kind(kind: str, attachments: list[object], shown: str | None) -> None:
    assert attached(Message.model_validate({"id": 1, "type": kind, "attachments": attachments})) == shown


@pytest.mark.anyio
async def test_a_picture_without_words_is_no_empty_row(desk: Desk, era: Era) -> None:
    pictures = str(desk.emulator.store.add(Draft(type="SMS", sender=SENDER, media=("crushed-parcel.jpg",) * 3))["id"])
    words = str(desk.emulator.store.add(Draft(type="SMS", sender=SENDER, text="Hello"))["id"])
    async with desk.client(era) as client:
        listing = await call(client, "list_messages", message_type="SMS", phone_number=SENDER.phone_number)
        synced = await call(client, "sync_messages", message_type="SMS")
    for answer in (listing, synced):
        shown = {row["id"]: row.get("attached") for row in rows(answer["messages"])}
        assert (shown[pictures], shown[words]) == ("3 pictures", None)
    assert listing["summary"]["attached"] == {"picture": 3}


@pytest.mark.anyio
async def test_a_page_without_files_has_no_column_for_them(desk: Desk) -> None:
    desk.emulator.store.add(Draft(type="SMS", sender=SENDER, text="Hello"))
    async with desk.client() as client:
        listing = await call(client, "list_messages", phone_number=SENDER.phone_number, date_from="1h")
    assert set(listing["messages"]["SMS"]["columns"]) == {
        "id", "at", "state", "conversation_id", "untrusted_who", "untrusted_text",
    }  # fmt: skip
    assert "attached" not in listing["summary"]


@pytest.mark.process
@pytest.mark.anyio
async def test_each_of_several_pictures_says_its_place_and_names_the_others(desk: Desk) -> None:
    record = desk.emulator.store.add(Draft(type="SMS", sender=SENDER, text="", media=("crushed-parcel.jpg",) * 3))
    ids = [str(a["id"]) for a in record["attachments"] if a["type"] == "MmsAttachment"]
    body = next(str(a["id"]) for a in record["attachments"] if a["type"] == "Text")
    async with desk.client() as client:
        message = (await call(client, "read_message", message_id=str(record["id"])))["messages"][0]
        first = await content(client, record)
        each = [await content(client, record, attachment_id=i) for i in ids]
        words = await content(client, record, attachment_id=body)
    assert [a["id"] for a in message["attachments"] if a["type"] == "MmsAttachment"] == ids
    assert first == each[0]
    assert [places(answer["said"]) for answer in each] == [(1, 3), (2, 3), (3, 3)]
    for id_, answer in zip(ids, each, strict=True):
        assert answer["uri"].endswith(f"/{id_}")
        assert answer["other_attachments"] == dict.fromkeys([i for i in ids if i != id_], "picture")
    assert places(words["said"]) is None
    assert list(words["other_attachments"]) == ids


@pytest.mark.process
@pytest.mark.anyio
async def test_a_single_picture_has_no_place(desk: Desk) -> None:
    record = desk.emulator.store.add(Draft(type="SMS", sender=SENDER, text="Look", media=("crushed-parcel.jpg",)))
    async with desk.client() as client:
        answer = await content(client, record)
    assert places(answer["said"]) is None
    assert "other_attachments" not in answer


def test_an_attachment_that_cannot_be_reached_is_counted() -> None:
    pictures = [attachment("MmsAttachment", "image/png", id=i) for i in ("7", "../8")]
    message = Message.model_validate({"id": 1, "type": "SMS", "attachments": pictures})
    shown = detail(message, "~", "~")
    assert [a.id for a in shown.attachments] == ["7"]
    assert (shown.left_out or "").startswith("1 ")
    assert attached(message) == "2 pictures"


async def content(client: Any, record: dict[str, Any], **arguments: str) -> dict[str, Any]:
    result = await client.call_tool("read_message_content", {"message_id": str(record["id"]), **arguments})
    assert not result.is_error, text_of(result)
    return json.loads(text_of(result))


def places(said: str) -> tuple[int, int] | None:
    found = re.match(r"Attachment (\d+) of (\d+)\. ", said)
    return (int(found[1]), int(found[2])) if found else None
