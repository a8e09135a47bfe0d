"""Summaries of messages: counts, senders of open messages, failures, messages that will soon be erased."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from pydantic import BaseModel

from rc_mcp.ringcentral import Message
from rc_mcp.views.attached import by_noun
from rc_mcp.views.delivery_failures import NO_REASON, is_failed, undelivered, why_failed
from rc_mcp.views.partners import by_partner
from rc_mcp.views.rows import WHO_TOKENS
from rc_mcp.views.tokens import clip
from rc_mcp.views.transcripts import extent, transcript_of
from rc_mcp.views.untrusted_text import caller_name, moment, short_moment, shown_id, who, word

MOST_WITH_ROWS, MOST_WITHOUT_ROWS = 5, 25
"""How many senders, and how many failures, a summary lists: with rows, which show them too, or without."""
INBOX_CAP = 200
"""How many received faxes and voicemails an inbox keeps (RingCentral's guide, "Message exports")."""
_CAP_IS_NEAR = 180
_MOST_KINDS, _OTHER_KINDS = 20, "others"
_MOST_FAILED = 3
"""Recipients named for a message that did not reach all of them."""
_SOON = timedelta(days=7)

Filters = dict[str, str | list[str] | bool]
"""Filters by argument name."""


def in_force(filters: Mapping[str, Any]) -> Filters:
    """Return the filters that are set."""
    return {name: v if isinstance(v, str | bool) else list(v) for name, v in filters.items() if v}


class Window(BaseModel):
    """The time span that was searched, and the time zone of the answer."""

    date_from: str
    date_to: str
    is_default: bool
    timezone: str


class OpenSender(BaseModel):
    """A sender or caller of messages that are unread, or of texts without a reply in these messages.

    It does not say that someone waits: no field shows whether a person or a machine sent a message.
    """

    unread_since: str | None = None
    """When the oldest of them came, if it is unread."""
    unanswered_since: str | None = None
    """When the oldest of them came, if it is read."""
    unread: int | None = None
    """How many are unread; left out if it is only the oldest."""
    conversation_id: str | None = None
    untrusted_who: str


class Failure(BaseModel):
    """A message that was not delivered."""

    id: str
    why: str
    untrusted_who: str | None = None


class Summary(BaseModel):
    """Counts of messages, with the most important of them listed."""

    messages: int
    by_type: dict[str, int]
    unread: dict[str, int] | None = None
    unheard: dict[str, int] | None = None
    attached: dict[str, int] | None = None
    """Files attached to texts, by kind."""
    open: list[OpenSender] | None = None
    open_more: int | None = None
    failed: list[Failure] | None = None
    failed_more: int | None = None
    soon_lost: list[str] | None = None


@dataclass(frozen=True, slots=True)
class RetentionFacts:
    """Known limits on how long faxes and voicemails are kept."""

    retention_days: int | None = None
    received_in_all: int | None = None
    """Received faxes and voicemails in the whole mailbox, if the listing gives the total."""


def summarize(
    messages: Sequence[Message],
    now: datetime,
    zone: tzinfo = UTC,
    *,
    most: int = MOST_WITHOUT_ROWS,
    keeping: RetentionFacts = RetentionFacts(),
) -> Summary:
    """Summarize these messages, which are sorted newest first, with times in this zone.

    Args:
        most: how many senders, and how many failures, are listed.
    """
    unread = [m for m in messages if is_unread(m)]
    threads = _open_threads(messages, now)
    failed = [m for m in messages if is_failed(m)]
    return Summary(
        messages=len(messages),
        by_type=by_kind(m.type for m in messages),
        unread=by_kind(m.type for m in unread) or None,
        unheard=_unheard(unread) or None,
        attached=by_noun(m for m in messages if m.type not in {"Fax", "VoiceMail"}) or None,
        open=[_sender(thread, now, zone, with_id=most > MOST_WITH_ROWS) for thread in threads[:most]] or None,
        open_more=_more(threads, most),
        failed=[_failure(m, with_who=most > MOST_WITH_ROWS) for m in failed[:most]] or None,
        failed_more=_more(failed, most),
        soon_lost=list(_soon_lost(messages, now, keeping)) or None,
    )


def window(since: datetime, until: datetime, zone: tzinfo, *, is_default: bool) -> Window:
    return Window(
        date_from=moment(since, zone) or "",
        date_to=moment(until, zone) or "",
        is_default=is_default,
        timezone=str(zone),
    )


def by_kind(values: Iterable[str | None]) -> dict[str, int]:
    """Count each value, the most frequent first. RingCentral has five types, but a record can contain any string."""
    counted = Counter(word(value) or "unknown" for value in values).most_common()
    shown = dict(counted[:_MOST_KINDS])
    if others := sum(n for _, n in counted[_MOST_KINDS:]):
        shown[_OTHER_KINDS] = shown.get(_OTHER_KINDS, 0) + others
    return shown


def is_unread(message: Message) -> bool:
    """Return whether the message is received and unread. Sent messages never count as unread."""
    return message.read_status == "Unread" and message.direction != "Outbound"


def _more(things: Sequence[Any], most: int) -> int | None:
    return len(things) - most if len(things) > most else None


def _unheard(unread: Iterable[Message]) -> dict[str, int]:
    """Count unheard voicemails by the state of their transcript."""
    voicemails = [m for m in unread if m.type == "VoiceMail"]
    return dict(Counter(map(_transcript, voicemails)).most_common())


def _transcript(voicemail: Message) -> str:
    if transcript_of(voicemail):
        return "partial_transcript" if extent(voicemail) == "part" else "with_transcript"
    return "transcript_in_progress" if voicemail.vm_transcription_status == "InProgress" else "no_transcript"


def _open_threads(messages: Sequence[Message], now: datetime) -> list[list[Message]]:
    """Return the open messages of each partner: partners with unread ones first, then the oldest."""
    found = [thread for theirs in by_partner(messages) if (thread := _open_messages(theirs))]
    found.sort(key=lambda thread: (not any(is_unread(m) for m in thread), thread[-1].creation_time or now))
    return found


def _open_messages(newest_first: Sequence[Message]) -> list[Message]:
    """Return the unread messages of one partner, and the texts since the last reply, without deleted ones."""
    found: list[Message] = []
    replied = False
    for message in newest_first:
        if message.direction == "Outbound":
            replied = replied or not is_failed(message)  # also a deleted one: it was sent
        elif message.availability in {"Deleted", "Purged"}:
            continue
        elif is_unread(message) or (not replied and message.type not in {"Fax", "VoiceMail"}):
            found.append(message)
    return found


def _sender(thread: Sequence[Message], now: datetime, zone: tzinfo, *, with_id: bool) -> OpenSender:
    unread, oldest = sum(map(is_unread, thread)), thread[-1]
    since = short_moment(oldest.creation_time, now, zone)
    conversation_id = next((m.conversation_id for m in thread if m.conversation_id), None) if with_id else None
    return OpenSender(
        unread_since=since if is_unread(oldest) else None,
        unanswered_since=None if is_unread(oldest) else since,
        unread=unread if unread > is_unread(oldest) else None,
        conversation_id=word(conversation_id),
        untrusted_who=clip(who(thread[0]), WHO_TOKENS),
    )


def _failure(message: Message, *, with_who: bool) -> Failure:
    why = why_failed(message) or NO_REASON
    failed = undelivered(message)
    them = ", ".join(map(caller_name, failed[:_MOST_FAILED])) if failed else who(message)
    return Failure(
        id=shown_id(message.id),
        why=f"to {len(failed)} of {len(message.to)}: {why}" if failed else why,
        untrusted_who=clip(them, WHO_TOKENS) if with_who else None,
    )


def _soon_lost(messages: Sequence[Message], now: datetime, keeping: RetentionFacts) -> Iterable[str]:
    kept = [m for m in messages if m.type in {"Fax", "VoiceMail"} and m.availability == "Alive"]
    if days := keeping.retention_days:
        ends = now - timedelta(days=days) + _SOON
        n = sum(m.creation_time is not None and m.creation_time < ends for m in kept)
        if n:
            yield f"{n} of these faxes and voicemails will be erased within 7 days: the account keeps them {days} days."
    received = max(sum(m.direction == "Inbound" for m in kept), keeping.received_in_all or 0)
    if received >= _CAP_IS_NEAR:
        yield f"There are {received} received faxes and voicemails; over {INBOX_CAP}, RingCentral erases the oldest."
