"""Tests of a user's login: renewed once for all processes, stored before use, and ended only by RingCentral."""

import os
import stat
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from anyio.abc import Process

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import (
    AnswerLost,
    LoginEnded,
    LoginFailed,
    LoginNotKept,
    LoginStore,
    NotSent,
    PersonAuth,
    RateLimited,
    RingCentralError,
)
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.oauth.token_endpoint import TokenEndpoint
from rc_mcp.ringcentral.oauth.token_store import FileTokenStore, KeyringTokenStore, Tokens, one_renewal_at_a_time
from rc_mcp.ringcentral.oauth.user_login import ANOTHER_USER, Authorization, revoke, tokens_of
from rc_mcp.ringcentral.transport import deadlines
from rc_mcp.ringcentral.transport.connection import failures_named
from tests.desk import Clock

pytestmark = pytest.mark.anyio

LIST = "/restapi/v1.0/account/~/extension/~/message-store"
CANARY = "canary-0123456789"


class Login:
    """A user with a login at the emulator, and clients that use the stored tokens."""

    def __init__(self, emulator: Emulator, folder: Path, clock: Clock) -> None:
        self.emulator = emulator
        self.clock = clock
        self.store = LoginStore(folder, emulator.server_url, None, emulator.client_id)
        self.endpoint = TokenEndpoint(emulator.server_url, emulator.client_id, "")

    def now(self) -> float:
        return self.clock.time.timestamp()

    async def log_in(self) -> Tokens:
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self.emulator.jwt}
        owner = TokenEndpoint(self.emulator.server_url, self.emulator.client_id, self.emulator.client_secret)
        async with self.http() as http:
            tokens = tokens_of(owner.issued(await http.send(owner.request(form))), self.now())
        self.store.save(tokens)
        return tokens

    def auth(self, owner_id: str | None = None, now: Callable[[], float] | None = None) -> PersonAuth:
        auth = PersonAuth(
            self.emulator.server_url,
            self.emulator.client_id,
            "",
            self.store,
            owner_id=owner_id or self.emulator.extension_id,
            clock=self.now,
            now=now or self.now,
        )
        auth.allow(httpx.URL(self.emulator.server_url))
        return auth

    def http(self, auth: httpx.Auth | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.emulator.app)
        return httpx.AsyncClient(auth=auth, transport=transport, base_url=self.emulator.server_url)

    async def read(self, auth: PersonAuth, method: str = "GET", path: str = LIST) -> int:
        with anyio.fail_after(10):
            async with self.http(auth) as http:
                return (await http.request(method, path)).status_code

    def refreshes(self) -> int:
        return sum(request.path == "/restapi/oauth/token" for request in self.emulator.requests) - 1

    def pass_time(self, seconds: float) -> None:
        self.emulator.clock.advance(seconds=seconds)
        self.clock.time = self.emulator.clock()


@pytest.fixture
async def login(tmp_path: Path) -> AsyncIterator[Login]:
    clock = Clock()
    with Emulator(scenario="empty", rate_limits=False, now=clock, time_scale=0) as emulator:
        made = Login(emulator, tmp_path / "logins", clock)
        await made.log_in()
        yield made


async def test_a_stored_login_is_used_until_it_expires(login: Login) -> None:
    auth = login.auth()
    assert await login.read(auth) == 200
    login.pass_time(3_500)
    assert await login.read(auth) == 200
    assert login.refreshes() == 0


async def test_it_is_renewed_a_minute_before_it_expires_and_the_new_tokens_are_stored(login: Login) -> None:
    before, auth = login.store.load(), login.auth()
    login.pass_time(3_541)
    assert await login.read(auth) == 200
    after = login.store.load()
    assert before is not None
    assert after is not None
    assert login.refreshes() == 1
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    assert after.owner_id == before.owner_id == login.emulator.extension_id


