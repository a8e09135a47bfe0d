"""Feeds the local copy: all messages of a mailbox once, then only changes, and the texts of attachments.

A listing compares the copy with the whole mailbox, newest messages first. The first is the first fill. Its sync token
is taken before its first page, so the changes during a listing are in the sync after it. Each page is stored with the
feed's progress in one transaction: after a crash, or a canceled call, the next feed goes on with the page after it.

Another listing follows when the copy may differ without any change being reported: RingCentral rejected the sync token,
a sync left out records, an attachment of a message is gone, records came from an archive, or a day has passed.

A message of the copy that is not in a listing is read by its id: only RingCentral's word about that message counts.

- Purged: it is erased. RingCentral does not say who purged a message, and what a user purges must leave nothing here.
  The same holds if RingCentral purges because of its retention period.
- Not found, and it was Deleted: it is erased. It was purged in the meantime, and RingCentral forgets purged messages
  after some days.
- Not found, and it was Alive: it is kept if RingCentral's own limits explain that (`taken.py`). All else is erased.

Every request is sent in the background (`in_background`): a user's own request goes first.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TypedDict

import anyio
from anyio import to_thread

from rc_mcp.media.speech_model import ModelError
from rc_mcp.mirror.documents import milliseconds
from rc_mcp.mirror.errors import Damaged, MirrorError, Replaced
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import (
    FeedProgress,
    Listing,
    noted_changes,
    noted_due,
    noted_end,
    noted_kept,
    noted_listing,
    progress_of,
)
from rc_mcp.mirror.taken import taken
from rc_mcp.mirror.texts import Found, fetch_text, hear_text, ways
from rc_mcp.ringcentral import (
    BadRequest,
    FaxNotReady,
    Forbidden,
    InvalidRequest,
    Message,
    MessageStoreClient,
    NotFound,
    NotSent,
    RateLimited,
    RingCentralError,
    SyncTokenRejected,
    TransportFailure,
    Unauthorized,
    Unavailable,
    in_background,
)
from rc_mcp.ringcentral.bulk import in_chunks
from rc_mcp.ringcentral.limits import BEGINNING, LIMITS
from rc_mcp.ringcentral.paging import Page, PageRequest, new_on_each_page
from rc_mcp.views.attached import is_recording

if TYPE_CHECKING:  # most servers transcribe nothing
    from rc_mcp.media.transcription import Transcriber

_log = logging.getLogger(__name__)

AFTER_A_FAULT_S = 300.0
"""Ours: the wait after a fault, such as a full disk or a refused login."""
LIST_EVERY = timedelta(days=1)
"""Ours: how often the copy is compared with the whole mailbox, which takes a request for each 1,000 messages."""
_LIST_AGAIN_AFTER = timedelta(hours=1)
"""Ours: how long after a listing a sign causes no other. RingCentral might send the sign always."""
_NOT_READY_S = 60.0
_UNCLEAR_S = 3600.0
"""How long an attachment is left alone that RingCentral is still rendering, or that could not be fetched."""

_BEFORE_ALL_MS = -(2**63)
_READ_AT_ONCE = 1_000
"""Ours: how many messages are read by their ids before the outcome is stored."""
_LOST = (TransportFailure, RateLimited, Unavailable, Unauthorized)
"""Errors that say nothing about one message."""
_FAILURES = 3
"""So many attachments in a row fail before the cause is taken to be another than the attachments."""


class _Mailbox(TypedDict):
    account_id: str
    extension_id: str


class Feed:
    """The feed of one mailbox.

    Use it only in the block of `only_feed`; `follow` does that. After `close` of the copy it cannot be used.

    Args:
        account_id, extension_id: internal ids, or `~`. The copy knows the mailbox by `known_as`.
        known_as: account and extension in the copy. `~` means another mailbox after another login, so a caller that
            knows the ids of the login must give them. Default: `account_id` and `extension_id`.
        now: the time that is noted.
        transcriber: makes the transcripts that RingCentral does not have; without one, none are made.

    Attributes:
        fault: what ended the last attempt; None while all is well.
        was_damaged: the copy was damaged while this feed used it, and began again.
        synced_at: when RingCentral last let this feed read the mailbox; None before that.
    """

    def __init__(
        self,
        client: MessageStoreClient,
        mirror: Mirror,
        *,
        account_id: str = "~",
        extension_id: str = "~",
        known_as: tuple[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transcriber: "Transcriber | None" = None,
    ) -> None:
        self._client = client
        self._mirror = mirror
        self._at: _Mailbox = {"account_id": account_id, "extension_id": extension_id}
        self._known_as = known_as or (account_id, extension_id)
        self._now = now
        self._transcriber = transcriber
        self._later: dict[tuple[str, str], float] = {}
        self._generation = 0
        self._failures = 0
        self._rests_until = -inf
        self.fault: RingCentralError | MirrorError | OSError | None = None
        self.was_damaged = False
        self.synced_at: datetime | None = None

    async def sync(self) -> None:
        """Make the records of the copy equal to those of the mailbox. It is one request if nothing changed.

        Raises:
            RingCentralError: RingCentral refused or could not be reached. The next call goes on from there.
            MirrorError: the copy cannot be written.
        """
        with in_background():
            try:
                await self._sync()
            except Damaged:
                self.was_damaged = True
                await self._sync()
            except Replaced:
                await self._sync()

    async def compare(self) -> None:
        """Compare the copy with the whole mailbox, and make it equal. It takes a request for each 1,000 messages.

        Raises:
            RingCentralError, MirrorError: as for `sync`.
        """
        with in_background():
            mailbox = await self._mailbox()
            await self._list(mailbox, await self._progress(mailbox))
            await self._sync()

    async def texts(self, *, most: float = inf) -> int:
        """Fetch texts of attachments that the copy does not have, transcripts first, and return how many.

        Args:
            most: how many at most.

        Raises:
            RingCentralError, MirrorError: as for `sync`.
            OSError: the temporary folder cannot be used.
        """
        done = 0
        with in_background():
            await to_thread.run_sync(self._mirror.read_in, ways())
            await to_thread.run_sync(self._mirror.hear_with, await self._hearing())
            while done < most:
                try:
                    fetched = await self._next_text()
                except Damaged:
                    self.was_damaged = True
                    break
                except Replaced:
                    break
                if fetched is None:
                    break
                done += fetched
        return done

    async def attempt(self, act: Callable[[], Awaitable[int | None]]) -> int:
        """Sync, or fetch texts, unless a fault was less than some minutes ago. A fault is noted in `fault`.

        Returns:
            How many texts were fetched.
        """
        if anyio.current_time() < self._rests_until:
            return 0
        try:
            return await act() or 0
        except (RingCentralError, MirrorError, OSError) as error:
            self.fault = error
            self._rests_until = anyio.current_time() + AFTER_A_FAULT_S
            _log.warning("a mailbox could not be copied: %s", type(error).__name__)
            return 0

    async def sync_again(self) -> None:
        """Do as `sync` does, and note that all is well."""
        begun_at = self._now()
        await self.sync()
        self.fault, self.synced_at = None, begun_at

    async def _sync(self) -> None:
        mailbox = await self._mailbox()
        progress = await self._progress(mailbox)
        is_listed = progress.sync_token is None or progress.listing is not None or self._is_time_to_list(progress)
        if is_listed:
            progress = await self._list(mailbox, progress)
        try:
            progress = await self._take_changes(mailbox, progress, is_listed=is_listed)
        except SyncTokenRejected:
            progress = await self._list(mailbox, replace(progress, listing=None))
            progress = await self._take_changes(mailbox, progress, is_listed=True)
        if self._is_listing_due(progress):
            await self._take_changes(mailbox, await self._list(mailbox, progress), is_listed=True)

    def _is_time_to_list(self, progress: FeedProgress) -> bool:
        return self._is_past(progress.listed_at, LIST_EVERY) or self._is_listing_due(progress)

    def _is_listing_due(self, progress: FeedProgress) -> bool:
        if progress.has_uncompared_imports:
            return True
        return progress.is_listing_due and self._is_past(progress.due_ended_at, _LIST_AGAIN_AFTER)

    def _is_past(self, at: datetime | None, span: timedelta) -> bool:
        """Return whether so much time has passed since then, or the clock was set back."""
        return at is None or not timedelta(0) <= self._now() - at < span

    async def _take_changes(self, mailbox: int, progress: FeedProgress, *, is_listed: bool) -> FeedProgress:
        """Store the changes since the sync token.

        Args:
            is_listed: a listing has just ended, so that messages that the copy has as Deleted need not be read.
        """
        begun_at = self._now()  # later changes may be missing in the answer
        sync = await self._client.sync_messages(sync_token=progress.sync_token, **self._at)
        # A removal has only an id, and the message may be one that the copy does not know, or that changed before.
        removed = [m.id for m in sync.records if m.availability == "Deleted" and m.creation_time is None]
        if is_listed and removed:
            removed = await to_thread.run_sync(_not_deleted, self._mirror, mailbox, removed)
        whole = await self._read(removed) if removed else {}
        records = [whole.get(message.id) or message for message in sync.records]
        noted = dict(noted_changes(sync.sync_info.sync_token or "", begun_at))
        # Our frame has no end and never grows: a sync that left out older records left out changes.
        if sync.sync_info.older_records_exist or sync.unreadable:
            noted |= noted_due()
        if known_again := progress.kept & {message.id for message in records}:
            noted |= noted_kept(progress.kept - known_again)
        await self._put(mailbox, records, noted)
        return await self._progress(mailbox)

    async def _list(self, mailbox: int, progress: FeedProgress) -> FeedProgress:
        listing = progress.listing or replace(await self._new_listing(), imports=progress.imports)
        if progress.listing is None:
            await self._put(mailbox, [], noted_listing(listing))
        last = listing

        async def fetch(place: PageRequest) -> Page:
            nonlocal last
            listed = await self._client.list_messages(
                availability=["Alive", "Deleted"],
                date_from=BEGINNING,
                date_to=place.date_to,
                page=place.page,
                per_page=place.per_page,
                **_owners(shared=listing.shared),
                **self._at,
            )
            # The first page is of the whole mailbox, the others are of its older part.
            total = listed.paging.total_elements if place.date_to is None else last.total
            last = replace(last, total=total, unreadable=last.unreadable + listed.unreadable)
            return Page(listed.records, more=listed.navigation.next_page is not None)

        start = PageRequest(listing.down_to and listing.down_to + timedelta(seconds=1), LIMITS.records_per_page)
        seen: dict[str, datetime | None] = {}
        kept = progress.kept
        async with aclosing(new_on_each_page(fetch, start)) as pages:
            async for page in pages:
                kept -= {message.id for message in page}
                seen |= {message.id: message.creation_time for message in page}
                down_to = min((m.creation_time for m in page if m.creation_time), default=last.down_to)
                last = await self._compare(mailbox, last, page, seen, down_to, kept)
                # Others of that time may follow; all newer ones are compared.
                seen = {i: at for i, at in seen.items() if milliseconds(at) <= milliseconds(down_to) or not down_to}
        last = await self._compare(mailbox, last, [], seen, None, kept)
        explained = await to_thread.run_sync(taken, self._mirror, mailbox, last.gone, kept, self._now())
        noted = noted_end(last, kept | explained, self._now(), was_due=progress.is_listing_due)
        await self._write(partial(self._mirror.erase, mailbox, last.gone - explained, noted))
        return await self._progress(mailbox)

    async def _new_listing(self) -> Listing:
        """Take a sync token for all messages, also those that others share with the user, if the account has these."""
        try:
            return await self._begun_listing(shared=True)
        except (BadRequest, Forbidden):
            return await self._begun_listing(shared=False)

    async def _begun_listing(self, *, shared: bool) -> Listing:
        sync = await self._client.sync_messages(
            sync_type="FSync", date_from=BEGINNING, record_count=1, **_owners(shared=shared), **self._at
        )
        return Listing(sync.sync_info.sync_token or "", shared)

    async def _compare(
        self,
        mailbox: int,
        listing: Listing,
        page: Sequence[Message],
        seen: Mapping[str, datetime | None],
        down_to: datetime | None,
        kept: frozenset[str],
    ) -> Listing:
        """Store a page and the place after it. Read the messages of the copy that should have been on it, and are not.

        Args:
            seen: the messages listed so far that are not newer than the last place.
            down_to: the new place; None at the end of the mailbox.
        """
        lowest = _BEFORE_ALL_MS if down_to is None else milliseconds(down_to)
        highest = 2**63 - 1 if listing.down_to is None else milliseconds(listing.down_to)
        there = await to_thread.run_sync(partial(_ids_between, self._mirror, mailbox, lowest, highest))
        missing = there - seen.keys() - kept - listing.gone
        # An import may have brought many: each part is noted, so that it is not read again after a crash.
        for part in in_chunks(sorted(missing), _READ_AT_ONCE):
            known = await self._read(part)
            gone = listing.gone | {message_id for message_id, message in known.items() if message is None}
            listing = replace(listing, gone=gone)
            await self._put(mailbox, [message for message in known.values() if message], noted_listing(listing))
        listing = replace(listing, down_to=down_to or listing.down_to, done=listing.done + len(page))
        await self._put(mailbox, page, noted_listing(listing))
        return listing

    async def _read(self, ids: Sequence[str]) -> dict[str, Message | None]:
        """Return the messages, and None for each that RingCentral does not know. Others are left out.

        Raises:
            RingCentralError: RingCentral refused all, or could not be reached.
        """
        found: dict[str, Message | None] = {}
        with suppress(InvalidRequest):  # an id that RingCentral would never send
            for outcome in await self._client.read_messages(ids, **self._at):
                if isinstance(outcome.error, _LOST):
                    raise outcome.error
                if outcome.message or isinstance(outcome.error, NotFound):
                    found[outcome.id] = outcome.message
        return found

    async def _next_text(self) -> int | None:
        """Fetch the text of the next attachment. Return 1 if it came, 0 if it must wait, None if there is none."""
        mailbox, now = await self._mailbox(), anyio.current_time()
        self._later = {key: at for key, at in self._later.items() if at > now}
        missing = await to_thread.run_sync(self._mirror.missing, mailbox, len(self._later) + 1)
        wanted = next((m for m in missing if (m.message.id, m.attachment_id) not in self._later), None)
        if wanted is None:
            return None
        key = wanted.message.id, wanted.attachment_id
        try:
            found = await self._text(mailbox, wanted.message, wanted.attachment_id)
        except FaxNotReady:
            self._later[key] = now + _NOT_READY_S
            return 0
        except (NotSent, RateLimited, Unauthorized):
            raise
        except RingCentralError:
            # Perhaps only this attachment fails, and always: it must not hold back the others.
            self._later[key] = now + _UNCLEAR_S
            self._failures += 1
            if self._failures % _FAILURES == 0:
                raise
            return 0
        self._failures = 0
        put = partial(
            self._mirror.put_text, mailbox, *key, found.text, source=found.source, content_hash=found.content_hash
        )
        await self._write(partial(put, state=found.state))
        return 1

    async def _hearing(self) -> str:
        """Return how recordings are transcribed, as the copy notes it."""
        if self._transcriber is None:
            return ""
        try:
            _, digest = await self._transcriber.model()
        except ModelError:
            _log.warning("the model that transcribes cannot be used; rc-mcp doctor says why")
            return ""
        return f"{self._transcriber.mode}:{digest}"

    async def _text(self, mailbox: int, message: Message, attachment_id: str) -> Found:
        attachment = next((a for a in message.attachments if a.id == attachment_id), None)
        if attachment is None:
            return Found(None, "failed")
        try:
            if self._transcriber and is_recording(message, attachment):
                return await hear_text(self._client, message, attachment, transcriber=self._transcriber, **self._at)
            return await fetch_text(self._client, message, attachment, **self._at)
        except InvalidRequest:
            return Found(None, "failed")
        except NotFound:
            # A sign that the message has changed or is gone, of which no sync has spoken yet.
            await self._put(mailbox, [], noted_due())
            return Found(None, "failed")

    async def _mailbox(self) -> int:
        self._generation, mailbox = await to_thread.run_sync(self._found_mailbox)
        return mailbox

    def _found_mailbox(self) -> tuple[int, int]:
        with self._mirror.reading():  # opens a new file, if there is one
            generation = self._mirror.generation
        return generation, self._mirror.mailbox(*self._known_as)

    async def _progress(self, mailbox: int) -> FeedProgress:
        return await to_thread.run_sync(progress_of, self._mirror, mailbox)

    async def _put(self, mailbox: int, records: Iterable[Message], noted: Mapping[str, str]) -> None:
        await self._write(partial(self._mirror.put, mailbox, records, noted))

    async def _write(self, act: Callable[[], object]) -> None:
        # In a thread, and never abandoned: a canceled call leaves the transaction whole.
        await to_thread.run_sync(self._write_in_same_file, act)

    def _write_in_same_file(self, act: Callable[[], object]) -> None:
        with self._mirror.at_once():
            if self._mirror.generation != self._generation:
                # The number of the mailbox may be another's there, and it lacks what was written before.
                raise Replaced("The local copy was replaced meanwhile. It is filled again.")
            act()


def _owners(*, shared: bool) -> dict[str, Any]:
    return {"owner": "Any"} if shared else {}


def _not_deleted(mirror: Mirror, mailbox: int, message_ids: Iterable[str]) -> list[str]:
    """Return the messages that the copy does not have as Deleted."""
    with mirror.reading():
        found = {message_id: mirror.message(mailbox, message_id) for message_id in message_ids}
    return [message_id for message_id, message in found.items() if not message or message.availability != "Deleted"]


def _ids_between(mirror: Mirror, mailbox: int, above_ms: int, up_to_ms: int) -> set[str]:
    """Return the ids of messages in the copy that were created in this span."""
    with mirror.reading() as db:
        found = db.execute(
            "SELECT id FROM message WHERE mailbox = ? AND created_ms > ? AND created_ms <= ?",
            (mailbox, above_ms, up_to_ms),
        )
        return {str(message_id) for (message_id,) in found}
