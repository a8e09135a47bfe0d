"""rc-mcp install: writes the configuration with which a host starts the server."""

import difflib
import shlex
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
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
from rc_mcp.settings import Settings, SettingsError, added_by_dotenv
from rc_mcp.wiring import is_logged_in

LOGGED_IN = "You are logged in; nothing more is needed."
BUNDLE = (
    "one file that Claude Desktop opens, and which asks for the credentials. `make package` in a checkout makes it as "
    "dist/rc-mcp-VERSION.mcpb."
)


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
    steps = _show_credentials(host, place, entry, settings, would_write) if settings else []
    _show_next([_command(host_name, demo, access, file, write_secrets)] if would_write else [*steps, host.then])


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
    if not write_secrets and _is_left_to_dotenv(host):
        client_id = key.pop("RC_APP_CLIENT_ID")
        if not _has_secrets(host, known):
            known = _without(host, known, "RC_APP_CLIENT_ID", client_id)
    given = key | _secrets(settings) if write_secrets else {}
    elsewhere = [name for name in CREDENTIALS if name not in key]
    if is_logged_in(settings):
        elsewhere = [name for name in elsewhere if name in {"RC_APP_CLIENT_ID", *_secrets(settings)}]
        if not _has_secrets(host, known):
            given |= key
    elsewhere = [name for name in elsewhere if name not in given]
    entry = account_entry(host, known, access, elsewhere=elsewhere, default=key, given=given)
    return entry, inputs(host, elsewhere)


def _is_left_to_dotenv(host: Host) -> bool:
    """Return whether a server of this host needs the client ID from where its other credentials are: from `.env` here.

    With the ID in the entry, a server in this folder refuses the rest of `.env`, because a login has one source.
    """
    return _reads_environment(host) and "RC_APP_CLIENT_ID" in (added := added_by_dotenv()) and len(added) > 1


def _reads_environment(host: Host) -> bool:
    return host.reference is not None and "input" not in host.reference


def _without(host: Host, entry: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    """Return the entry without this variable if it has this value, which an earlier version wrote."""
    variables = entry.get(host.environment, {})
    if variables.get(name) != value:
        return entry
    return entry | {host.environment: {other: text for other, text in variables.items() if other != name}}


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
    option, variable = option_access(host, entry), entry.get(host.environment, {}).get("RC_MCP_ACCESS")
    where = "RC_MCP_ACCESS in the entry" if variable and not option else "--access in the command of the entry"
    click.echo(
        f"Access level: {option or variable or LEVELS[-1]}. To change it, install with --access, or set {where}."
    )


def _show_next(steps: Sequence[str]) -> None:
    if len(steps) == 1:
        click.echo(f"Next: {steps[0]}")
        return
    click.echo("Next:")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step}")


def _show_credentials(
    host: Host, place: Path, entry: dict[str, Any], settings: Settings, would_write: bool
) -> list[str]:
    """Say where the server of this entry gets its credentials, and which are missing.

    Return what the user must do before the server can log in.
    """
    variables = entry[host.environment]
    stored = {name for name, value in variables.items() if value and not is_reference(value)}
    missing = [name for name in CREDENTIALS if name not in stored]
    if _has_secrets(host, entry):
        contains = "would contain" if would_write else "contains"
        click.echo(f"{place} {contains} secrets as plain text: readers of it can use the mailbox.", err=True)
    if steps := _refused_dotenv(host, stored):
        return steps
    if _reads_environment(host) and "RC_APP_CLIENT_ID" not in stored and _has_login(settings) and _in_dotenv(stored):
        return [_with_dotenv(host)]
    if is_logged_in(settings) and not stored & {"RC_USER_JWT", "RC_ACCESS_TOKEN"}:
        return _with_login(host, place, variables, settings, missing)
    if _has_secrets(host, entry):
        return []
    return _without_login(host, missing, has_login=_has_login(settings))


def _has_login(settings: Settings) -> bool:
    """Return whether a server would find a login here."""
    return bool(settings.access_token or (settings.client_id and settings.user_jwt)) or is_logged_in(settings)


def _in_dotenv(stored: AbstractSet[str]) -> bool:
    return bool(added_by_dotenv(stored) & {*CREDENTIALS, "RC_ACCESS_TOKEN"})


def _refused_dotenv(host: Host, stored: AbstractSet[str]) -> list[str]:
    """Return what to do if a server with these variables does not start in this folder because of its `.env`."""
    if host.reference is None:
        return []  # Claude Desktop starts servers elsewhere
    try:
        added_by_dotenv(stored if _reads_environment(host) else {*stored, *CREDENTIALS})
    except SettingsError as error:
        click.echo(f"In this folder the server does not start. {error}", err=True)
        return ["Move .env to another folder, or remove the credentials from the entry and run this again."]
    return []


def _with_dotenv(host: Host) -> str:
    file = Path.cwd() / ".env"
    export = f"`set -a; . {shlex.quote(str(file))}; set +a`"
    if host.starts_in_folder:
        click.echo(f"Credentials: from {file}, which the server reads if {host.title} is started in that folder.")
        return f"Go to {file.parent}. (To start {host.title} elsewhere, first run {export} in that terminal.)"
    click.echo(f"Credentials: in {file}. {host.where_secrets_are}")
    return f"In a terminal run {export}, and start {host.title} from there."


def _with_login(
    host: Host, place: Path, variables: dict[str, Any], settings: Settings, missing: list[str]
) -> list[str]:
    if different := differences(variables, settings):
        click.echo(
            f"{', '.join(different)}: the entry has another value than your login, so it does not use that login.",
            err=True,
        )
        return [f"Correct {', '.join(different)} in {place}, or remove the entry and run this again."]
    missing = [name for name in missing if name in _secrets(settings)]
    if not missing:
        click.echo(LOGGED_IN)
    elif host.reference:
        click.echo(f"Credentials ({', '.join(missing)}): {host.where_secrets_are}")
    else:
        click.echo(f"No secret was written. {host.where_secrets_are}")
        return [f"Run this again with --write-secrets, which writes {', '.join(missing)}."]
    return []


def _without_login(host: Host, missing: list[str], *, has_login: bool) -> list[str]:
    get = [] if has_login else ["Get credentials: docs/how-to/get-credentials.md says how."]
    if host.reference is None:
        click.echo(f"No secret was written. {host.where_secrets_are}")
        there = "" if has_login else "set the credentials in this terminal, check them with `rc-mcp doctor`, and "
        either = (
            f"Either {there}run this again with --write-secrets. Or set RC_APP_CLIENT_ID, run `rc-mcp login`, and run "
            f"this again. Or install the bundle instead: {BUNDLE}"
        )
        return [*get, either]
    click.echo(f"Credentials ({', '.join(missing)}): {host.where_secrets_are}")
    if has_login or not _reads_environment(host):
        return get
    return [*get, f"Set them in the terminal in which you start {host.title}; there `rc-mcp doctor` checks them."]
