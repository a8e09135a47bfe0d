"""The local copy as a running server uses it: one feed for each mailbox that it may read, and the searches in it."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Never

import anyio
from anyio import to_thread

from rc_mcp.mirror.contacts.book import Contacts
from rc_mcp.mirror.errors import MirrorError
from rc_mcp.mirror.feed import AFTER_A_FAULT_S, Feed, Wakeup, follow
from rc_mcp.mirror.logins import mailbox_of
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import FeedProgress, progress_of
from rc_mcp.mirror.search import Found, Sort, search
from rc_mcp.ringcentral import Message, MessageStoreClient, RingCentralError

_log = logging.getLogger(__name__)

Fault = RingCentralError | MirrorError | OSError


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


class LocalCopy:
    """The local copy in a folder, for one login.

    It is opened when it is first needed. A copy that cannot be opened makes searches fail, and nothing else.

    Args:
        folder: where the copy is; `open_mirror` opens it.
        principal: the name of the login.
        extensions: whose mailboxes are copied besides the login's own.
        now: the wall clock, in UTC.
        contacts: returns the address book as it is now.
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
    ) -> None:
        self._client = client
        self._folder, self._open_mirror = folder, open_mirror
        self._principal = principal
        self._extensions = ["~", *sorted(extensions)]
        self._now, self._contacts = now, contacts
        self._mirror: Mirror | None = None
        self._opening = anyio.Lock()
        self._feeds: dict[tuple[str, str], Feed] = {}
        self._fault: Fault | None = None
        self._wakeup = Wakeup()

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
            RingCentralError: it is not known yet which mailbox is the login's own, and RingCentral did not say.
        """
        mirror = await self._opened()
        known_as = await self._known_as(mirror, account_id, extension_id)
        act = partial(self._search, mirror, known_as, query, zone, sort=sort, limit=limit, cursor=cursor)
        found, progress = await to_thread.run_sync(act)
        feed = self._feeds.get(known_as)
        kept = frozenset(hit.message.id for hit in found.hits) & progress.kept
        return Searched(found, progress, feed.fault if feed else self._fault, kept)

    async def kept(self, message_id: str, account_id: str, extension_id: str) -> Message | None:
        """Return a message that RingCentral no longer has, and whose copy was kept.

        Raises:
            RingCentralError, MirrorError: as for `search`.
        """
        mirror = await self._opened()
        known_as = await self._known_as(mirror, account_id, extension_id)
        return await to_thread.run_sync(_kept, mirror, known_as, message_id)

    def _search(
        self, mirror: Mirror, known_as: tuple[str, str], query: str, zone: tzinfo, **how: Any
    ) -> tuple[Found, FeedProgress]:
        contacts = self._contacts()
        # A mailbox that is not in the copy has number 0, which no mailbox has: a search must not add one.
        with mirror.reading():
            number = mirror.mailboxes().get(known_as, 0)
            found = search(mirror, number, query, self._now(), zone, contacts=contacts, **how)
            return found, progress_of(mirror, number)

    async def _feed(self, extension_id: str) -> Feed:
        mirror = await self._opened()
        known_as = await self._known_as(mirror, "~", extension_id)
        if known_as not in self._feeds:
            self._feeds[known_as] = Feed(
                self._client, mirror, extension_id=extension_id, known_as=known_as, now=self._now
            )
        return self._feeds[known_as]

    async def _known_as(self, mirror: Mirror, account_id: str, extension_id: str) -> tuple[str, str]:
        return await mailbox_of(self._client, mirror, self._principal, account_id=account_id, extension_id=extension_id)

    async def _opened(self) -> Mirror:
        async with self._opening:
            if self._mirror is None:
                self._mirror = await to_thread.run_sync(self._open_mirror)
            return self._mirror


def _kept(mirror: Mirror, known_as: tuple[str, str], message_id: str) -> Message | None:
    with mirror.reading():
        number = mirror.mailboxes().get(known_as, 0)
        return mirror.message(number, message_id) if message_id in progress_of(mirror, number).kept else None
