"""The admin address: lets a test in any language control the clock, inspect mailboxes and inject faults.

It is plain JSON over HTTP, without a login. It is therefore off by default, listens on the loopback interface only, and
refuses web pages, including those that use DNS rebinding.
"""

import json
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.emulator.clock import Clock
from rc_mcp.emulator.dates import to_ms, to_wire
from rc_mcp.emulator.mailbox import lifecycle, media_files
from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.emulator.operations.operation import content_type, json_response
from rc_mcp.emulator.scenarios.scenarios import filled_with
from rc_mcp.emulator.service.app import App
from rc_mcp.emulator.service.faults import Fault
from rc_mcp.emulator.service.request_log import SeenRequest

LOOPBACK = "127.0.0.1"
_OUR_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.ASCII)
_YEARS = range(1970, 2200)
_MESSAGES_SHOWN = 100

_Body = TypeVar("_Body")


class _Span(BaseModel):
    model_config = ConfigDict(extra="forbid")

    days: float = Field(0, ge=0, le=36_500)
    hours: float = Field(0, ge=0, le=876_000)
    minutes: float = Field(0, ge=0, le=52_560_000)
    seconds: float = Field(0, ge=0, le=3_153_600_000)


def _storable(draft: Draft) -> Draft:
    for name, moment in {"created": draft.created, "removed": draft.removed}.items():
        if moment and (moment.tzinfo is None or moment.year not in _YEARS):
            raise ValueError(f"{name}: must have a zone, as in 2026-03-05T15:30:00Z, and a year from 1970 to 2199")
    for name in draft.media:
        if isinstance(name, str) and not media_files.exists(name):
            raise ValueError(f"media: the emulator has no file {name!r}")
    return draft


_SPAN, _FAULT = TypeAdapter(_Span), TypeAdapter(Fault)
_DRAFT: TypeAdapter[Draft] = TypeAdapter(Annotated[Draft, AfterValidator(_storable)])


class Admin:
    """The handlers of the admin address. `application` returns the ASGI app that routes to them."""

    def __init__(self, app: App, mailboxes: dict[str, Store], clock: Clock) -> None:
        self._app = app
        self._mailboxes = mailboxes
        self._clock = clock

    def application(self) -> ASGIApp:
        routes = [
            Route("/", self.show, methods=["GET"]),
            Route("/clock", self.move_time, methods=["POST"]),
            Route("/messages", self.list_messages, methods=["GET"]),
            Route("/messages", self.add_message, methods=["POST"]),
            Route("/messages/{id}", self.read_message, methods=["GET"]),
            Route("/requests", self.list_requests, methods=["GET"]),
            Route("/faults", self.list_faults, methods=["GET"]),
            Route("/faults", self.inject_fault, methods=["POST"]),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
            Route("/faults/{id:int}", self.clear_fault, methods=["DELETE"]),
        ]
        return _for_this_machine_only(Starlette(routes=routes, exception_handlers={HTTPException: _refused}))

    async def show(self, _: Request) -> Response:
        """Summarize the emulator's state."""
        return json_response(
            {
                "time": self._time(),
                "time_scale": self._clock.scale,
                "scenario": filled_with(self._owner),
                "messages": sum(store.count(Selection()) for store in self._mailboxes.values()),
                "requests": len(self._app.requests),
                "faults": len(self._app.faults.active),
            }
        )

    async def move_time(self, request: Request) -> Response:
        span = await _body(request, _SPAN)
        try:
            self._clock.advance(**span.model_dump())
        except ValueError as error:
            raise _Refusal(400, str(error)) from None
        return json_response({"time": self._time()})

    async def list_messages(self, request: Request) -> Response:
        """List the newest messages, whatever their availability."""
        limit = request.query_params.get("limit", str(_MESSAGES_SHOWN))
        if not (limit.isascii() and limit.isdecimal() and len(limit) < 8):
            raise _Refusal(400, "limit: must be a whole number of at most 7 digits", "limit")
        store = self._mailbox(request)
        lifecycle.pass_time(store)
        return json_response({"messages": store.messages()[: int(limit)]})

    async def read_message(self, request: Request) -> Response:
        """Find a message in any mailbox: ids are unique across mailboxes."""
        lifecycle.pass_time(self._owner)
        found = (store.message(request.path_params["id"]) for store in self._mailboxes.values())
        message = next(filter(None, found), None)
        if message is None:
            raise _Refusal(404, "This message does not exist. It may have been removed after a purge.")
        return json_response(message)

    async def add_message(self, request: Request) -> Response:
        draft = await _body(request, _DRAFT)
        return json_response(self._mailbox(request).add(draft), 201)

    async def list_requests(self, _: Request) -> Response:
        return json_response({"requests": [_shown(seen) for seen in self._app.requests]})

    async def list_faults(self, _: Request) -> Response:
        active = self._app.faults.active
        return json_response({"faults": [{"id": number, **fault.model_dump()} for number, fault in active.items()]})

    async def inject_fault(self, request: Request) -> Response:
        fault = await _body(request, _FAULT)
        return json_response({"id": self._app.faults.add(fault), **fault.model_dump()}, 201)

    async def clear_faults(self, _: Request) -> Response:
        self._app.faults.clear()
        return Response(status_code=204)

    async def clear_fault(self, request: Request) -> Response:
        self._app.faults.clear(request.path_params["id"])
        return Response(status_code=204)

    @property
    def _owner(self) -> Store:
        return next(iter(self._mailboxes.values()))

    def _mailbox(self, request: Request) -> Store:
        """Return the mailbox of the extension that the query names; by default the owner's."""
        extension_id = request.query_params.get("extension_id", self._owner.addresses.extension_id)
        if extension_id not in self._mailboxes:
            raise _Refusal(400, "extension_id: no user has this extension", "extension_id")
        return self._mailboxes[extension_id]

    def _time(self) -> str:
        return to_wire(to_ms(self._clock()))


