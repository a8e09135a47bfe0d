"""Shows what an installation would change in a host's file, without secrets.

Only our own entry is shown: another program's may hold secrets anywhere. Each value is masked in the parsed entry, not
in the text, where it could be written in other ways (escapes, other quotation marks).
"""

import difflib
import re
from collections.abc import Iterator
from typing import Any, cast

from rc_mcp.access import LEVELS
from rc_mcp.cli.install.entry import Entry, is_reference
from rc_mcp.cli.install.files import Content, inputs_in, servers_in, with_server
from rc_mcp.cli.install.hosts import Host
from rc_mcp.settings import Settings

Written = tuple[Entry, list[dict[str, Any]]]
"""An entry, and the values that the host must ask for."""

MASK = "********"
_ANOTHER = f"{MASK} (another value than before)"

_HARMLESS = {"type", "command", "cwd", "envFile"}
"""Keys of an entry whose text is shown as it is. (A `command` that is a list also holds arguments.)"""
_OURS = {"serve", "--demo", "--access", *LEVELS, *(f"--access={level}" for level in LEVELS)}
"""Arguments of rc-mcp that are shown. Another argument may be a secret of another program."""
_PUBLIC = {
    field.alias for field in Settings.model_fields.values() if field.alias and "SecretStr" not in str(field.annotation)
}
"""The variables of rc-mcp that are no secrets. Of another program's variable that cannot be known."""


def changed_lines(host: Host, file: str, name: str, before: Content, after: Content, written: Written) -> Iterator[str]:
    """Yield the lines of our entry as a unified diff, `MASK` in place of each value that may be a secret.

    Args:
        file: the path, for the head of the diff.
        before: the file as it is.
        after: the file as it would be written.
        written: the entry and the inputs that this run writes.
    """
    entry, inputs = written
    command = [*entry["command"], *entry.get("args", [])] if host.one_command else [entry["command"], *entry["args"]]
    plain = [*_OURS, *command]
    known = servers_in(host, before).get(name, {}).get(host.environment, {})

    def lines(content: Content) -> list[str]:
        ours = servers_in(host, content).get(name)
        if ours is None:
            return []
        asked = [_masked_input(one, inputs) for one in inputs_in(host, content, inputs)]
        return with_server(host, Content(None, ""), name, _masked(host, ours, plain, known), asked).splitlines()

    old, new = lines(before), lines(after)
    return difflib.unified_diff(old, new, file, file, n=max(len(old), len(new)), lineterm="")


def _masked(host: Host, entry: Entry, plain: list[str], known: dict[str, Any]) -> Entry:
    masked: Entry = {}
    for key, value in entry.items():
        if key == host.environment:
            masked[key] = {name: _variable(name, text, known.get(name, text)) for name, text in value.items()}
        elif key == "env_vars" or (key in _HARMLESS and isinstance(value, str) and "=" not in value):
            masked[key] = value
        elif key in {"command", "args"} and isinstance(value, list):
            masked[key] = [one if one in plain else _hidden(one) for one in cast("list[Any]", value)]
        else:
            masked[key] = value if value in plain else _hidden(value)
    return masked


def _masked_input(there: dict[str, Any], written: list[dict[str, Any]]) -> dict[str, Any]:
    ours = next(one for one in written if one["id"] == there["id"])
    return {key: value if ours.get(key) == value else _hidden(value) for key, value in there.items()}


def _variable(name: str, value: object, before: object) -> object:
    if value == "" or is_reference(value) or (name in _PUBLIC and not re.search("://[^/]*@", str(value))):
        return value
    return MASK if value == before else _ANOTHER


def _hidden(value: Any) -> Any:
    """Return the value with every text in it masked."""
    if isinstance(value, dict):
        return {key: _hidden(part) for key, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_hidden(part) for part in cast("list[Any]", value)]
    return MASK if isinstance(value, str) else value