async def test_a_renewal_without_a_refresh_token_keeps_the_old_one(login: Login) -> None:
    class Forgetful(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path != LIST:
                return httpx.Response(200, json={"access_token": "newer", "expires_in": 3600})
            return httpx.Response(200)

    before = login.store.load()
    login.pass_time(3_541)
    async with httpx.AsyncClient(auth=login.auth(), transport=Forgetful()) as http:
        await http.get(f"{login.emulator.server_url}{LIST}")
    after = login.store.load()
    assert before is not None
    assert after is not None
    assert (after.access_token, after.refresh_token) == ("newer", before.refresh_token)


async def test_two_clients_of_one_login_make_one_renewal(login: Login) -> None:
    both = [login.auth(), login.auth()]
    login.pass_time(4_000)
    statuses: list[int] = []

    async def read(auth: PersonAuth) -> None:
        statuses.append(await login.read(auth))

    async with anyio.create_task_group() as tasks:
        for auth in both * 5:
            tasks.start_soon(read, auth)
    assert (statuses, login.refreshes()) == ([200] * 10, 1)


PROCESS = """
import sys, anyio, httpx2
from pathlib import Path
from rc_mcp.ringcentral import LoginStore, PersonAuth
server, client_id, folder, path = sys.argv[1:]
async def main():
    store = LoginStore(Path(folder), server, None, client_id)
    auth = PersonAuth(server, client_id, "", store, owner_id=store.load().owner_id)
    auth.allow(httpx2.URL(server))
    print("ready", flush=True)
    input()
    async with httpx2.AsyncClient(auth=auth) as http:
        for _ in range(3):
            print((await http.get(server + path)).status_code, flush=True)
anyio.run(main)
"""


class Processes:
    """Real processes that share one expired login, at an emulator on a real port."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.login = Login(emulator, folder, Clock())
        self.command = [sys.executable, "-c", PROCESS, emulator.server_url, emulator.client_id, str(folder), LIST]

    async def expire(self) -> Tokens:
        tokens = await self.login.log_in()
        self.login.store.save(Tokens(tokens.access_token, tokens.refresh_token, tokens.owner_id, tokens.issued_at, 0))
        return tokens

    async def start(self) -> Process:
        """Return a process that is ready and waits for its signal to begin."""
        process = await anyio.open_process(self.command)
        assert process.stdout is not None
        assert (await process.stdout.receive()).startswith(b"ready")
        return process

    async def begin(self, *processes: Process) -> None:
        for process in processes:
            assert process.stdin is not None
            await process.stdin.send(b"\n")

    async def kill(self, *processes: Process) -> None:
        for process in processes:
            process.kill()
            await process.aclose()

    async def statuses(self, process: Process) -> list[bytes]:
        """Return the statuses of its three reads."""
        assert process.stdout is not None
        async with process:
            return b"".join([part async for part in process.stdout]).split()

    def one_renewal_after(self, first: Tokens) -> bool:
        """Return whether the stored tokens are one renewal after `first`. RingCentral records the replaced token."""
        kept = self.login.store.load()
        return kept is not None and self.emulator.sessions.check(kept.access_token).replaced_refresh_token == (
            first.refresh_token
        )


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    with Emulator(scenario="empty", rate_limits=False) as emulator, anyio.fail_after(60):
        async with emulator.serve():
            yield Processes(emulator, tmp_path / "logins")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # uvicorn, which serves the emulator here, needs it
async def test_two_processes_at_once_make_one_renewal_and_both_continue(processes: Processes) -> None:
    await processes.expire()
    one, other = await processes.start(), await processes.start()
    await processes.begin(one, other)
    assert [await processes.statuses(each) for each in (one, other)] == [[b"200"] * 3] * 2
    assert processes.login.refreshes() == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # uvicorn, which serves the emulator here, needs it
@pytest.mark.parametrize("both", [True, False], ids=["both killed", "one killed"])
async def test_a_process_killed_during_a_renewal_does_not_lose_the_login(processes: Processes, both: bool) -> None:
    first = await processes.expire()
    processes.emulator.faults.inject("latency", operation="token", acted=True, seconds=3_600)
    one, other = await processes.start(), await processes.start()
    await processes.begin(one)
    while processes.emulator.faults.active:  # noqa: ASYNC110  there is no event to wait for
        await anyio.sleep(0.01)
    await processes.begin(other)
    await processes.kill(*((one, other) if both else (one,)))
    living = [await processes.start(), await processes.start() if both else other]
    await processes.begin(*(living if both else living[:1]))
    assert [await processes.statuses(each) for each in living] == [[b"200"] * 3] * 2
    # The killed process got no answer, so one of the others asked again, and got the same tokens.
    assert processes.login.refreshes() == 1
    assert processes.one_renewal_after(first)


async def test_a_crash_before_the_answer_is_stored_loses_nothing(login: Login) -> None:
    login.pass_time(4_000)
    kept = login.store.load()
    assert kept is not None
    async with login.http() as http:  # answered, but never stored
        form = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token}
        lost = login.endpoint.issued(await http.send(login.endpoint.request(form)))
    login.pass_time(3_000)
    assert await login.read(login.auth()) == 200
    found = login.store.load()
    assert found is not None
    assert found.access_token == lost.access_token


async def test_tokens_that_cannot_be_stored_are_not_used(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    login.pass_time(4_000)
    auth = login.auth()

    def full(*_: object) -> None:
        raise OSError(28, CANARY)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LoginNotKept) as caught:
            await login.read(auth)
        with pytest.raises(LoginNotKept) as again:
            await login.read(auth)
    assert str(again.value) == str(caught.value)
    assert caught.value.login_unanswered
    assert CANARY not in shown(caught.value)
    assert login.refreshes() == 1
    assert [request.path for request in login.emulator.requests].count(LIST) == 0
    assert sorted(path.suffix for path in login.store.lock_file.parent.iterdir()) == [".json", ".lock"]
    login.pass_time(61)
    assert await login.read(auth) == 200


async def renewed_elsewhere(login: Login) -> None:
    """Renew as a process that shares the login, with a clock that is ahead."""
    assert await login.read(login.auth(now=lambda: login.now() + 3_541)) == 200
    kept = login.store.load()
    assert kept is not None
    login.store.save(Tokens(kept.access_token, kept.refresh_token, kept.owner_id, kept.issued_at, login.now() + 3_500))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_tokens_renewed_by_another_process_are_used_without_a_renewal(login: Login, method: str) -> None:
    auth = login.auth()
    assert await login.read(auth) == 200
    await renewed_elsewhere(login)
    path = LIST if method == "GET" else f"{LIST}/123"
    assert await login.read(auth, method, path) in {200, 204, 404}
    assert login.refreshes() == 1
    sent = [request.status for request in login.emulator.requests if request.method == method]
    assert sent.count(401) == (1 if method == "GET" else 0)


async def test_a_delete_with_a_401_is_not_sent_again_and_the_next_call_renews(login: Login) -> None:
    auth = login.auth()
    assert await login.read(auth) == 200
    kept = login.store.load()
    assert kept is not None
    async with login.http() as http:  # the access token ends early, the refresh token does not
        form = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token}
        await http.send(login.endpoint.request(form))
    assert await login.read(auth, "DELETE", f"{LIST}/123") == 401
    assert [r.method for r in login.emulator.requests].count("DELETE") == 1
    assert await login.read(auth, "DELETE", f"{LIST}/123") in {204, 404}


async def test_a_refused_renewal_is_not_repeated_until_the_next_login(login: Login) -> None:
    auth = login.auth()
    login.emulator.sessions.end_all()
    for _ in range(3):
        with pytest.raises(LoginEnded, match="rc-mcp login") as caught:
            await login.read(auth)
        assert (caught.value.status, caught.value.error_code) == (400, "OAU-213")
    assert login.refreshes() == 1
    await login.log_in()
    assert await login.read(auth) == 200


async def test_after_a_logout_nothing_is_sent(login: Login) -> None:
    auth = login.auth()
    login.store.clear()
    with pytest.raises(LoginEnded, match="rc-mcp login"):
        await login.read(auth)
    assert len(login.emulator.requests) == 1


async def test_another_users_login_is_not_used(login: Login) -> None:
    with pytest.raises(LoginEnded) as caught:
        await login.read(login.auth(owner_id="another"))
    assert not caught.value.method
    assert ANOTHER_USER in str(caught.value)
    assert "rc-mcp login" not in str(caught.value)
    assert len(login.emulator.requests) == 1


async def test_a_login_without_a_refresh_token_ends_with_its_access_token(login: Login) -> None:
    kept = login.store.load()
    assert kept is not None
    login.store.save(Tokens(kept.access_token, "", kept.owner_id, kept.issued_at, kept.good_until))
    auth = login.auth()
    assert await login.read(auth) == 200
    login.pass_time(4_000)
    with pytest.raises(LoginEnded):
        await login.read(auth)
    assert login.refreshes() == 0


async def test_an_unknown_app_is_not_a_login_that_ended(login: Login) -> None:
    auth = PersonAuth(
        login.emulator.server_url, login.emulator.client_id, "wrong", login.store,
        owner_id=login.emulator.extension_id, now=lambda: 9e9,
    )  # fmt: skip
    with pytest.raises(LoginFailed) as caught:
        await login.read(auth)
    assert not isinstance(caught.value, LoginEnded)


async def test_revoking_ends_the_session_and_returns_a_failure(login: Login) -> None:
    kept = login.store.load()
    assert kept is not None
    async with login.http() as http:
        assert await revoke(http, login.endpoint, kept) is None
        assert isinstance(await revoke(http, TokenEndpoint("http://rc.test", "x", "x"), kept), RingCentralError)
    with pytest.raises(LoginEnded):
        await login.read(login.auth())


async def test_the_wait_for_the_lock_is_limited(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    from rc_mcp.ringcentral.oauth import token_store

    monkeypatch.setattr(token_store, "LIMITS", replace(LIMITS, login_lock_s=0.1))
    with FileLock(login.store.lock_file), pytest.raises(LoginNotKept) as caught:
        await login.read(login.auth())
    assert str(login.store.lock_file) not in str(caught.value)  # it would be there if the file could not be locked
    assert login.refreshes() == 0


def shown(error: BaseException) -> str:
    """Return all text about an error that a log could show."""
    return f"{error} {error!r} {vars(error)}" + "".join(traceback.format_exception(error))


REFUSED = '{{"error": "invalid_grant", "errors": [{{"errorCode": "OAU-213", "message": "{0}"}}]}}'


@pytest.mark.parametrize(
    ("flow", "kind"),
    [
        ("exchange", "sent"),
        ("exchange", "secret"),
        ("refresh", "refresh"),
        ("refresh", "secret"),
        ("revoke", "refresh"),
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("status", [302, 400, 401, 429, 500])
async def test_no_refusal_shows_a_secret_that_the_server_repeats(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, flow: str, kind: str, escaped: bool, status: int
) -> None:
    caplog.set_level("DEBUG")
    secret, sent = f"{CANARY}-{kind}", list[httpx.Request]()
    said = "".join(f"\\u{ord(char):04x}" for char in secret) if escaped else secret

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(status, content=REFUSED.format(said), headers={"RCRequestId": f"r {secret}"})

    error = await failed(flow, tmp_path, answer)
    assert error is not None
    assert CANARY in sent[0].content.decode()
    assert secret not in f"{shown(error)} {caplog.text} {sent[0].url}"


@pytest.mark.parametrize("flow", ["exchange", "refresh", "revoke"])
@pytest.mark.parametrize("failure", [httpx.ReadTimeout, httpx.ConnectError, httpx.LocalProtocolError])
async def test_a_failed_connection_shows_no_secret(
    tmp_path: Path, flow: str, failure: type[httpx.TransportError]
) -> None:
    def break_down(request: httpx.Request) -> httpx.Response:
        raise failure(f"Illegal header value {CANARY}", request=request)

    error = await failed(flow, tmp_path, break_down)
    assert error is not None
    if failure is not httpx.ConnectError:
        assert CANARY not in shown(error)


Handler = Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


async def failed(flow: str, folder: Path, answer: Handler) -> RingCentralError | None:
    """Return the error of one flow when the server answers like this."""
    endpoint = TokenEndpoint("http://rc.test", "an-app", f"{CANARY}-secret")
    tokens = Tokens(f"{CANARY}-access", f"{CANARY}-refresh", "1", 0, 0)
    store = LoginStore(folder, "http://rc.test", None, "an-app")
    store.save(tokens)
    auth = PersonAuth("http://rc.test", "an-app", f"{CANARY}-secret", store, owner_id="1")
    auth.allow(httpx.URL("http://rc.test"))
    authorization = Authorization(endpoint, "http://127.0.0.1/callback", verifier=f"{CANARY}-sent")
    assert CANARY not in f"{auth!r} {endpoint!r} {tokens!r} {authorization!r} {authorization.url} {store!r}"
    try:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            if flow == "revoke":
                return await revoke(http, endpoint, tokens)
            if flow == "exchange":
                await authorization.exchange(http, f"{CANARY}-sent")
            else:
                request = http.build_request("GET", "http://rc.test/")
                with failures_named(request):
                    await http.send(request, auth=auth)
    except RingCentralError as error:
        return error
    return None


async def test_a_rate_limited_renewal_and_one_without_an_answer_keep_their_errors(tmp_path: Path) -> None:
    limited = await failed("refresh", tmp_path, lambda _: httpx.Response(429, headers={"Retry-After": "30"}))
    assert isinstance(limited, RateLimited)

    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    assert isinstance(await failed("exchange", tmp_path, refused), NotSent)


@pytest.mark.parametrize("flow", ["exchange", "revoke"])
@pytest.mark.parametrize("part", ["head", "body"])
async def test_the_wait_for_an_answer_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flow: str, part: str
) -> None:
    monkeypatch.setattr(deadlines, "LIMITS", replace(LIMITS, answer_s=0.01))

    class Hangs(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b" "
            await anyio.sleep_forever()

    async def answer(_: httpx.Request) -> httpx.Response:
        if part == "head":
            await anyio.sleep_forever()
        return httpx.Response(200, stream=Hangs())

    with anyio.fail_after(5):
        assert isinstance(await failed(flow, tmp_path, answer), AnswerLost)


TOKENS = Tokens("access", "refresh", "1", 1.0, 2.0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_use_the_file_and_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "logins"
    folder.mkdir(parents=True, mode=0o755)
    store = LoginStore(folder, "https://a.test", None, "app")
    store.save(TOKENS)
    assert store.load() == TOKENS
    assert mode(folder) == 0o700
    assert [mode(path) for path in folder.iterdir()] == [0o600]


def test_a_login_is_found_only_for_its_own_urls_and_app(tmp_path: Path) -> None:
    LoginStore(tmp_path, "https://a.test", None, "app").save(TOKENS)
    for other in (
        ("https://b.test", None, "app"),
        ("https://a.test", "https://b.test", "app"),
        ("https://a.test", None, "b"),
    ):
        assert LoginStore(tmp_path, *other).load() is None


def test_an_invalid_login_file_is_reported_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(f'{{"access_token": "{CANARY}"')
    with pytest.raises(LoginNotKept) as caught:
        FileTokenStore(tmp_path / "x.json").load()
    assert CANARY not in shown(caught.value)


class Keyring:
    """A replacement for the `keyring` package."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False
        self.forgetful = False
        self.priority = 5.0

    def get_keyring(self) -> "Keyring":
        return self

    def get_password(self, service_name: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service_name, username))

    def set_password(self, service_name: str, username: str, password: str) -> None:
        self._check(password)
        if not self.forgetful:
            self.kept[service_name, username] = password

    def delete_password(self, service_name: str, username: str) -> None:
        self._check()
        del self.kept[service_name, username]

    def _check(self, quoted: str = "") -> None:
        if self.locked:
            raise RuntimeError(f"locked: {quoted}")


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    ring = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", ring)  # pyright: ignore[reportArgumentType]
    return ring


