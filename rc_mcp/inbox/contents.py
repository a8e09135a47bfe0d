"""Attachments for the page: a text, a file in pieces, a page of a fax as a picture.

A window inside an app may load nothing by an address. So all bytes travel in answers of less than a megabyte.
"""

import base64
import tempfile
from contextlib import ExitStack
from typing import Annotated

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from rc_mcp.attachments.fetching import AttachmentRef, Fetched, fetch
from rc_mcp.attachments.forms import REASONS, main_attachment
from rc_mcp.attachments.ladder import AttachmentRequest, read_attachment
from rc_mcp.inbox.desk import Arguments, Desk, InboxError, MessageId
from rc_mcp.inbox.records import FaxPage, Piece, Text, TimedText
from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.kinds import is_document, labelled
from rc_mcp.media.reading import no_progress, read_document
from rc_mcp.media.selection import EVERYTHING
from rc_mcp.ringcentral import RangeNotSatisfiable

PIECE_BYTES = 524_286
"""A piece has 699,048 characters in base64: the SDK's client, and hosts, refuse a megabyte in one answer."""
NO_ATTACHMENT = "The message has no such attachment."
NO_PAGE = "The document has no such page."
NO_PAGES = "This attachment has no pages to show."


class Attachment(Arguments):
    message_id: MessageId
    attachment_id: MessageId


class FromOffset(Attachment):
    offset: Annotated[int, Field(ge=0)] = 0


class OnePage(Attachment):
    page: Annotated[int, Field(ge=1, le=LIMITS.counted_pages)] = 1
    part: Annotated[int, Field(ge=1, le=LIMITS.parts_per_page)] = 1


class MaybeAttachment(Arguments):
    message_id: MessageId
    attachment_id: MessageId | None = None


async def text(desk: Desk, asked: MaybeAttachment) -> Text:
    """Return the text of an attachment: the transcript of a recording, the text of a fax.

    Raises:
        InboxError: the message has no such attachment.
        RingCentralError: RingCentral did not return it.
    """
    message = await desk.app.client.read_message(asked.message_id)
    named = (a for a in message.attachments if a.id == asked.attachment_id)
    attachment = next(named, None) if asked.attachment_id else main_attachment(message)
    if attachment is None:
        raise InboxError(NO_ATTACHMENT)
    place = AttachmentRef("~", "~", message.id, attachment.id)
    request = AttachmentRequest(
        desk.app.client,
        message,
        attachment,
        place,
        "text",
        EVERYTHING,
        desk.app.files,
        no_progress,
        desk.app.transcriber,
    )
    try:
        async with desk.app.attachments:
            answer, _ = await read_attachment(request)
    except ToolError as error:
        raise InboxError(str(error)) from None
    known = desk.app.transcriber.known(place.uri) if desk.app.transcriber else None
    sentences = known.sentences if known else ()
    return Text(
        untrusted_text=answer.untrusted.text or (None if sentences else answer.untrusted.transcribed_here),
        said=answer.said,
        sentences=[TimedText(from_s=s.from_s, to_s=s.to_s, untrusted_text=s.text) for s in sentences],
    )


async def file(desk: Desk, asked: FromOffset) -> Piece:
    """Return a piece of an attachment, from an offset on.

    Raises:
        InboxError: the attachment ends before the offset.
        RingCentralError: RingCentral did not return it.
    """
    first = asked.offset
    try:
        async with desk.app.client.read_message_content(
            asked.message_id, asked.attachment_id, byte_range=(first, first + PIECE_BYTES - 1)
        ) as content:
            data = await content.read(PIECE_BYTES if content.status == 206 else LIMITS.document_bytes)
            is_whole = content.status != 206
    except RangeNotSatisfiable:
        raise InboxError("The file ends before this place.") from None
    if is_whole:  # RingCentral, or a proxy, sent the whole file in place of the range
        data = data[first : first + PIECE_BYTES]
    end = first + len(data)
    has_more = bool(data) and (content.size is None or end < content.size)
    return Piece(
        content_type=labelled(content.content_type),
        bytes=content.size,
        offset=first,
        next=end if has_more else None,
        data=base64.b64encode(data).decode(),
    )


async def fax_page(desk: Desk, asked: OnePage) -> FaxPage:
    """Return a page of a fax, a PDF or a picture as a picture.

    Raises:
        InboxError: there is no such page, or it cannot be shown.
        RingCentralError: RingCentral did not return the document.
    """
    async with desk.turning:
        found = await _document(desk, AttachmentRef("~", "~", asked.message_id, asked.attachment_id))
        try:
            if not is_document(found.kind):
                raise InboxError(NO_PAGES)
            one = ((asked.page, asked.page, asked.part),)
            reading = await read_document(found.file, found.kind, ["picture"], one, no_progress)
        finally:
            if found.size > desk.keeps_bytes:
                desk.close()
    picture = next((p for p in reading.pictures if p.page == asked.page and p.part == asked.part), None)
    if picture is None:
        why = reading.failed.get(asked.page) or reading.why
        raise InboxError(f"The page is not shown: {REASONS[why]}." if why else NO_PAGE)
    return FaxPage(
        page=asked.page,
        pages=reading.pages or asked.page,
        part=picture.part,
        parts=picture.parts,
        content_type=picture.mime_type,
        data=picture.base64,
    )


async def _document(desk: Desk, place: AttachmentRef) -> Fetched:
    """Return the document, downloaded unless it is the one that was shown last."""
    if desk.document and desk.document[0] == place:
        return desk.document[1]
    desk.close()
    with ExitStack() as opened:
        held = opened.enter_context(tempfile.TemporaryFile(buffering=0))
        try:
            async with fetch(
                desk.app.client, place, max_bytes=LIMITS.document_bytes, progress=no_progress, file=held
            ) as found:
                desk.document = place, found
        except ToolError as error:
            raise InboxError(str(error)) from None
        opened.pop_all()
    return found
