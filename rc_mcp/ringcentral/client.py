"""The client for RingCentral's Message Store, with one method per API operation, named as in the API."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Literal, Self, TypeVar, Unpack

import httpx2 as httpx

from rc_mcp.ringcentral import calls
from rc_mcp.ringcentral.bulk import in_chunks, send_each
from rc_mcp.ringcentral.calls import Call
from rc_mcp.ringcentral.content import Content, content_of
from rc_mcp.ringcentral.download import Downloaded, write, written_whole
from rc_mcp.ringcentral.errors import InvalidRequest, RecordsUnreadable, SyncTokenRejected, UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.models import Message, MessageList, MessageStoreConfiguration, MessageSync, WireRecord
from rc_mcp.ringcentral.oauth.auth import RenewingAuth, TokenAuth, origin
from rc_mcp.ringcentral.outcomes import Outcome
from rc_mcp.ringcentral.paging import Page, PageRequest, new_on_each_page
from rc_mcp.ringcentral.parameters import (
    ContentLabel,
    DeletableType,
    ListArguments,
    ListFilters,
    ReadStatus,
    SyncArguments,
    SyncFilters,
)
from rc_mcp.ringcentral.sync import Changes, changes_of, full_sync
from rc_mcp.ringcentral.transport.budgets import NewBudget
from rc_mcp.ringcentral.transport.connection import Connection
from rc_mcp.ringcentral.transport.deadlines import REAL_TIME, Time
from rc_mcp.ringcentral.transport.entry_points import PRODUCTION, entry_point, is_ringcentral, media_entry_point
from rc_mcp.ringcentral.transport.responses import parsed

Record = TypeVar("Record", bound=WireRecord)


class MessageStoreClient:
    """An async client for one RingCentral login. Use it as `async with MessageStoreClient(auth) as store:`.

    Args:
        auth: `JWTAuth`, `TokenAuth` or `PersonAuth`.
        server_url: the API's entry point, an https origin; http only for localhost and `.test` hosts.
        media_url: the entry point for attachments. Default: RingCentral's media host if `server_url` is RingCentral's,
            otherwise `server_url`.
        transport: sends the requests. Default: over the network.
        timeout_s: seconds for each of: a connection, a free connection in the pool, the next bytes in either direction.
        max_wait_s: seconds that one request may wait in total for a place under RingCentral's rate limits, the end of a
            penalty, and retries. A longer wait raises `RateLimited` at once. Default: no limit. It does not include the
            wait for a login by another call or process. `waiting_until` sets a deadline for some calls only.
        assume_limits: apply RingCentral's published limits until it states others. Default: only if `server_url` is
            RingCentral's, since another server may have none.
        time: the clock and the sleep behind these waits. Tests set it.
        budgets: keeps the rate limits for more than this client. Default: each client keeps its own.

    Every method takes `account_id` and `extension_id`: `~` for the user's own, or an internal id (not an extension
    number). Arguments are checked before a request is built, and `InvalidRequest` names the invalid one. Every method
    also raises `APIError` and its subclasses, `NotSent`, `AnswerLost` and `UnexpectedAnswer` (see
    `rc_mcp.ringcentral.errors`). A filter that is a list has 1 to 50 values.

    Concurrent calls share RingCentral's rate limits without exceeding them (`transport.budgets`). Reads and updates are
    retried for a while when the connection fails or RingCentral is unavailable. A DELETE is retried only if it was
    certainly not carried out (`transport.retries`). After a 401 a request is sent once more with a new token, except a
    DELETE.

    Methods that take one or many ids return one `Outcome` per distinct id, in the caller's order. They send chunks one
    after the other and stop when one fails as a whole: its ids get its error (`Outcome.unknown` if it may have been
    carried out), the remaining ids get `NotSent`. If no change has been made yet, `Unauthorized`, `Forbidden`,
    `RateLimited` and `NotSent` are raised instead. An `Unauthorized` from a delete does not prove that nothing changed.

    Source of names, limits and defaults: RingCentral's OpenAPI document and developer guide for the Message Store.
    """

    def __init__(
        self,
        auth: RenewingAuth | TokenAuth,
        *,
        server_url: str = PRODUCTION,
        media_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout_s: float = LIMITS.socket_s,
        max_wait_s: float | None = None,
        assume_limits: bool | None = None,
        time: Time = REAL_TIME,
        budgets: NewBudget | None = None,
    ) -> None:
        server = entry_point("server_url", server_url)
        if isinstance(auth, RenewingAuth) and origin(auth.server) != origin(server):
            raise InvalidRequest("auth must log in at server_url, not at another server. Nothing was sent.")
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
            budgets=budgets,
        )

    @property
    def granted(self) -> frozenset[str] | None:
        """The permissions that RingCentral stated at the last login; None before the first, and for `TokenAuth`."""
        return self._auth.granted

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection. The client cannot be used afterwards."""
        await self._connection.aclose()

    async def list_messages(
        self, *, account_id: str = "~", extension_id: str = "~", **given: Unpack[ListArguments]
    ) -> MessageList:
        """List one page of messages, newest first. Rate limit group Light. `ListArguments` has the arguments."""
        call = Call(
            "GET", f"{calls.mailbox(account_id, extension_id)}/message-store", calls.query(ListArguments, given)
        )
        return (await self._record(MessageList, call)).only_of(given.get("conversation_id"))

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
        """Iterate over all messages, newest first, each once. Each page is requested on demand. Rate limit group Light.

        Even if the mailbox changes in the meantime, no message is repeated, and none that exists from the first page on
        is missed. Of messages that arrive in the meantime, only some from the first second may be included.

        Memory holds one page, and with `distinct_conversations` the ids of all conversations so far.

        Args:
            date_from: default: 24 hours before `date_to`, or before now.
            per_page: 1 to 1000 messages per request. It is raised if one second has more messages.

        The filters are those of `list_messages`.

        Raises:
            RecordsUnreadable: some messages cannot be read. It is raised after all others were returned.
            UnexpectedAnswer: a page is not sorted newest first, or further pages have no new messages.
        """
        start = PageRequest(date_to, calls.whole("per_page", per_page, 1, LIMITS.records_per_page))
        since, unreadable = _frame_start(date_from, date_to), 0

        async def fetch(place: PageRequest) -> Page:
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
        self, *, account_id: str = "~", extension_id: str = "~", **given: Unpack[SyncArguments]
    ) -> MessageSync:
        """Sync all messages of a time frame (FSync), or its changes since a token was issued (ISync).

        Rate limit group Light. An ISync uses the frame and filters of the first FSync, overlaps the sync before by 5
        seconds, and reports deleted and purged messages as id and availability. `SyncArguments` has the arguments.

        Raises:
            SyncTokenRejected: the token is no longer valid. Do an FSync.
        """
        has_token = given.get("sync_token") is not None
        kind = given.pop("sync_type", None) or ("ISync" if has_token else "FSync")
        box = calls.mailbox(account_id, extension_id)
        call = Call("GET", f"{box}/message-sync", calls.query(SyncArguments, {"sync_type": kind, **given}))
        if (kind == "ISync") != has_token:
            raise InvalidRequest("sync_token: required for an ISync, and not allowed for an FSync. Nothing was sent.")
        found = await self._record(MessageSync, call)
        if not found.sync_info.sync_token:
            raise UnexpectedAnswer("RingCentral's answer to a sync has no token for the next one")
        # An ISync does not give the conversation of a removed message.
        return found.only_of(None if has_token else given.get("conversation_id"))

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
        """Return the changes since `sync_token`, or all messages without one or if RingCentral rejects it.

        It sends one ISync, or as many FSyncs as the frame needs. Rate limit group Light. No other error leads to a full
        sync.

        Args:
            sync_token: from the previous `Changes`. It contains their frame and filters.
            date_from: only for a full sync. Default: 24 hours before `date_to`, or before now.
            date_to: only for a full sync. Default: no end.
            record_count: approximate number of records per FSync, 1 to 1000; all are fetched.

        The filters are those of `sync_messages`. Pass them with each call; only a full sync uses them.
        """
        calls.whole("record_count", record_count, 1, LIMITS.records_per_page)
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
        """Read one message; it may be Deleted or Purged. Rate limit group Light.

        Raises:
            NotFound: the message does not exist, or no longer exists.
        """
        box, id_ = calls.mailbox(account_id, extension_id), calls.identifier("message_id", message_id)
        message = await self._record(Message, calls.read(box, [id_]))
        if message.id.lstrip("0") != id_.lstrip("0"):
            raise UnexpectedAnswer(f"RingCentral's answer for {id_} does not contain that message")
        return message

    async def read_messages(
        self, message_id: Sequence[str], *, account_id: str = "~", extension_id: str = "~"
    ) -> list[Outcome]:
        """Read many messages, 50 per request; each request counts once. Rate limit group Light."""
        box, ids = calls.mailbox(account_id, extension_id), calls.identifiers("message_id", message_id)
        return await send_each(self._connection, [calls.read(box, chunk) for chunk in in_chunks(ids)])

    @asynccontextmanager
    async def read_message_content(
        self,
        message_id: str,
        attachment_id: str,
        *,
        byte_range: tuple[int, int | None] | None = None,
        account_id: str = "~",
        extension_id: str = "~",
        **label: Unpack[ContentLabel],
    ) -> AsyncGenerator[Content]:
        """Stream an attachment from the media entry point: `async with store.read_message_content(...) as content`.

        Rate limit group Medium. Reading content does not mark a message as read.

        Args:
            byte_range: first and last byte, from 0 and inclusive. If the last is None, all following bytes.

        Raises:
            NotFound: the message or attachment does not exist; a purged message has no attachments.
            FaxNotReady: the fax is still being rendered.
            RangeNotSatisfiable: the content ends before `byte_range` begins.
        """
        box = calls.mailbox(account_id, extension_id)
        call = calls.content(box, message_id, attachment_id, calls.query(ContentLabel, label), byte_range)
        async with self._content(call, byte_range and byte_range[0]) as opened:
            yield opened

    async def download(
        self,
        message_id: str,
        attachment_id: str,
        to: str | PathLike[str] | BinaryIO,
        *,
        max_bytes: int | None = None,
        account_id: str = "~",
        extension_id: str = "~",
        **label: Unpack[ContentLabel],
    ) -> Downloaded:
        """Write an attachment to a file, in constant memory. Rate limit group Medium.

        After a broken connection it resumes, up to 5 times.

        Args:
            to: a path or a seekable binary file. At a path, a file that only its owner can read (0600) is created or
                replaced after all bytes have arrived; after an error the path is unchanged. A file is written from
                its current position on, and after an error keeps the bytes that arrived.
            max_bytes: default: no limit.

        Raises:
            ContentTooLarge: the content has more than `max_bytes`. If RingCentral stated its size, nothing was written.
            FaxNotReady: the fax is still being rendered.
            NotFound: the message or attachment does not exist; a purged message has no attachments.
            AnswerLost: the connection broke too often.
            UnexpectedAnswer: the content changed after a broken connection.
            OSError: the file cannot be written.
        """
        box = calls.mailbox(account_id, extension_id)
        call = calls.content(box, message_id, attachment_id, calls.query(ContentLabel, label))
        if max_bytes is not None:
            calls.whole("max_bytes", max_bytes, 0, sys.maxsize)

        def open_at(first: int, etag: str | None) -> AbstractAsyncContextManager[Content]:
            return self._content(calls.rest_of_content(call, first, etag), first or None)

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
        """Mark messages as read or unread, 1,000 per request. Rate limit group Medium."""
        body = {"readStatus": calls.one_of("read_status", read_status, ReadStatus)}
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
        """Mark messages as read or unread, restore Deleted ones, or both; 1,000 per request. Rate limit group Medium.

        Args:
            read_status: the new read status.
            availability: `Alive`, the only valid value, restores. A Purged message cannot be restored.
        """
        body: dict[str, str] = {}
        if read_status is not None:
            body["readStatus"] = calls.one_of("read_status", read_status, ReadStatus)
        if availability is not None:
            body["availability"] = calls.one_of("availability", availability, Literal["Alive"])
        if not body:
            raise InvalidRequest("read_status or availability is required. Nothing was sent.")
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
        """Delete messages, 50 per request, with their ids in the URL. Rate limit group Medium.

        RingCentral moves an Alive message to Deleted and a **Deleted one to Purged**: a second call is final. An id
        given twice is sent once. No request is retried that may have been carried out, nor after a 401. After an
        `unknown` outcome, or an `Unauthorized`, read the messages again before any other change.

        Args:
            purge: skip Deleted. This is final.
            message_type: only messages of this type.
        """
        box, ids = calls.mailbox(account_id, extension_id), calls.id_or_ids("message_id", message_id)
        limits = _deletion(purge, message_type)
        return await send_each(self._connection, [calls.delete(box, chunk, limits) for chunk in in_chunks(ids)])

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
        """Delete whole conversations, 50 per request, and return one outcome for each. Rate limit group Medium.

        The notes on Deleted messages and errors in `delete_message` apply. If an outcome is not `ok`, a part of the
        conversation may be deleted.

        Args:
            conversation_id: at least one. Without one, RingCentral would delete the whole mailbox.
            date_to: only messages received before this time. RingCentral would default to "now"; it is required here,
                so that messages that arrive in the meantime are kept.
            message_type: only messages of this type.
            purge: skip Deleted. This is final.
        """
        box, ids = calls.mailbox(account_id, extension_id), calls.identifiers("conversation_id", conversation_id)
        limits = [("dateTo", calls.to_wire_time("date_to", date_to)), *_deletion(purge, message_type)]
        chunks = in_chunks(ids)
        return await send_each(self._connection, [calls.delete_conversations(box, chunk, limits) for chunk in chunks])

    async def read_message_store_configuration(self, *, account_id: str = "~") -> MessageStoreConfiguration:
        """Read the account's message store settings. Rate limit group Light.

        It needs the app permission EditAccounts and an administrator's login.
        """
        call = Call("GET", f"{calls.account(account_id)}/message-store-configuration")
        return await self._record(MessageStoreConfiguration, call)

    async def update_message_store_configuration(
        self, retention_period: int, *, account_id: str = "~"
    ) -> MessageStoreConfiguration:
        """Set how long the whole account's faxes and voicemails are kept. A lower value destroys older ones.

        Rate limit group Light; needs the app permission EditAccounts and an administrator's login.

        Args:
            retention_period: days, 7 to 90.
        """
        days = calls.whole("retention_period", retention_period, LIMITS.min_retention_days, LIMITS.max_retention_days)
        return await self._record(MessageStoreConfiguration, calls.configure(calls.account(account_id), days))

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
        box, ids = calls.mailbox(account_id, extension_id), calls.id_or_ids("message_id", message_id)
        chunks = in_chunks(ids, LIMITS.ids_per_body)
        return await send_each(self._connection, [calls.change(method, box, chunk, body) for chunk in chunks])

    async def _record(self, model: type[Record], call: Call) -> Record:
        answer = await self._connection.send(call)
        found = model.read(parsed(answer.body))
        if found is None or answer.status != 200:
            message = f"RingCentral's answer to {call.method} {call.path} is not a {model.__name__}"
            raise UnexpectedAnswer(message, status=answer.status)
        return found


def _frame_start(date_from: datetime | None, date_to: datetime | None) -> datetime:
    """Return the start of the frame. RingCentral would apply its default to each page's `dateTo`."""
    if date_to is not None:
        calls.to_wire_time("date_to", date_to)
    try:
        return date_from or (date_to or datetime.now(UTC)) - timedelta(hours=LIMITS.default_frame_h)
    except OverflowError:
        raise InvalidRequest("date_to: 24 hours before it are out of range. Nothing was sent.") from None


def _deletion(purge: bool, message_type: DeletableType) -> list[tuple[str, str]]:
    """Omit default values: older versions of the API do not know these parameters for every delete."""
    kind = calls.one_of("message_type", message_type, DeletableType)
    return [*([("purge", "true")] if calls.flag("purge", purge) else []), *([("type", kind)] if kind != "All" else [])]
