"""Summaries of messages: counts, senders of open messages, failures, messages that will soon be erased."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from pydantic import BaseModel

from rc_mcp.ringcentral import Message
from rc_mcp.views.attached import by_noun
from rc_mcp.views.delivery_failures import NO_REASON, is_failed, undelivered, why_failed
from rc_mcp.views.partners import by_partner, likeness
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
    messages: Iterable[Message],
    now: datetime,
    zone: tzinfo = UTC,
    *,
    most: int = MOST_WITHOUT_ROWS,
    keeping: RetentionFacts = RetentionFacts(),
) -> Summary:
    """Summarize these messages, which come newest first, with times in this zone.

    They may be many: only those that decide who is open are held.

    Args:
        most: how many senders, and how many failures, are listed.
    """
    types, unread = list[str | None](), list[str | None]()
    unheard, attached = Counter[str](), Counter[str]()
    failed, failures = list[Message](), 0
    deciding, lost = _Deciding(), _SoonLost(now, keeping)
    for message in messages:
        types.append(message.type)
        if is_unread(message):
            unread.append(message.type)
            unheard.update([_transcript(message)] if message.type == "VoiceMail" else [])
        if message.type not in {"Fax", "VoiceMail"} and message.attachments:
            attached.update(by_noun([message]))
        if is_failed(message):
            failures += 1
            failed += [message] if failures <= most else []
        deciding.add(message)
        lost.add(message)
    threads = _open_threads(deciding.messages, now)
    return Summary(
        messages=len(types),
        by_type=by_kind(types),
        unread=by_kind(unread) or None,
        unheard=dict(unheard.most_common()) or None,
        attached=dict(attached.most_common()) or None,
        open=[_sender(thread, now, zone, with_id=most > MOST_WITH_ROWS) for thread in threads[:most]] or None,
        open_more=_more(len(threads), most),
        failed=[_failure(m, with_who=most > MOST_WITH_ROWS) for m in failed] or None,
        failed_more=_more(failures, most),
        soon_lost=list(lost.sentences()) or None,
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


def _more(things: int, most: int) -> int | None:
    return things - most if things > most else None


def _transcript(voicemail: Message) -> str:
    if transcript_of(voicemail):
        return "partial_transcript" if extent(voicemail) == "part" else "with_transcript"
    return "transcript_in_progress" if voicemail.vm_transcription_status == "InProgress" else "no_transcript"


def _open_threads(messages: Sequence[Message], now: datetime) -> list[list[Message]]:
    """Return the open messages of each partner: partners with unread ones first, then the oldest."""
    found = [thread for theirs in by_partner(messages) if (thread := open_messages(theirs))]
    found.sort(key=lambda thread: (not any(is_unread(m) for m in thread), thread[-1].creation_time or now))
    return found


class _Deciding:
    """The messages that decide who is open: all unread ones, and of each partner the texts since the last reply.

    The first of each likeness is one too, as it may show that two spellings are one partner.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._known: set[tuple[object, ...]] = set()
        self._replied: set[tuple[object, ...]] = set()

    def add(self, message: Message) -> None:
        """Take the next message; they come newest first."""
        like = likeness(message)
        is_reply = _is_reply(message) and like not in self._replied
        if is_reply or like not in self._known or _may_be_open(message, replied=like in self._replied):
            self.messages.append(message)
        self._known.add(like)
        self._replied.update([like] if is_reply else [])


def open_messages(newest_first: Sequence[Message]) -> list[Message]:
    """Return the unread messages of one partner, and the texts since the last reply, without deleted ones."""
    found: list[Message] = []
    replied = False
    for message in newest_first:
        if _may_be_open(message, replied=replied):
            found.append(message)
        replied = replied or _is_reply(message)
    return found


def _is_reply(message: Message) -> bool:
    return message.direction == "Outbound" and not is_failed(message)  # also a deleted one: it was sent


def _may_be_open(message: Message, *, replied: bool) -> bool:
    if message.direction == "Outbound" or message.availability in {"Deleted", "Purged"}:
        return False
    return is_unread(message) or (not replied and message.type not in {"Fax", "VoiceMail"})


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


class _SoonLost:
    """Faxes and voicemails that RingCentral will soon erase."""

    def __init__(self, now: datetime, keeping: RetentionFacts) -> None:
        self._days = keeping.retention_days
        self._ends = now - timedelta(days=self._days) + _SOON if self._days else None
        self._in_all = keeping.received_in_all or 0
        self._ending = self._received = 0

    def add(self, message: Message) -> None:
        if message.type not in {"Fax", "VoiceMail"} or message.availability != "Alive":
            return
        created = message.creation_time
        self._ending += created is not None and self._ends is not None and created < self._ends
        self._received += message.direction == "Inbound"

    def sentences(self) -> Iterator[str]:
        if n := self._ending:
            kept = f"the account keeps them {self._days} days"
            yield f"{n} of these faxes and voicemails will be erased within 7 days: {kept}."
        received = max(self._received, self._in_all)
        if received >= _CAP_IS_NEAR:
            kinds = "received faxes and voicemails"
            yield f"There are {received} {kinds}; over {INBOX_CAP}, RingCentral erases the oldest."