def test_a_keyring_is_used_if_there_is_one(tmp_path: Path, keyring: Keyring) -> None:
    store = LoginStore(tmp_path, "https://a.test", None, "app")
    store.save(TOKENS)
    assert store.load() == TOKENS
    assert (len(keyring.kept), list(tmp_path.iterdir()), store.where()) == (1, [], str(KeyringTokenStore("")))
    store.clear()
    store.clear()
    assert (keyring.kept, store.load(), store.where()) == ({}, None, None)


@pytest.mark.parametrize("fault", ["locked", "forgetful"])
def test_the_file_is_used_if_the_keyring_does_not_work(tmp_path: Path, keyring: Keyring, fault: str) -> None:
    setattr(keyring, fault, True)
    store = LoginStore(tmp_path, "https://a.test", None, "app")
    store.save(TOKENS)
    assert store.load() == TOKENS
    assert str(tmp_path) in str(store.where())
    setattr(keyring, fault, False)
    store.save(TOKENS)
    assert (len(keyring.kept), list(tmp_path.iterdir())) == (1, [])


def test_the_newer_of_two_copies_is_used(tmp_path: Path, keyring: Keyring) -> None:
    store = LoginStore(tmp_path, "https://a.test", None, "app")
    keyring.locked = True
    store.save(TOKENS)
    keyring.locked = False
    newer = Tokens("newer", "newer", "1", 5.0, 6.0)
    KeyringTokenStore(store.lock_file.stem).save(newer)
    assert store.load() == newer


