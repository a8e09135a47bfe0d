"""RingCentral's records as typed, frozen values.

The fields are from the API's OpenAPI document and developer guide, with names in snake_case. Reading is lenient,
because a mailbox must stay readable when RingCentral extends the API: unknown fields are kept (`sent`), an enum is a
plain string, a field of an unexpected type is absent, and a list omits only unreadable entries. A page of messages
counts those (`unreadable`).

A record is a view of its JSON, and reads each field on first access. A page has up to a thousand messages of about
thirty fields, and a caller uses a few. Pydantic reads all at once, and takes several times the time and the memory.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, datetime
from functools import cached_property
from typing import Any, Generic, Never, Self, TypeVar, cast, overload

from pydantic.alias_generators import to_camel

T = TypeVar("T")

_INTEGER = re.compile("-?[0-9]{1,19}")
_EXACT = 2**53
"""Below this a float shows every digit of a whole number."""
_WORDS = {"true": True, "false": False}


class Field(Generic[T]):
    """One field of a record, converted by `read` from the value sent, or from None.

    The converted value is stored in the record. `cached_property` does the same, but takes a lock each time.
    """

    def __init__(self, read: Callable[[object], T], key: str = "") -> None:
        self._read = read
        self._key = key

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._key = self._key or to_camel(name)

    @overload
    def __get__(self, record: None, owner: type) -> Self: ...
    @overload
    def __get__(self, record: "WireRecord", owner: type) -> T: ...
    def __get__(self, record: "WireRecord | None", owner: type) -> Self | T:
        if record is None:
            return self
        value = record.__dict__[self._name] = self._read(record.sent.get(self._key))
        return value


class _Frozen:
    """A base class that freezes subclasses too: `dataclass` freezes only the class it decorates."""

    def __setattr__(self, name: str, value: Never) -> None:
        raise AttributeError("records are frozen")


@dataclass(frozen=True)
class WireRecord(_Frozen):
    """The base class of all records.

    Attributes:
        sent: the whole record as RingCentral sent it, including fields without an attribute here.
    """

    sent: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def model_validate(cls, value: object) -> Self:
        """Return `value` as a record.

        Raises:
            ValueError: it cannot be one.
        """
        if (found := cls.read(value)) is None:
            raise ValueError(f"not a {cls.__name__}")
        return found

    @classmethod
    def read(cls, value: object) -> Self | None:
        """Return `value` as a record, or None if it cannot be one."""
        return cls(cast("dict[str, Any]", value)) if cls.can_read(value) else None

    @classmethod
    def can_read(cls, value: object) -> bool:
        """Return whether `value` is such a record, even if its fields are invalid."""
        return isinstance(value, dict)


RecordT = TypeVar("RecordT", bound=WireRecord)


def text(value: object) -> str | None:
    """Return a text. Ids are numbers in some records and strings in others.

    A number with a fraction or exponent whose digits are not exact is absent: it would name another id.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.16g}" if abs(value) < _EXACT else None
    return str(value) if type(value) is int else None


def number(value: object) -> int | None:
    """Return a whole number of 64 bits."""
    if (isinstance(value, str) and _INTEGER.fullmatch(value)) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def flag(value: object) -> bool | None:
    return _WORDS.get(value) if isinstance(value, str) else value if isinstance(value, bool) else None


def moment(value: object) -> datetime | None:
    """Return a time that can be converted to any time zone; None for one without a zone."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo and MINYEAR < moment.year < MAXYEAR else None


def always(kind: type[RecordT]) -> Field[RecordT]:
    """Read a record; an empty one if it is missing."""
    return Field(lambda value: kind.read(value) or kind())


def many(kind: type[RecordT]) -> Field[list[RecordT]]:
    return Field(lambda value: _readable(kind, value))


def one_or_many(kind: type[RecordT], key: str = "") -> Field[list[RecordT]]:
    """Read a list, or one record as a list of one."""
    return Field(lambda value: _readable(kind, [cast("object", value)] if isinstance(value, dict) else value), key)


def _readable(kind: type[RecordT], value: object) -> list[RecordT]:
    entries = cast("list[Any]", value) if isinstance(value, list) else []
    return [kind(entry) for entry in entries if kind.can_read(entry)]


def _rounded(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


class _Identified(WireRecord):
    """A record that cannot be read without an id."""

    id = Field(lambda value: text(value) or "")

    @classmethod
    def can_read(cls, value: object) -> bool:
        return isinstance(value, dict) and bool(text(cast("dict[str, Any]", value).get("id")))


class Contact(WireRecord):
    """A person's entry in an address book."""

    name = Field(text)


class Caller(WireRecord):
    """A sender or a recipient. The message type decides which fields are present."""

    phone_number = Field(text)
    """Usually E.164, sometimes formatted as in RingCentral's database."""
    extension_number = Field(text)
    """The short number to dial; not an id."""
    extension_id = Field(text)
    own_name = Field(text, "name")
    contact = Field(Contact.read)
    """Only in the samples of the guide's page "Message sync", without a `name` beside it."""
    location = Field(text)
    message_status = Field(text)
    fax_error_code = Field(text)
    target = Field(flag)
    """Group MMS: this recipient is the mailbox's own number."""
    recipient_id = Field(text)

    @property
    def name(self) -> str | None:
        """The name given by the record, otherwise that of the contact."""
        return self.own_name or (self.contact.name if self.contact else None)


class Attachment(_Identified):
    """One part of a message's content. `MessageStoreClient.read_message_content` reads its bytes."""

    uri = Field(text)
    type = Field(text)
    """AudioRecording, AudioTranscription, Text, SourceDocument, RenderedDocument or MmsAttachment."""
    content_type = Field(text)
    vm_duration = Field(number)
    """Seconds."""
    file_name = Field(text)
    size = Field(number)
    """Bytes."""
    height = Field(number)
    """Pixels."""
    width = Field(number)
    """Pixels."""


