"""Reads a host's file, changes one place in it, and writes it completely or not at all."""

import os
import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import tomlkit
from pydantic import BaseModel, TypeAdapter, ValidationError
from tomlkit.exceptions import TOMLKitError

from rc_mcp.cli.install import jsonc
from rc_mcp.cli.install.hosts import Host
from rc_mcp.cli.install.jsonc import NotUnderstoodError
from rc_mcp.private_files import new_file, write_to_disk

_BOM = "\ufeff"
_MOST_DEEP = 100


class _Server(BaseModel):
    """The fields of a server's entry that rc-mcp uses; there may be others."""

    env: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    env_vars: list[Any] = []


_OBJECT = TypeAdapter(dict[str, Any])
_SERVERS = TypeAdapter(dict[str, _Server])
_INPUTS = TypeAdapter(list[dict[str, Any]])


class ChangedByOthersError(OSError):
    """Another program wrote the file after we read it."""


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes and text. A missing file has neither."""

    raw: bytes | None
    text: str


def read(file: Path) -> Content:
    """Read the file.

    Raises:
        OSError: it cannot be read.
        NotUnderstoodError: it is not text in UTF-8.
    """
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return Content(None, "")
    try:
        return Content(raw, raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotUnderstoodError("it is not text in UTF-8") from None


def write(file: Path, before: Content, text: str) -> Path | None:
    """Replace the file atomically, and save a backup next to it.

    Returns:
        The backup; None if there was no file.

    Raises:
        OSError: it could not be written; the file is unchanged.
    """
    file = file.resolve()  # a link stays a link
    file.parent.mkdir(parents=True, exist_ok=True)
    with new_file(file.parent) as (new, stream):
        write_to_disk(stream, text.encode("utf-8"))
        backup = _copy(file, before)
        if backup:
            shutil.copymode(file, new)
        new.replace(file)
    return backup


def _copy(file: Path, before: Content) -> Path | None:
    if read(file).raw != before.raw:
        raise ChangedByOthersError("another program has just changed it; run this again")
    if before.raw is None:
        return None
    backup = file.with_name(f"{file.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.bak")
    # Never overwrite a backup. It may contain secrets: no other user may read it before copy2 sets the file's mode.
    os.close(os.open(backup, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    shutil.copy2(file, backup)
    return backup


def servers_in(host: Host, content: Content) -> dict[str, dict[str, Any]]:
    """Return the servers in the file.

    Raises:
        NotUnderstoodError: the host could not read it.
    """
    return _parsed(host, content.text).get(host.section, {})


def inputs_in(host: Host, content: Content, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the values `asked` that the file already makes the host ask for, as they are there."""
    ids = [one["id"] for one in asked]
    return [one for one in _parsed(host, content.text).get("inputs", []) if one.get("id") in ids] if ids else []


def with_server(host: Host, content: Content, name: str, entry: dict[str, Any], inputs: list[dict[str, Any]]) -> str:
    """Return the file's text with this server added, and everything else unchanged.

    Raises:
        NotUnderstoodError: the file cannot be changed safely.
    """
    wanted = _parsed(host, content.text)
    text = content.text
    servers = wanted.setdefault(host.section, {})
    if servers.get(name) != entry:  # otherwise keep the user's formatting
        servers[name] = entry
        text = _put(host, text, name, entry)
    for asked in inputs:
        known = wanted.setdefault("inputs", [])
        if asked["id"] not in [other.get("id") for other in known]:
            known.append(asked)
            text = jsonc.append(text, ("inputs",), asked)
    if _parsed(host, text) != wanted or not _is_writable(text):
        raise NotUnderstoodError("rc-mcp cannot change it safely")
    return text


def _is_writable(text: str) -> bool:
    """Return whether the text is valid UTF-8: JSON can contain half a surrogate pair as an escape."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _put(host: Host, text: str, name: str, entry: dict[str, Any]) -> str:
    if host.reference == "env_vars":
        return _toml_with(text, host.section, name, entry)
    bom = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    return bom + jsonc.put(text if text.strip() else "{}\n", (host.section, name), entry)


def _parsed(host: Host, text: str) -> dict[str, Any]:
    found: Any = {}
    if host.reference == "env_vars":
        found = _toml(text)
    elif text := text.removeprefix(_BOM).strip():
        found = jsonc.parse(text, comments=host.comments)
    _check_depth(found)
    try:
        whole = _OBJECT.validate_python(found)
        _SERVERS.validate_python(whole.get(host.section, {}))
        if host.section == "servers":
            _INPUTS.validate_python(whole.get("inputs", []))
    except ValidationError as error:
        raise NotUnderstoodError(f"{host.title} cannot read it: {error.errors()[0]['msg']}") from None
    return whole


def _check_depth(found: Any) -> None:
    """Refuse deep nesting, so that recursive functions are safe."""
    level = [found]
    for _ in range(_MOST_DEEP):
        level = [inner for value in level for inner in _inside(value)]
    if level:
        raise NotUnderstoodError(jsonc.TOO_DEEP)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise NotUnderstoodError(jsonc.TOO_DEEP) from None
    except ValueError as error:  # includes numbers with too many digits, for which tomllib has no own error
        raise NotUnderstoodError(f"it is not valid TOML: {error}") from None


def _toml_with(text: str, section: str, name: str, entry: dict[str, Any]) -> str:
    try:
        document = tomlkit.parse(text)
        servers: Any = document.setdefault(section, tomlkit.table(is_super_table=True))
        servers[name] = entry
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, KeyError) as error:
        raise NotUnderstoodError(f"it cannot be changed safely: {error}") from None
