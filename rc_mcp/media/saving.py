"""A file saved for the user: under a name of ours, for its owner alone, never over anything else."""

import hashlib
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from stat import S_ISREG


@dataclass(frozen=True)
class Saved:
    """A file with its content: its absolute path, and the SHA-256 of its bytes in hexadecimal."""

    path: Path
    sha256: str


@contextmanager
def new_file(folder: Path) -> Generator[tuple[Path, int]]:
    """A file in `folder` that only its owner can read (0600), its path and its descriptor; it goes when the block ends.

    Raises:
        OSError: the folder cannot be made, or not be written to.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".rc-mcp-", suffix=".part", dir=folder)
    try:
        yield Path(name), descriptor
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def keep(temporary: Path, stem: str, suffix: str) -> Saved:
    """Gives a file of `new_file` its name, in the same folder.

    A file that is there with the very same content is the answer. A file with another, a link or a folder of that name
    is left alone, and the next name is tried: `stem-2`, `stem-3`.

    Raises:
        OSError: the file cannot be read or named.
    """
    folder = temporary.parent.absolute()
    with temporary.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    for number in count(1):
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
        try:
            # Takes the name, or fails where it is taken: by anything, a link that leads nowhere included.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            if _sha256_of(path) == sha256:
                return Saved(path, sha256)
            continue
        temporary.replace(path)
        return Saved(path, sha256)
    raise AssertionError("there is always a next number")


def _sha256_of(path: Path) -> str | None:
    """None for what is no plain file, or cannot be read."""
    flags = os.O_RDONLY
    for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # no system has them all
        flags |= getattr(os, flag, 0)
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if S_ISREG(os.fstat(descriptor).st_mode) else None
