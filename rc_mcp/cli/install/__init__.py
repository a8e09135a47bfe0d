"""rc-mcp install: writes the configuration with which a host starts the server."""

from pathlib import Path
from typing import Any

import click

from rc_mcp.access import LEVELS
from rc_mcp.cli.exits import fail, settings_or_exit
from rc_mcp.cli.install.connectors import CONNECTORS
from rc_mcp.cli.install.dry_run import MASK, changed_lines, is_reference
from rc_mcp.cli.install.entry import NoCommandError, account_entry, demo_entry, inputs
from rc_mcp.cli.install.files import Content, read, servers_in, with_server, write
from rc_mcp.cli.install.hosts import CREDENTIALS, HOSTS, SECRETS, Host, Machine, NoPlaceError
from rc_mcp.cli.install.jsonc import NotUnderstoodError


@click.command()
@click.argument("host_name", metavar="HOST", type=click.Choice([*HOSTS, *CONNECTORS]))
@click.option("--demo", is_flag=True, help="Add the demo on the emulator: no account.")
@click.option(
    "--access",
    type=click.Choice(LEVELS),
    help="How far tools may go. Default: the level in the file, otherwise delete; admin for the demo.",
)
@click.option(
    "--file", type=click.Path(dir_okay=False, path_type=Path), help="Use this file instead of the host's usual one."
)
@click.option("--write-secrets", is_flag=True, help="Also write the secrets that are set here, as plain text.")
@click.option("--dry-run", is_flag=True, help="Show the changes without writing them.")
def install(
    host_name: str, demo: bool, access: str | None, file: Path | None, write_secrets: bool, dry_run: bool
) -> None:
    """Add rc-mcp to the configuration of HOST.

    HOST is claude-desktop, claude-code, vscode, cursor, codex, gemini or opencode. Everything else in the host's file
    stays unchanged, and a backup is saved next to it. Secrets stay in the host's own secret storage or environment;
    Claude Desktop has neither. For claude-code the file is .mcp.json in this folder.

    HOST can also be claude-ai or chatgpt, which have no file here: rc-mcp says what to do, and writes nothing.
    """
    if host_name in CONNECTORS:
        if file or access or write_secrets:
            raise click.UsageError(f"--file, --access and --write-secrets need a file, and {host_name} has none here.")
        click.echo(CONNECTORS[host_name].steps())
        return
    host = HOSTS[host_name]
    try:
        place = file or host.file(Machine.this())
    except NoPlaceError as error:
        fail(str(error))
    except (OSError, RuntimeError) as error:  # no home folder, or the working folder was deleted
        fail(f"{error}. Name the file with --file")
    name = "ringcentral-demo" if demo else "ringcentral"
    try:
        before = read(place)
        known = servers_in(host, before).get(name, {})
        entry, inputs = _entry(host, known, demo, access, write_secrets)
        text = with_server(host, before, name, entry, inputs)
        after = Content(None, text)
        shown = list(changed_lines(host, str(place), name, before, after, (entry, inputs))) if dry_run else []
    except (NotUnderstoodError, NoCommandError) as error:
        fail(f"{place} was not changed: {error}.")
    except OSError as error:
        fail(f"{place} cannot be read: {error.strerror}.")
    if text == before.text:
        click.echo(f"{place} already has {name}. Nothing was changed.")
    elif dry_run:
        _show(shown)
    else:
        _write(place, before, text, name)
    _show_next_step(host, place, entry, demo)


def _entry(
    host: Host, known: dict[str, Any], demo: bool, access: str | None, write_secrets: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if demo:
        return demo_entry(host, known, access), []
    values = _values() if write_secrets or host.reference is None else {}
    plain = {name: value for name, value in values.items() if name not in SECRETS}
    entry = account_entry(host, known, access, default=plain, given=values if write_secrets else {})
    return entry, inputs(host)


def _values() -> dict[str, str]:
    """Return the credentials from the current settings."""
    settings = settings_or_exit()
    found = {
        "RC_APP_CLIENT_ID": settings.client_id or "",
        "RC_APP_CLIENT_SECRET": settings.client_secret.get_secret_value(),
        "RC_USER_JWT": settings.user_jwt.get_secret_value() if settings.user_jwt else "",
    }
    return {name: value for name, value in found.items() if value}


def _write(place: Path, before: Content, text: str, name: str) -> None:
    new_folder = not place.parent.exists()
    try:
        backup = write(place, before, text)
    except OSError as error:
        fail(f"{place} was not changed: {error.strerror or error}.")
    click.echo(f"Wrote {name} to {place}.")
    if backup:
        click.echo(f"The previous file was saved next to it as {backup.name}.")
    elif new_folder:
        click.echo(f"The folder {place.parent} was created. Check that the app is installed.")


def _show(lines: list[str]) -> None:
    click.echo("\n".join(lines))
    if any(MASK in line for line in lines):
        click.echo(f"{MASK} stands for a secret, or for a value of yours that may be one.")
    click.echo("Nothing was written.")


def _has_secrets(host: Host, entry: dict[str, Any]) -> bool:
    """Return whether an entry contains a secret as plain text, not by reference."""
    values = [entry.get(host.environment, {}).get(name) for name in (*SECRETS, "RC_ACCESS_TOKEN")]
    return any(value and not is_reference(value) for value in values)


def _show_next_step(host: Host, place: Path, entry: dict[str, Any], demo: bool) -> None:
    if not demo:
        click.echo(f"Access level: {entry[host.environment]['RC_MCP_ACCESS']}. Change it with --access or in the file.")
        if _has_secrets(host, entry):
            click.echo(
                f"{place} contains secrets as plain text: readers of it can use the mailbox.",
                err=True,
            )
        elif host.reference is None:
            click.echo(
                f"No secret was written. {host.where_secrets_are} Run `rc-mcp login`, install the .mcpb bundle, "
                "which asks for them, or pass --write-secrets."
            )
        else:
            click.echo(f"Credentials ({', '.join(CREDENTIALS)}): {host.where_secrets_are}")
        if not host.reference and "RC_APP_CLIENT_ID" not in entry[host.environment]:
            click.echo("RC_APP_CLIENT_ID was not written: it is not set here. Set it and run this again.", err=True)
    click.echo(f"Next: {host.then}")
