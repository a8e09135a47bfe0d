"""Builds the login, the client and the guard from the settings."""

import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import httpx2 as httpx
from anyio import create_task_group

from rc_mcp import time_limits
from rc_mcp.access import LEVELS
from rc_mcp.guard.guard import Guard
from rc_mcp.guard.policy.policy_file import PolicyError, load_policy
from rc_mcp.guard.policy.rules import NO_POLICY, Policy
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.plans import PlanStore
from rc_mcp.guard.state.state import State
from rc_mcp.guard.state.store import THIS_MACHINE, MonotonicClock
from rc_mcp.ringcentral import (
    REAL_TIME,
    JWTAuth,
    LoginNotKept,
    LoginStore,
    MessageStoreClient,
    PersonAuth,
    Time,
    TokenAuth,
)
from rc_mcp.session import MailboxSession
from rc_mcp.settings import NO_MODEL, Settings, SettingsError

if TYPE_CHECKING:
    from rc_mcp.media.transcription import Transcriber
    from rc_mcp.mirror.local_copy import LocalCopy
    from rc_mcp.mirror.mirror import Mirror

Auth = JWTAuth | TokenAuth | PersonAuth


class GuardArguments(TypedDict, total=False):
    """Arguments of `open_guard` that are the same wherever a guard is opened."""

    transport: httpx.AsyncBaseTransport | None
    principal: str | None
    state: State | None
    now: Callable[[], datetime]
    clock: MonotonicClock
    time: Time


@asynccontextmanager
async def open_guard(
    settings: Settings,
    policy: Policy = NO_POLICY,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    principal: str | None = None,
    state: State | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: MonotonicClock = THIS_MACHINE,
    time: Time = REAL_TIME,
) -> AsyncGenerator[Guard]:
    """Yield the guard for these settings, with its client. `build_server` explains the arguments.

    Raises:
        SettingsError: there are no credentials.
        InvalidRequest: an address or a credential cannot be used.
    """
    auth, command = _auth(settings), command_for(settings)
    async with client_for(settings, transport, time, auth) as client:
        plans = PlanStore(state or Folder(settings.state_dir), now, clock)
        try:
            yield Guard(
                client=client,
                plans=plans,
                principal=principal or _principal(settings, auth),
                approval=settings.approval,
                policy=policy,
                may_purge=LEVELS.index(settings.access) >= LEVELS.index("purge"),
                may_set_retention=settings.access == "admin",
                extensions=settings.extensions,
                approve_command=f"{command} approvals approve",
                undo_command=None if principal else f"{command} undo",
                zone=settings.timezone,
            )
        finally:
            plans.state.close()


@asynccontextmanager
async def open_copy(
    settings: Settings, guard: Guard, passing: Path | None = None, transcriber: "Transcriber | None" = None
) -> AsyncGenerator["LocalCopy | None"]:
    """Yield the local copy of the guard's login, and feed it meanwhile; None if the operator wants none.

    Args:
        passing: a folder for a copy that goes with the run, and needs no key; default: the state folder.
        transcriber: makes the transcripts that the copy gets besides RingCentral's.
    """
    if settings.mirror == "off":
        yield None
        return
    from rc_mcp.mirror.contacts.book import NO_CONTACTS, AddressBook  # late: most servers have no local copy
    from rc_mcp.mirror.local_copy import LocalCopy

    folder = passing or settings.state_dir
    copy = LocalCopy(
        guard.client,
        folder,
        partial(open_mirror, folder, None if passing else settings.mirror_key_command),
        guard.principal,
        settings.extensions,
        guard.plans.now,
        AddressBook(settings.contacts).contacts if settings.contacts else lambda: NO_CONTACTS,
        transcriber,
    )
    try:
        async with create_task_group() as tasks:
            tasks.start_soon(copy.follow)
            yield copy
            tasks.cancel_scope.cancel()
    finally:
        copy.close()


class SessionArguments(GuardArguments, total=False):
    """Arguments of `open_session` that a demo and tests set."""

    beside: Callable[[], AbstractAsyncContextManager[None]]
    copy_dir: Path | None


@asynccontextmanager
async def open_session(
    settings: Settings,
    policy: Policy,
    *,
    beside: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    copy_dir: Path | None = None,
    **guarded: Unpack[GuardArguments],
) -> AsyncGenerator[MailboxSession]:
    """Yield the parts of a running server: client, guard, local copy. `build_server` explains the arguments.

    Raises:
        SettingsError: there are no credentials.
        InvalidRequest: an address or a credential cannot be used.
    """
    transcriber = transcriber_for(settings)
    async with (
        open_guard(settings, policy, **guarded) as guard,
        beside(),
        open_copy(settings, guard, copy_dir, transcriber) as copy,
    ):
        yield MailboxSession(guard.client, guard, settings.extensions, settings.download_dir, copy, transcriber)


def transcriber_for(settings: Settings) -> "Transcriber | None":
    """Return what transcribes recordings on this machine; None if the operator wants none.

    Raises:
        SettingsError: no model is named.
    """
    named = check_transcription(settings)
    if settings.transcribe == "off" or named is None:
        return None
    from rc_mcp.media.transcription import Transcriber  # late: most servers transcribe nothing

    return Transcriber(settings.transcribe, named)


def check_transcription(settings: Settings) -> str | None:
    """Return the name of the model that transcribes, if the operator wants that.

    Raises:
        SettingsError: no model is named.
    """
    if settings.transcribe == "off":
        return None
    if not settings.transcribe_model:
        raise SettingsError(NO_MODEL.format(mode=settings.transcribe))
    return settings.transcribe_model


