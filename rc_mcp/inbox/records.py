"""What the page is given. Times are ISO 8601 in UTC, ids are strings, and fields named untrusted hold strangers' text.

The page shows untrusted text as text only. It is cleaned of invisible characters here, as for a model.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from rc_mcp.access import Level
from rc_mcp.media.kinds import PDF, TIFF, labelled
from rc_mcp.ringcentral import Attachment, Caller, Message
from rc_mcp.views.attached import is_recording, is_text_body, is_transcript
from rc_mcp.views.changes import OutcomeWord, Status
from rc_mcp.views.delivery_failures import NO_REASON, is_failed, why_failed
from rc_mcp.views.summary import is_unread, open_messages
from rc_mcp.views.untrusted_text import (
    NAME_CHARS,
    as_written,
    caller_name,
    caller_number,
    clean,
    first_words,
    is_id,
    moment,
    shown_id,
    who,
    word,
)

_TEXT_CHARS = 16_000
_PARTIES, _NAME_TOKENS = 20, 60
Kind = Literal["audio", "fax", "picture", "transcript", "other"]


class File(BaseModel):
    """An attachment. `pages` is that of a fax, `seconds` that of a recording."""

    id: str
    kind: Kind
    content_type: str
    bytes: int | None
    pages: int | None
    seconds: int | None
    untrusted_name: str | None


class Row(BaseModel):
    """A message. `failed` says why it was not delivered."""

    id: str
    type: str
    direction: str | None
    time: str | None
    unread: bool
    availability: str | None
    failed: str | None
    untrusted_from: str
    untrusted_to: str
    untrusted_text: str | None
    attachments: list[File]


class Hit(Row):
    """A message that a search found, with the text around the hit."""

    untrusted_snippet: str | None


class Conversation(BaseModel):
    """The messages with one partner, in short."""

    key: str
    """The id of the newest message."""
    untrusted_who: str
    untrusted_number: str | None
    types: list[str]
    messages: int
    unread: int
    waits_since: str | None
    """When the oldest message came that is unread, or is a text without a reply."""
    newest: str | None
    untrusted_text: str | None
    files: int


class Day(BaseModel):
    """How many messages of each type there were on a day of the user's time zone."""

    day: str
    counts: dict[str, int]


class Overview(BaseModel):
    """The mailbox at a glance."""

    now: str
    timezone: str
    access: Level
    is_demo: bool
    may_search: bool
    days: int
    messages: int
    missing: str | None
    """Says which messages of the window are not counted."""
    unread: dict[str, int]
    waiting: int
    by_day: list[Day]
    conversations: list[Conversation]
    conversations_more: int


class Thread(BaseModel):
    """The messages with one partner, oldest first."""

    key: str
    untrusted_who: str
    untrusted_number: str | None
    messages: list[Row]
    messages_more: int


class Search(BaseModel):
    """A page of hits. `missing` says which messages or texts were not searched."""

    messages: list[Hit]
    total: int
    total_is_at_least: bool
    next: str | None
    missing: str | None


class TimedText(BaseModel):
    """A sentence of a transcript that this server made, with its times in the recording."""

    from_s: float
    to_s: float
    untrusted_text: str


class Text(BaseModel):
    """The text of an attachment, and where it is from, or why there is none."""

    untrusted_text: str | None
    said: str
    sentences: list[TimedText] = []


class Piece(BaseModel):
    """A piece of a file, in base64. `bytes` is the size of the whole file; None if it is unknown."""

    content_type: str
    bytes: int | None
    offset: int
    next: int | None
    data: str


class FaxPage(BaseModel):
    """A page of a document as a picture, in base64. A long page has several parts."""

    page: int
    pages: int
    part: int
    parts: int
    content_type: str
    data: str


class PlannedMessage(BaseModel):
    """A message of a plan."""

    id: str
    type: str | None = None
    direction: str | None = None
    time: str | None = None
    unread: bool | None = None
    untrusted_who: str | None = None
    untrusted_text: str | None = None


class PlanRecord(BaseModel):
    """A plan that waits for the user.

    `decidable`: a yes in this window can be enough; `why_not` says why it is not.
    """

    id: str
    action: Literal["delete", "purge", "retention"]
    question: str
    expires: str
    seconds_left: int
    phrase: str | None
    may_shrink: bool
    decidable: bool
    why_not: str | None
    messages: list[PlannedMessage]
    unreadable: int
    """How many of the messages could not be read now; their ids are shown."""


class OperationRecord(BaseModel):
    """What was done, with the counts of its outcomes."""

    id: str
    at: str
    tool: str
    action: str
    status: str
    counts: dict[str, int]
    approved_by: str | None
    may_undo: bool


