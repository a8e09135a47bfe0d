"""The local copy as a running server uses it: one feed for each mailbox that it may read, and the searches in it."""

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Never, TypeVar

import anyio
from anyio import to_thread

from rc_mcp.mirror.contacts.book import Contacts
from rc_mcp.mirror.errors import MirrorError
from rc_mcp.mirror.feed import AFTER_A_FAULT_S, Feed
from rc_mcp.mirror.following import Wakeup, follow
from rc_mcp.mirror.listing import NotCertain, Window, listed, received, require_fresh
from rc_mcp.mirror.logins import known_mailbox, mailbox_of
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import FeedProgress, noted_retention, progress_of
from rc_mcp.mirror.rows import Source
from rc_mcp.mirror.search import Found, Sort, search, search_all
from rc_mcp.ringcentral import Message, MessageStoreClient, RingCentralError

if TYPE_CHECKING:  # most servers transcribe nothing
    from rc_mcp.media.transcription import Transcriber

_log = logging.getLogger(__name__)

T = TypeVar("T")

Fault = RingCentralError | MirrorError | OSError

_ADMITTED_FOR = timedelta(hours=1)
"""Ours: how long a login may read another's mailbox in the copy after RingCentral last let it read that mailbox."""


@dataclass(frozen=True)
class Searched:
    """A page of hits, and how well the copy agrees with the mailbox.

    Attributes:
        progress: of the feed, whichever process feeds.
        fault: why this process could not update the copy; None if it could, or another process feeds.
        kept: those of the hits that RingCentral no longer has.
    """

    found: Found
    progress: FeedProgress
    fault: Fault | None
    kept: frozenset[str]


class Retention(NamedTuple):
    """What the copy knows of RingCentral's limits on faxes and voicemails.

    Attributes:
        days: the retention period, if a call of the last 30 days read it.
        received: how many received ones RingCentral has, without deleted ones, up to 1,000; None if not certain.
    """

    days: int | None = None
    received: int | None = None


class Kept(NamedTuple):
    """A message that RingCentral no longer has, and the texts of its attachments, each with its source."""

    message: Message
    texts: dict[str, tuple[Source, str]]


