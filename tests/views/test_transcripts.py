"""Voicemails: counted and described by what is attached, and a part of a transcript is called a part."""

from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.attachments.ladder import WHICH_RECORDING
from rc_mcp.ringcentral import Message
from rc_mcp.views.transcripts import NONE, PARTIAL, extent, recording_seconds, transcription
from tests.desk import Desk, Era, call

RECORDING = {"id": 33, "type": "AudioRecording", "contentType": "audio/x-wav", "vmDuration": 80}
TRANSCRIPT = {"id": 44, "type": "AudioTranscription", "contentType": "text/plain", "vmDuration": 60}


def voicemail(status: str | None, *attachments: object) -> Message:
    return Message.model_validate(
        {"id": 1, "type": "VoiceMail", "vmTranscriptionStatus": status, "attachments": list(attachments)}
    )


@pytest.mark.parametrize(
    ("status", "attachments", "shown"),
    [
        ("Completed", (RECORDING, TRANSCRIPT), "Completed"),
        ("CompletedPartially", (RECORDING, TRANSCRIPT), PARTIAL),
        ("InProgress", (RECORDING, TRANSCRIPT), PARTIAL),
        ("TimedOut", (RECORDING, TRANSCRIPT), PARTIAL),
        ("Unknown", (RECORDING, TRANSCRIPT), "Unknown"),
        (None, (RECORDING, TRANSCRIPT), None),
        ("Completed", (RECORDING,), NONE),
        ("CompletedPartially", (RECORDING,), NONE),
        (None, (RECORDING,), NONE),
        ("InProgress", (RECORDING,), "InProgress"),
        ("Failed", (RECORDING,), "Failed"),
        ("Completed", (RECORDING, {**TRANSCRIPT, "id": "../44"}), NONE),
        ("Completed", ({"id": 1, "contentType": "audio/x-wav"}, {"id": 2, "contentType": "text/plain"}), "Completed"),
    ],
)
def test_a_transcript_is_what_is_attached(status: str | None, attachments: tuple[object, ...], shown: str) -> None:
    assert transcription(voicemail(status, *attachments)) == shown


def test_a_transcript_whose_status_says_nothing_is_of_unknown_extent() -> None:
    assert extent(voicemail(None, RECORDING, TRANSCRIPT)) == extent(voicemail("Unknown", TRANSCRIPT)) == "unknown"


def test_the_length_is_that_of_the_recording() -> None:
    assert recording_seconds(voicemail(None, TRANSCRIPT, RECORDING)) == 80
    assert recording_seconds(voicemail(None, TRANSCRIPT)) == 60
    assert recording_seconds(voicemail(None, {"id": 1, "contentType": "audio/x-wav", "vmDuration": 42})) == 42
    assert recording_seconds(voicemail(None)) is None


@pytest.mark.anyio
async def test_a_partial_transcript_is_called_a_part_everywhere(desk: Desk, era: Era) -> None:
    partial = sent_as(desk, "CompletedPartially", RECORDING, TRANSCRIPT)
    async with desk.client(era) as client:
        listing = await call(client, "list_messages")
        message = (await call(client, "read_message", message_id="1"))["messages"][0]
        content = await call(client, "read_message_content", message_id="1")
    assert listing["summary"]["unheard"] == {"partial_transcript": 1}
    table = listing["messages"]["VoiceMail"]
    cells = dict(zip(table["columns"], table["untrusted_rows"][0], strict=False))
    assert (cells["transcription"], cells["seconds"]) == (PARTIAL, 80)
    assert message["transcription"] == PARTIAL
    assert content["untrusted"]["text"] == partial
    assert " part of the recording" in content["said"]
    assert "80 s" in content["said"]


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "is_sure"), [("Completed", True), ("Unknown", False)])
async def test_another_transcript_is_not_called_a_part(desk: Desk, status: str, is_sure: bool) -> None:
    sent_as(desk, status, RECORDING, TRANSCRIPT)
    async with desk.client() as client:
        content = await call(client, "read_message_content", message_id="1")
    assert "part" not in content["said"]
    assert ("whether" not in content["said"]) == is_sure
    assert "80 s" in content["said"]


