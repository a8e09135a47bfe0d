"""Saving of files for the user: under a generated name, readable only by the owner, never over another file."""

import hashlib
import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from stat import S_ISREG


@dataclass(frozen=True)
class Saved:
    """A saved file: its absolute path, and the SHA-256 of its content in hexadecimal."""

    path: Path
    sha256: str


def keep(temporary: Path, stem: str, suffix: str) -> Saved:
    """Give a complete, closed file from `new_file` its final name, in the same folder.

    An existing file with the same content is returned instead. A file with other content, a link or a folder is never
    changed: the next name is tried, such as `stem-2` or `stem-3`.

    Raises:
        OSError: the file cannot be read or renamed.
    """
    folder = temporary.parent.absolute()
    with temporary.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    for number in count(1):
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
        try:
            # Reserves the name, or fails if anything has it, even a broken link.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            if _sha256_of(path) == sha256:
                return Saved(path, sha256)
            continue
        temporary.replace(path)
        return Saved(path, sha256)
    raise AssertionError("there is always a next number")


def _sha256_of(path: Path) -> str | None:
    """Return the SHA-256 of a regular file; None for anything else, or if it cannot be read."""
    flags = os.O_RDONLY
    for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # no system has all of them
        flags |= getattr(os, flag, 0)
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if S_ISREG(os.fstat(descriptor).st_mode) else None