def open_mirror(folder: Path, key_command: str | None) -> "Mirror":
    """Open the local copy in a folder, with the key that the command prints, if there is one.

    Raises:
        MirrorError: the command fails, or the copy cannot be opened.
    """
    from rc_mcp.mirror.encryption import key_from  # late: most servers have no local copy
    from rc_mcp.mirror.mirror import Mirror

    return Mirror(folder, key_from(key_command) if key_command else None)


def principal_for(settings: Settings) -> str:
    """Return the name of the login, as the guard of these settings has it.

    Raises:
        SettingsError: there are no credentials.
        InvalidRequest: a credential cannot be used.
    """
    return _principal(settings, _auth(settings))


def policy_for(settings: Settings) -> Policy:
    """Return the operator's policy; without a file, one that allows nothing unattended and adds no limit.

    Raises:
        SettingsError: the file cannot be used.
    """
    try:
        return load_policy(settings.policy) if settings.policy else NO_POLICY
    except PolicyError as error:
        raise SettingsError(f"RC_MCP_POLICY: {error}") from None


def command_for(settings: Settings, platform: str = sys.platform) -> str:
    """Return the command for the user's own terminal, which may not have this server's environment."""
    program = _program()
    windows = platform == "win32"  # in PowerShell
    words = [_quoted_for_powershell(word) if windows else shlex.quote(word) for word in program]
    command = " ".join(["&", *words] if windows and words != program else words)
    if "state_dir" not in settings.model_fields_set:
        return command
    folder = str(settings.state_dir)
    if windows:
        return f"$env:RC_MCP_STATE_DIR={_quoted_for_powershell(folder, always=True)}; {command}"
    return f"RC_MCP_STATE_DIR={shlex.quote(folder)} {command}"


def _program() -> list[str]:
    """Return the command line that starts this rc-mcp in any terminal of the user.

    Its name is enough if PATH has it. The script of a virtual environment does not count: an activation, of which the
    environment is on PATH, is valid only in one terminal.
    """
    script = Path(sys.executable).with_name("rc-mcp.exe" if os.name == "nt" else "rc-mcp")
    found = shutil.which("rc-mcp")
    if found and os.path.isabs(found) and os.path.realpath(found) == os.path.realpath(script):  # noqa: PTH117
        is_activated = sys.prefix != sys.base_prefix and Path(found).parent == script.parent
        if not is_activated:
            return ["rc-mcp"]
    return [str(script)] if script.is_file() else [sys.executable, "-P", "-m", "rc_mcp"]


def _quoted_for_powershell(word: str, *, always: bool = False) -> str:
    if not always and re.fullmatch(r"[\w.:\\/-]+", word):
        return word
    return "'" + word.replace("'", "''") + "'"


def client_for(
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None = None,
    time: Time = REAL_TIME,
    auth: Auth | None = None,
) -> MessageStoreClient:
    """Return the client for these settings; `auth` is their login if the caller has it already.

    Raises:
        SettingsError: there are no credentials.
        InvalidRequest: an address or a credential cannot be used.
    """
    return MessageStoreClient(
        auth or _auth(settings),
        server_url=settings.server_url,
        media_url=settings.media_url,
        transport=transport,
        max_wait_s=time_limits.RATE_LIMIT_WAIT_S,
        time=time,
    )


def login_store(settings: Settings) -> LoginStore:
    """Return the store of the user's login, for this server and this app."""
    return LoginStore(settings.state_dir / "logins", settings.server_url, settings.media_url, settings.client_id or "")


def is_logged_in(settings: Settings) -> bool:
    """Return whether `client_for` would use a login of `rc-mcp login`."""
    if settings.access_token or settings.user_jwt or not settings.client_id:
        return False
    return login_store(settings).where() is not None


def credentials_in_use(settings: Settings) -> str:
    """Describe the credentials that `client_for` would use."""
    if settings.access_token:
        return "the access token in RC_ACCESS_TOKEN"
    if settings.user_jwt:
        return "the JWT in RC_USER_JWT"
    return f"the login of rc-mcp login, kept in {login_store(settings).where()}"


def _auth(settings: Settings) -> Auth:
    if settings.access_token:
        return TokenAuth(settings.access_token.get_secret_value())
    secret = settings.client_secret.get_secret_value()
    if settings.client_id and not settings.user_jwt:
        store = login_store(settings)
        try:
            login = store.load()
        except LoginNotKept as error:
            raise SettingsError(str(error)) from None
        if login:
            return PersonAuth(
                settings.server_url,
                settings.client_id,
                secret,
                store,
                owner_id=login.owner_id,
                scope=login.scope,
            )
    settings.check_credentials()
    jwt = settings.user_jwt.get_secret_value() if settings.user_jwt else ""
    return JWTAuth(settings.server_url, settings.client_id or "", secret, jwt)


def _principal(settings: Settings, auth: Auth) -> str:
    """Return a name for the login that does not reveal it: plans of one login are not valid for another.

    The tokens of `rc-mcp login` change every hour but its plans must stay valid, so the user's id names that login.
    """
    if isinstance(auth, PersonAuth):
        login = ("person", settings.server_url, settings.client_id or "", auth.owner_id)
    else:
        secret = settings.access_token or settings.user_jwt
        login = (settings.server_url, settings.client_id or "", secret.get_secret_value() if secret else "")
    return hashlib.sha256("\n".join(login).encode()).hexdigest()
