"""The ASGI application: the steps before and after the operation that a request asks for.

Before: method tunneling, route, login, rate limit, permissions, mailbox. After: an entry in the request log.
`misbehave.py` applies faults to the answer.
"""

import re
from collections import deque
from functools import partial
from urllib.parse import urlsplit

import anyio
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.emulator.clock import Clock
from rc_mcp.emulator.errors import ApiError, fax_in_progress, invalid_parameter, method_not_allowed, rate_exceeded
from rc_mcp.emulator.login.authorization_codes import Codes
from rc_mcp.emulator.login.authorize import authorize
from rc_mcp.emulator.login.identity import Account, User, check_permissions, mailbox_asked_for
from rc_mcp.emulator.login.oauth import OAuthCall, authenticate, issue_token, read_form, revoke_token, user_concerned
from rc_mcp.emulator.login.sessions import Sessions
from rc_mcp.emulator.mailbox import lifecycle
from rc_mcp.emulator.mailbox.exports import Exports
from rc_mcp.emulator.mailbox.records import Hosts
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.emulator.operations.operation import Call, error_response, json_response
from rc_mcp.emulator.operations.routes import EntryPoint, find_operation
from rc_mcp.emulator.operations.versions import PATHS, versions
from rc_mcp.emulator.service import message_page
from rc_mcp.emulator.service.connection import Connection
from rc_mcp.emulator.service.faults import Fault, FaultKind, Faults
from rc_mcp.emulator.service.message_page import DrawPages
from rc_mcp.emulator.service.misbehave import misbehave
from rc_mcp.emulator.service.rate_limits import Group, RateLimits
from rc_mcp.emulator.service.request_log import SeenRequest
from rc_mcp.emulator.service.status_page import status_page

_EXPOSED_HEADERS = (
    "Content-Disposition", "Content-Range", "RCRequestId", "Retry-After", "RoutingKey", "X-Rate-Limit-Group",
    "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Window",
)  # fmt: skip
_TUNNELLED = ("PUT", "PATCH", "DELETE")
_OAUTH = {
    "/restapi/oauth/authorize": {"GET": authorize, "POST": authorize},
    "/restapi/oauth/token": {"POST": issue_token},
    "/restapi/oauth/revoke": {"POST": revoke_token},
}
_REQUESTS_KEPT = 10_000
_THIS_MACHINE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.ASCII)
"""As Host: a web page cannot use such a name for an address of its own (DNS rebinding)."""


