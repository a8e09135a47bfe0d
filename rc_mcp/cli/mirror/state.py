"""The state of the local copy, read from its file: for a person as lines, and for programs as JSON."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from rc_mcp.cli.mirror.estimate import duration, listing_s, many, texts_s
from rc_mcp.mirror.database import FILE, damaged_files
from rc_mcp.mirror.following import is_fed
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import progress_of
from rc_mcp.settings import load_time_zone
from rc_mcp.views.untrusted_text import clean
from rc_mcp.wiring import open_mirror

SET_ASIDE = (
    "Damaged: a damaged copy was set aside. rc-mcp mirror rebuild reads back what can be read of it; do that soon, "
    "because it is removed when RingCentral reports a purged message."
)
_PHASES = {
    "filling": "first fill",
    "listing": "comparison with the whole mailbox",
    "following": "complete, so only changes are fetched",
}


@dataclass(frozen=True)
class MailboxState:
    """What the copy has of one mailbox.

    Attributes:
        account_id, extension_id: internal ids; `~` and the name of a login where RingCentral did not say them.
        messages: how many, deleted ones included.
        oldest, newest: when the first and the last were created.
        synced_at: when the copy last agreed with the mailbox; None before the first fill has ended.
        contents_missing: attachments whose text was not fetched yet.
        contents_unreadable: attachments that cannot be read as text, such as scans without OCR.
        kept: messages that RingCentral no longer has.
        unreadable: at most so many messages were listed by RingCentral and could not be read.
        phase: of the feed.
        listed, total: how many messages a first fill or comparison in progress has listed, and of how many.
    """

    account_id: str
    extension_id: str
    messages: int
    oldest: datetime | None
    newest: datetime | None
    synced_at: datetime | None
    contents_missing: int
    contents_unreadable: int
    kept: int
    unreadable: int
    phase: Literal["filling", "listing", "following"]
    listed: int | None
    total: int | None


@dataclass(frozen=True)
class CopyState:
    """The whole copy.

    Attributes:
        file: where it is.
        bytes: the size of the file and its logs.
        is_there: whether there is one.
        is_fed: whether a process fetches messages for it now.
        set_aside: whether a damaged copy is still in the folder.
        was_damaged: it turned out now to be damaged, and an empty one took its place.
    """

    file: Path
    bytes: int
    is_there: bool
    is_fed: bool
    set_aside: bool
    was_damaged: bool
    mailboxes: list[MailboxState]


def state_of(folder: Path, key_command: str | None) -> CopyState:
    """Return the state of the copy in a state folder. Without a copy, nothing is created.

    Raises:
        MirrorError: the copy cannot be read.
        OSError: the folder cannot be read.
    """
    file = folder / FILE
    mailboxes: list[MailboxState] = []
    is_there, was_damaged = file.exists(), False
    if is_there:
        with open_mirror(folder, key_command) as mirror:
            was_damaged = mirror.was_damaged
            mailboxes = [mailbox_state(mirror, key, number) for key, number in mirror.mailboxes().items()]
    return CopyState(
        file=file,
        bytes=sum(path.stat().st_size for path in folder.glob(f"{FILE}*")),
        is_there=is_there,
        is_fed=is_fed(folder),
        set_aside=bool(damaged_files(folder)),
        was_damaged=was_damaged,
        mailboxes=mailboxes,
    )


def mailbox_state(mirror: Mirror, key: tuple[str, str], number: int) -> MailboxState:
    """Return what the copy has of the mailbox with this number.

    Raises:
        MirrorError: the copy cannot be read.
    """
    with mirror.reading():
        counts, progress = mirror.status(number), progress_of(mirror, number)
    listing = progress.listing
    return MailboxState(
        *key,
        messages=counts.messages,
        oldest=counts.oldest,
        newest=counts.newest,
        synced_at=progress.synced_at,
        contents_missing=counts.contents_missing,
        contents_unreadable=counts.contents_unreadable,
        kept=len(progress.kept),
        unreadable=max(progress.unreadable, listing.unreadable if listing else 0),
        phase=progress.phase,
        listed=listing.done if listing else None,
        total=listing.total if listing else None,
    )


def print_state(state: CopyState) -> None:
    """Print the state for a person, with times in the user's zone."""
    for mailbox in state.mailboxes:
        for line in lines_of(mailbox):
            click.echo(line)
    if not state.mailboxes:
        click.echo("The local copy is empty.")
    click.echo(f"File: {state.file}, {_size(state.bytes)}")
    feeding = "a process fetches messages for it now" if state.is_fed else "no process fetches messages for it now"
    click.echo(f"Feed: {feeding}")
    if state.set_aside:
        click.echo(SET_ASIDE)


def lines_of(mailbox: MailboxState) -> list[str]:
    """Return what the copy has of a mailbox, for a person."""
    lines = [
        f"Mailbox of extension {clean(mailbox.extension_id, 20)} (account {clean(mailbox.account_id, 20)}):",
        f"  {many(mailbox.messages, 'message')}{_span(mailbox.oldest, mailbox.newest)}",
        f"  Synced: {_time(mailbox.synced_at) if mailbox.synced_at else 'not yet'}; {_phase(mailbox)}",
    ]
    if mailbox.contents_missing:
        lines.append(
            f"  Texts: {many(mailbox.contents_missing, 'attachment')} not fetched yet "
            f"({duration(texts_s(mailbox.contents_missing))} at RingCentral's limit)"
        )
    if mailbox.contents_unreadable:
        lines.append(f"  Unreadable: {many(mailbox.contents_unreadable, 'attachment')} without a text that we can read")
    if mailbox.kept:
        lines.append(f"  Kept: {many(mailbox.kept, 'message')} that RingCentral no longer has")
    if mailbox.unreadable:
        lines.append(f"  Missing: up to {many(mailbox.unreadable, 'message')} that could not be read from RingCentral")
    return lines


def _span(oldest: datetime | None, newest: datetime | None) -> str:
    return f", from {_time(oldest)} to {_time(newest)}" if oldest and newest else ""


def _phase(mailbox: MailboxState) -> str:
    if mailbox.listed is None or mailbox.total is None:
        return _PHASES[mailbox.phase]
    left_s = listing_s(max(0, mailbox.total - mailbox.listed))
    of = f"{mailbox.listed:,} of {many(mailbox.total, 'message')} listed"
    return f"{_PHASES[mailbox.phase]}: {of}, {duration(left_s)} at RingCentral's limit"


def _time(at: datetime) -> str:
    return f"{at.astimezone(load_time_zone()):%Y-%m-%d %H:%M}"


def _size(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
