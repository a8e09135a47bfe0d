"""Stores a user's login between runs: in the system's keyring if there is one, otherwise in a file.

`keyring` is an extra (`rc-mcp[keyring]`): on Linux it requires D-Bus and cryptography, and a container or a server has
no keyring.
"""

import hashlib
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from anyio import to_thread

from rc_mcp.locks import lock_on
from rc_mcp.private_files import make_folder, new_file, write_to_disk
from rc_mcp.ringcentral.errors import LoginNotKept
from rc_mcp.ringcentral.limits import LIMITS

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_SERVICE = "rc-mcp"


@dataclass(frozen=True, slots=True)
class Tokens:
    """One login of one user. Times are seconds since 1970, so that other processes can read them."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    """Empty if the app is not configured to get one: the login then ends with its access token."""
    owner_id: str
    issued_at: float
    good_until: float
    scope: str = ""
    """The permissions, as RingCentral stated them."""


@cache
def _format() -> "TypeAdapter[Tokens]":
    # Few clients store a login, and this import takes a large part of the package's start time.
    from pydantic import TypeAdapter

    return TypeAdapter(Tokens)


class SharedLogin(Protocol):
    """The stored login of one user, which several processes use and one at a time renews.

    All three methods raise `LoginNotKept` if the place of the login fails.
    """

    async def current(self) -> Tokens | None:
        """Return the newest tokens; None if nobody is logged in."""
        ...

    async def keep(self, tokens: Tokens) -> None:
        """Store renewed tokens. It is called inside `locked`, after `current`."""
        ...

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Lock out all other processes until the block ends, or this process."""
        ...


class TokenStore(Protocol):
    """A place for one login. All three methods block, and raise `LoginNotKept` if the place fails."""

    def load(self) -> Tokens | None: ...
    def save(self, tokens: Tokens) -> None: ...
    def clear(self) -> None: ...


class FileTokenStore:
    """A file that only its owner can read. It is replaced atomically: a crash leaves the old or the new file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __str__(self) -> str:
        return str(self._file)

    def load(self) -> Tokens | None:
        with _fault_named("read", self, OSError, ValueError), suppress(FileNotFoundError):
            return _read(self._file.read_text("utf-8"))
        return None

    def save(self, tokens: Tokens) -> None:
        with _fault_named("written", self, OSError):
            own_folder(self._file.parent)
            with new_file(self._file.parent) as (new, file):
                write_to_disk(file, _format().dump_json(tokens))
                new.replace(self._file)

    def clear(self) -> None:
        with _fault_named("removed", self, OSError):
            self._file.unlink(missing_ok=True)


class _Keyring(Protocol):
    """The functions used from the `keyring` package, which may not be installed."""

    def get_keyring(self) -> object: ...
    def get_password(self, service_name: str, username: str) -> str | None: ...
    def set_password(self, service_name: str, username: str, password: str) -> None: ...
    def delete_password(self, service_name: str, username: str) -> None: ...


class KeyringTokenStore:
    """An entry in the system's keyring. Each system's keyring has its own exceptions."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return "the system's keyring"

    def load(self) -> Tokens | None:
        with _fault_named("read", self, Exception):
            stored = _keyring().get_password(_SERVICE, self._name)
            return None if stored is None else _read(stored)

    def save(self, tokens: Tokens) -> None:
        text = _format().dump_json(tokens).decode()
        with _fault_named("written", self, Exception):
            _keyring().set_password(_SERVICE, self._name, text)
            stored = _keyring().get_password(_SERVICE, self._name)
        if stored != text:
            # A keyring that is switched off accepts a value without an error and does not store it.
            raise LoginNotKept("The system's keyring did not keep the login.")

    def clear(self) -> None:
        with _fault_named("removed", self, Exception):
            if _keyring().get_password(_SERVICE, self._name) is not None:
                _keyring().delete_password(_SERVICE, self._name)


class LoginStore:
    """One user's login at one server with one app: in the keyring if that works, otherwise in a file.

    A login is found only for the pair of URLs it was made for. So a `.env` with another media URL cannot send its token
    there. It is a `SharedLogin` of all processes on this machine.
    """

    def __init__(self, folder: Path, server_url: str, media_url: str | None, client_id: str) -> None:
        identity = "\n".join((server_url, media_url or "", client_id))
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.lock_file = folder / f"{name}.lock"
        file = FileTokenStore(folder / f"{name}.json")
        # A missing extra is not an error.
        self._stores = (KeyringTokenStore(name), file) if _has_keyring() else (file,)

    def load(self) -> Tokens | None:
        """Return the newest login: a move from one place to the other may have left a copy."""
        found: list[Tokens] = []
        failure: LoginNotKept | None = None
        for store in self._stores:
            try:
                found += filter(None, [store.load()])
            except LoginNotKept as error:
                failure = error
        if not found and failure:
            raise failure
        return max(found, key=lambda tokens: tokens.issued_at, default=None)

    def save(self, tokens: Tokens) -> None:
        used = self._saved(tokens)
        for other in self._stores:
            if other is not used:
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
        """Remove the login from every place, then raise the last error if there was one."""
        failure: LoginNotKept | None = None
        for store in self._stores:
            try:
                store.clear()
            except LoginNotKept as error:
                failure = error
        if failure:
            raise failure

    async def current(self) -> Tokens | None:
        return await to_thread.run_sync(self.load)

    async def keep(self, tokens: Tokens) -> None:
        await to_thread.run_sync(self.save, tokens)

    def locked(self) -> AbstractAsyncContextManager[None]:
        return one_renewal_at_a_time(self.lock_file)

    def where(self) -> str | None:
        """Return the current place of the login in words; None if no login is stored."""
        for store in self._stores:
            with suppress(LoginNotKept):
                if store.load():
                    return str(store)
        return None


@asynccontextmanager
async def one_renewal_at_a_time(lock_file: Path) -> AsyncGenerator[None]:
    """Lock out all other processes. It is a system lock, which ends with its process.

    Raises:
        LoginNotKept: another process held the lock for a minute, or the file cannot be locked.
    """
    with _fault_named("locked", lock_file, OSError):
        own_folder(lock_file.parent)
        lock = await lock_on(lock_file, LIMITS.login_lock_s)
    if lock is None:
        raise LoginNotKept("Another process has locked this login for a minute.")
    try:
        yield
    finally:
        lock.release()


def own_folder(folder: Path) -> None:
    """Create the folder if needed, and make it accessible only to its owner."""
    make_folder(folder)
    folder.chmod(0o700)


def _keyring() -> _Keyring:
    return cast("_Keyring", import_module("keyring"))


def _has_keyring() -> bool:
    try:
        backend = _keyring().get_keyring()
    except Exception:  # noqa: BLE001  the import itself looks for the system's keyring
        return False
    # 0 or less means that no keyring exists, or that it is switched off.
    return getattr(backend, "priority", 0) > 0


def _read(text: str) -> Tokens:
    try:
        return _format().validate_json(text)
    except ValueError:
        # Its own text would quote the file.
        raise ValueError("not a login") from None


@contextmanager
def _fault_named(done: str, where: object, *faults: type[Exception]) -> Generator[None]:
    try:
        yield
    except faults as error:
        # Not the error's own text: it may quote the login.
        raise LoginNotKept(f"The stored login could not be {done} ({where}: {type(error).__name__}).") from None
