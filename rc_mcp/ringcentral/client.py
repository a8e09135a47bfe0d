"""The ten operations of RingCentral's Message Store, one method each, under the API's own names in snake_case."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self, TypeVar, Unpack

import httpx2 as httpx

from rc_mcp.ringcentral.answers import parsed, record
from rc_mcp.ringcentral.arguments import (
    flag,
    id_or_ids,
    identifier,
    identifiers,
    instant,
    one_of,
    only_alive,
    some_of,
    text,
    text_or_texts,
    texts,
    whole,
)
from rc_mcp.ringcentral.auth import RenewingAuth, TokenAuth
from rc_mcp.ringcentral.bulk import in_chunks, outcomes_of
from rc_mcp.ringcentral.calls import (
    Call,
    account,
    change,
    configure,
    content,
    delete,
    delete_conversations,
    given,
    mailbox,
    read,
)
from rc_mcp.ringcentral.changes import Changes, changes_of, full_sync
from rc_mcp.ringcentral.connection import Connection
from rc_mcp.ringcentral.content import Content, content_of
from rc_mcp.ringcentral.download import Downloaded, write, written_whole
from rc_mcp.ringcentral.entry_points import PRODUCTION, entry_point, is_ringcentral, media_entry_point, origin
from rc_mcp.ringcentral.errors import InvalidRequest, RecordsUnreadable, SyncTokenRejected, UnexpectedAnswer
from rc_mcp.ringcentral.filters import ListFilters, SyncFilters
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.literals import (
    Availability,
    ContentDisposition,
    DeletableType,
    Direction,
    MessageType,
    ReadStatus,
    SyncType,
)
from rc_mcp.ringcentral.models import Message, MessageList, MessageStoreConfiguration, MessageSync, WireRecord
from rc_mcp.ringcentral.outcomes import Outcome
from rc_mcp.ringcentral.paging import Page, Place, new_on_each_page
from rc_mcp.ringcentral.waiting import REAL_TIME, Time

Record = TypeVar("Record", bound=WireRecord)


class MessageStoreClient:
    """An async client for one RingCentral login. Use it as `async with MessageStoreClient(auth) as store:`.

    Args:
        auth: `JWTAuth`, `TokenAuth` or `PersonAuth`.
        server_url: the API's entry point, an https origin; http for localhost and `.test` hosts only.
        media_url: where attachments' bytes come from. Left out: RingCentral's media host where `server_url` is
            RingCentral's, else `server_url`.
        transport: how requests travel; the network when left out.
        timeout_s: seconds, for each of: a connection, a free place in the pool, the next bytes in either direction.
        max_wait_s: how long one request may wait in all: for a place under RingCentral's rate limits, for a penalty to
            end, before it is repeated. A longer wait raises `RateLimited` at once. As long as it takes when left out.
            Not counted is the wait for a login that somebody else has begun. `waiting_until` sets a deadline for some
            calls alone.
        assume_limits: hold back for RingCentral's published limits before it has told any. Left out: only where
            `server_url` is RingCentral's own, since another server may have none.
        time: the clock and the sleep behind these waits. Tests set it.

    Every method takes `account_id` and `extension_id`: `~` for one's own, or an internal id (not an extension number).
    Everything is checked before a request is built, and `InvalidRequest` says what was wrong. Beside it every method
    raises `APIError` and its kinds, `NotSent`, `AnswerLost` and `UnexpectedAnswer` (see `rc_mcp.ringcentral.errors`).
    A list given as a filter has 1 to 50 values.

    Concurrent calls share RingCentral's rate limits without running into them (`rc_mcp.ringcentral.budgets`). Reads and
    updates are repeated for a while when the connection fails or RingCentral is not available; a DELETE only when it
    was surely not carried out (`rc_mcp.ringcentral.retries`). After a 401 a request is sent once more with a fresh
    token, a DELETE excepted.

    Methods that take one or many ids give one `Outcome` per distinct id, in the caller's order. They send chunks one
    after the other, and the first that goes wrong as a whole is the last: its ids get its error (`Outcome.unknown`
    where it may have been carried out), the rest get `NotSent`. Only when nothing has happened yet are `Unauthorized`,
    `Forbidden`, `RateLimited` and `NotSent` raised instead; an `Unauthorized` that a delete raises is no proof of that.

    Source of names, limits and defaults: RingCentral's OpenAPI document and developer guide for the Message Store.
    """

    def __init__(
        self,
        auth: RenewingAuth | TokenAuth,
        *,
        server_url: str = PRODUCTION,
        media_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout_s: float = 30.0,
        max_wait_s: float | None = None,
        assume_limits: bool | None = None,
        time: Time = REAL_TIME,
    ) -> None:
        server = entry_point("server_url", server_url)
        if isinstance(auth, RenewingAuth) and origin(auth.server) != origin(server):
            raise InvalidRequest("auth logs in at another server than server_url")
        self._auth = auth
        media = media_entry_point(server) if media_url is None else entry_point("media_url", media_url)
        self._connection = Connection(
            auth,
            server,
            media,
            transport,
            timeout_s,
            max_wait_s=max_wait_s,
            assume_limits=is_ringcentral(server) if assume_limits is None else assume_limits,
            time=time,
        )

    @property
    def granted(self) -> frozenset[str] | None:
        """Permissions that RingCentral named at the last login; None before the first, and for a ready token."""
        return self._auth.granted

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes every connection. The client cannot be used afterwards."""
        await self._connection.aclose()

    async def list_messages(
        self,
        *,
        availability: Sequence[Availability] | None = None,
        conversation_id: str | None = None,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        direction: Sequence[Direction] | None = None,
        distinct_conversations: bool | None = None,
        message_type: Sequence[MessageType] | None = None,
        read_status: Sequence[ReadStatus] | None = None,
        page: int | None = None,
        per_page: int | None = None,
        phone_number: str | None = None,
        owner: str | Sequence[str] | None = None,
        owner_extension_type: Sequence[str] | None = None,
        voicemail_owner: Sequence[str] | None = None,
        account_id: str = "~",
        extension_id: str = "~",
    ) -> MessageList:
        """One page of messages, newest first. Rate limit group Light.

        Args:
            availability: RingCentral shows Alive messages alone when left out.
            conversation_id: only this conversation, also where something on the way ignored that; then without totals.
            date_from: only messages created from this moment on; 24 hours before `date_to` when left out.
            date_to: only messages created up to this moment; now when left out. Sent in UTC, to the millisecond.
            direction: both when left out.
            distinct_conversations: only the latest message of each conversation.
            message_type: all when left out.
            read_status: both when left out.
            page: from 1.
            per_page: 0 to 1000; 100 when left out.
            phone_number: only messages to or from this number.
            owner: `Any`, `Personal` (RingCentral's default) or `Shared`, or extension ids. Needs the feature
                SharedVoicemail or CallQueueSmsRecipient.
            owner_extension_type: only messages owned by extensions of these types. Needs the same.
            voicemail_owner: deprecated by RingCentral in favour of `owner`.
        """
        query = [
            *given("availability", availability, some_of, Availability),
            *given("conversation_id", conversation_id, identifier),
            *given("date_from", date_from, instant),
            *given("date_to", date_to, instant),
            *given("direction", direction, some_of, Direction),
            *given("distinct_conversations", distinct_conversations, flag),
            *given("message_type", message_type, some_of, MessageType),
            *given("read_status", read_status, some_of, ReadStatus),
            *given("page", page, whole, 1),
            *given("per_page", per_page, whole, 0, LIMITS.records_per_page),
            *given("phone_number", phone_number, text),
            *given("owner", owner, text_or_texts),
            *given("owner_extension_type", owner_extension_type, texts),
            *given("voicemail_owner", voicemail_owner, text_or_texts),
        ]
        call = Call("GET", f"{mailbox(account_id, extension_id)}/message-store", query)
        return (await self._record(MessageList, call)).only_of(conversation_id)

    async def iter_messages(
        self,
        *,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        per_page: int = LIMITS.records_per_page,
        account_id: str = "~",
        extension_id: str = "~",
        **filters: Unpack[ListFilters],
    ) -> AsyncGenerator[Message]:
        """All messages, newest first, each once, a page at a time as they are wanted. Rate limit group Light.

        Whatever arrives, leaves or changes meanwhile, no message comes twice, and none is missed that is there from
        the first page on. Of those that arrive meanwhile only some of the first second may come.

        Held in memory: one page, and with `distinct_conversations` the ids of all conversations so far.

        Args:
            date_from: 24 hours before `date_to`, or before now, when left out.
            per_page: 1 to 1000 messages per request; more than asked for where the same second has more.

        The filters are those of `list_messages`.

        Raises:
            RecordsUnreadable: at the end, when messages were sent that cannot be read; all others have come by then.
            UnexpectedAnswer: at once, when a page is not sorted newest first, or pages go on without anything new.
        """
        start = Place(date_to, whole("per_page", per_page, 1, LIMITS.records_per_page))
        since, unreadable = _frame_start(date_from, date_to), 0

        async def fetch(place: Place) -> Page:
            nonlocal unreadable
            listed = await self.list_messages(
                date_from=since,
                date_to=place.date_to,
                page=place.page,
                per_page=place.per_page,
                account_id=account_id,
                extension_id=extension_id,
                **filters,
            )
            unreadable += listed.unreadable
            return Page(listed.records, more=listed.navigation.next_page is not None)

        distinct = filters.get("distinct_conversations") is True
        async with aclosing(new_on_each_page(fetch, start, distinct_conversations=distinct)) as pages:
            async for page in pages:
                for message in page:
                    yield message
        if unreadable:
            raise RecordsUnreadable(unreadable)

    async def sync_messages(
        self,
        *,
        sync_type: SyncType | None = None,
        sync_token: str | None = None,
        record_count: int | None = None,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        direction: Sequence[Direction] | None = None,
        message_type: Sequence[MessageType] | None = None,
        distinct_conversations: bool | None = None,
        conversation_id: str | None = None,
        owner: str | Sequence[str] | None = None,
        owner_extension_type: Sequence[str] | None = None,
        voicemail_owner: Sequence[str] | None = None,
        account_id: str = "~",
        extension_id: str = "~",
    ) -> MessageSync:
        """All messages of a frame (FSync), or what changed in it since a token was given (ISync).

        Rate limit group Light. An ISync takes over the frame and filters of the FSync that began it, overlaps by 5
        seconds, and reports deleted and purged messages as id and availability.

        Args:
            sync_type: left out: ISync with a `sync_token`, else FSync.
            sync_token: of the previous sync; required by ISync, refused with FSync.
            record_count: about how many records at most, from 1. RingCentral may send more, and publishes no maximum.
            date_from: start of the frame; 24 hours before `date_to` when left out (RingCentral's guide says a week).
            date_to: end of the frame; now when left out.
            conversation_id: SMS and Pager only.

        The other filters are those of `list_messages`.

        Raises:
            SyncTokenRejected: the token is no longer good. Do an FSync.
        """
        kind = one_of("sync_type", sync_type or ("FSync" if sync_token is None else "ISync"), SyncType)
        if (kind == "ISync") != (sync_token is not None):
            raise InvalidRequest("sync_token: an ISync needs one and an FSync takes none. Nothing was sent.")
        query = [
            ("syncType", kind),
            *given("sync_token", sync_token, text),
            *given("record_count", record_count, whole, 1),
            *given("date_from", date_from, instant),
            *given("date_to", date_to, instant),
            *given("direction", direction, some_of, Direction),
            *given("message_type", message_type, some_of, MessageType),
            *given("distinct_conversations", distinct_conversations, flag),
            *given("conversation_id", conversation_id, identifier),
            *given("owner", owner, text_or_texts),
            *given("owner_extension_type", owner_extension_type, texts),
            *given("voicemail_owner", voicemail_owner, text_or_texts),
        ]
        call = Call("GET", f"{mailbox(account_id, extension_id)}/message-sync", query)
        found = await self._record(MessageSync, call)
        if not found.sync_info.sync_token:
            raise UnexpectedAnswer("RingCentral answered a sync without a token for the next one")
        # An ISync does not say of which conversation a removed message was.
        return found.only_of(conversation_id if kind == "FSync" else None)

    async def changes(
        self,
        sync_token: str | None = None,
        *,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        record_count: int = LIMITS.records_per_page,
        account_id: str = "~",
        extension_id: str = "~",
        **filters: Unpack[SyncFilters],
    ) -> Changes:
        """What changed since `sync_token` was given; everything, without one or when RingCentral rejects it.

        One ISync, or as many FSyncs as the frame needs. Rate limit group Light. Everything else is raised as it is:
        no other error leads to a full sync.

        Args:
            sync_token: of the `Changes` before. It has their frame and filters in it.
            date_from: of a full sync: 24 hours before `date_to`, or before now, when left out.
            date_to: of a full sync: no end when left out.
            record_count: about how many records per FSync, 1 to 1000; all are fetched.

        The filters are those of `sync_messages`, and a full sync's alone; give them with each call.
        """
        whole("record_count", record_count, 1, LIMITS.records_per_page)
        sync = partial(self.sync_messages, account_id=account_id, extension_id=extension_id)
        if sync_token is not None:
            with suppress(SyncTokenRejected):
                return changes_of(await sync(sync_token=sync_token))
        since = _frame_start(date_from, date_to)

        async def send(until: datetime | None, count: int) -> MessageSync:
            return await sync(date_from=since, date_to=until, record_count=count, **filters)

        distinct = filters.get("distinct_conversations") is True
        return await full_sync(send, date_to, record_count, distinct_conversations=distinct)

    async def read_message(self, message_id: str, *, account_id: str = "~", extension_id: str = "~") -> Message:
        """One message, Deleted and Purged ones too. Rate limit group Light.

        Raises:
            NotFound: there is no such message, or not any more.
        """
        ids = [identifier("message_id", message_id)]
        outcome = (await self.read_messages(ids, account_id=account_id, extension_id=extension_id))[0]
        if outcome.message is None:
            raise outcome.error or UnexpectedAnswer("RingCentral answered without the message")
        return outcome.message

    async def read_messages(
        self, message_id: Sequence[str], *, account_id: str = "~", extension_id: str = "~"
    ) -> list[Outcome]:
        """Many messages, 50 per request, each of which counts once. Rate limit group Light."""
        box, ids = mailbox(account_id, extension_id), identifiers("message_id", message_id)
        return await in_chunks(ids, LIMITS.ids_per_path, lambda chunk: self._outcomes(read(box, chunk), chunk))

    @asynccontextmanager
    async def read_message_content(
        self,
        message_id: str,
        attachment_id: str,
        *,
        content_disposition: ContentDisposition | None = None,
        content_disposition_filename: str | None = None,
        byte_range: tuple[int, int | None] | None = None,
        account_id: str = "~",
        extension_id: str = "~",
    ) -> AsyncGenerator[Content]:
        """An attachment's bytes, streamed: `async with store.read_message_content(...) as content`.

        They come from the media entry point. Rate limit group Medium. Reading content does not mark a message as read.

        Args:
            content_disposition: what RingCentral is to put in that header.
            content_disposition_filename: the file name there, at most 255 characters.
            byte_range: first and last byte, from 0 and inclusive; the last may be None, for all that follow.

        Raises:
            NotFound: no such message or attachment; a purged message has none.
            FaxNotReady: the fax is still being rendered.
            RangeNotSatisfiable: the content ends before `byte_range` begins.
        """
        box = mailbox(account_id, extension_id)
        message, attachment = identifier("message_id", message_id), identifier("attachment_id", attachment_id)
        query = _labelling(content_disposition, content_disposition_filename)
        call = content(box, message, attachment, query, byte_range)
        async with self._content(call, byte_range and byte_range[0]) as opened:
            yield opened

    async def download(
        self,
        message_id: str,
        attachment_id: str,
        to: str | PathLike[str] | BinaryIO,
        *,
        max_bytes: int | None = None,
        content_disposition: ContentDisposition | None = None,
        content_disposition_filename: str | None = None,
        account_id: str = "~",
        extension_id: str = "~",
    ) -> Downloaded:
        """Writes an attachment to a file, in constant memory. Rate limit group Medium.

        When the connection breaks it goes on from there, up to 5 times.

        Args:
            to: a path, which gets a file that only its owner can read (0600), in place of one that is there, once all
                bytes have arrived, and otherwise stays as it was; or a seekable binary file, written from where it
                stands, which keeps what came before an error.
            max_bytes: any number when left out.
            content_disposition, content_disposition_filename: as in `read_message_content`.

        Raises:
            ContentTooLarge: there are more than `max_bytes`. Nothing was written if RingCentral said so before.
            FaxNotReady: the fax is still being rendered.
            NotFound: no such message or attachment; a purged message has none.
            AnswerLost: the connection broke too often.
            UnexpectedAnswer: what came after a break is not of the same content.
            OSError: the file cannot be written.
        """
        box = mailbox(account_id, extension_id)
        message, attachment = identifier("message_id", message_id), identifier("attachment_id", attachment_id)
        query = _labelling(content_disposition, content_disposition_filename)
        if max_bytes is not None:
            whole("max_bytes", max_bytes, 0, sys.maxsize)

        def open_at(first: int, etag: str | None) -> AbstractAsyncContextManager[Content]:
            byte_range = (first, None) if first else None
            return self._content(content(box, message, attachment, query, byte_range, etag), first or None)

        if not isinstance(to, str | PathLike):
            return await write(open_at, to, max_bytes)
        with written_whole(Path(to)) as file:
            return await write(open_at, file, max_bytes)

    async def update_message(
        self,
        message_id: str | Sequence[str],
        read_status: ReadStatus,
        *,
        account_id: str = "~",
        extension_id: str = "~",
    ) -> list[Outcome]:
        """Marks messages as read or unread, 1,000 per request. Rate limit group Medium."""
        body = {"readStatus": one_of("read_status", read_status, ReadStatus)}
        return await self._change("PUT", message_id, body, account_id, extension_id)

    async def patch_message(
        self,
        message_id: str | Sequence[str],
        *,
        read_status: ReadStatus | None = None,
        availability: Literal["Alive"] | None = None,
        account_id: str = "~",
        extension_id: str = "~",
    ) -> list[Outcome]:
        """Marks messages as read or unread, restores Deleted ones, or both; 1,000 per request. Rate limit group Medium.

        Args:
            read_status: the new read status.
            availability: `Alive` restores. A Purged message cannot be restored. Nothing else is taken.
        """
        body = dict(
            [
                *given("read_status", read_status, one_of, ReadStatus),
                *given("availability", availability, only_alive),
            ]
        )
        if not body:
            raise InvalidRequest("read_status or availability: one of them is needed. Nothing was sent.")
        return await self._change("PATCH", message_id, body, account_id, extension_id)

    async def delete_message(
        self,
        message_id: str | Sequence[str],
        *,
        purge: bool = False,
        message_type: DeletableType = "All",
        account_id: str = "~",
        extension_id: str = "~",
    ) -> list[Outcome]:
        """Deletes messages, 50 per request, their ids in the address. Rate limit group Medium.

        RingCentral moves an Alive message to Deleted and a **Deleted one to Purged**: calling twice is final. An id
        given twice is sent once, and no request is ever repeated here, after a 401 neither. After an outcome that is
        `unknown`, or an `Unauthorized`, read the messages back before anything else.

        Args:
            purge: skip Deleted. Final.
            message_type: leaves messages of other types alone.
        """
        box, ids = mailbox(account_id, extension_id), id_or_ids("message_id", message_id)
        query = _deletion(purge, message_type)
        return await in_chunks(ids, LIMITS.ids_per_path, lambda chunk: self._outcomes(delete(box, chunk, query), chunk))

    async def delete_message_by_filter(
        self,
        conversation_id: Sequence[str],
        *,
        date_to: datetime,
        message_type: DeletableType = "All",
        purge: bool = False,
        account_id: str = "~",
        extension_id: str = "~",
    ) -> list[Outcome]:
        """Deletes whole conversations, 50 per request, and says of each what became of it. Rate limit group Medium.

        What `delete_message` says of Deleted messages, and of what it raises, holds here too. Of a conversation whose
        outcome is not `ok` a part may be gone.

        Args:
            conversation_id: at least one. Without any, RingCentral would delete the mailbox.
            date_to: only messages received before this moment. RingCentral takes "now" for a missing one; here it is
                required, so that what arrives meanwhile stays.
            message_type: only messages of this type.
            purge: skip Deleted. Final.
        """
        box, ids = mailbox(account_id, extension_id), identifiers("conversation_id", conversation_id)
        query = [("dateTo", instant("date_to", date_to)), *_deletion(purge, message_type)]
        return await in_chunks(
            ids,
            LIMITS.ids_per_path,
            lambda chunk: self._outcomes(delete_conversations(box, chunk, query), chunk),
        )

    async def read_message_store_configuration(self, *, account_id: str = "~") -> MessageStoreConfiguration:
        """The account's message store settings. Rate limit group Light.

        Reading too needs the app permission EditAccounts and an administrator's login.
        """
        return await self._record(
            MessageStoreConfiguration, Call("GET", f"{account(account_id)}/message-store-configuration")
        )

    async def update_message_store_configuration(
        self, retention_period: int, *, account_id: str = "~"
    ) -> MessageStoreConfiguration:
        """Sets how long faxes and voicemails of the whole account are kept. Lowering it destroys what is older.

        Rate limit group Light; needs the app permission EditAccounts and an administrator's login.

        Args:
            retention_period: days, 7 to 90.
        """
        days = whole("retention_period", retention_period, LIMITS.min_retention_days, LIMITS.max_retention_days)
        return await self._record(MessageStoreConfiguration, configure(account(account_id), days))

    @asynccontextmanager
    async def _content(self, call: Call, first: int | None) -> AsyncGenerator[Content]:
        async with self._connection.stream(call) as response:
            yield content_of(response, first)

    async def _change(
        self,
        method: Literal["PUT", "PATCH"],
        message_id: str | Sequence[str],
        body: dict[str, str],
        account_id: str,
        extension_id: str,
    ) -> list[Outcome]:
        box, ids = mailbox(account_id, extension_id), id_or_ids("message_id", message_id)
        return await in_chunks(
            ids, LIMITS.ids_per_body, lambda chunk: self._outcomes(change(method, box, chunk, body), chunk)
        )

    async def _outcomes(self, call: Call, ids: Sequence[str]) -> list[Outcome]:
        return outcomes_of(call, ids, await self._connection.send(call))

    async def _record(self, model: type[Record], call: Call) -> Record:
        answer = await self._connection.send(call)
        found = record(model, parsed(answer.body))
        if found is None or answer.status != 200:
            raise UnexpectedAnswer(f"{call.method} {call.path} got no {model.__name__}", status=answer.status)
        return found


def _frame_start(date_from: datetime | None, date_to: datetime | None) -> datetime:
    """RingCentral's own default, which it would count back from each page's `dateTo`."""
    if date_to is not None:
        instant("date_to", date_to)
    try:
        return date_from or (date_to or datetime.now(UTC)) - timedelta(hours=LIMITS.default_frame_h)
    except OverflowError:
        raise InvalidRequest("date_to: there are no 24 hours before it. Nothing was sent.") from None


def _labelling(disposition: ContentDisposition | None, file_name: str | None) -> list[tuple[str, str]]:
    return [
        *given("content_disposition", disposition, one_of, ContentDisposition),
        *given("content_disposition_filename", file_name, text, LIMITS.file_name_chars),
    ]


def _deletion(purge: bool, message_type: DeletableType) -> list[tuple[str, str]]:
    """Both at their defaults are left out, as older versions of the API know neither for every delete."""
    kind = one_of("message_type", message_type, DeletableType)
    return [
        *([("purge", "true")] if flag("purge", purge) else []),
        *([("type", kind)] if kind != "All" else []),
    ]
