"""readMessageContent: the content of attachments."""

from dataclasses import replace
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.mailbox import media_files
from tests.emulator.conftest import HELLO

pytestmark = pytest.mark.anyio


def recording() -> str:
    return media_files.names("audio/mpeg")[0]


def add(emulator: Emulator, **more: Any) -> list[dict[str, Any]]:
    return emulator.store.add(replace(HELLO, **more))["attachments"]


def voicemail(emulator: Emulator, **more: Any) -> list[dict[str, Any]]:
    return add(emulator, type="VoiceMail", media=(recording(),), seconds=12, **more)


async def test_a_voicemail_is_a_recording_and_its_transcript(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    audio, transcript = voicemail(emulator, transcript="Please call me back. Ça va?")
    answer = await mailbox.get(audio["uri"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == audio["contentType"] == "audio/mpeg"
    assert answer.content == media_files.read(recording())
    assert audio["vmDuration"] == 12
    answer = await mailbox.get(transcript["uri"])
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "Please call me back. Ça va?"
    assert (transcript["vmDuration"], transcript["fileName"]) == (12, "transcription")
    assert transcript["id"] != audio["id"]


@pytest.mark.parametrize("content_type", ["application/pdf", "image/tiff"])
async def test_a_fax_is_a_document(mailbox: httpx.AsyncClient, emulator: Emulator, content_type: str) -> None:
    name = media_files.names(content_type)[0]
    (document,) = add(emulator, type="Fax", media=(name,), pages=2)
    answer = await mailbox.get(document["uri"])
    assert document["type"] == "RenderedDocument"
    assert answer.headers["content-type"] == content_type
    assert answer.content == media_files.read(name)


async def test_a_picture_comes_with_its_text(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    words, picture = add(emulator, text="Look", media=(media_files.names("image/jpeg")[0],))
    assert (words["type"], picture["type"]) == ("Text", "MmsAttachment")
    assert picture["width"] > 0
    assert picture["height"] > 0
    answer = await mailbox.get(picture["uri"])
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")
    assert picture["size"] == len(answer.content)


async def test_both_hosts_serve_content_and_the_media_host_nothing_else(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    uri = voicemail(emulator)[0]["uri"]
    answer = await mailbox.get(uri.replace(emulator.media_url, emulator.server_url))
    assert (answer.status_code, answer.content) == (200, media_files.read(recording()))
    answer = await mailbox.get(f"{emulator.media_url}/restapi/v1.0/account/~/extension/~/message-store")
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "AGW-404")


async def test_content_needs_a_token(web: httpx.AsyncClient, emulator: Emulator) -> None:
    answer = await web.get(voicemail(emulator)[0]["uri"])
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "AGW-401")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-9", 0, 9), ("5-5", 5, 5), ("10-", 10, None), ("-7", -7, None), ("0-99999999", 0, None)],
)
async def test_a_range_returns_only_its_bytes(
    mailbox: httpx.AsyncClient, emulator: Emulator, asked: str, first: int, last: int | None
) -> None:
    whole = media_files.read(recording())
    uri = voicemail(emulator)[0]["uri"]
    answer = await mailbox.get(uri, headers={"Range": f"bytes={asked}"})
    expected = whole[first : None if last is None else last + 1]
    assert (answer.status_code, answer.content) == (206, expected)
    start = len(whole) + first if first < 0 else first
    span = f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"
    assert answer.headers["content-range"] == span
    assert answer.headers["content-length"] == str(len(expected))


LONG = "9" * 5000


@pytest.mark.parametrize("asked", ["99999999-", "9-5", "-0", "-", "a-b", "5", f"0-{LONG}", f"{LONG}-", f"-{LONG}"])
async def test_an_invalid_range_is_refused(mailbox: httpx.AsyncClient, emulator: Emulator, asked: str) -> None:
    audio = voicemail(emulator)[0]
    answer = await mailbox.get(audio["uri"], headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.json()["errorCode"]) == (416, "CMN-107")
    assert answer.headers["content-range"] == f"bytes */{len(media_files.read(recording()))}"


@pytest.mark.parametrize("asked", ["items=0-1", "bytes=0-1,5-6"])
async def test_other_kinds_of_range_return_the_whole_content(
    mailbox: httpx.AsyncClient, emulator: Emulator, asked: str
) -> None:
    audio = voicemail(emulator)[0]
    answer = await mailbox.get(audio["uri"], headers={"Range": asked})
    assert (answer.status_code, len(answer.content)) == (200, len(media_files.read(recording())))
    assert answer.headers["accept-ranges"] == "bytes"


async def test_head_gives_the_size_without_a_body(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    audio = voicemail(emulator)[0]
    answer = await mailbox.head(audio["uri"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(media_files.read(recording())))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "inline"),
        ("contentDisposition=Attachment", "attachment"),
        (
            "contentDisposition=Attachment&contentDispositionFilename=note.mp3",
            "attachment; filename=\"note.mp3\"; filename*=UTF-8''note.mp3",
        ),
        (
            "contentDispositionFilename=%C3%A9t%C3%A9.mp3",
            "inline; filename=\"_t_.mp3\"; filename*=UTF-8''%C3%A9t%C3%A9.mp3",
        ),
        (
            'contentDispositionFilename=a"%0D%0AX-Evil:%20yes%5C',
            "inline; filename=\"a___X-Evil: yes_\"; filename*=UTF-8''a%22%0D%0AX-Evil%3A%20yes%5C",
        ),
    ],
)
async def test_a_requested_file_name_is_quoted_safely(
    mailbox: httpx.AsyncClient, emulator: Emulator, query: str, expected: str
) -> None:
    answer = await mailbox.get(f"{voicemail(emulator)[0]['uri']}?{query}")
    assert answer.headers["content-disposition"] == expected
    assert "x-evil" not in answer.headers


async def test_an_unknown_disposition_is_refused(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    answer = await mailbox.get(f"{voicemail(emulator)[0]['uri']}?contentDisposition=inline")
    assert (answer.status_code, answer.json()["parameterName"]) == (400, "contentDisposition")


async def test_an_unknown_message_or_attachment_is_not_found(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    uri = voicemail(emulator)[0]["uri"]
    answer = await mailbox.get(f"{uri}1")
    assert (answer.status_code, answer.json()["parameterName"]) == (404, "attachmentId")
    answer = await mailbox.get(uri.replace("/message-store/", "/message-store/1"))
    assert (answer.status_code, answer.json()["parameterName"]) == (404, "messageId")
