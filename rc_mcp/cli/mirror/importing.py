"""rc-mcp mirror import: adds RingCentral's own export archives to the copy, and shows how far it is."""

from collections.abc import Sequence
from pathlib import Path

import click

from rc_mcp.cli.mirror.estimate import many
from rc_mcp.cli.mirror.shown import Step, shown_on
from rc_mcp.cli.terminal import terminal
from rc_mcp.mirror.archive import Step as ArchiveStep
from rc_mcp.mirror.archive import import_archive
from rc_mcp.mirror.logins import mailbox_of
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.settings import Settings
from rc_mcp.wiring import client_for, principal_for

_TITLES = {"checking": "Checking messages", "messages": "Messages", "texts": "Attachments"}
_OUTCOMES = (
    ("added", "message", "added"),
    ("updated", "message", "updated"),
    ("unchanged", "message", "as new or newer in the copy"),
    ("purged", "message", "purged in the archive, so not added, and erased here"),
    ("of_others", "message", "of other mailboxes, left out"),
    ("unreadable", "record", "that cannot be read as a message"),
    ("texts", "attachment", "with a text, which was added"),
    ("without_text", "attachment", "without a text that we can read"),
    ("damaged", "attachment", "damaged or too large here: a sync fetches them"),
    ("files_left_out", "other file", "left out, such as recordings"),
)
"""The fields of `Imported` in words."""
NEXT = "The next sync compares these messages with the mailbox: rc-mcp mirror sync, or a server with RC_MCP_MIRROR=on."


async def import_all(settings: Settings, files: Sequence[Path]) -> None:
    """Import the files, and say what came of it.

    Raises:
        NotAnArchive: a file is not an export archive. Nothing was stored.
        MirrorError: the copy cannot be used.
        SettingsError, InvalidRequest, RingCentralError: the copy is empty, and there is no login to say whose it is.
        OSError: a file cannot be read, or the temporary folder cannot be used.
    """
    with Mirror(settings.state_dir) as mirror:
        mailboxes = list(mirror.mailboxes()) or await _own(settings, mirror)
        with shown_on(terminal()) as shown:

            def show(step: ArchiveStep) -> None:
                shown.show(Step(_TITLES[step.phase], step.done, step.total, None))

            imported = await import_archive(mirror, files, mailboxes, show)
    for name, noun, outcome in _OUTCOMES:
        if (n := getattr(imported, name)) or name == "added":
            click.echo(f"{many(n, noun)} {outcome}")
    click.echo(NEXT)


async def _own(settings: Settings, mirror: Mirror) -> list[tuple[str, str]]:
    """Return the login's own mailbox, and those of the extensions that the operator allowed."""
    principal = principal_for(settings)
    async with client_for(settings) as client:
        return [
            await mailbox_of(client, mirror, principal, extension_id=extension_id)
            for extension_id in ("~", *sorted(settings.extensions))
        ]