class App:
    """The service, for both hosts. `platform` and `media` serve one host each."""

    def __init__(
        self,
        *,
        mailboxes: dict[str, Store],
        hosts: Hosts,
        account: Account,
        rate_limits: bool,
        full_removals: bool,
        clock: Clock,
        draw_pages: DrawPages | None,
    ) -> None:
        self.requests: deque[SeenRequest] = deque(maxlen=_REQUESTS_KEPT)
        self.faults = Faults()
        now_ms = mailboxes[account.owner.extension_id].now_ms
        self.limits = RateLimits(now_ms, enforced=rate_limits)
        self.sessions = Sessions(now_ms)
        self._codes = Codes(now_ms)
        self._exports = Exports(mailboxes, now_ms)
        self._mailboxes = mailboxes
        self._hosts = hosts
        self._account = account
        self._clock = clock
        self._full_removals = full_removals
        self._draw_pages = draw_pages
        self._drawing = anyio.Lock()
        self.platform: ASGIApp = _for_web_pages(partial(self._serve, frozenset({"platform"})))
        self.media: ASGIApp = _for_web_pages(partial(self._serve, frozenset({"media"})))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the host that the request names."""
        host = Request(scope).headers.get("host", "")
        entry_points = _entry_points(host, self._hosts)
        await _for_web_pages(partial(self._serve, entry_points))(scope, receive, send)

    async def _serve(self, entry_points: frozenset[EntryPoint], scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        if "platform" in entry_points and (page := await self._page_for_people(request)):
            await Connection(scope, receive, send, _no_log).send(page)
            return
        fault = self._fault(request, entry_points)
        kind = None if fault is None else fault.kind
        connection = Connection(scope, receive, send, partial(self._log, request, entry_points, kind))
        act = partial(self._answer, request, body, entry_points, kind)
        if fault is None:
            await connection.send(act())
        else:
            await misbehave(fault, act, connection, self._clock)

    async def pages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve only the pages for people, without the API, to browsers on this machine."""
        request = Request(scope, receive)
        if not _THIS_MACHINE.fullmatch(request.headers.get("host", "")):
            page: Response = PlainTextResponse("These pages are for this machine only.\n", 421)
        else:
            page = await self._page_for_people(request) or PlainTextResponse("There is no such page.\n", 404)
        await Connection(scope, receive, send, _no_log).send(page)

    async def _page_for_people(self, request: Request) -> Response | None:
        """Return the status page, or the page of a message; None for any other request."""
        path = _path(request)
        if request.method not in {"GET", "HEAD"}:
            return None
        if path == "/":
            return self._status_page()
        if not path.startswith(message_page.PATH):
            return None
        async with self._drawing:  # one at a time: each may start a process
            return await message_page.message_page(
                self._mailboxes, path.removeprefix(message_page.PATH), self._draw_pages
            )

    def _status_page(self) -> Response:
        return status_page(
            account=self._account,
            mailboxes=self._mailboxes,
            requests=self.requests,
            usage=self.limits.usage(),
            faults=self.faults.active.values(),
            clock=self._clock,
        )

    def _fault(self, request: Request, entry_points: frozenset[EntryPoint]) -> Fault | None:
        """Return the fault for this request, if any. Only requests for an operation can meet one."""
        if not self.faults.active:
            return None
        try:
            method, path = _meant_method(request), _path(request)
            name = _oauth_name(path) or find_operation(entry_points, method, path)[0].name
        except ApiError:
            return None
        return self.faults.take(name, method)

    def _answer(
        self, request: Request, body: bytes, entry_points: frozenset[EntryPoint], fault: FaultKind | None
    ) -> Response:
        headers: dict[str, str] = {}
        if fault == "token_revoked":
            self.sessions.end_all()
        try:
            response = self._dispatch(request, body, entry_points, headers, fault)
        except ApiError as error:
            response = error_response(error)
        response.headers.update(headers)
        return response

    def _dispatch(
        self,
        request: Request,
        body: bytes,
        entry_points: frozenset[EntryPoint],
        headers: dict[str, str],
        fault: FaultKind | None,
    ) -> Response:
        method, path = _meant_method(request), _path(request)
        if path in _OAUTH and "platform" in entry_points:
            return self._log_in(request, body, headers, fault)
        if path in PATHS and "platform" in entry_points:
            return self._versions(method, path)
        operation, parts = find_operation(entry_points, method, path)
        user = authenticate(request, self.sessions).user
        self._limit(user, operation.group, headers, fault)
        check_permissions(self._account, user, operation.app_permission, operation.user_permission)
        permission = operation.app_permission if operation.user_permission else None
        mailbox = self._mailboxes[mailbox_asked_for(self._account, user, parts, permission)]
        for each in [mailbox] if "extension" in parts else self._mailboxes.values():
            lifecycle.pass_time(each)
        if fault == "fax_in_progress":
            raise fax_in_progress()
        call = Call(
            parts,
            request.query_params,
            request.headers,
            body,
            mailbox,
            self._account,
            self._full_removals,
            self._exports,
        )
        if method in {"GET", "HEAD"} and not mailbox.is_overfull():
            return operation.run(call)
        with mailbox.transaction():
            response = operation.run(call)
            mailbox.make_room()
        return response

    def _versions(self, method: str, path: str) -> Response:
        if method not in {"GET", "HEAD"}:
            raise method_not_allowed(["GET"])
        return json_response(versions(path, self._hosts))

    def _log_in(self, request: Request, body: bytes, headers: dict[str, str], fault: FaultKind | None) -> Response:
        method, handlers = _meant_method(request), _OAUTH[_path(request)]
        if method not in handlers:
            raise method_not_allowed(sorted(handlers))
        form = read_form(request, body)
        call = OAuthCall(method, request.query_params, request.headers, form, self._account, self.sessions, self._codes)
        if method == "POST":
            # Opening the login page (GET) is not limited: it concerns no user yet.
            self._limit(user_concerned(call), "Auth", headers, fault)
        return handlers[method](call)

    def _limit(self, user: User | None, group: Group, headers: dict[str, str], fault: FaultKind | None) -> None:
        """Count a request for its user. All requests without a known user share one count."""
        name = "" if user is None else user.extension_id
        passed, limit_headers = self.limits.take(name, group)
        if fault == "rate_limit":
            passed, limit_headers = False, self.limits.refuse(name, group)
        headers |= limit_headers
        if not passed:
            raise rate_exceeded()

    def _log(self, request: Request, entry_points: frozenset[EntryPoint], fault: FaultKind | None, status: int) -> None:
        try:
            method = _meant_method(request)
        except ApiError:
            method = request.method
        where = "/".join(sorted(entry_points))
        seen = SeenRequest(where, method, _path(request), request.query_params, status, self._clock(), fault)
        self.requests.append(seen)


def _for_web_pages(app: ASGIApp) -> ASGIApp:
    """Allow web pages of any origin to use the API (CORS), but not to read the login page, which shows passwords."""
    open_app = CORSMiddleware(
        app,
        allow_origins=["*"],
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=_EXPOSED_HEADERS,
    )

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        is_api = path.startswith("/restapi") and path != "/restapi/oauth/authorize"
        # Others are passed on as they are: by `send`, a connection knows which client it serves in-process.
        from_a_page = "origin" in Request(scope).headers
        await (open_app if is_api and from_a_page else app)(scope, receive, send)

    return serve


def _no_log(_: int) -> None:
    """Log nothing: the status page reloads itself and would fill the log with its own requests."""


def _entry_points(host: str, hosts: Hosts) -> frozenset[EntryPoint]:
    """Choose the entry point by the Host header. If both hosts have the same address, both answer."""
    media, platform = urlsplit(hosts.media_url).netloc, urlsplit(hosts.server_url).netloc
    if media == platform:
        return frozenset({"platform", "media"})
    return frozenset({"media"}) if host == media else frozenset({"platform"})


def _oauth_name(path: str) -> str | None:
    """Return the last part of an OAuth path, which is the `operation` of a fault."""
    folder, _, name = path.rpartition("/")
    return name if folder == "/restapi/oauth" else None


def _path(request: Request) -> str:
    # `request.url.path` would treat an encoded question mark in the path as the start of the query.
    return request.scope["path"]


def _meant_method(request: Request) -> str:
    """Return the method, or the one that a POST is tunneling for a client that can only send GET and POST."""
    if request.method != "POST":
        return request.method
    header, parameter = request.headers.get("x-http-method-override"), request.query_params.get("_method")
    if header and parameter and header.upper() != parameter.upper():
        raise invalid_parameter("_method")
    meant = (header or parameter or "POST").upper()
    if meant not in {"POST", *_TUNNELLED}:
        raise invalid_parameter("_method")
    return meant
