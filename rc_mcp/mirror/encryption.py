"""An encrypted copy: SQLCipher, with a key that the operator's command prints.

`sqlcipher3` has the interface of Python's `sqlite3`, so nothing else of the copy knows of it. The file `mirror.salt`
beside the copy has no secret: a salt, and a value by which a wrong key is told from a damaged copy. SQLCipher itself
reports both as "file is not a database".
"""

import hashlib
import hmac
import os
import secrets
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from rc_mcp import time_limits
from rc_mcp.mirror.errors import Unusable, WrongKey
from rc_mcp.private_files import new_file, write_to_disk

SALT_FILE = "mirror.salt"
SHORTEST_KEY = 16
"""Characters. A shorter key could be guessed by whoever has the file."""

_PLAIN = b"SQLite format 3\0"
_SALT_BYTES = 16
_KEY_BYTES = 32
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 2**26}
"""A tenth of a second. The values of the scrypt paper for a login, doubled."""
_FORGET = "Nothing was changed. To begin again with an empty copy, run rc-mcp mirror forget."
_INSTALL = "RC_MCP_MIRROR_KEY_COMMAND needs sqlcipher3: install rc-mcp[encrypted]. The local copy was not opened."


def key_from(command: str) -> str:
    """Return the key that a command prints: the first line of its output. It runs without a shell.

    Raises:
        WrongKey: it fails, prints nothing, or takes too long. The text has nothing that it printed.
    """
    try:
        words = command if os.name == "nt" else shlex.split(command)
        ended = subprocess.run(  # noqa: S603  the operator's own command; `.env` cannot set it
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=time_limits.KEY_COMMAND_S, check=True
        )
    except subprocess.CalledProcessError as error:
        raise _no_key(f"exited with {error.returncode}") from None
    except subprocess.TimeoutExpired:
        raise _no_key(f"took more than {time_limits.KEY_COMMAND_S:g} s") from None
    except (OSError, ValueError, IndexError) as error:  # it does not exist, has an open quotation mark, is empty
        raise _no_key(f"cannot be run ({type(error).__name__})") from None
    key = ended.stdout.decode("utf-8", "surrogateescape").partition("\n")[0].rstrip("\r")
    if len(key) < SHORTEST_KEY:
        raise _no_key(f"printed fewer than {SHORTEST_KEY} characters")
    return key


def check_form(file: Path, *, has_key: bool) -> None:
    """Check that a copy is encrypted if there is a key, and only then. No file, or an empty one, may become either.

    Raises:
        WrongKey: it is not so.
    """
    is_encrypted = (file.parent / SALT_FILE).exists()
    if not has_key:
        if is_encrypted:
            raise WrongKey(f"The local copy is encrypted, and RC_MCP_MIRROR_KEY_COMMAND is not set. {_FORGET}")
        return
    begins = _first_bytes(file)
    if begins == _PLAIN:
        raise WrongKey(f"RC_MCP_MIRROR_KEY_COMMAND is set, but the local copy is not encrypted. {_FORGET}")
    if begins and not is_encrypted:
        raise WrongKey(f"The local copy cannot be decrypted: the state folder has no {SALT_FILE}. {_FORGET}")


def connector(file: Path, key: str) -> Callable[..., sqlite3.Connection]:
    """Return what opens this encrypted copy, with the arguments of `sqlite3.connect`.

    Raises:
        WrongKey: the copy has another key.
        Unusable: SQLCipher is not installed.
    """
    try:
        sqlcipher = import_module("sqlcipher3.dbapi2")  # an extra
    except ImportError:
        raise Unusable(_INSTALL) from None
    raw = _raw_key(file.parent / SALT_FILE, key)

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        db = sqlcipher.connect(*args, **options)
        db.execute("PRAGMA cipher_log_level = NONE")  # it writes to stderr
        db.execute(f"PRAGMA key = \"x'{raw.hex()}'\"")
        return db

    return connect


def errors() -> tuple[type[Exception], ...]:
    """Return the base classes of the errors of SQLite, and of SQLCipher if it is in use."""
    sqlcipher = sys.modules.get("sqlcipher3.dbapi2")
    return (sqlite3.Error, sqlcipher.Error) if sqlcipher else (sqlite3.Error,)


def _raw_key(file: Path, key: str) -> bytes:
    """Return the bytes with which SQLCipher encrypts, and write the salt if there is none."""
    try:
        salt, check = (bytes.fromhex(line) for line in file.read_text("ascii").split())
    except FileNotFoundError:
        salt, check = secrets.token_bytes(_SALT_BYTES), None
    except ValueError:
        raise WrongKey(f"The local copy cannot be decrypted: {SALT_FILE} is damaged. {_FORGET}") from None
    derived = hashlib.scrypt(key.encode("utf-8", "surrogateescape"), salt=salt, dklen=2 * _KEY_BYTES, **_SCRYPT)
    raw, expected = derived[:_KEY_BYTES], derived[_KEY_BYTES:]
    if check is None:
        with new_file(file.parent) as (new, opened):
            write_to_disk(opened, f"{salt.hex()}\n{expected.hex()}\n".encode())
            new.replace(file)
    elif not hmac.compare_digest(check, expected):
        raise WrongKey(f"The key of RC_MCP_MIRROR_KEY_COMMAND is not that of the local copy. {_FORGET}")
    return raw


def _first_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_PLAIN))
    except FileNotFoundError:
        return b""


def _no_key(why: str) -> WrongKey:
    return WrongKey(f"RC_MCP_MIRROR_KEY_COMMAND {why}. The local copy was not opened.")
