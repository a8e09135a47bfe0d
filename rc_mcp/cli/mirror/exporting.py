"""Writes the local copy to a file: JSON Lines for programs, CSV for spreadsheets. It is written message by message."""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from pydantic_core import PydanticSerializationError, to_json

from rc_mcp.mirror.exported import ExportedMessage, exported
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.private_files import is_there, new_file
from rc_mcp.ringcentral import Caller
from rc_mcp.views.untrusted_text import as_written

COLUMNS = (
    "account_id",
    "extension_id",
    "id",
    "creation_time",
    "type",
    "direction",
    "read_status",
    "availability",
    "no_longer_at_ringcentral",
    "from_name",
    "from_number",
    "to_names",
    "to_numbers",
    "subject",
    "texts",
    "texts_not_fetched",
)
"""Of CSV. Several values in a cell are separated by line breaks."""
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
"""What a spreadsheet may run as a formula, also after spaces and with wide signs. Source: OWASP, "CSV Injection"."""

Mailboxes = Mapping[tuple[str, str], int]
"""The numbers of mailboxes, by account and extension."""
Row = tuple[tuple[str, str], ExportedMessage]


@dataclass(frozen=True)
class Exporting:
    """Where an export goes, and in which format."""

    file: Path
    replace: bool
    write: "Callable[[io.BufferedWriter[Any], Iterable[Row]], None]"

    @classmethod
    def to(cls, file: Path, *, replace: bool) -> Self:
        """Return the export to this file.

        Raises:
            ValueError: the name has another ending, the folder does not exist, or the file does and must stay.
            OSError: the folder cannot be read.
        """
        write = _FORMATS.get(file.suffix.lower())
        if write is None:
            raise ValueError(f"{file.name} must end in .jsonl or .csv. Nothing was written.")
        if file.is_dir():
            raise ValueError(f"{file} is a folder. Nothing was written.")
        if not file.parent.is_dir():
            raise ValueError(f"The folder {file.parent} does not exist. Nothing was written.")
        if is_there(file) and not replace:
            raise ValueError(f"{file} exists. It was not changed; --force replaces it.")
        return cls(file, replace, write)


def write_export(mirror: Mirror, mailboxes: Mailboxes, exporting: Exporting) -> int:
    """Write all messages of these mailboxes. The file has its name only when it is complete. Return how many there are.

    Raises:
        MirrorError: the copy cannot be read.
        OSError: the file cannot be written, or exists by now.
    """
    count = 0

    def rows() -> Iterable[Row]:
        nonlocal count
        for key, number in mailboxes.items():
            with closing(exported(mirror, number)) as messages:
                for message in messages:
                    count += 1
                    yield key, message

    with new_file(exporting.file.parent) as (new, raw):
        with io.BufferedWriter(cast("io.RawIOBase", raw)) as file:
            exporting.write(file, rows())
            file.flush()
            os.fsync(file.fileno())
        if not exporting.replace:
            # Reserves the name, or fails if anything has it by now.
            os.close(os.open(exporting.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        new.replace(exporting.file)
    return count


def _write_json_lines(file: "io.BufferedWriter[Any]", rows: Iterable[Row]) -> None:
    for (account_id, extension_id), exported_message in rows:
        message, is_kept, texts = exported_message
        line = {
            "account_id": account_id,
            "extension_id": extension_id,
            "is_deleted": message.availability == "Deleted",
            "no_longer_at_ringcentral": is_kept,
            "message": message.sent,
            "texts": [text._asdict() for text in texts],
        }
        file.write(_as_json(line) + b"\n")


def _as_json(line: Mapping[str, Any]) -> bytes:
    """Return the line, with a sign in place of half an emoji: DuckDB and PyArrow refuse a whole file with an escape."""
    try:
        return to_json(line, inf_nan_mode="null")
    except PydanticSerializationError:
        text = json.dumps(line, ensure_ascii=False)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _write_csv(file: "io.BufferedWriter[Any]", rows: Iterable[Row]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    # In quotes, so that a program that also separates at semicolons or tabs finds no other cell in a text.
    table = csv.writer(text, quoting=csv.QUOTE_ALL)
    table.writerow(COLUMNS)
    for key, exported_message in rows:
        table.writerow(map(_cell, _cells(key, exported_message)))
    text.flush()
    text.detach()


def _cells(key: tuple[str, str], exported_message: ExportedMessage) -> Iterable[str]:
    message, is_kept, texts = exported_message
    senders = [*([message.from_] if message.from_ else [])]
    yield from key
    yield message.id
    yield message.creation_time.isoformat() if message.creation_time else ""
    yield from (message.type or "", message.direction or "", message.read_status or "", message.availability or "")
    yield "true" if is_kept else "false"
    for callers in (senders, message.to):
        yield _lines(caller.name for caller in callers)
        yield _lines(_number(caller) for caller in callers)
    yield message.subject or ""
    yield "\n\n".join(text.text for text in texts if text.text)
    yield str(sum(text.state == "missing" for text in texts))


def _number(caller: Caller) -> str | None:
    return caller.phone_number or caller.extension_number


def _lines(values: Iterable[str | None]) -> str:
    return "\n".join(value or "" for value in values).strip("\n")


def _cell(value: str) -> str:
    """Return a text that a spreadsheet shows and never runs."""
    plain = as_written(value)
    return f"'{plain}" if _FORMULA.match(plain) else plain


_FORMATS = {".jsonl": _write_json_lines, ".csv": _write_csv}
