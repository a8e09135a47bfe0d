"""A host's file: read, changed in one place, and written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from rc_mcp.cli.install import jsonc
from rc_mcp.cli.install.hosts import Host
from rc_mcp.cli.install.jsonc import NotUnderstoodError

_BOM = "\ufeff"
_MOST_DEEP = 100


class _Server(BaseModel):
    """What is relied on in a server's entry; it may hold more."""

    env: dict[str, Any] = {}
    env_vars: list[Any] = []


_OBJECT = TypeAdapter(dict[str, Any])
_SERVERS = TypeAdapter(dict[str, _Server])
_INPUTS = TypeAdapter(list[dict[str, Any]])


class ChangedMeanwhileError(OSError):
    """Somebody else wrote the file between our reading and our writing."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its bytes as they were read, and their text. A file that is not there holds nothing."""

    raw: bytes | None
    text: str


def read(file: Path) -> Content:
    """What stands in the file.

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
    """Puts the text in the file's place, in one step, and keeps what was there beside it.

    Returns:
        The copy of what was there; None if there was nothing.

    Raises:
        OSError: it could not be written; the file is as it was.
    """
    file = file.resolve()  # a link stays a link
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        backup = _copy(file, before)
        if backup:
            shutil.copymode(file, new)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
    return backup


def _copy(file: Path, before: Content) -> Path | None:
    if read(file).raw != before.raw:
        raise ChangedMeanwhileError("another program changed it just now; try again")
    if before.raw is None:
        return None
    backup = file.with_name(f"{file.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.bak")
    # Never over another copy. What is copied may be secret: nobody else may read it before it has its file's mode.
    os.close(os.open(backup, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    shutil.copy2(file, backup)
    return backup


def servers_in(host: Host, content: Content) -> dict[str, dict[str, Any]]:
    """The servers that the file has.

    Raises:
        NotUnderstoodError: it is not what the host reads.
    """
    return _parsed(host, content.text).get(host.section, {})


def all_but(host: Host, content: Content, name: str) -> dict[str, Any]:
    """What the file holds besides this server."""
    whole = _parsed(host, content.text)
    whole.get(host.section, {}).pop(name, None)
    return whole


def with_server(host: Host, content: Content, name: str, entry: dict[str, Any], inputs: list[dict[str, Any]]) -> str:
    """The file's text with this server in it, and all else as it was.

    Raises:
        NotUnderstoodError: that could not be done.
    """
    wanted = _parsed(host, content.text)
    text = content.text
    servers = wanted.setdefault(host.section, {})
    if servers.get(name) != entry:  # else it stays as its user wrote it
        servers[name] = entry
        text = _put(host, text, name, entry)
    for asked in inputs:
        known = wanted.setdefault("inputs", [])
        if asked["id"] not in [other.get("id") for other in known]:
            known.append(asked)
            text = jsonc.append(text, ("inputs",), asked)
    if _parsed(host, text) != wanted or not _is_writable(text):
        raise NotUnderstoodError("it is written in a way that rc-mcp cannot change without harm")
    return text


def _is_writable(text: str) -> bool:
    """Half a letter can stand in JSON as an escape, and in no file as itself."""
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
        raise NotUnderstoodError(f"it is not what {host.title} reads: {error.errors()[0]['msg']}") from None
    return whole


def _check_depth(found: Any) -> None:
    """So that all that looks into it may call itself."""
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
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise NotUnderstoodError(jsonc.TOO_DEEP) from None
    except ValueError as error:  # also a number with too many digits, for which tomllib has no error of its own
        raise NotUnderstoodError(f"it is not valid TOML: {error}") from None


def _toml_with(text: str, section: str, name: str, entry: dict[str, Any]) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        servers: Any = document.setdefault(section, tomlkit.table(is_super_table=True))
        servers[name] = entry
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, KeyError) as error:
        raise NotUnderstoodError(f"it cannot be changed without harm: {error}") from None
