"""The ASGI application: everything that happens to a request before and after the operation it asks for.

In order: method tunnelling, route, login, rate limit, permissions, mailbox; then the operation; then the
headers every answer carries and a line in the request log.
"""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.emulator import lifecycle
from rc_mcp.emulator.call import Call, json_response
from rc_mcp.emulator.errors import ApiError, invalid_parameter, method_not_allowed, rate_exceeded
from rc_mcp.emulator.identity import Identity, check_mailbox, check_permissions
from rc_mcp.emulator.limits import Group, RateLimits
from rc_mcp.emulator.oauth import authenticate, issue_token, revoke_token
from rc_mcp.emulator.routes import EntryPoint, find_operation
from rc_mcp.emulator.sessions import Sessions
from rc_mcp.emulator.store import Store
from rc_mcp.emulator.wire import Addresses

_TUNNELLED = ("PUT", "PATCH", "DELETE")
_OAUTH = {"/restapi/oauth/token": issue_token, "/restapi/oauth/revoke": revoke_token}
_REQUESTS_KEPT = 10_000


@dataclass(frozen=True)
class SeenRequest:
    """One request that reached the emulator, with the method it meant and the status it got."""

    entry_point: str
    method: str
    path: str
    query: QueryParams
    status: int
    time: datetime


class App:
    """The service at both its addresses. `platform` and `media` are the same service at one of them."""

    def __init__(
        self,
        *,
        store: Store,
        addresses: Addresses,
        identity: Identity,
        rate_limits: bool,
        now: Callable[[], datetime],
    ) -> None:
        self.requests: deque[SeenRequest] = deque(maxlen=_REQUESTS_KEPT)
        self.sessions = Sessions(store.now_ms)
        self._store = store
        self._addresses = addresses
        self._identity = identity
        self._limits = RateLimits(store.now_ms) if rate_limits else None
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves whichever host the request names."""
        host = Request(scope).headers.get("host", "")
        await self._serve(_entry_points(host, self._addresses), scope, receive, send)

    @property
    def platform(self) -> ASGIApp:
        return self._at("platform")

    @property
    def media(self) -> ASGIApp:
        return self._at("media")

    def _at(self, entry_point: EntryPoint) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(frozenset({entry_point}), scope, receive, send)

        return serve

    async def _serve(self, entry_points: frozenset[EntryPoint], scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        response = self._answer(request, body, entry_points)
        self._log(request, response, entry_points)
        response.headers["RCRequestId"] = secrets.token_hex(16)
        if request.method == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes, entry_points: frozenset[EntryPoint]) -> Response:
        headers: dict[str, str] = {}
        try:
            response = self._dispatch(request, body, entry_points, headers)
        except ApiError as error:
            response = json_response(error.body, error.status)
            response.headers.update(error.headers)
        response.headers.update(headers)
        return response

    def _dispatch(
        self, request: Request, body: bytes, entry_points: frozenset[EntryPoint], headers: dict[str, str]
    ) -> Response:
        method, path = _meant_method(request), _path(request)
        if path in _OAUTH and "platform" in entry_points:
            if method != "POST":
                raise method_not_allowed(["POST"])
            self._limit("Auth", headers)
            return _OAUTH[path](request, body, self._identity, self.sessions)
        operation, parts = find_operation(entry_points, method, path)
        authenticate(request, self.sessions)
        self._limit(operation.group, headers)
        check_permissions(self._identity, operation.app_permission, operation.user_permission)
        check_mailbox(self._identity, parts, operation.app_permission)
        lifecycle.pass_time(self._store)
        call = Call(method, parts, request.query_params, request.headers, body, self._store, self._addresses)
        with self._store.transaction():
            return operation.run(call)

    def _limit(self, group: Group, headers: dict[str, str]) -> None:
        if self._limits is None:
            return
        passed, limit_headers = self._limits.take(self._identity.extension_id, group)
        headers |= limit_headers
        if not passed:
            raise rate_exceeded()

    def _log(self, request: Request, response: Response, entry_points: frozenset[EntryPoint]) -> None:
        try:
            method = _meant_method(request)
        except ApiError:
            method = request.method
        where = "/".join(sorted(entry_points))
        seen = SeenRequest(where, method, _path(request), request.query_params, response.status_code, self._now())
        self.requests.append(seen)


def _entry_points(host: str, addresses: Addresses) -> frozenset[EntryPoint]:
    """By the Host header. Served at one and the same address, both answer there."""
    media, platform = urlsplit(addresses.media_url).netloc, urlsplit(addresses.server_url).netloc
    if media == platform:
        return frozenset({"platform", "media"})
    return frozenset({"media"}) if host == media else frozenset({"platform"})


def _path(request: Request) -> str:
    # Not `request.url.path`, which would take an encoded question mark in the path for the start of the query.
    return request.scope["path"]


def _meant_method(request: Request) -> str:
    """The method, or the one a POST stands in for, as sent by clients that cannot send any other."""
    if request.method != "POST":
        return request.method
    header, parameter = request.headers.get("x-http-method-override"), request.query_params.get("_method")
    if header and parameter and header.upper() != parameter.upper():
        raise invalid_parameter("_method")
    meant = (header or parameter or "POST").upper()
    if meant not in {"POST", *_TUNNELLED}:
        raise invalid_parameter("_method")
    return meant
