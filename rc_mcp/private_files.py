"""Files that only their owner can read, and that have their name only when they are complete.

Own code: boltons' `atomic_save` has no place for a check or a backup between the last byte and the renaming, and its
file is neither private from the start nor under a name that cannot be guessed.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def make_folder(folder: Path) -> None:
    """Create the folder if needed, accessible only to its owner (0700)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def is_there(path: Path) -> bool:
    """Return whether anything has this path. A link that leads nowhere counts: its disk may not be mounted now.

    Raises:
        OSError: this cannot be known.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


@contextmanager
def new_file(folder: Path) -> Generator[tuple[Path, BinaryIO]]:
    """Yield a new, unbuffered file in `folder` that only its owner can read (0600), and its path.

    It is removed when the block ends, unless it has another name by then. Windows renames only a closed file.

    Raises:
        OSError: the folder cannot be written to.
    """
    descriptor, name = tempfile.mkstemp(prefix=".rc-mcp-", suffix=".part", dir=folder)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w+b", buffering=0) as file:
            yield new, file
    finally:
        with suppress(OSError):
            new.unlink()


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all bytes; an unbuffered file may take only a part of them at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def write_to_disk(file: BinaryIO, data: bytes) -> None:
    """Write the whole content of a file, and close it when the disk has it: after a crash the file is not empty."""
    write_all(file, data)
    os.fsync(file.fileno())
    file.close()
