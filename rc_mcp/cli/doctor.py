"""rc-mcp doctor: reports faults of this installation and how to fix them.

It changes nothing, except that it upgrades a state folder of an older version.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import click

from rc_mcp.cli.exits import settings_or_exit
from rc_mcp.cli.install.hosts import CREDENTIALS
from rc_mcp.guard.state.database import FILE, MadeByNewer, exists
from rc_mcp.guard.state.folder import Folder, has_stop_file
from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.plans import Plan, PlanStore
from rc_mcp.media.reading import has_ocr, no_progress, what_ocr_lacks
from rc_mcp.ringcentral import (
    BadEnvironment,
    Forbidden,
    InvalidRequest,
    LoginEnded,
    LoginFailed,
    LoginNotKept,
    LoginUnavailable,
    MessageStoreClient,
    NotFound,
    NotInPlan,
    RingCentralError,
    TransportFailure,
    Unauthorized,
)
from rc_mcp.settings import NO_MODEL, Settings, SettingsError, added_by_dotenv
from rc_mcp.tools import PERMISSIONS, tools_for
from rc_mcp.views.error_texts import in_words
from rc_mcp.views.other_stores import QUEUE_TEXTS
from rc_mcp.views.untrusted_text import counted
from rc_mcp.wiring import client_for, credentials_in_use, policy_for

# No message has this id: marking it read checks the permission and changes nothing.
_NO_MESSAGE = "1"
READY = "Ready."
FOR_A_TEAM = "On a team's server (RC_MCP_DATABASE_URL), run rc-mcp database check instead."
STOPPED = "STOPPED: nothing is deleted until `rc-mcp resume`. Reading works."
_NEWER = "Upgrade rc-mcp. Keep the folder: its journal is the only record of sent requests, and rc-mcp undo needs it."
_KEEP_JOURNAL = (
    "Keep the folder: its journal is the only record of sent requests, and rc-mcp undo needs it. Make it readable and "
    "writable for you, free disk space, or restore guard.db from a backup."
)
_CHANGED = "rc-mcp audit verify shows each. Find out who can write the folder, and restore it from a backup."
_NO_JOURNAL = "It has no journal. Make it a folder that you can write to, or set RC_MCP_STATE_DIR to one."
_READING_FAULTS: tuple[tuple[type[RingCentralError], str, str], ...] = (
    (LoginEnded, "login", "Run rc-mcp login."),
    (LoginNotKept, "login", "Fix the permissions of that place, or run rc-mcp login again."),
    (
        LoginUnavailable,
        "login",
        "Check RC_SERVER_URL. If it is correct, RingCentral's login service is unavailable; try again later.",
    ),
    (LoginFailed, "login", "Check RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and RC_USER_JWT."),
    (Unauthorized, "login", "Renew RC_ACCESS_TOKEN, or use RC_USER_JWT."),
    (NotInPlan, "reading", "An administrator must change the account's plan or its limits."),
    (Forbidden, "reading", "Give the app, and the user's role, the permission ReadMessages."),
    (BadEnvironment, "network", "Correct that variable, or unset it."),
    (TransportFailure, "network", "Check RC_SERVER_URL and your network connection."),
)
"""The errors of the first request, each with the fault's place and the advice. The first that fits counts."""


