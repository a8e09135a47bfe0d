"""The text of an attachment, for the index: of a transcript or another plain text, and of the pages of a document.

It is the reading of `attachments/`, but of the whole attachment, and without the forms and limits of an answer.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from anyio import to_thread

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.kinds import HEAD_BYTES, PDF, PICTURES, is_text, labelled, true_kind
from rc_mcp.media.plain_text import charset_of, part_of
from rc_mcp.media.protocol import Way
from rc_mcp.media.reading import has_ocr, no_progress, read_document
from rc_mcp.media.selection import EVERYTHING, Selection
from rc_mcp.mirror.rows import Source
from rc_mcp.ringcentral import Attachment, ContentTooLarge, Downloaded, Message, MessageStoreClient
from rc_mcp.views.attached import is_transcript
from rc_mcp.views.messages import attachment_uri

if TYPE_CHECKING:  # most servers transcribe nothing
    from rc_mcp.media.transcription import Transcriber

_TEXT_BYTES = 4 * 1024 * 1024
"""So much of a plain text is indexed."""
_ANSWERS = 20
"""A worker reads up to 50 pages, or 18 kB of text. After so many, the rest of the document is not indexed."""


def ways() -> Sequence[Way]:
    """Return how a page is read. OCR, if it is installed, takes some 5 s of one core for each page of a scan."""
    return ("text", "ocr") if has_ocr() else ("text",)


class Found(NamedTuple):
    """The text of an attachment; without one, `state` says why: there is none, or we cannot read it.

    Without OCR, a document without a text layer counts as one that we cannot read: most faxes are pictures of text.
    """

    text: str | None
    state: Literal["none", "failed"] = "none"
    source: Source = "document"
    content_hash: str = ""


async def fetch_text(
    client: MessageStoreClient, message: Message, attachment: Attachment, account_id: str, extension_id: str
) -> Found:
    """Download an attachment into an unnamed temporary file, and return its text. Rate limit group Medium.

    Raises:
        RingCentralError: RingCentral did not return it.
        OSError: the temporary file cannot be written.
    """
    with tempfile.TemporaryFile(buffering=0) as file:
        downloaded = await _download(client, message, attachment, account_id, extension_id, file)
        if downloaded is None:
            return Found(None, "failed")
        return await text_of(file, message, attachment, downloaded.content_type, downloaded.charset)


async def text_of(
    file: BinaryIO, message: Message, attachment: Attachment, content_type: str | None, charset: str | None
) -> Found:
    """Return the text of an attachment that is in a file.

    Args:
        content_type, charset: as the file is labeled.

    Raises:
        OSError: the file cannot be read.
    """
    source: Source = "ringcentral" if is_transcript(message, attachment) else "document"
    seen = await to_thread.run_sync(_looked_at, file, labelled(content_type), charset)
    if seen.kind == PDF or (seen.kind in PICTURES and "ocr" in ways()):
        text, by_ocr = await _text_of_pages(file, seen.kind)
        return Found(text, "failed", "ocr" if by_ocr else source, seen.content_hash)
    return Found(seen.text, seen.state, source, seen.content_hash)


async def hear_text(
    client: MessageStoreClient,
    message: Message,
    attachment: Attachment,
    account_id: str,
    extension_id: str,
    transcriber: "Transcriber",
) -> Found:
    """Download a recording into an unnamed temporary file, and return its transcript. Rate limit group Medium.

    Raises:
        RingCentralError: RingCentral did not return it.
        ModelError: the model cannot be used.
        OSError: the temporary file cannot be written.
    """
    with tempfile.TemporaryFile(buffering=0) as file:
        if await _download(client, message, attachment, account_id, extension_id, file) is None:
            return Found(None, "failed")
        address = attachment_uri(account_id, extension_id, message.id, attachment.id)
        made = await transcriber.transcribe(file, address, no_progress, in_background=True)
        content_hash = await to_thread.run_sync(_hash, file)
    return Found(made.text or None, "failed" if made.why else "none", "transcribed", content_hash)


async def _download(
    client: MessageStoreClient,
    message: Message,
    attachment: Attachment,
    account_id: str,
    extension_id: str,
    file: BinaryIO,
) -> Downloaded | None:
    """Download an attachment into a file; return None if it is too large to be read."""
    try:
        return await client.download(
            message.id,
            attachment.id,
            file,
            max_bytes=LIMITS.document_bytes,
            account_id=account_id,
            extension_id=extension_id,
        )
    except ContentTooLarge:
        return None


class _Seen(NamedTuple):
    """What a file is, and its text if it is a plain one."""

    kind: str
    content_hash: str
    text: str | None
    state: Literal["none", "failed"]


def _looked_at(file: BinaryIO, label: str, named_charset: str | None) -> _Seen:
    head = part_of(file, 0, HEAD_BYTES)
    charset = charset_of(head, named_charset)
    kind = true_kind(head, label, charset)
    text, state = None, "failed" if kind in PICTURES else "none"
    if is_text(kind):
        decoded = part_of(file, 0, _TEXT_BYTES).decode(charset, "replace") if charset else ""
        text, state = decoded if decoded.strip() else None, "none" if charset else "failed"
    return _Seen(kind, _hash(file), text, state)


async def _text_of_pages(file: BinaryIO, kind: str) -> tuple[str | None, bool]:
    """Return the text of the pages, and whether OCR read any of it."""
    pages: Selection = EVERYTHING
    texts: list[str] = []
    by_ocr = False
    for _ in range(_ANSWERS):
        reading = await read_document(file, kind, ways(), pages, no_progress, in_background=True)
        texts += [text for _, text in sorted(reading.texts.items()) if text.strip()]
        by_ocr |= bool(reading.by_ocr)
        if reading.next_page is None or not reading.given():
            break
        pages = ((reading.next_page, None, reading.next_part),)
    return "\n".join(texts) or None, by_ocr


def _hash(file: BinaryIO) -> str:
    file.seek(0)
    found = hashlib.sha256()
    while piece := file.read(1024 * 1024):
        found.update(piece)
    return found.hexdigest()
