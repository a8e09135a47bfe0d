"""The door to the page for the user's own browser: a server on this machine that only that browser can use.

A page of another site, another program's page on this machine, and a model must not be able to press a button:

- A key opens one session, once. It stands after the # of the address that the browser is opened with, which browsers
  send to nobody. A second use of a key ends the session of the first: one of the two was not the user's.
- The session's token is kept by the page and sent in a header of its own. It is no cookie: a browser would send that to
  every port of this machine, and with requests that other pages make.
- The Host, the Origin and, where the browser sends it, Sec-Fetch-Site must be those of the page itself.
"""

import json
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import anyio
import uvicorn
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.inbox.desk import Desk, InboxError
from rc_mcp.inbox.operations import WRONG, FailedError, carry_out
from rc_mcp.inbox.page import content_security_policy, html
from rc_mcp.inbox.random_secrets import digest_of, new_secret

HOST = "127.0.0.1"
SESSION_HEADER = "inbox-session"
KEY_LASTS_S = 600.0
SEEN_WITHIN_S = 20.0
"""A page that is open asks for plans every five seconds."""
_LOADED_S = 3.0
"""A page asks only later than this after it was opened if it is visible: one in the background loads and is silent."""
_BODY_BYTES = 65_536
_LIMIT = 20
"""Sessions at a time: the oldest ends."""
NO_SESSION = "This page is not connected: the server was started again. Run rc-mcp inbox to open a new one."
NO_KEY = "This address was used already, or has expired. Run rc-mcp inbox to open a new page."
NOT_THIS_PAGE = "Only the page itself may ask. Nothing was done."


@dataclass
class _Session:
    key: str
    """The digest of the key that opened it."""
    opened_at: float
    seen_at: float


@dataclass
class Keys:
    """Keys that open a session, and the sessions. Only digests of both are held."""

    _keys: dict[str, float] = field(default_factory=dict[str, float])
    _sessions: dict[str, _Session] = field(default_factory=dict[str, _Session])

    def new(self) -> str:
        """Return a new key, which opens one session within `KEY_LASTS_S`."""
        key, now = new_secret(), anyio.current_time()
        self._keys = {digest: at for digest, at in self._keys.items() if now - at < KEY_LASTS_S}
        self._keys[digest_of(key)] = now
        return key

    def open(self, key: str) -> str | None:
        """Return the token of a new session; None if the key is wrong, expired or used.

        The second use of a key ends the session that the first opened.
        """
        digest, now = digest_of(key), anyio.current_time()
        made_at = self._keys.pop(digest, None)
        if made_at is None:
            self._sessions = {token: s for token, s in self._sessions.items() if s.key != digest}
            return None
        if now - made_at >= KEY_LASTS_S:
            return None
        token = new_secret()
        while len(self._sessions) >= _LIMIT:
            self._sessions.pop(min(self._sessions, key=lambda t: self._sessions[t].seen_at))
        self._sessions[digest_of(token)] = _Session(digest, now, now)
        return token

    def knows(self, token: str) -> bool:
        """Return whether this is the token of a session, and note that it is in use."""
        session = self._sessions.get(digest_of(token))
        if session:
            session.seen_at = anyio.current_time()
        return session is not None

    def is_watched(self) -> bool:
        """Return whether a page is open now."""
        now = anyio.current_time()
        return any(now - session.seen_at < SEEN_WITHIN_S for session in self._sessions.values())

    def was_watched(self, since: float) -> bool:
        """Return whether a page was visible at any time after this one."""
        return any(s.seen_at > max(since, s.opened_at + _LOADED_S) for s in self._sessions.values())


def page_address(port: int, key: str) -> str:
    """Return the address that opens the page. Browsers send what stands after the # to nobody."""
    return f"http://{HOST}:{port}/#{key}"


def application(desk: Desk, keys: Keys, port: int) -> ASGIApp:
    """Return the ASGI application of the page at this port."""
    own = f"{HOST}:{port}"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = _refused(scope, own) or await _answer(scope, receive, desk, keys)
        answer.headers.update(PAGE_HEADERS)
        await answer(scope, receive, send)

    return app


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncGenerator[None]:
    """Serve the application on a socket until the block ends."""
    server = _Server(app)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.run_until_ended, listening)
        try:
            await server.ready.wait()
            yield
        finally:
            server.should_exit = True


def listening_socket(port: int) -> socket.socket:
    """Return a socket that only this machine can reach.

    Raises:
        OSError: the port is taken, or this program may not listen.
    """
    return socket.create_server((HOST, port))


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals and logs to its process, and says when it is ready."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http="h11",  # refuses a request whose head is larger than 64 KB; httptools keeps all of it
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self.ready = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def run_until_ended(self, listening: socket.socket) -> None:
        with anyio.CancelScope(shield=True):  # canceled, uvicorn would leave connections open
            await self.serve([listening])


PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_OBJECT = TypeAdapter(dict[str, object])


def _refused(scope: Scope, own: str) -> Response | None:
    """Return the refusal of a request that does not come from the page at its own address; None if it does."""
    headers = Headers(scope=scope)
    if headers.getlist("host") != [own]:
        return PlainTextResponse(NOT_THIS_PAGE, 421)
    return None if scope["method"] in {"GET", "HEAD"} else not_from_page(headers, f"http://{own}")


def not_from_page(headers: Headers, origin: str) -> Response | None:
    """Return the refusal of a POST that the page at this origin did not send; None if it did."""
    is_same = headers.get("sec-fetch-site") in {None, "same-origin"}
    is_json = headers.get("content-type") == "application/json"
    is_from_page = headers.getlist("origin") == [origin] and is_same and is_json
    return None if is_from_page else PlainTextResponse(NOT_THIS_PAGE, 403, PAGE_HEADERS)


async def _answer(scope: Scope, receive: Receive, desk: Desk, keys: Keys) -> Response:
    path, method = scope["path"], scope["method"]
    if path == "/" and method in {"GET", "HEAD"}:
        return Response(html(), media_type="text/html", headers={"Content-Security-Policy": content_security_policy()})
    if method != "POST" or not (path == "/session" or path.startswith("/api/")):
        return PlainTextResponse("Not found.", 404)
    given = await json_object(receive)
    if given is None:
        return error_answer(WRONG, 400)
    if path == "/session":
        key = given.get("key")
        token = keys.open(key) if isinstance(key, str) else None
        return JSONResponse({"session": token}) if token else error_answer(NO_KEY, 403)
    if not keys.knows(Headers(scope=scope).get(SESSION_HEADER, "")):
        return error_answer(NO_SESSION, 401)
    return await carried_out(desk, path.removeprefix("/api/"), given)


async def carried_out(desk: Desk, name: str, given: dict[str, object]) -> Response:
    """Carry out an operation of the page, and return the answer."""
    try:
        return JSONResponse((await carry_out(desk, name, given)).model_dump(mode="json"))
    except FailedError as error:
        return error_answer(str(error), 500)
    except InboxError as error:
        return error_answer(str(error), 409)


async def json_object(receive: Receive) -> dict[str, object] | None:
    """Return the JSON object of a request; None if it is something else, or too large."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > _BODY_BYTES:
            return None
        if not message.get("more_body"):
            break
    try:
        return _OBJECT.validate_python(json.loads(body))
    except (ValueError, ValidationError, RecursionError):
        return None


def error_answer(said: str, status: int) -> Response:
    """Return an error as the page shows it."""
    return JSONResponse({"error": said}, status)
