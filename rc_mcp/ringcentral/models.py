"""RingCentral's records as typed, frozen values.

Field names are the API's own in snake_case; the fields are those of its OpenAPI document and its developer guide.
Reading is lenient, because a mailbox must stay readable whatever RingCentral adds: unknown fields are kept, an enum is
a plain string, a field of an unexpected type reads as if it were absent, and a list loses only the entry that cannot be
read. A page of messages says how many those were (`unreadable`).
"""

from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel

T = TypeVar("T")


def _readable_entries(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """Validates a list, leaving out the entries that cannot be read."""
    try:
        return handler(value)
    except ValidationError as error:
        if not isinstance(value, list):
            raise
        bad = {entry["loc"][0] for entry in error.errors(include_input=False, include_url=False)}
        return handler([item for index, item in enumerate(cast("list[object]", value)) if index not in bad])


def _in_any_time_zone(value: datetime) -> datetime:
    """Refuses what would leave the years there are on its way to another time zone."""
    if not MINYEAR < value.year < MAXYEAR:
        raise ValueError("the year is out of range")
    return value


Entries = Annotated[list[T], WrapValidator(_readable_entries)]
Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_any_time_zone)]


class WireRecord(BaseModel):
    """What all records share: frozen, camelCase on the wire, unknown fields kept, unreadable ones absent."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        validate_by_name=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _absent_if_unreadable(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # Once for a record, not for each of its fields: nearly all are readable, and pages are long.
        try:
            return handler(data)
        except ValidationError as error:
            if not isinstance(data, dict):
                raise
            bad = {entry["loc"][0] for entry in error.errors(include_input=False, include_url=False)}
            sent = cast("dict[str, object]", data)
            return handler({key: value for key, value in sent.items() if key not in bad and to_camel(key) not in bad})


class Caller(WireRecord):
    """A sender or a recipient. Which fields are there depends on the message type."""

    phone_number: str | None = None
    """E.164 as a rule, now and then formatted as in the database."""
    extension_number: str | None = None
    """The short number people dial; not an id."""
    extension_id: str | None = None
    name: str | None = None
    location: str | None = None
    message_status: str | None = None
    fax_error_code: str | None = None
    target: bool | None = None
    """Group MMS: this recipient is the mailbox's own number."""
    recipient_id: str | None = None


class Attachment(WireRecord):
    """One piece of a message's content. Its bytes come from `MessageStoreClient.read_message_content`."""

    id: str
    uri: str | None = None
    type: str | None = None
    """AudioRecording, AudioTranscription, Text, SourceDocument, RenderedDocument or MmsAttachment."""
    content_type: str | None = None
    vm_duration: Number | None = None
    """Seconds."""
    file_name: str | None = None
    size: Number | None = None
    """Bytes."""
    height: Number | None = None
    """Pixels."""
    width: Number | None = None
    """Pixels."""


class Conversation(WireRecord):
    """SMS and Pager: the thread a message belongs to."""

    id: str
    uri: str | None = None


class Owner(WireRecord):
    """Whose shared voicemail or shared SMS a message is."""

    name: str | None = None
    extension_type: str | None = None
    extension_id: str | None = None


class Forwarding(WireRecord):
    """Where a forwarded voicemail came from."""

    original_sender: Caller | None = None
    original_creation_time: Moment | None = None


class Message(WireRecord):
    """One message. A removal reported by an ISync has only `id` and `availability`."""

    id: str
    uri: str | None = None
    type: str | None = None
    """Fax, SMS, VoiceMail, Pager or Text."""
    direction: str | None = None
    availability: str | None = None
    read_status: str | None = None
    message_status: str | None = None
    """Queued, Sent, Delivered, DeliveryFailed, SendingFailed or Received."""
    priority: str | None = None
    subject: str | None = None
    """SMS and Pager: the text itself. Inbound fax: the sender's number."""
    from_: Caller | None = Field(default=None, alias="from")
    to: Entries[Caller] = []
    creation_time: Moment | None = None
    last_modified_time: Moment | None = None
    extension_id: str | None = None
    attachments: Entries[Attachment] = []
    conversation: Conversation | None = None
    conversation_id: str | None = None
    """Exact digits, from `conversation.id` where that is sent: the number beside it may be rounded on its way."""
    delivery_error_code: str | None = None
    segment_count: Number | None = None
    sms_delivery_time: Moment | None = None
    sms_sending_attempts_count: Number | None = None
    fax_page_count: Number | None = None
    fax_resolution: str | None = None
    """High (200 dpi) or Low (100 dpi)."""
    cover_index: Number | None = None
    cover_page_text: str | None = None
    vm_transcription_status: str | None = None
    """NotAvailable, InProgress, TimedOut, Completed, CompletedPartially, Failed or Unknown."""
    vm_side_recipients: Entries[Caller] = []
    """Who else got this voicemail. Sent when one message is read, not in lists."""
    pg_to_department: bool | None = None
    private: bool | None = None
    """This voicemail cannot be forwarded."""
    forwarding: Forwarding | None = None
    owner: Owner | None = None

    @model_validator(mode="before")
    @classmethod
    def _exact_conversation_id(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        record = cast("dict[str, Any]", data)
        conversation = record.get("conversation")
        exact = cast("dict[str, Any]", conversation).get("id") if isinstance(conversation, dict) else None
        return {**record, "conversationId": exact} if exact else record


class Paging(WireRecord):
    """Where a page stands. Everything may be absent: RingCentral leaves out totals when they cost too much."""

    page: Number | None = None
    """From 1."""
    per_page: Number | None = None
    page_start: Number | None = None
    """From 0."""
    page_end: Number | None = None
    total_pages: Number | None = None
    total_elements: Number | None = None


class PageLink(WireRecord):
    """The address of another page of the same list."""

    uri: str | None = None


class Navigation(WireRecord):
    """Links to other pages; only those that exist. A missing `next_page` means that this is the last page."""

    first_page: PageLink | None = None
    next_page: PageLink | None = None
    previous_page: PageLink | None = None
    last_page: PageLink | None = None


class _Messages(WireRecord):
    """Messages as they were sent, but for those that cannot be read."""

    records: Entries[Message]
    _unreadable: int = 0

    @property
    def unreadable(self) -> int:
        """How many messages were sent that are not in `records`, because they cannot be read. 0 as a rule."""
        return self._unreadable

    @model_validator(mode="wrap")
    @classmethod
    def _count_unreadable(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        page = handler(data)
        sent = cast("dict[str, object]", data).get("records") if isinstance(data, dict) else None
        if isinstance(sent, list):
            page._unreadable = len(cast("list[object]", sent)) - len(page.records)
        return page


class MessageList(_Messages):
    """One page of messages, newest first. `uri` echoes the request with the defaults RingCentral filled in."""

    paging: Paging = Paging()
    navigation: Navigation = Navigation()
    uri: str | None = None


class SyncInfo(WireRecord):
    """What the next sync needs. `sync_token` is opaque; its lifetime is not published."""

    sync_type: str | None = None
    sync_token: str | None = None
    sync_time: Moment | None = None
    older_records_exist: bool | None = None


class MessageSync(_Messages):
    """Messages of a sync. An ISync may repeat some (it overlaps by 5 s) and reports removals as id and availability."""

    sync_info: SyncInfo = SyncInfo()
    uri: str | None = None


class MessageStoreConfiguration(WireRecord):
    """Account-wide settings of the message store."""

    retention_period: Number | None = None
    """Days, 7 to 90. Governs faxes and voicemails; SMS are kept without limit."""
