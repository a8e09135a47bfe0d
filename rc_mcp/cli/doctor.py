"""rc-mcp doctor: what is wrong with this installation, and what to do about it.

It changes nothing, except that a state folder of an older version is brought to this one.
"""

import os
import shlex
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from rc_mcp.cli.configured import settings_or_exit

if TYPE_CHECKING:
    from pathlib import Path

    from rc_mcp.ringcentral import MessageStoreClient
    from rc_mcp.settings import Settings

# No message has this id. Marking it read asks for the permission, and can change nothing.
_NOBODYS_MESSAGE = "1"
_NEWER = "Upgrade rc-mcp. Keep the folder: its journal is the only record of what was sent, and rc-mcp undo needs it."
_KEEP_JOURNAL = (
    "Keep the folder: its journal is the only record of what was sent, and rc-mcp undo needs it. Make it readable and "
    "writable for you, see that its disk has room, or restore guard.db from a backup."
)
_NO_JOURNAL = "There is no journal in it. Make it a folder that you can write to, or set RC_MCP_STATE_DIR to one."
_NO_LOGIN = "Check RC_SERVER_URL. If it is right, RingCentral's login is out of order for now: try again later."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    verdict: Literal["ok", "note", "fault"]
    what: str
    advice: str = ""


@click.command()
def doctor() -> None:
    """Check configuration, state folder, login and permissions. Exit code 1 if something is wrong."""
    import anyio

    settings = settings_or_exit()
    sys.exit(anyio.run(_examine, settings))


async def _examine(settings: "Settings") -> int:
    faults = 0
    async for finding in _findings(settings):
        click.echo(f"{finding.verdict:<5} {finding.what}")
        if finding.advice:
            click.echo(f"      {finding.advice}")
        faults += finding.verdict == "fault"
    click.echo("Something has to be mended first." if faults else "Ready.")
    return 1 if faults else 0


async def _findings(settings: "Settings") -> AsyncGenerator[Finding]:
    from rc_mcp.login import client_for, credentials_in_use
    from rc_mcp.media.reading import has_ocr
    from rc_mcp.ringcentral import InvalidRequest
    from rc_mcp.settings import SettingsError

    yield _state_folder(settings)
    yield _policy(settings)
    if has_ocr():
        yield await _ocr()
    try:
        client = client_for(settings)
    except (SettingsError, InvalidRequest) as error:
        yield Finding("fault", f"configuration: {error}")
        return
    yield Finding("ok", f"configuration: {settings.server_url}, access {settings.access}")
    yield Finding("ok", f"credentials: {credentials_in_use(settings)}")
    async with client:
        reading = await _reading(client)
        yield reading
        if reading.verdict == "ok":
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


def _missing(settings: "Settings", client: "MessageStoreClient") -> dict[str, list[str]]:
    """Permissions that this login was not granted, and the tools that want them; none where nobody said."""
    from rc_mcp.tools import PERMISSIONS, tools_for

    missing: dict[str, list[str]] = {}
    for tool in tools_for(settings.access):
        permission = PERMISSIONS[tool.name]
        if client.granted is not None and permission not in client.granted:
            missing.setdefault(permission, []).append(tool.name)
    return missing


def _state_folder(settings: "Settings") -> Finding:
    from rc_mcp.guard.database import MadeByNewer
    from rc_mcp.guard.stopping import is_stopped

    try:
        holds = _held_in(settings.state_dir)
        # Windows keeps rights elsewhere, and tells the same mode of every folder.
        anybodys = os.name == "posix" and settings.state_dir.exists() and settings.state_dir.stat().st_mode & 0o022
    except MadeByNewer as error:
        return Finding("fault", f"state folder {settings.state_dir}: {error}", _NEWER)
    except Exception as error:  # noqa: BLE001  whatever is wrong with the folder, it is to be said
        cause = f" {error.__cause__}" if error.__cause__ else ""
        advice = _NO_JOURNAL if _has_no_journal(settings.state_dir) else _KEEP_JOURNAL
        return Finding("fault", f"state folder {settings.state_dir}: {error}{cause}", advice)
    if anybodys:
        folder = settings.state_dir
        what = f"state folder {folder}: others on this machine can write to it, and so say yes in your place"
        return Finding("fault", what, f"chmod 700 {shlex.quote(str(folder))}")
    if is_stopped(settings.state_dir):
        where = f"state folder {settings.state_dir}"
        return Finding("note", f"{where} holds a STOP file: deletes are refused", "rc-mcp resume allows them again.")
    return Finding("ok", f"state folder {settings.state_dir}, {holds}")