class Conversation(_Identified):
    """SMS and Pager: the thread a message belongs to."""

    uri = Field(text)


class Owner(WireRecord):
    """The owner of a shared voicemail or shared SMS."""

    name = Field(text)
    extension_type = Field(text)
    extension_id = Field(text)


class Forwarding(WireRecord):
    """The origin of a forwarded voicemail."""

    original_sender = Field(Caller.read)
    original_creation_time = Field(moment)


class Message(_Identified):
    """One message. A removal reported by an ISync has only `id` and `availability`."""

    uri = Field(text)
    type = Field(text)
    """Fax, SMS, VoiceMail, Pager or Text."""
    direction = Field(text)
    availability = Field(text)
    read_status = Field(text)
    message_status = Field(text)
    """Queued, Sent, Delivered, DeliveryFailed, SendingFailed or Received."""
    priority = Field(text)
    subject = Field(text)
    """SMS and Pager: the text. Inbound fax: the number that received it, in all samples."""
    senders = one_or_many(Caller, "from")
    """Usually one, and none for some sent faxes. RingCentral's own web client also accepts a list."""
    to = one_or_many(Caller)
    creation_time = Field(moment)
    last_modified_time = Field(moment)
    extension_id = Field(text)
    attachments = many(Attachment)
    conversation = Field(Conversation.read)
    delivery_error_code = Field(text)
    segment_count = Field(number)
    sms_delivery_time = Field(moment)
    sms_sending_attempts_count = Field(number)
    fax_page_count = Field(number)
    fax_resolution = Field(text)
    """High (200 dpi) or Low (100 dpi)."""
    cover_index = Field(number)
    cover_page_text = Field(text)
    vm_transcription_status = Field(text)
    """NotAvailable, InProgress, TimedOut, Completed, CompletedPartially, Failed or Unknown."""
    pg_to_department = Field(flag)
    vm_side_recipients = many(Caller)
    """Others who received this voicemail, sent or forwarded to several users. Only when read by id."""
    private = Field(flag)
    """This voicemail cannot be forwarded."""
    forwarding = Field(Forwarding.read)
    owner = Field(Owner.read)

    @property
    def conversation_id(self) -> str | None:
        """The exact digits of `conversation.id` if sent: the number in `conversationId` may arrive rounded.

        None if only a rounded number was sent.
        """
        return self.conversation.id if self.conversation else text(self.sent.get("conversationId"))

    @property
    def from_(self) -> Caller | None:
        """The sender; the first if several are given."""
        return self.senders[0] if self.senders else None

    @property
    def other_side(self) -> list[Caller]:
        """The recipients of a sent message, the sender of any other; empty when none is given."""
        return self.to if self.direction == "Outbound" else self.senders

    def is_of(self, conversation_id: str) -> bool:
        """Return whether it belongs to this conversation. A number that arrived rounded is compared as rounded."""
        own = self.conversation_id or ""
        if own.isdecimal() and int(own) == int(conversation_id):
            return True
        return self.conversation is None and _rounded(self.sent.get("conversationId")) == float(conversation_id)


class Paging(WireRecord):
    """The position of a page. Any field may be absent: RingCentral omits totals when they are expensive."""

    page = Field(number)
    """From 1."""
    per_page = Field(number)
    page_start = Field(number)
    """From 0."""
    page_end = Field(number)
    total_pages = Field(number)
    total_elements = Field(number)


class PageLink(WireRecord):
    """The address of another page of the same list."""

    uri = Field(text)


class Navigation(WireRecord):
    """Links to other pages that exist. Without `next_page` this is the last page."""

    first_page = Field(PageLink.read)
    next_page = Field(PageLink.read)
    previous_page = Field(PageLink.read)
    last_page = Field(PageLink.read)


class _Messages(WireRecord):
    """Messages in the order sent, without those that cannot be read."""

    uri = Field(text)

    @cached_property
    def records(self) -> list[Message]:
        return _readable(Message, self.sent["records"])

    @property
    def unreadable(self) -> int:
        """The number of messages sent that cannot be read and are not in `records`. Usually 0."""
        return len(self.sent["records"]) - len(self.records)

    def only_of(self, conversation_id: str | None) -> Self:
        """Return the page without messages of other conversations, which are sent if the filter was ignored.

        The totals then count the other messages too, so they are omitted.
        """
        sent = cast("list[Any]", self.sent["records"])
        if conversation_id is None:
            return self
        kept = [entry for entry in sent if not Message.can_read(entry) or Message(entry).is_of(conversation_id)]
        return self if len(kept) == len(sent) else type(self)({**self.sent, "records": kept, "paging": {}})

    @classmethod
    def can_read(cls, value: object) -> bool:
        return isinstance(value, dict) and isinstance(cast("dict[str, Any]", value).get("records"), list)


class MessageList(_Messages):
    """One page of messages, newest first. `uri` echoes the request with the defaults RingCentral filled in."""

    paging = always(Paging)
    navigation = always(Navigation)


class SyncInfo(WireRecord):
    """The state for the next sync. `sync_token` is opaque; its lifetime is not published."""

    sync_type = Field(text)
    sync_token = Field(text)
    sync_time = Field(moment)
    older_records_exist = Field(flag)


class MessageSync(_Messages):
    """Messages of a sync. An ISync may repeat some (5 s overlap), and reports removals as id and availability."""

    sync_info = always(SyncInfo)


class MessageStoreConfiguration(WireRecord):
    """Account-wide settings of the message store."""

    retention_period = Field(number)
    """Days, 7 to 90. Governs faxes and voicemails; SMS are kept without limit."""
