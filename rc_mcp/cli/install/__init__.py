"""rc-mcp install: writes the configuration with which a host starts the server."""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from rc_mcp.access import LEVELS
from rc_mcp.cli.exits import fail, settings_or_exit
from rc_mcp.cli.install.entry import NoCommandError, account_entry, demo_entry, inputs
from rc_mcp.cli.install.files import Content, all_but, read, servers_in, with_server, write
from rc_mcp.cli.install.hosts import CREDENTIALS, HOSTS, SECRETS, Host, Machine, NoPlaceError
from rc_mcp.cli.install.jsonc import NotUnderstoodError


@click.command()
@click.argument("host_name", metavar="HOST", type=click.Choice(list(HOSTS)))
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

    HOST is claude-desktop, claude-code, vscode, cursor, codex or gemini. Everything else in the host's file stays
    unchanged, and a backup is saved next to it. Secrets stay in the host's own secret storage or environment; Claude
    Desktop has neither. For claude-code the file is .mcp.json in this folder.
    """
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
    except (NotUnderstoodError, NoCommandError) as error:
        fail(f"{place} was not changed: {error}.")
    except OSError as error:
        fail(f"{place} cannot be read: {error.strerror}.")
    if text == before.text:
        click.echo(f"{place} already has {name}. Nothing was changed.")
    elif dry_run:
        others = [_quoted(text) for text in _strings(all_but(host, before, name)) if text]
        own = [_quoted(secret)[1:-1] for secret in (*_secrets_in(known), *_secrets_in(entry))]
        _show(place, before.text, text, [*others, *own])
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


def _show(place: Path, before: str, text: str, hidden: list[str]) -> None:
    """Print the changed lines, with secrets masked."""
    lines = difflib.unified_diff(before.splitlines(), text.splitlines(), str(place), str(place), n=0, lineterm="")
    for line in lines:
        for secret in hidden:
            line = line.replace(secret, "********")
        click.echo(line)
    click.echo("Nothing was written.")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _strings(value: Any) -> Iterator[str]:
    """Yield every string in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        inner: list[Any] = list(value.values() if isinstance(value, dict) else value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        for part in inner:
            yield from _strings(part)


def _secrets_in(entry: dict[str, Any]) -> list[str]:
    """Return the secrets that an entry contains as plain text, not by reference."""
    values = [str(entry.get("env", {}).get(name, "")) for name in (*SECRETS, "RC_ACCESS_TOKEN")]
    return [value for value in values if value and not value.startswith("${")]


def _show_next_step(host: Host, place: Path, entry: dict[str, Any], demo: bool) -> None:
    if not demo:
        click.echo(f"Access level: {entry['env']['RC_MCP_ACCESS']}. Change it with --access or in the file.")
        if _secrets_in(entry):
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
        if not host.reference and "RC_APP_CLIENT_ID" not in entry["env"]:
            click.echo("RC_APP_CLIENT_ID was not written: it is not set here. Set it and run this again.", err=True)
    click.echo(f"Next: {host.then}")
