"""The newest messages of a mailbox, cached for 30 seconds, because hosts list resources often."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from pydantic import BaseModel

from rc_mcp.ringcentral import Attachment, Message, MessageStoreClient
from rc_mcp.views.attached import is_text_body
from rc_mcp.views.summary import by_kind, is_unread
from rc_mcp.views.untrusted_text import counted, is_id, moment

SPAN = timedelta(days=7)
MOST_MESSAGES = 100
MOST_ATTACHMENTS = 50
_KEPT_FOR = timedelta(seconds=30)
_Read = dict[tuple[str, str], tuple[datetime, list[Message]]]

_KINDS = {
    "RenderedDocument": "Fax",
    "SourceDocument": "Fax source document",
    "AudioRecording": "Voicemail recording",
    "AudioTranscription": "Voicemail transcript",
    "MmsAttachment": "Text message attachment",
}


class MailboxSummary(BaseModel):
    """Message counts of a mailbox. It contains no untrusted text."""

    as_of: str | None
    covers: str = f"the newest {MOST_MESSAGES} messages of the last {SPAN.days} days"
    messages: int
    unread: int
    by_type: dict[str, int]
    unread_by_type: dict[str, int]
    newest: str | None
    next: str = "list_messages shows the messages; sync_messages reports changes."


@dataclass
class RecentMessages:
    """A cache of the newest messages of each mailbox."""

    _read: _Read = field(default_factory=_Read)

    async def of(
        self, client: MessageStoreClient, account_id: str, extension_id: str, now: datetime, *, fresh: bool = False
    ) -> list[Message]:
        """Return the newest messages, newest first; `fresh` reads them now instead of using the cache."""
        mailbox = (account_id, extension_id)
        kept = self._read.get(mailbox)
        if kept and not fresh and timedelta() <= now - kept[0] < _KEPT_FOR:
            return kept[1]
        page = await client.list_messages(
            date_from=now - SPAN, per_page=MOST_MESSAGES, account_id=account_id, extension_id=extension_id
        )
        self._read[mailbox] = (now, page.records)
        return page.records

    def forget(self, account_id: str, extension_id: str) -> None:
        """Drop the cached messages of a mailbox that changed."""
        self._read.pop((account_id, extension_id), None)


def attachments_of(messages: Sequence[Message]) -> list[tuple[Message, Attachment]]:
    """Return the newest attachments, without those that only repeat the text of a text message."""
    found = [(m, a) for m in messages for a in m.attachments if not is_text_body(m, a) and is_id(m.id) and is_id(a.id)]
    return found[:MOST_ATTACHMENTS]


def title_of(message: Message, attachment: Attachment, zone: tzinfo | None) -> str:
    """Describe an attachment by kind, length and time in this zone, without untrusted text."""
    kind = _KINDS.get(attachment.type or "", "Attachment")
    pages = message.fax_page_count if attachment.type == "RenderedDocument" else None
    seconds = attachment.vm_duration
    size = f", {counted(pages, 'page')}" if pages else f", {seconds} s" if seconds else ""
    return f"{kind}{size}, {moment(message.creation_time, zone) or 'at an unknown time'}"


def mailbox_summary(messages: Sequence[Message], now: datetime, zone: tzinfo) -> MailboxSummary:
    """Count the messages, with times in this zone."""
    unread = [m for m in messages if is_unread(m)]
    return MailboxSummary(
        as_of=moment(now, zone),
        messages=len(messages),
        unread=len(unread),
        by_type=by_kind(m.type for m in messages),
        unread_by_type=by_kind(m.type for m in unread),
        newest=moment(messages[0].creation_time, zone) if messages else None,
    )