class Plans(BaseModel):
    """What waits for the user, and what was done lately, newest first."""

    stopped: bool
    may_resume: bool
    plans: list[PlanRecord]
    operations: list[OperationRecord]


class Outcome(BaseModel):
    """What became of a change."""

    status: Status
    said: str
    outcomes: dict[str, OutcomeWord]
    operation_id: str | None = None


class Decided(Outcome):
    """What became of a decision. `counted`: it took effect."""

    counted: bool


class Stop(BaseModel):
    """Whether deletes are stopped now."""

    stopped: bool
    said: str


def row(message: Message) -> Row:
    return Row(
        id=shown_id(message.id),
        type=word(message.type) or "unknown",
        direction=word(message.direction),
        time=moment(message.creation_time),
        unread=is_unread(message),
        availability=word(message.availability),
        failed=(why_failed(message) or NO_REASON) if is_failed(message) else None,
        untrusted_from=_named([message.from_] if message.from_ else []),
        untrusted_to=_named(message.to),
        untrusted_text=_text(message),
        attachments=[file(message, a) for a in message.attachments if is_id(a.id) and not is_text_body(message, a)],
    )


def file(message: Message, attachment: Attachment) -> File:
    name, kind = attachment.file_name, _kind(message, attachment)
    return File(
        id=attachment.id,
        kind=kind,
        content_type=labelled(attachment.content_type),
        bytes=attachment.size if attachment.size is not None and attachment.size >= 0 else None,
        pages=message.fax_page_count if kind == "fax" else None,
        seconds=attachment.vm_duration,
        untrusted_name=clean(name, NAME_CHARS) if name else None,
    )


def conversation(newest_first: Sequence[Message]) -> Conversation:
    newest, waits = newest_first[0], open_messages(newest_first)
    name, number = partner(newest_first)
    return Conversation(
        key=shown_id(newest.id),
        untrusted_who=name,
        untrusted_number=number,
        types=list(dict.fromkeys(word(m.type) or "unknown" for m in newest_first)),
        messages=len(newest_first),
        unread=sum(map(is_unread, newest_first)),
        waits_since=moment(waits[-1].creation_time) if waits else None,
        newest=moment(newest.creation_time),
        untrusted_text=first_words(newest),
        files=sum(len([a for a in m.attachments if not is_text_body(m, a)]) for m in newest_first),
    )


def partner(messages: Sequence[Message]) -> tuple[str, str | None]:
    """Return the name of the other side, and its number if that is not in the name."""
    others = messages[0].other_side
    number = caller_number(others[0]) if len(others) == 1 else ""
    name = next((c.name for m in messages for c in m.other_side if c.name and len(m.other_side) == 1), None)
    return (clean(name, NAME_CHARS), number or None) if name and number else (who(messages[0]), None)


def planned(message: Message) -> PlannedMessage:
    return PlannedMessage(
        id=shown_id(message.id),
        type=word(message.type),
        direction=word(message.direction),
        time=moment(message.creation_time),
        unread=is_unread(message),
        untrusted_who=who(message),
        untrusted_text=first_words(message),
    )


def days(messages: Iterable[Message], of: Sequence[datetime]) -> list[Day]:
    """Count the messages on each of these days. Each is given as its beginning, in the user's time zone."""
    counts: dict[str, dict[str, int]] = {f"{day:%Y-%m-%d}": {} for day in of}
    for message in messages:
        if message.creation_time is None:
            continue
        found = counts.get(f"{message.creation_time.astimezone(of[0].tzinfo):%Y-%m-%d}")
        if found is not None:
            kind = word(message.type) or "unknown"
            found[kind] = found.get(kind, 0) + 1
    return [Day(day=day, counts=found) for day, found in counts.items()]


def _kind(message: Message, attachment: Attachment) -> Kind:
    label = labelled(attachment.content_type)
    if is_transcript(message, attachment):
        return "transcript"
    if is_recording(message, attachment) or label.startswith("audio/"):
        return "audio"
    if label in {PDF, TIFF}:
        return "fax"
    return "picture" if label.startswith("image/") else "other"


def _named(callers: Sequence[Caller]) -> str:
    more = len(callers) - _PARTIES
    names = [caller_name(c, _NAME_TOKENS) for c in callers[:_PARTIES]]
    return ", ".join([*names, f"and {more} more"] if more > 0 else names)


def _text(message: Message) -> str | None:
    """Return the whole text of a message. The subject of a voicemail or a fax is RingCentral's label."""
    text = (
        message.cover_page_text if message.type == "Fax" else None if message.type == "VoiceMail" else message.subject
    )
    return as_written(text[:_TEXT_CHARS]) if text else None