@pytest.mark.anyio
async def test_a_status_without_a_transcript_is_no_transcript(desk: Desk) -> None:
    sent_as(desk, "Completed", RECORDING)
    async with desk.client() as client:
        listing = await call(client, "list_messages")
        message = (await call(client, "read_message", message_id="1"))["messages"][0]
        content = await call(client, "read_message_content", message_id="1")
    assert listing["summary"]["unheard"] == {"no_transcript": 1}
    assert message["transcription"] == NONE
    assert "untrusted" not in content or "text" not in content["untrusted"]
    assert "Completed" not in content["said"]


@pytest.mark.anyio
async def test_a_recording_without_a_type_has_a_transcript_too(desk: Desk) -> None:
    written = sent_as(desk, "Completed", {"id": 33, "contentType": "audio/x-wav", "vmDuration": 80}, TRANSCRIPT)
    async with desk.client() as client:
        content = await call(client, "read_message_content", message_id="1")
    assert content["untrusted"]["text"] == written


@pytest.mark.anyio
@pytest.mark.parametrize("status", ["Completed", "CompletedPartially", "TimedOut", "Unknown"])
@pytest.mark.parametrize("words", ["", " \r\n"])
async def test_a_transcript_without_words_is_said_to_have_none(desk: Desk, era: Era, status: str, words: str) -> None:
    sent_as(desk, status, RECORDING, TRANSCRIPT, words=words)
    async with desk.client(era) as client:
        said = (await call(client, "read_message_content", message_id="1"))["said"]
    assert "has no words" in said
    assert "part" not in said
    assert "80 s" in said


@pytest.mark.anyio
async def test_the_transcript_of_one_of_two_recordings_is_not_said_to_be_that_of_the_other(desk: Desk) -> None:
    second = {**RECORDING, "id": 34, "vmDuration": 20}
    sent_as(desk, "Completed", RECORDING, TRANSCRIPT, second)
    async with desk.client() as client:
        for id_ in ("33", "34"):
            content = await call(client, "read_message_content", message_id="1", attachment_id=id_)
            assert WHICH_RECORDING in content["said"]
            assert list(content["other_attachments"]) == [{"33": "34", "34": "33"}[id_]]


@pytest.mark.anyio
async def test_each_of_two_recordings_has_its_own_transcript(desk: Desk) -> None:
    pair = ({**RECORDING, "id": 34, "vmDuration": 20}, {**TRANSCRIPT, "id": 45})
    asked_for: list[str] = []
    desk.faults.before(lambda request: asked_for.append(request.url.path))
    sent_as(desk, "Completed", RECORDING, TRANSCRIPT, *pair)
    async with desk.client() as client:
        for recording, transcript in (("33", "44"), ("34", "45")):
            content = await call(client, "read_message_content", message_id="1", attachment_id=recording)
            assert WHICH_RECORDING not in content["said"]
            assert asked_for[-1].endswith(f"/content/{transcript}")


def sent_as(
    desk: Desk, status: str, *attachments: dict[str, Any], words: str = "Hello, this is the clinic. Please call"
) -> str:
    """RingCentral sends one voicemail with these attachments; return the words of its transcript."""
    record = {
        "id": 1,
        "type": "VoiceMail",
        "direction": "Inbound",
        "availability": "Alive",
        "readStatus": "Unread",
        "creationTime": desk.clock().isoformat(),
        "vmTranscriptionStatus": status,
        "attachments": list(attachments),
    }

    def send(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/message-store"):
            return httpx.Response(200, json={"records": [record], "paging": {}, "navigation": {}})
        if request.url.path.endswith("/message-store/1"):
            return httpx.Response(200, json=record)
        if "/content/" in request.url.path:
            return httpx.Response(200, content=words.encode(), headers={"Content-Type": "text/plain"})
        return None

    desk.faults.before(send)
    return words
