"""rc-mcp mirror: fills, shows, exports and erases the local copy of the mailbox."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import click
from pydantic_core import to_json

from rc_mcp.cli.exits import fail, refuse, settings_or_exit, state_dir
from rc_mcp.cli.mirror.estimate import many
from rc_mcp.cli.mirror.exporting import Exporting, write_export
from rc_mcp.cli.mirror.importing import import_all
from rc_mcp.cli.mirror.state import print_state, state_of
from rc_mcp.cli.mirror.syncing import WAS_DAMAGED, sync_all
from rc_mcp.mirror.database import FILE, damaged_files
from rc_mcp.mirror.errors import Damaged, MirrorError, NotAnArchive, WrongKey
from rc_mcp.mirror.following import is_fed
from rc_mcp.mirror.mirror import Mirror, forget_copy
from rc_mcp.mirror.salvage import salvage
from rc_mcp.ringcentral import InvalidRequest, RingCentralError
from rc_mcp.settings import SettingsError, load_settings
from rc_mcp.views.error_texts import in_words
from rc_mcp.wiring import open_mirror

NO_COPY = "There is no local copy in the state folder {folder}. rc-mcp mirror sync makes one."
NOTHING_TO_ERASE = "There is no local copy in the state folder {folder}, so nothing was erased."
GOES_ON = "What was copied stays; rc-mcp mirror sync goes on from there."
_ARCHIVE = click.Path(exists=True, dir_okay=False, path_type=Path)
FORGET = "FORGET"
"""The word to type."""
ERASED = "The local copy was erased. A server with RC_MCP_MIRROR=on fills it again when it starts."
READ_BACK = "Everything could be read, and the damaged file was removed."
NOT_ALL_READ_BACK = "The rest could not be read. The damaged file stays; rc-mcp mirror forget removes it."
NOT_ERASED = "Nothing was erased."
FILLED_AGAIN = "Such a server, or another process, fetches messages now and fills it again. End it, and run this again."


@click.group()
def mirror() -> None:
    """Keep a local copy of the mailbox, for search.

    The copy is a file in the state folder that only you can read. It has the messages as RingCentral sent them, and the
    texts of voicemails, faxes and documents. It also keeps messages that RingCentral removes because of its own limits.
    """


@mirror.command()
def sync() -> None:
    """Fetch what the copy does not have: first the messages, then the texts.

    The first time takes two minutes for 100,000 messages, and a minute for each 40 voicemails and faxes: RingCentral
    allows no more requests. You can interrupt it (Ctrl-C); the next one goes on from there.
    """
    settings = settings_or_exit()
    with _faults_named():
        try:
            is_complete = anyio.run(sync_all, settings)
        except KeyboardInterrupt:
            fail(f"Interrupted. {GOES_ON}")
    if not is_complete:
        sys.exit(1)


@mirror.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for other programs.")
def status(as_json: bool) -> None:
    """Show what the copy has, how old it is, and what is missing. It sends no request."""
    settings = settings_or_exit()
    folder = settings.state_dir
    with _faults_named():
        state = state_of(folder, settings.mirror_key_command)
    if as_json:
        click.echo(to_json(state).decode())
    else:
        print_state(state) if state.is_there else click.echo(NO_COPY.format(folder=folder))


@mirror.command()
def rebuild() -> None:
    """Make the index of the copy again, from its own messages and texts. It sends no request.

    If the copy is damaged, it is set aside, and all that can be read of it goes into a new copy.
    """
    settings = settings_or_exit()
    folder = settings.state_dir
    _exit_without_copy(folder)
    with _faults_named(), open_mirror(folder, settings.mirror_key_command) as copy:
        is_damaged = _read_back(copy, folder)
        messages = sum(copy.status(number).messages for number in copy.mailboxes().values())
        click.echo(f"Making the index of {many(messages, 'message')} again ...")
        try:
            indexed = copy.index_again()
        except Damaged:  # in a part that was not used before
            is_damaged = _read_back(copy, folder)
            indexed = copy.index_again()
    click.echo(f"The index has {many(indexed, 'message')}.")
    if is_damaged:
        click.echo("rc-mcp mirror sync, or a server with RC_MCP_MIRROR=on, fetches what is missing.")


def _read_back(copy: Mirror, folder: Path) -> bool:
    """Add what can be read of a damaged copy, and say it. Return whether there was one."""
    found = salvage(copy, folder)
    if found is None:
        return False
    click.echo(f"The copy was damaged. Read back: {many(found.messages, 'message')}, {many(found.texts, 'text')}.")
    click.echo(READ_BACK if found.is_whole else NOT_ALL_READ_BACK)
    return True


@mirror.command("import")
@click.argument("files", metavar="ZIP...", nargs=-1, required=True, type=_ARCHIVE)
def import_files(files: tuple[Path, ...]) -> None:
    """Add the messages and texts of RingCentral's own export archives, which saves hours of fetching.

    An administrator creates them (Message Store Export). Name all ZIP files of an export. Only messages of mailboxes in
    the copy are added, or of the login's own if the copy is empty. The next sync compares them with the mailbox.
    """
    settings = settings_or_exit()
    with _faults_named():
        try:
            anyio.run(import_all, settings, files)
        except KeyboardInterrupt:
            fail("Interrupted. What was imported stays; to go on, import the same files again.")


@mirror.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--extension-id", metavar="ID", help="Only this mailbox. Default: all in the copy.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def export(file: Path, extension_id: str | None, force: bool) -> None:
    """Write all messages and texts of the copy to FILE, deleted ones included. It sends no request.

    The name of FILE ends in .jsonl (JSON Lines: each record as RingCentral sent it) or .csv (a table for spreadsheets;
    a cell that a spreadsheet could run as a formula begins with an apostrophe, numbers such as +1650... included). Only
    you can read the file.
    """
    exporting = _exporting(file, force)
    settings = settings_or_exit()
    folder = settings.state_dir
    _exit_without_copy(folder)
    with _faults_named(), open_mirror(folder, settings.mirror_key_command) as copy:
        _say_if_damaged(copy)
        mailboxes = copy.mailboxes()
        chosen = {key: number for key, number in mailboxes.items() if extension_id in (None, key[1])}
        if extension_id is not None and not chosen:
            known = ", ".join(extension for _, extension in mailboxes) or "none"
            refuse(f"The copy has no mailbox of extension {extension_id!r}. It has: {known}. {file} was not written.")
        written = write_export(copy, chosen, exporting)
    click.echo(f"Wrote {many(written, 'message')} to {file}. The file has private texts; it is not encrypted.")


@mirror.command()
@click.option("--yes", is_flag=True, help="Erase without a question.")
def forget(yes: bool) -> None:
    """Erase the copy, damaged ones included. Nothing changes in the mailbox.

    It asks first. Messages that RingCentral no longer has are then gone for good.
    """
    folder = state_dir()
    if not _is_there(folder):
        click.echo(NOTHING_TO_ERASE.format(folder=folder))
        return
    with _faults_named():
        if not yes:
            _ask(folder)
        forget_copy(folder)
        is_filled_again = is_fed(folder)
    click.echo(ERASED)
    if is_filled_again:
        click.echo(FILLED_AGAIN, err=True)


def _ask(folder: Path) -> None:
    """Exit unless the user types the word. The copy is shown if it can be opened."""
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        fail(f"This is not a terminal, so you were not asked. Use one, or pass --yes. {NOT_ERASED}")
    try:
        settings = load_settings()
        before = state_of(folder, settings.mirror_key_command)
    except (SettingsError, WrongKey) as error:
        click.echo(f"What the copy has cannot be shown. {error}")
    else:
        print_state(before)
        if kept := sum(mailbox.kept for mailbox in before.mailboxes):
            click.echo(f"RingCentral no longer has {many(kept, 'message')} of these. rc-mcp mirror export saves them.")
    try:
        typed = click.prompt(f"To erase the copy, type {FORGET}", default="", show_default=False)
    except click.Abort:
        click.echo()
        typed = ""
    if typed.strip() != FORGET:
        fail(NOT_ERASED)


def _exporting(file: Path, force: bool) -> Exporting:
    try:
        return Exporting.to(file, replace=force)
    except ValueError as error:
        refuse(str(error))
    except OSError as error:
        fail(f"{file} was not written: {error.strerror or error}.")


def _say_if_damaged(copy: Mirror) -> None:
    if copy.was_damaged:
        click.echo(WAS_DAMAGED, err=True)


def _is_there(folder: Path) -> bool:
    with _faults_named():
        return (folder / FILE).exists() or bool(damaged_files(folder))


def _exit_without_copy(folder: Path) -> None:
    if not _is_there(folder):
        fail(NO_COPY.format(folder=folder))


@contextmanager
def _faults_named() -> Generator[None]:
    """Print an error as one line, and exit."""
    try:
        yield
    except (SettingsError, InvalidRequest) as error:
        refuse(str(error))
    except NotAnArchive as error:
        fail(f"{error.file}: {error}")
    except MirrorError as error:
        fail(str(error))
    except RingCentralError as error:
        fail(f"{in_words(error)} {GOES_ON}")
    except OSError as error:
        fail(f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}.")