def _shown(seen: SeenRequest) -> dict[str, Any]:
    """Return a logged request as JSON. A query may repeat a key, so every query value is a list."""
    query: dict[str, list[str]] = {}
    for name, value in seen.query_without_secrets():
        query.setdefault(name, []).append(value)
    return {
        "entry_point": seen.entry_point,
        "method": seen.method,
        "path": seen.path,
        "query": query,
        "status": seen.status,
        "time": to_wire(to_ms(seen.time)),
        "fault": seen.fault,
    }


async def _body(request: Request, expected: TypeAdapter[_Body]) -> _Body:
    if content_type(request.headers) != "application/json":
        # A form on a web page cannot send this content type.
        raise _Refusal(415, "Send JSON with Content-Type: application/json.")
    try:
        sent = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise _Refusal(400, "The body is not JSON.") from None
    try:
        return expected.validate_python(sent)
    except ValidationError as error:
        raise _Refusal(400, *_explained(error.errors()[0])) from None


def _explained(error: ErrorDetails) -> tuple[str, str | None]:
    """Return the problem and its field as `sender.name`."""
    field = ".".join(str(part) for part in error["loc"])
    problem = error["msg"].removeprefix("Value error, ")
    if field:
        return f"{field}: {problem}", field
    # The emulator's own validators check the whole model; their messages begin with the name of the field.
    name, colon, _ = problem.partition(":")
    return problem, name if colon else None


class _Refusal(HTTPException):
    """An error answer, which names the invalid field if there is one."""

    def __init__(self, status: int, problem: str, field: str | None = None) -> None:
        super().__init__(status, problem)
        self.field = field


def _refused(_: Request, error: Exception) -> Response:
    """Answer for a `_Refusal`, or for an address or method that Starlette does not find."""
    status, problem = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    field = {"field": error.field} if isinstance(error, _Refusal) and error.field else {}
    return json_response({"error": problem, **field}, status)


def _for_this_machine_only(app: ASGIApp) -> ASGIApp:
    async def check(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if _OUR_HOST.fullmatch(host) and origin in {None, f"http://{host}"}:
            await app(scope, receive, send)
        else:
            problem = "The admin address accepts requests from programs on this machine only, not from web pages."
            await json_response({"error": problem}, 403)(scope, receive, send)

    return check