class LocalCopy:
    """The local copy in a folder, for one login.

    It is opened when it is first needed. A copy that cannot be opened makes searches fail, and nothing else.

    Args:
        folder: where the copy is; `open_mirror` opens it.
        principal: the name of the login.
        extensions: whose mailboxes are copied besides the login's own.
        now: the wall clock, in UTC.
        contacts: returns the address book as it is now.
        transcriber: makes the transcripts that RingCentral does not have.
    """

    def __init__(
        self,
        client: MessageStoreClient,
        folder: Path,
        open_mirror: Callable[[], Mirror],
        principal: str,
        extensions: Collection[str],
        now: Callable[[], datetime],
        contacts: Callable[[], Contacts],
        transcriber: "Transcriber | None" = None,
    ) -> None:
        self._client = client
        self._folder, self._open_mirror = folder, open_mirror
        self._principal = principal
        self._extensions = ["~", *sorted(extensions)]
        self._now, self._contacts, self._transcriber = now, contacts, transcriber
        self._mirror: Mirror | None = None
        self._opening = anyio.Lock()
        self._feeds: dict[tuple[str, str], Feed] = {}
        self._admitted_at: dict[tuple[str, str], datetime] = {}
        self._fault: Fault | None = None
        self._wakeup = Wakeup()
        self._changed_at: datetime | None = None

    def close(self) -> None:
        """Close the copy. Cancel `follow` before."""
        if self._mirror:
            self._mirror.close()

    async def follow(self) -> Never:
        """Feed the copy until canceled, unless another process on this folder does."""
        while True:
            try:
                feeds = [await self._feed(extension_id) for extension_id in self._extensions]
                await follow(feeds, self._folder, self._wakeup)
            except (RingCentralError, MirrorError, OSError) as error:
                self._fault = error
                _log.warning("the local copy could not be opened or updated: %s", type(error).__name__)
            await anyio.sleep(AFTER_A_FAULT_S)

    def was_changed(self) -> None:
        """Note that this server changed a mailbox, or learned that one changed."""
        self._changed_at = self._now()
        self._wakeup.give()

    async def search(
        self,
        query: str,
        zone: tzinfo,
        *,
        sort: Sort,
        limit: int,
        cursor: str | None,
        account_id: str,
        extension_id: str,
    ) -> Searched:
        """Search a mailbox. `search.search` explains the arguments.

        Raises:
            QueryError: the query or the cursor cannot be read.
            MirrorError: the copy cannot be opened or read.
            RingCentralError: it is not known yet which mailbox is the login's own, and RingCentral did not say; or it
                is another's, and RingCentral did not let this login read it.
        """
        mirror = await self._opened()
        known_as = await self._admitted(mirror, account_id, extension_id)
        act = partial(self._search, mirror, known_as, query, zone, sort=sort, limit=limit, cursor=cursor)
        found, progress = await to_thread.run_sync(act)
        kept = frozenset(hit.message.id for hit in found.hits) & progress.kept
        return Searched(found, progress, self._fault_of(known_as), kept)

    async def search_all(
        self,
        query: str,
        zone: tzinfo,
        read: Callable[[Iterable[Message]], T],
        *,
        account_id: str,
        extension_id: str,
    ) -> tuple[Searched, T]:
        """Return what `read` makes of all messages that a query selects, and `Searched` without hits.

        Args:
            read: called in a thread, as for `listed`.

        Raises:
            QueryError, MirrorError, RingCentralError: as for `search`.
        """
        mirror = await self._opened()
        known_as = await self._admitted(mirror, account_id, extension_id)
        act = partial(self._search_all, mirror, known_as, query, zone, read)
        (found, made), progress = await to_thread.run_sync(act)
        return Searched(found, progress, self._fault_of(known_as), frozenset()), made

    async def listed(
        self, window: Window, read: Callable[[Iterable[Message]], T], *, account_id: str, extension_id: str
    ) -> tuple[T, datetime] | None:
        """Return what `read` makes of the messages that RingCentral would list, and when the copy agreed with it.

        No request is sent. None if the copy is not certain to have the same messages, or cannot be read.

        Args:
            read: called in a thread with all messages of the window, newest first. It must not keep the iterable.
        """

        def act(mirror: Mirror) -> tuple[T, datetime] | None:
            with mirror.reading():
                mailbox, extension, progress = self._known(mirror, account_id, extension_id)
                synced_at = require_fresh(progress, self._now(), self._changed_at)
                if window.since >= synced_at:
                    raise NotCertain
                return read(listed(mirror, mailbox, extension, window, progress.kept, self._now())), synced_at

        return await self._without_request(act)

    async def retention(self, account_id: str, extension_id: str) -> Retention:
        """Return the retention period that a call has read, and how full the inbox is. No request is sent."""

        def act(mirror: Mirror) -> Retention:
            with mirror.reading():
                days = self._known(mirror, account_id, "~")[2].retention_days(self._now())
                try:
                    mailbox, extension, progress = self._known(mirror, account_id, extension_id)
                    require_fresh(progress, self._now(), self._changed_at)
                    return Retention(days, received(mirror, mailbox, extension, progress.kept))
                except NotCertain:
                    return Retention(days)

        return await self._without_request(act) or Retention()

    async def remember_retention(self, account_id: str, days: int | None) -> None:
        """Note the retention period of an account that is in the copy; None: it is no longer known of any account."""

        def act(mirror: Mirror) -> None:
            with mirror.at_once():
                known = mirror.mailboxes().values() if days is None else [self._known(mirror, account_id, "~")[0]]
                for mailbox in known:
                    mirror.put(mailbox, [], noted_retention(days, self._now()))

        await self._without_request(act)

    async def kept(self, message_ids: Collection[str], account_id: str, extension_id: str) -> dict[str, Kept]:
        """Return those of the messages that RingCentral no longer has, and whose copy was kept. No request is sent."""

        def act(mirror: Mirror) -> dict[str, Kept]:
            with mirror.reading():
                mailbox, _, progress = self._known(mirror, account_id, extension_id)
                there = {i: mirror.message(mailbox, i) for i in message_ids if i in progress.kept}
                return {i: Kept(message, _texts(mirror, mailbox, message)) for i, message in there.items() if message}

        return await self._without_request(act) or {}

    async def _without_request(self, act: Callable[[Mirror], T]) -> T | None:
        """Return what `act` does with the copy, in a thread; None if it cannot be used for that."""
        try:
            return await to_thread.run_sync(act, await self._opened())
        except NotCertain:
            return None
        except (MirrorError, OSError) as error:
            _log.warning("the local copy could not be used: %s", type(error).__name__)
            return None

    def _known(self, mirror: Mirror, account_id: str, extension_id: str) -> tuple[int, str, FeedProgress]:
        """Return the number of a mailbox in the copy, its extension, and how far its feed is.

        Raises:
            NotCertain: it is not in the copy, or RingCentral has not let this login read it lately.
        """
        known_as = known_mailbox(mirror, self._principal, account_id=account_id, extension_id=extension_id)
        number = mirror.mailboxes().get(known_as) if known_as else None
        if known_as is None or number is None or not self._is_admitted(mirror, known_as):
            raise NotCertain
        return number, known_as[1], progress_of(mirror, number)

    def _search(
        self, mirror: Mirror, known_as: tuple[str, str], query: str, zone: tzinfo, **how: Any
    ) -> tuple[Found, FeedProgress]:
        contacts = self._contacts()
        # A mailbox that is not in the copy has number 0, which no mailbox has: a search must not add one.
        with mirror.reading():
            number = mirror.mailboxes().get(known_as, 0)
            found = search(mirror, number, query, self._now(), zone, contacts=contacts, **how)
            return found, progress_of(mirror, number)

    def _search_all(
        self,
        mirror: Mirror,
        known_as: tuple[str, str],
        query: str,
        zone: tzinfo,
        read: Callable[[Iterable[Message]], T],
    ) -> tuple[tuple[Found, T], FeedProgress]:
        contacts = self._contacts()
        with mirror.reading():
            number = mirror.mailboxes().get(known_as, 0)
            found = search_all(mirror, number, query, self._now(), zone, read, contacts=contacts)
            return found, progress_of(mirror, number)

    async def _feed(self, extension_id: str) -> Feed:
        mirror = await self._opened()
        known_as = await self._known_as(mirror, "~", extension_id)
        if known_as not in self._feeds:
            self._feeds[known_as] = Feed(
                self._client,
                mirror,
                extension_id=extension_id,
                known_as=known_as,
                now=self._now,
                transcriber=self._transcriber,
            )
        return self._feeds[known_as]

    def _fault_of(self, known_as: tuple[str, str]) -> Fault | None:
        feed = self._feeds.get(known_as)
        return feed.fault if feed else self._fault

    async def _admitted(self, mirror: Mirror, account_id: str, extension_id: str) -> tuple[str, str]:
        """Return how the copy knows a mailbox, after RingCentral has let this login read it.

        The copy may have mailboxes of other logins. Only RingCentral knows who may read them, and since when not.
        """
        known_as = await self._known_as(mirror, account_id, extension_id)
        if not await to_thread.run_sync(self._is_admitted, mirror, known_as):
            asked_at = self._now()
            await self._client.list_messages(per_page=1, account_id=account_id, extension_id=extension_id)
            self._admitted_at[known_as] = asked_at
        return known_as

    def _is_admitted(self, mirror: Mirror, known_as: tuple[str, str]) -> bool:
        if known_as == known_mailbox(mirror, self._principal, account_id="~", extension_id="~"):
            return True
        feed = self._feeds.get(known_as)
        synced_at = feed.synced_at if feed and feed.fault is None else None
        times = [self._admitted_at.get(known_as), synced_at]
        return any(at is not None and timedelta(0) <= self._now() - at < _ADMITTED_FOR for at in times)

    async def _known_as(self, mirror: Mirror, account_id: str, extension_id: str) -> tuple[str, str]:
        return await mailbox_of(self._client, mirror, self._principal, account_id=account_id, extension_id=extension_id)

    async def _opened(self) -> Mirror:
        async with self._opening:
            if self._mirror is None:
                self._mirror = await to_thread.run_sync(self._open_mirror)
            return self._mirror


def _texts(mirror: Mirror, mailbox: int, message: Message) -> dict[str, tuple[Source, str]]:
    found = {a.id: mirror.text(mailbox, message.id, a.id) for a in message.attachments}
    return {i: (source, text) for i, (_, source, text) in found.items() if source and text}
