"""Where a person's login is kept between runs: the system's keyring where there is one, else a file of their own.

`keyring` is an extra (`rc-mcp[keyring]`): on Linux it brings D-Bus and cryptography with it, and a container or a
server has no keyring to talk to.
"""

import hashlib
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rc_mcp.ringcentral.errors import LoginNotKept
from rc_mcp.ringcentral.locks import lock_on

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_SERVICE = "rc-mcp"
_PATIENCE_S = 60.0
"""How long a login waits for another process to end with it: longer than one request to RingCentral takes."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One login of one person. Times are seconds since 1970, so that another process can tell them."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    """Empty where the app is not set up to get one: the login then ends with its access token."""
    owner_id: str
    issued_at: float
    good_until: float
    scope: str = ""
    """As RingCentral named it: the permissions."""


@cache
def _format() -> "TypeAdapter[Tokens]":
    # Few clients keep a login, and the import is a good part of the time this package takes to start.
    from pydantic import TypeAdapter

    return TypeAdapter(Tokens)


class TokenStore(Protocol):
    """Keeps one login. All three block, and raise `LoginNotKept` when the place itself fails."""

    def load(self) -> Tokens | None: ...
    def save(self, tokens: Tokens) -> None: ...
    def clear(self) -> None: ...


class FileTokenStore:
    """A file that only its owner can read. It is replaced as a whole: a crash leaves the old one or the new one."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __str__(self) -> str:
        return str(self._file)

    def load(self) -> Tokens | None:
        try:
            return _read(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise _not_kept("read", self, error) from None

    def save(self, tokens: Tokens) -> None:
        try:
            own_folder(self._file.parent)
            # Made with mode 0600, under a name of its own.
            handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=".", suffix=".new")
            try:
                with os.fdopen(handle, "wb") as new:
                    new.write(_format().dump_json(tokens))
                    new.flush()
                    os.fsync(new.fileno())
                Path(name).replace(self._file)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _not_kept("written", self, error) from None

    def clear(self) -> None:
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            raise _not_kept("removed", self, error) from None


class _Keyring(Protocol):
    """What is used of the `keyring` package, which may not be there."""

    def get_keyring(self) -> object: ...
    def get_password(self, service_name: str, username: str) -> str | None: ...
    def set_password(self, service_name: str, username: str, password: str) -> None: ...
    def delete_password(self, service_name: str, username: str) -> None: ...


class KeyringTokenStore:
    """An entry in the system's keyring."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return "the system's keyring"

    def load(self) -> Tokens | None:
        try:
            kept = self._keyring().get_password(_SERVICE, self._name)
            return None if kept is None else _read(kept)
        except Exception as error:  # noqa: BLE001  each system's keyring has exceptions of its own
            raise _not_kept("read", self, error) from None

    def save(self, tokens: Tokens) -> None:
        text = _format().dump_json(tokens).decode()
        try:
            self._keyring().set_password(_SERVICE, self._name, text)
            kept = self._keyring().get_password(_SERVICE, self._name)
        except Exception as error:  # noqa: BLE001
            raise _not_kept("written", self, error) from None
        if kept != text:
            # One that is switched off takes everything and keeps nothing.
            raise LoginNotKept("The system's keyring did not keep the login.")

    def clear(self) -> None:
        try:
            if self._keyring().get_password(_SERVICE, self._name) is not None:
                self._keyring().delete_password(_SERVICE, self._name)
        except Exception as error:  # noqa: BLE001
            raise _not_kept("removed", self, error) from None

    def _keyring(self) -> _Keyring:
        return cast("_Keyring", import_module("keyring"))


class LoginStore:
    """One person's login at one server, as one app: in the keyring if that will have it, else in a file.

    A login made for one pair of addresses is not found under another: a `.env` that names some other place for the
    media cannot have this login's token sent there.
    """

    def __init__(self, folder: Path, server_url: str, media_url: str | None, client_id: str) -> None:
        identity = "\n".join((server_url, media_url or "", client_id))
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.lock_file = folder / f"{name}.lock"
        self._file = FileTokenStore(folder / f"{name}.json")
        # An extra that is not installed is no fault of anything.
        self._stores = (KeyringTokenStore(name), self._file) if _has_keyring() else (self._file,)

    def load(self) -> Tokens | None:
        """The newest there is: one that was moved from one place to the other may have left a copy behind."""
        found: list[Tokens] = []
        trouble: LoginNotKept | None = None
        for store in self._stores:
            try:
                tokens = store.load()
            except LoginNotKept as error:
                trouble = error
            else:
                found += [tokens] if tokens else []
        if not found and trouble:
            raise trouble
        return max(found, key=lambda tokens: tokens.issued_at, default=None)

    def save(self, tokens: Tokens) -> None:
        keeps_it = self._saved(tokens)
        for other in self._stores:
            if other is not keeps_it:
                with suppress(LoginNotKept):
                    other.clear()

    def _saved(self, tokens: Tokens) -> TokenStore:
        *before, last = self._stores
        for store in before:
            with suppress(LoginNotKept):
                store.save(tokens)
                return store
        last.save(tokens)
        return last

    def clear(self) -> None:
        """Removes it everywhere, as far as that goes, before it says what failed."""
        trouble: LoginNotKept | None = None
        for store in self._stores:
            try:
                store.clear()
            except LoginNotKept as error:
                trouble = error
        if trouble:
            raise trouble

    def where(self) -> str | None:
        """In words, where it is kept now."""
        for store in self._stores:
            with suppress(LoginNotKept):
                if store.load():
                    return str(store)
        return None


@asynccontextmanager
async def alone(lock_file: Path) -> AsyncGenerator[None]:
    """One at a time over all processes. The lock is the system's, so it ends with the process that holds it.

    Raises:
        LoginNotKept: it was held for too long, or cannot be had.
    """
    try:
        own_folder(lock_file.parent)
        lock = await lock_on(lock_file, _PATIENCE_S)
    except OSError as error:
        raise _not_kept("locked", lock_file, error) from None
    if lock is None:
        raise LoginNotKept("Another process has been renewing this login for a minute.")
    try:
        yield
    finally:
        lock.release()


def own_folder(folder: Path) -> None:
    """A folder nobody else can look into, even where one stood already."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def _has_keyring() -> bool:
    try:
        backend = cast("_Keyring", import_module("keyring")).get_keyring()
    except Exception:  # noqa: BLE001  it looks for the system's keyring when it is imported
        return False
    # At or below 0 there is nothing behind it, or it is switched off.
    return getattr(backend, "priority", 0) > 0


def _read(text: str) -> Tokens:
    try:
        return _format().validate_json(text)
    except ValueError:
        # Its text would quote what it read.
        raise ValueError("not a login") from None


def _not_kept(done: str, where: object, error: Exception) -> LoginNotKept:
    # Not the error's own text: it may quote what was to be kept.
    return LoginNotKept(f"The stored login could not be {done} ({where}: {type(error).__name__}).")