def test_a_locked_keyring_is_an_error_and_not_a_logout(tmp_path: Path, keyring: Keyring) -> None:
    store = LoginStore(tmp_path, "https://a.test", None, "app")
    keyring.locked = True
    with pytest.raises(LoginNotKept, match="RuntimeError"):
        store.load()


def test_a_logout_reports_a_locked_keyring(tmp_path: Path, keyring: Keyring) -> None:
    store = LoginStore(tmp_path, "https://a.test", None, "app")
    store.save(TOKENS)
    keyring.locked = True
    with pytest.raises(LoginNotKept, match="RuntimeError"):
        store.clear()
    assert store.where() is None


def test_an_unusable_folder_is_reported(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "x.json")
    (tmp_path / "x.json").mkdir()
    for use in (lambda: store.save(TOKENS), store.clear):
        with pytest.raises(LoginNotKept):
            use()
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.anyio
async def test_without_a_lock_nothing_is_renewed(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, where a folder is needed")
    with pytest.raises(LoginNotKept, match=r"x\.lock"):
        async with one_renewal_at_a_time(tmp_path / "state" / "x.lock"):
            pass


def test_a_login_that_cannot_be_stored_is_reported(tmp_path: Path, keyring: Keyring) -> None:
    keyring.locked = True
    store = LoginStore(tmp_path, "https://a.test", None, "app")
    store.lock_file.with_suffix(".json").mkdir()
    with pytest.raises(LoginNotKept):
        store.save(TOKENS)


def test_a_keyring_package_without_a_keyring_is_not_an_error(tmp_path: Path, keyring: Keyring) -> None:
    keyring.priority, keyring.locked = 0, True
    store = LoginStore(tmp_path, "https://a.test", None, "app")
    assert store.load() is None
    store.save(TOKENS)
    store.clear()
    assert store.load() is None