BETTER_MODELS = (
    "Better models make fewer mistakes and take longer: tiny.en has 75 MB and needs 0.1 s of one processor for each "
    "second of sound; base, of many languages, 145 MB and twice the time; small 480 MB and about six times. "
    "docs/how-to/hear-voicemails.md says how to get one."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    verdict: Literal["ok", "note", "fault"]
    what: str
    advice: str = ""


@click.command()
def doctor() -> None:
    """Check configuration, state folder, login and permissions. The exit code is 1 if there is a fault.

    A stop (`rc-mcp stop`) is not a fault: the exit code is 0, and the last line begins with STOPPED.
    """
    settings = settings_or_exit()
    sys.exit(anyio.run(_examine, settings))


async def _examine(settings: Settings) -> int:
    faults = 0
    async for finding in _findings(settings):
        click.echo(f"{finding.verdict:<5} {finding.what}")
        if finding.advice:
            click.echo(f"      {finding.advice}")
        faults += finding.verdict == "fault"
    if faults:
        click.echo("Fix the faults above, then run rc-mcp doctor again.")
        return 1
    click.echo(STOPPED if has_stop_file(settings.state_dir) else READY)
    return 0


async def _findings(settings: Settings) -> AsyncGenerator[Finding]:
    yield _state_folder(settings)
    yield _policy(settings)
    if settings.contacts:
        yield _contacts(settings.contacts)
    if settings.mirror_key_command:
        yield await _encryption(settings.state_dir, settings.mirror_key_command)
    if has_ocr():
        yield await _ocr()
    if settings.transcribe != "off":
        yield await _transcription(settings)
    try:
        client = client_for(settings)
    except (SettingsError, InvalidRequest) as error:
        yield Finding("fault", f"configuration: {error}", FOR_A_TEAM if settings.database_url else "")
        return
    yield Finding(
        "ok", f"configuration: {settings.server_url}, access {settings.access} here; each app's entry has its own level"
    )
    yield Finding("ok", f"credentials: {credentials_in_use(settings)}", _from_dotenv())
    async with client:
        reading = await _reading(client)
        yield reading
        if reading.verdict == "ok":
            yield Finding("note", f"texts to call queues may be missing. {QUEUE_TEXTS}")
            missing = _missing(settings, client)
            for permission, tools in missing.items():
                yield Finding(
                    "note",
                    f"RingCentral did not grant {permission}. Not offered: {', '.join(tools)}",
                    f"Give the app {permission} in RingCentral's developer console.",
                )
            if "EditMessages" not in missing and settings.access != "read":
                yield await _editing(client)
            if "EditAccounts" not in missing:
                yield await _retention(client)


def _from_dotenv() -> str:
    """Return which credentials come from `.env`, which is read only here; empty if none do."""
    names = sorted(added_by_dotenv() & {*CREDENTIALS, "RC_ACCESS_TOKEN"})
    return f"From .env in this folder: {', '.join(names)}. Apps that start elsewhere do not get it." if names else ""


def _missing(settings: Settings, client: MessageStoreClient) -> dict[str, list[str]]:
    """Return permissions that RingCentral did not grant, and the tools that need them; empty if unknown."""
    missing: dict[str, list[str]] = {}
    for tool in tools_for(settings.access):
        permission = PERMISSIONS[tool.name]
        if client.granted is not None and permission not in client.granted:
            missing.setdefault(permission, []).append(tool.name)
    return missing


def _state_folder(settings: Settings) -> Finding:
    folder, where = settings.state_dir, f"state folder {settings.state_dir}"
    try:
        _try_to_write(folder)
        holds = _held_in(folder)
        faults = list(Journal(Folder(folder)).verify().faults if exists(folder) else ())
        # Windows reports the same mode for every folder; it stores permissions elsewhere.
        others_can_write = os.name == "posix" and folder.exists() and folder.stat().st_mode & 0o022
    except MadeByNewer as error:
        return Finding("fault", f"{where}: {error}", _NEWER)
    except Exception as error:  # noqa: BLE001  report any fault of the folder
        cause = f" {error.__cause__}" if error.__cause__ else ""
        advice = _NO_JOURNAL if _has_no_journal(folder) else _KEEP_JOURNAL
        return Finding("fault", f"{where}: {error}{cause}", advice)
    if faults:
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        return Finding("fault", f"{where}: the journal was changed. {faults[0]}{more}", _CHANGED)
    if others_can_write:
        what = f"{where}: other users of this machine can write to it and approve plans in your name"
        return Finding("fault", what, f"chmod 700 {shlex.quote(str(folder))}")
    if has_stop_file(folder):
        return Finding("note", f"{where} holds a STOP file: deletes are refused", "rc-mcp resume allows them again.")
    return Finding("ok", f"{where}, {holds}")


def _try_to_write(folder: Path) -> None:
    """Make a folder in the state folder, or in the nearest one above it that exists, and remove it again."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is not a folder")
    try:
        # Permissions do not show it: root may write anywhere, but not to /proc or to a disk mounted read-only.
        with tempfile.TemporaryDirectory(prefix=".rc-mcp-", dir=there):
            pass
    except OSError as error:
        raise PermissionError(f"{there} cannot be written to ({error.strerror})") from None


def _held_in(folder: Path) -> str:
    # PlanStore would create the folder and the file.
    return _counted(PlanStore(Folder(folder)).waiting()) if exists(folder) else "not used yet"


def _counted(plans: Sequence[Plan]) -> str:
    demos = sum(plan.is_demo for plan in plans)
    n = len(plans) - demos
    of_demos = f" (and {demos} of demos, which may have ended)" if demos else ""
    return f"{n} {'plan' if n == 1 else 'plans'} awaiting approval{of_demos}"


def _has_no_journal(folder: Path) -> bool:
    """Return whether the folder certainly has no journal: an unreadable folder may have one."""
    try:
        (folder / FILE).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _policy(settings: Settings) -> Finding:
    try:
        policy = policy_for(settings)
    except SettingsError as error:
        return Finding("fault", f"policy: {error}", "Fix the file; until then the server does not start.")
    if settings.policy is None:
        return Finding("ok", "policy: none, so nothing is deleted unattended")
    if policy.dry_run:
        return Finding("note", f"policy {settings.policy}: a dry run, so nothing is deleted at all")
    return Finding("ok", f"policy {settings.policy}; rc-mcp policy check shows its effect")


def _contacts(file: Path) -> Finding:
    from rc_mcp.mirror.contacts.book import left_out, read_contacts  # imported late for a fast start
    from rc_mcp.mirror.contacts.contact import ContactsError

    try:
        entries = read_contacts(file)
    except ContactsError as error:
        return Finding("fault", f"contacts {file}: {error}", "Export the file again. Until then it counts as empty.")
    counted_here = f"contacts {file}: {counted(len(entries.contacts), 'contact')} with a name and a number"
    fault = left_out(entries)
    return Finding("note", counted_here, fault) if fault else Finding("ok", counted_here)


async def _encryption(folder: Path, command: str) -> Finding:
    from rc_mcp.mirror.database import FILE as COPY
    from rc_mcp.mirror.encryption import check_key
    from rc_mcp.mirror.errors import MirrorError

    try:
        await anyio.to_thread.run_sync(check_key, folder / COPY, command)
    except MirrorError as error:
        return Finding("fault", f"encryption: {error}", "Until then there is no local copy, and no search in it.")
    return Finding("ok", "encryption: RC_MCP_MIRROR_KEY_COMMAND prints a key that fits the local copy")


async def _ocr() -> Finding:
    lacking = await what_ocr_lacks()
    if lacking is None:
        return Finding("ok", "OCR: scanned faxes are read as text")
    return Finding(
        "note",
        f"OCR is installed, but cannot be loaded: {lacking}. Scanned faxes are shown as pictures",
        "python -c 'import onnxruntime, rapidocr.main' shows the error.",
    )


async def _transcription(settings: Settings) -> Finding:
    """Try the model on a second of silence and noise, which loads all that transcription needs."""
    from rc_mcp.media.speech_model import ModelError, find_model  # late: most servers transcribe nothing
    from rc_mcp.media.transcription import has_engine, try_model

    if not settings.transcribe_model:
        return Finding("fault", f"transcription: {NO_MODEL.format(mode=settings.transcribe)}", BETTER_MODELS)
    try:
        model = find_model(settings.transcribe_model)
    except ModelError as error:
        return Finding("fault", f"transcription: {error}", BETTER_MODELS)
    if not has_engine():
        return Finding("fault", "transcription: faster-whisper is not installed", "pip install 'rc-mcp[transcribe]'")
    why = await try_model(model, no_progress)
    if why is not None:
        return Finding("fault", f"transcription: {model.name} cannot be used ({why})", BETTER_MODELS)
    known = "only English" if model.is_english_only else "many languages"
    size = f"{model.size_bytes / 1e6:.0f} MB"
    return Finding("ok", f"transcription: {model.name}, {size}, which knows {known}", BETTER_MODELS)


async def _reading(client: MessageStoreClient) -> Finding:
    try:
        await client.list_messages(per_page=1)
    except RingCentralError as error:
        for fault, place, advice in _READING_FAULTS:
            if isinstance(error, fault):
                return Finding("fault", f"{place}: {error}", advice)
        return Finding("fault", f"reading: {in_words(error)}")
    return Finding("ok", "login, and permission to read messages")


async def _editing(client: MessageStoreClient) -> Finding:
    try:
        outcome = (await client.update_message(_NO_MESSAGE, "Read"))[0]
    except NotInPlan as error:
        return Finding("note", f"no changes of messages: {in_words(error)}")
    except Forbidden as error:
        return Finding(
            "note",
            f"no permission to change messages: {error}",
            "Give the app EditMessages, or set RC_MCP_ACCESS=read.",
        )
    except RingCentralError as error:
        return Finding("note", f"permission to change messages is unknown: {in_words(error)}")
    if isinstance(outcome.error, NotFound):
        return Finding("ok", "permission to change messages")
    why = f": {in_words(outcome.error)}" if outcome.error else ""
    return Finding("note", f"permission to change messages is unknown{why}")


async def _retention(client: MessageStoreClient) -> Finding:
    try:
        await client.read_message_store_configuration()
    except RingCentralError as error:
        return Finding(
            "note",
            f"the retention tools will not work: {in_words(error)}",
            "They need EditAccounts and an administrator.",
        )
    return Finding("ok", "permission to read and set the retention period")
