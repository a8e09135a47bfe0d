"""The parts of a message that can be searched: its text, its senders and recipients, and its properties."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError, from_json, to_json

from rc_mcp.mirror.folding import BREAK, TAG, fold, words
from rc_mcp.ringcentral import Attachment, Caller, Message
from rc_mcp.views.attached import files, is_recording, is_text_body, is_transcript, noun_of
from rc_mcp.views.dialing import dialed
from rc_mcp.views.transcripts import is_written_down, transcript_of
from rc_mcp.views.untrusted_text import is_id

DELETED = "deleted"
ANY = "any"
"""The tag of every message."""
FROM, TO = "f", "t"
"""Roles of a party in a message."""

NO_TIME_MS = -(2**62)
"""The time of a message without one."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTY_CHARS = 1_000
"""A name or number longer than this is known by its beginning."""
_MOST_PARTIES = 1_000
_EXACT_DIGITS = 18
_TRANSCRIPT, _DOCUMENT, _FILE = range(3)
"""The order in which texts are fetched: each transcript is short, and the only text of its message."""
_READABLE = {"PDF", "text file"}


class Party(NamedTuple):
    """A sender or recipient as the records name it."""

    name: str
    phone: str
    extension: str

    @property
    def folded(self) -> str:
        """The words of the name, and of a sender's name that stands where others have a number (`BANKPL`)."""
        written = [self.name] if any(sign.isdigit() for sign in dialed(self.phone).number) else [self.name, self.phone]
        return f" {BREAK} ".join(" ".join(words(part)) for part in written if part)

    @property
    def digits(self) -> str:
        """The number with a plus if its country code is certain; empty if it is not a number."""
        number = dialed(self.phone).number
        return number if number.lstrip("+").isdecimal() else ""


def encoded(record: Mapping[str, Any]) -> bytes:
    """Return the record as JSON. Half of an emoji, which JSON may hold, stays as it is."""
    try:
        return to_json(record, inf_nan_mode="constants")
    except PydanticSerializationError:  # half an emoji
        return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")


def decoded(record: bytes) -> Message:
    """Return the record that `encoded` wrote."""
    try:
        return Message(from_json(record))
    except ValueError:  # half an emoji
        return Message(json.loads(record.decode("utf-8", "surrogatepass")))


def message_key(message_id: str) -> int | str:
    """Return an id as the file has it: as a number if its digits stay the same, so that ids sort by time."""
    is_exact = is_id(message_id) and len(message_id) <= _EXACT_DIGITS and str(int(message_id)) == message_id
    return int(message_id) if is_exact else storable(message_id)


def storable(text: str) -> str:
    """Return the text without halves of emojis, which SQLite does not store."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def milliseconds(time: datetime | None) -> int:
    """Return the time in milliseconds since 1970; a message without a time is older than all others."""
    if time is None:
        return NO_TIME_MS
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def moment(created_ms: int) -> datetime:
    """Return the time that `milliseconds` took."""
    return _EPOCH + timedelta(milliseconds=created_ms)


def parties(message: Message) -> list[tuple[str, Party]]:
    """Return the senders and recipients with their roles, each once."""
    found = [(FROM, caller) for caller in message.senders] + [(TO, caller) for caller in message.to]
    return list(dict.fromkeys((role, party_of(caller)) for role, caller in found[:_MOST_PARTIES] if _is_known(caller)))


def document(message: Message, texts: Sequence[str], there: Iterable[tuple[str, int, str]]) -> str:
    """Return the words of a message as the index has them: its texts, all names in it, its tags.

    Args:
        there: the roles of its parties, their numbers, and their names as `Party.folded` has them.
    """
    written = [*own_texts(message), *texts, *names(message)]
    tags = [*_tags(message, has_transcript=bool(texts)), *_party_tags(there)]
    return f" {BREAK} ".join([*map(fold, written), " ".join(TAG + tag for tag in tags)])


def own_texts(message: Message) -> list[str]:
    """Return the texts that the record itself has."""
    return [text for text in (message.subject, message.cover_page_text) if text]


def names(message: Message) -> list[str]:
    """Return all names of people in the record."""
    forwarded = message.forwarding.original_sender if message.forwarding else None
    callers = [*message.senders, *message.to, *message.vm_side_recipients, *([forwarded] if forwarded else [])]
    found = [caller.name for caller in callers[:_MOST_PARTIES]] + [message.owner.name if message.owner else None]
    return [name for name in dict.fromkeys(found) if name]


def wanted(message: Message) -> Iterator[tuple[Attachment, int]]:
    """Return the attachments whose text is fetched, and their place in the order."""
    for attachment in message.attachments:
        if is_transcript(message, attachment):
            yield attachment, _TRANSCRIPT
        elif message.type == "Fax":
            yield attachment, _DOCUMENT
        elif not is_text_body(message, attachment) and noun_of(message, attachment) in _READABLE:
            yield attachment, _FILE


def recordings(message: Message, mode: str) -> list[Attachment]:
    """Return the recordings to transcribe here.

    Args:
        mode: `missing` or `all`; with anything else there are none.
    """
    if mode not in {"missing", "all"}:
        return []
    found = [a for a in message.attachments if is_recording(message, a) and is_id(a.id)]
    return [a for a in found if mode == "all" or not is_written_down(message, a)]


def type_tag(kind: str) -> str:
    return f"type{''.join(words(kind))}"


def name_tag(role: str, word: str) -> str:
    """Return the tag of messages with a party in this role whose name has this word."""
    return f"{role}n{word}"


def _party_tags(there: Iterable[tuple[str, int, str]]) -> Iterator[str]:
    for role, number, folded in there:
        yield f"{role}{number}"
        yield from (name_tag(role, word) for word in folded.split())


def _tags(message: Message, *, has_transcript: bool) -> Iterator[str]:
    found = files(message)
    picture = any(noun_of(message, file) == "picture" for file in found)
    tags = {
        ANY: True,
        type_tag(message.type or ""): message.type,
        "inbound": message.direction == "Inbound",
        "outbound": message.direction == "Outbound",
        "unread": message.read_status == "Unread",
        "read": message.read_status == "Read",
        DELETED: message.availability == "Deleted",
        "mms": message.type == "SMS" and found,
        "attachment": found,
        "transcript": message.type == "VoiceMail" and (has_transcript or transcript_of(message)),
        "pages": (message.fax_page_count or 0) > 0,
        "picture": picture,
    }
    return (tag for tag, is_set in tags.items() if is_set)


def party_of(caller: Caller) -> Party:
    """Return a sender or recipient as the copy has it."""
    given = (caller.name, caller.phone_number, caller.extension_number)
    return Party(*(storable((text or "")[:_PARTY_CHARS]) for text in given))


def _is_known(caller: Caller) -> bool:
    return bool(caller.name or caller.phone_number or caller.extension_number)