def _held_in(folder: "Path") -> str:
    from rc_mcp.guard.database import exists
    from rc_mcp.guard.plans import PlanStore

    if exists(folder):
        return f"{len(PlanStore(folder).waiting())} plans waiting for an answer"
    # To look for plans would make the folder and the file.
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{there} cannot be written to")
    return "not used yet"


def _has_no_journal(folder: "Path") -> bool:
    """Whether that is certain: what cannot be looked into may hold one."""
    from rc_mcp.guard.database import FILE

    try:
        (folder / FILE).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _policy(settings: "Settings") -> Finding:
    from rc_mcp.login import policy_for
    from rc_mcp.settings import SettingsError

    try:
        policy = policy_for(settings)
    except SettingsError as error:
        return Finding("fault", f"policy: {error}", "Mend the file; until then the server does not start.")
    if settings.policy is None:
        return Finding("ok", "policy: none, so nothing is deleted unattended")
    if policy.dry_run:
        return Finding("note", f"policy {settings.policy}: a dry run, so nothing is deleted at all")
    return Finding("ok", f"policy {settings.policy}; rc-mcp policy check says what it allows")


async def _ocr() -> Finding:
    from rc_mcp.media.reading import what_ocr_lacks

    lacking = await what_ocr_lacks()
    if lacking is None:
        return Finding("ok", "OCR: scanned faxes are read as text")
    return Finding(
        "note",
        f"OCR is installed, but cannot be loaded: {lacking}. Scanned faxes are shown as pictures",
        "python -c 'import rapidocr_onnxruntime' says more. libGL and libgthread are packages of the system's.",
    )


async def _reading(client: "MessageStoreClient") -> Finding:
    from rc_mcp.ringcentral import (
        BadEnvironment,
        Forbidden,
        LoginEnded,
        LoginFailed,
        LoginNotKept,
        LoginUnavailable,
        RingCentralError,
        TransportFailure,
        Unauthorized,
    )
    from rc_mcp.views.errors import in_words

    try:
        await client.list_messages(per_page=1)
    except LoginEnded as error:
        return Finding("fault", f"login: {error}", "Run rc-mcp login.")
    except LoginNotKept as error:
        return Finding("fault", f"login: {error}", "See to that place, or log in again: rc-mcp login.")
    except LoginUnavailable as error:
        return Finding("fault", f"login: {error}", _NO_LOGIN)
    except LoginFailed as error:
        return Finding("fault", f"login: {error}", "Check RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and RC_USER_JWT.")
    except Unauthorized as error:
        return Finding("fault", f"login: {error}", "Renew RC_ACCESS_TOKEN, or use RC_USER_JWT.")
    except Forbidden as error:
        return Finding("fault", f"reading: {error}", "Give the app, and the user's role, the permission ReadMessages.")
    except BadEnvironment as error:
        return Finding("fault", f"network: {error}", "Correct that variable, or unset it.")
    except TransportFailure as error:
        return Finding("fault", f"network: {error}", "Check RC_SERVER_URL and the way to it.")
    except RingCentralError as error:
        return Finding("fault", f"reading: {in_words(error)}")
    return Finding("ok", "login, and permission to read messages")


async def _editing(client: "MessageStoreClient") -> Finding:
    from rc_mcp.ringcentral import Forbidden, NotFound, RingCentralError
    from rc_mcp.views.errors import in_words

    try:
        outcome = (await client.update_message(_NOBODYS_MESSAGE, "Read"))[0]
    except Forbidden as error:
        return Finding(
            "note",
            f"no permission to change messages: {error}",
            "Give the app EditMessages, or set RC_MCP_ACCESS=read.",
        )
    except RingCentralError as error:
        return Finding("note", f"permission to change messages is not known: {in_words(error)}")
    if isinstance(outcome.error, NotFound):
        return Finding("ok", "permission to change messages")
    why = f": {in_words(outcome.error)}" if outcome.error else ""
    return Finding("note", f"permission to change messages is not known{why}")


async def _retention(client: "MessageStoreClient") -> Finding:
    from rc_mcp.ringcentral import RingCentralError
    from rc_mcp.views.errors import in_words

    try:
        await client.read_message_store_configuration()
    except RingCentralError as error:
        return Finding(
            "note",
            f"the retention tools will not work: {in_words(error)}",
            "They need EditAccounts and an administrator.",
        )
    return Finding("ok", "permission to read and set the retention period")
