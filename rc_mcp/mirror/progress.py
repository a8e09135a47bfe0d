"""How far the feed is, as it notes it in the copy: each step in the transaction that stores the step's messages."""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from rc_mcp.mirror.mirror import SYNCED_AT, Mirror

_TOKEN, _LISTING, _LISTED_AT, _KEPT, _UNREADABLE = "sync_token", "listing", "listed_at", "kept", "unreadable"
_DUE, _DUE_ENDED_AT = "due", "due_ended_at"
_IMPORTS, _IMPORTS_COMPARED = "imports", "imports_compared"
_RETENTION_DAYS, _RETENTION_READ_AT = "retention_days", "retention_read_at"
_REMEMBERED = timedelta(days=30)
"""How long a retention period is believed: an administrator may change it elsewhere."""


@dataclass(frozen=True)
class Listing:
    """A comparison of the copy with the whole mailbox, newest messages first. The first fill is one too.

    Attributes:
        sync_token: taken before it began, so that the changes since then are known.
        shared: whether messages that others own are listed too.
        down_to: all messages created after this time have been compared; None at the beginning.
        gone: messages of the copy that RingCentral no longer knows.
        total: how many messages the mailbox has, as RingCentral says; None if it does not.
        done: how many messages were listed. After an interruption, those of one second are counted twice.
        unreadable: upper bound of messages that were listed, but cannot be read.
        imports: `FeedProgress.imports` when it began.
    """

    sync_token: str = field(repr=False)
    shared: bool
    down_to: datetime | None = None
    gone: frozenset[str] = frozenset()
    total: int | None = None
    done: int = 0
    unreadable: int = 0
    imports: int = 0


@dataclass(frozen=True)
class FeedProgress:
    """How far the feed of a mailbox is.

    Attributes:
        sync_token: for the next changes; None before the first listing has ended.
        listing: the listing in progress.
        listed_at: when the last listing ended, and so when the copy and the whole mailbox were last compared.
        kept: messages that RingCentral no longer has, because they were older than its limits allow.
        is_listing_due: a sign was seen that the copy may differ from the mailbox.
        due_ended_at: when the last listing ended that such a sign had caused.
        unreadable: upper bound of messages that the last listing could not read.
        synced_at: when the copy last agreed with the mailbox.
        imports: how many times records came from archives. It only grows: a listing in progress cannot reset it.
        imports_compared: how many of them were there when the last listing began that has ended.
        retention: how many days the account keeps faxes and voicemails, and when a call read that.
    """

    sync_token: str | None = field(default=None, repr=False)
    listing: Listing | None = None
    listed_at: datetime | None = None
    kept: frozenset[str] = frozenset()
    is_listing_due: bool = False
    due_ended_at: datetime | None = None
    unreadable: int = 0
    synced_at: datetime | None = None
    imports: int = 0
    imports_compared: int = 0

    @property
    def has_uncompared_imports(self) -> bool:
        """Whether the copy has records from an archive that no listing has compared with the mailbox."""
        return self.imports != self.imports_compared

    retention: tuple[int, datetime] | None = None

    def retention_days(self, now: datetime) -> int | None:
        """Return the retention period that was read in the last 30 days."""
        return self.retention[0] if self.retention and now - self.retention[1] < _REMEMBERED else None

    @property
    def phase(self) -> Literal["filling", "listing", "following"]:
        """The first fill, a later comparison with the whole mailbox, or only changes."""
        if self.listing is None and self.sync_token is not None:
            return "following"
        return "listing" if self.sync_token is not None else "filling"


def progress_of(mirror: Mirror, mailbox: int) -> FeedProgress:
    """Return how far the feed of a mailbox is. Other processes may ask too."""
    noted = mirror.progress(mailbox)
    read_at = _time(noted.get(_RETENTION_READ_AT))
    return FeedProgress(
        sync_token=noted.get(_TOKEN) or None,
        listing=_listing(noted.get(_LISTING, "")),
        listed_at=_time(noted.get(_LISTED_AT)),
        kept=frozenset(json.loads(noted.get(_KEPT) or "[]")),
        is_listing_due=bool(noted.get(_DUE)),
        due_ended_at=_time(noted.get(_DUE_ENDED_AT)),
        unreadable=int(noted.get(_UNREADABLE) or 0),
        synced_at=_time(noted.get(SYNCED_AT)),
        imports=int(noted.get(_IMPORTS) or 0),
        imports_compared=int(noted.get(_IMPORTS_COMPARED) or 0),
        retention=(int(noted[_RETENTION_DAYS]), read_at) if read_at else None,
    )


def noted_changes(sync_token: str, at: datetime) -> Mapping[str, str]:
    """Return what to note with the changes of a sync."""
    return {_TOKEN: sync_token, SYNCED_AT: at.isoformat()}


def noted_retention(days: int | None, at: datetime) -> Mapping[str, str]:
    """Return what to note of a retention period that was read; None: it is no longer known."""
    return {_RETENTION_DAYS: str(days or ""), _RETENTION_READ_AT: at.isoformat() if days else ""}


def noted_due() -> Mapping[str, str]:
    """Return what to note if a listing is due."""
    return {_DUE: "1"}


def noted_import(progress: FeedProgress) -> Mapping[str, str]:
    """Return what to note with records from an archive: the next listing that begins compares them."""
    return {_IMPORTS: str(progress.imports + 1)}


def noted_listing(listing: Listing) -> Mapping[str, str]:
    """Return what to note with a page of a listing."""
    down_to = listing.down_to.isoformat() if listing.down_to else None
    return {_LISTING: json.dumps({**vars(listing), "down_to": down_to, "gone": sorted(listing.gone)})}


def noted_end(listing: Listing, kept: Collection[str], at: datetime, *, was_due: bool) -> Mapping[str, str]:
    """Return what to note when a listing has ended."""
    return {
        **({_DUE_ENDED_AT: at.isoformat()} if was_due else {}),
        _TOKEN: listing.sync_token,
        _LISTING: "",
        _LISTED_AT: at.isoformat(),
        **noted_kept(kept),
        _DUE: "",
        _UNREADABLE: str(listing.unreadable),
        _IMPORTS_COMPARED: str(listing.imports),
    }


def noted_kept(kept: Collection[str]) -> Mapping[str, str]:
    """Return what to note of the messages that RingCentral no longer has."""
    return {_KEPT: json.dumps(sorted(kept))}


def noted_kept_before(progress: FeedProgress, damaged: Mapping[str, str]) -> Mapping[str, str]:
    """Return what to note so that messages of a damaged copy that RingCentral no longer has are kept here too.

    Args:
        damaged: what was noted in the damaged copy.
    """
    kept = progress.kept
    with suppress(ValueError, TypeError):
        kept |= {str(message_id) for message_id in json.loads(damaged.get(_KEPT) or "[]")}
    return noted_kept(kept)


def _listing(noted: str) -> Listing | None:
    if not noted:
        return None
    found = Listing(**json.loads(noted))
    return replace(found, down_to=_time(found.down_to), gone=frozenset(found.gone))


def _time(noted: object) -> datetime | None:
    return datetime.fromisoformat(noted) if isinstance(noted, str) and noted else None
