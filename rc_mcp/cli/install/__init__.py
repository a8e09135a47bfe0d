"""rc-mcp install: writes the configuration with which a host starts the server."""

import difflib
import shlex
from pathlib import Path
from typing import Any

import click

from rc_mcp.access import LEVELS
from rc_mcp.cli.exits import fail, settings_or_exit
from rc_mcp.cli.install.connectors import CONNECTORS
from rc_mcp.cli.install.dry_run import MASK, changed_lines
from rc_mcp.cli.install.entry import NoCommandError, account_entry, demo_entry, inputs, is_reference, option_access
from rc_mcp.cli.install.files import Content, read, servers_in, with_server, write
from rc_mcp.cli.install.hosts import CREDENTIALS, HOSTS, SECRETS, Host, Machine, NoPlaceError
from rc_mcp.cli.install.jsonc import NotUnderstoodError
from rc_mcp.cli.install.login_key import differences, login_key
from rc_mcp.settings import Settings
from rc_mcp.wiring import is_logged_in

LOGGED_IN = "You are logged in; nothing more is needed."


def _known_host(_: click.Context, __: click.Parameter, value: str) -> str:
    names = [*HOSTS, *CONNECTORS]
    if value in names:
        return value
    similar = difflib.get_close_matches(value.lower(), names, cutoff=0.5)
    hint = f"Did you mean {' or '.join(similar)}?" if similar else f"It is one of {', '.join(names)}."
    raise click.BadParameter(f"{value!r} is not a host that rc-mcp knows. {hint}")


@click.command()
@click.argument("host_name", metavar="HOST", callback=_known_host)
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
    stays unchanged, and a backup is saved next to it. The app's client ID is written if it is set here. Secrets stay
    in the host's own secret storage or environment; Claude Desktop has neither. For claude-code the file is .mcp.json
    in this folder.

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
    settings = None if demo else settings_or_exit()
    try:
        before = read(place)
        known = servers_in(host, before).get(name, {})
        entry, inputs = _entry(host, known, settings, access, write_secrets)
        text = with_server(host, before, name, entry, inputs)
        after = Content(None, text)
        shown = list(changed_lines(host, str(place), name, before, after, (entry, inputs))) if dry_run else []
    except (NotUnderstoodError, NoCommandError) as error:
        fail(f"{place} was not changed: {error}.")
    except OSError as error:
        fail(f"{place} cannot be read: {error.strerror}.")
    would_write = dry_run and text != before.text
    if text == before.text:
        click.echo(f"{place} already has {name}. Nothing was changed.")
    elif dry_run:
        _show(shown)
    else:
        _write(place, before, text, name)
    _show_access(host, entry)
    if settings:
        _show_credentials(host, place, entry, settings, would_write)
    click.echo(f"Next: {_command(host_name, demo, access, file, write_secrets) if would_write else host.then}")


def _command(host_name: str, demo: bool, access: str | None, file: Path | None, write_secrets: bool) -> str:
    """Return the command that writes what this run only shows."""
    options = [
        *(["--demo"] if demo else []),
        *(["--access", access] if access else []),
        *(["--file", str(file)] if file else []),
        *(["--write-secrets"] if write_secrets else []),
    ]
    return shlex.join(["rc-mcp", "install", host_name, *options])


def _entry(
    host: Host, known: dict[str, Any], settings: Settings | None, access: str | None, write_secrets: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the entry, for the demo if there are no settings, and the values that the host must ask for."""
    if settings is None:
        return demo_entry(host, known, access), []
    key = login_key(settings, with_dotenv=write_secrets)
    given = key | _secrets(settings) if write_secrets else {}
    elsewhere = [name for name in CREDENTIALS if name not in key]
    if is_logged_in(settings):
        elsewhere = [name for name in elsewhere if name in _secrets(settings)]
        if not _has_secrets(host, known):
            given |= key
    elsewhere = [name for name in elsewhere if name not in given]
    entry = account_entry(host, known, access, elsewhere=elsewhere, default=key, given=given)
    return entry, inputs(host, elsewhere)


def _secrets(settings: Settings) -> dict[str, str]:
    """Return the secrets that are set here."""
    found = {
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


def _show_access(host: Host, entry: dict[str, Any]) -> None:
    level = entry.get(host.environment, {}).get("RC_MCP_ACCESS")
    click.echo(
        f"Access level: {option_access(host, entry) or level or LEVELS[-1]}. Change it with --access or in the file."
    )


def _show_credentials(host: Host, place: Path, entry: dict[str, Any], settings: Settings, would_write: bool) -> None:
    """Say where the server of this entry gets its credentials, and which are missing."""
    variables = entry[host.environment]
    missing = [name for name in CREDENTIALS if not variables.get(name) or is_reference(variables[name])]
    uses_login = is_logged_in(settings) and not any(map(variables.get, ("RC_USER_JWT", "RC_ACCESS_TOKEN")))
    if uses_login and (different := differences(variables, settings)):
        click.echo(
            f"{', '.join(different)}: the entry has another value than your login, so it does not use that login. "
            f"Correct it in {place}, or remove the entry and run this again.",
            err=True,
        )
        uses_login = False
    if uses_login:
        missing = [name for name in missing if name in _secrets(settings)]
    if _has_secrets(host, entry):
        contains = "would contain" if would_write else "contains"
        click.echo(f"{place} {contains} secrets as plain text: readers of it can use the mailbox.", err=True)
        missing = missing if uses_login else []
    if uses_login and not missing:
        click.echo(LOGGED_IN)
    elif missing and host.reference:
        click.echo(f"Credentials ({', '.join(missing)}): {host.where_secrets_are}")
    elif missing and uses_login:
        click.echo(f"No secret was written. {host.where_secrets_are} --write-secrets writes {', '.join(missing)}.")
    elif missing:
        click.echo(
            f"No secret was written. {host.where_secrets_are} Run `rc-mcp login`, install the .mcpb bundle, "
            "which asks for them, or pass --write-secrets."
        )
    if not host.reference and not variables.get("RC_APP_CLIENT_ID"):
        click.echo("RC_APP_CLIENT_ID was not written: it is not set here. Set it and run this again.", err=True)
