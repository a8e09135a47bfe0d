"""read_message_content: one attachment, in the first form that a model can read (`attachments/ladder.py`).

An answer with images, a link or bytes has no structured content, so this tool publishes no output schema. Codex,
opencode and some versions of Claude Code show a model only structured content if there is any, and a tool with a schema
must have it in every answer (MCP, "Tools"; clients refuse an answer without).
"""

from typing import TYPE_CHECKING, Annotated, Literal

from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ContentBlock, TextContent
from pydantic import Field

from rc_mcp.attachments.fetching import AttachmentRef
from rc_mcp.attachments.forms import ContentAnswer, main_attachment, reachable_files
from rc_mcp.attachments.ladder import AttachmentRequest, read_attachment, text_of_copy
from rc_mcp.media.selection import Selection, selection
from rc_mcp.ringcentral import Attachment, Message, NotFound
from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.arguments import AccountId, ExtensionId, Id, Pages
from rc_mcp.views.attached import is_recording, noun_of
from rc_mcp.views.messages import MOST_SHOWN
from rc_mcp.views.transcripts import transcript_of_recording
from rc_mcp.views.untrusted_text import is_id

if TYPE_CHECKING:  # most servers have no local copy
    from rc_mcp.mirror.local_copy import Kept


SAVED, LINKED = "file: save to disk.", "file: a link for the user to download it."
"""What becomes of a file where the user has this server's machine, and where not."""


async def read_message_content(
    ctx: Ctx,
    message_id: Annotated[Id, Field(description="The message that has the attachment.")],
    attachment_id: Annotated[Id | None, Field(description="Default: the message's main attachment.")] = None,
    form: Annotated[
        Literal["auto", "text", "pages", "original", "embedded", "file"],
        Field(description=f"pages: page images. original: a link to the file. embedded: its bytes, if small. {SAVED}"),
    ] = "auto",
    pages: Pages | None = None,
    account_id: AccountId = "~",
    extension_id: ExtensionId = "~",
) -> CallToolResult:
    """Read an attachment: a voicemail's transcript, a fax (its text, or pictures of its pages), a picture, a file.
    auto takes the first form that can be read; the answer names the others."""
    selected = _selection(pages, form)
    app = session_of(ctx)
    kept: Kept | None = None
    try:
        message = await app.client.read_message(message_id, account_id=account_id, extension_id=extension_id)
    except NotFound:
        known = await app.copy.kept([message_id], account_id, extension_id) if app.copy else {}
        kept = known.get(message_id)
        if kept is None or form not in {"auto", "text"}:
            raise
        message = kept.message
    attachment = _attachment(message, attachment_id)
    place = AttachmentRef(account_id, extension_id, message_id, attachment.id)
    asked = AttachmentRequest(
        app.client,
        message,
        attachment,
        place,
        form,
        selected,
        app.files,
        ctx.report_progress,
        app.transcriber,
    )
    async with app.attachments:
        answer, blocks = await (_read_kept(asked, kept) if kept else read_attachment(asked))
    answer = _among_others(answer, message, attachment)
    said = TextContent(type="text", text=answer.model_dump_json(exclude_none=True))
    structured = None if blocks else answer.model_dump(mode="json", exclude_none=True)
    return CallToolResult(content=[said, *blocks], structured_content=structured)


async def _read_kept(asked: AttachmentRequest, kept: "Kept") -> tuple[ContentAnswer, list[ContentBlock]]:
    message, attachment = asked.message, asked.attachment
    transcript = transcript_of_recording(message, attachment)[0] if is_recording(message, attachment) else None
    found = (transcript and kept.texts.get(transcript.id)) or kept.texts.get(attachment.id)
    if found is None:
        raise ToolError(
            "RingCentral no longer has this message, and the local copy has no text of it. Nothing was read."
        )
    source, text = found
    return await text_of_copy(asked, text, source)


def _selection(pages: str | None, form: str) -> Selection:
    if pages is not None and form in {"original", "embedded", "file"}:
        raise ToolError("pages: goes with form text or pages. Nothing was sent to RingCentral.")
    try:
        return selection(pages)
    except ValueError as error:
        raise ToolError(f"pages: {error}. Nothing was sent to RingCentral.") from None


def _among_others(answer: ContentAnswer, message: Message, attachment: Attachment) -> ContentAnswer:
    """Return the answer with the place of the attachment among the files of its message, and the ids of the others."""
    found = reachable_files(message)
    places = [at for at, file in enumerate(found, 1) if file is attachment]
    others = [file for file in found if file is not attachment]
    place = f"Attachment {places[0]} of {len(found)}. " if places and others else ""
    shown = {file.id: noun_of(message, file) for file in others[:MOST_SHOWN]}
    return answer.model_copy(update={"said": place + answer.said, "other_attachments": shown or None})


def _attachment(message: Message, attachment_id: str | None) -> Attachment:
    found = next((a for a in message.attachments if a.id == attachment_id), None)
    if attachment_id is None:
        found = main_attachment(message)
    if found is None:
        ids = ", ".join([a.id for a in message.attachments if is_id(a.id)][:MOST_SHOWN]) or "none"
        raise ToolError(f"The message has no such attachment; it has: {ids}. Nothing was read.")
    return found
