"""Types of the operations: `Call`, an operation's input, and `Operation`, its limits, permissions and function."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from rc_mcp.emulator.errors import ApiError, Json, unreadable_json
from rc_mcp.emulator.json_text import written
from rc_mcp.emulator.login.identity import Account
from rc_mcp.emulator.mailbox.exports import Exports
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.emulator.service.rate_limits import Group

JsonObject = dict[str, JsonValue]


@dataclass(frozen=True)
class Call:
    """A request for an operation, after route, login, rate limit, permissions and mailbox were checked."""

    path: dict[str, str]
    query: QueryParams
    headers: Headers
    body: bytes
    store: Store
    account: Account
    full_removals: bool
    exports: Exports


@dataclass(frozen=True)
class Operation:
    """One of the operations, with its rate limit group and required permissions."""

    name: str
    group: Group
    app_permission: str
    user_permission: str | None
    run: Callable[[Call], Response]


def content_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def read_json(body: bytes | str) -> JsonValue:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise unreadable_json() from None


def json_response(
    body: Mapping[str, Any] | Sequence[Any], status: int = 200, media_type: str = "application/json"
) -> Response:
    return _response(written(body), status, media_type)


def record_response(record: str) -> Response:
    """Return an answer that is one record, which is JSON already."""
    return _response(record)


def records_response(before: Json, records: Iterable[str], after: Json) -> Response:
    """Return an answer with records, which are JSON already, between its other fields."""
    return _response(f'{written(before)[:-1]},"records":[{",".join(records)}],{written(after)[1:]}')


def error_response(error: ApiError) -> Response:
    response = json_response(error.body, error.status)
    response.headers.update(error.headers)
    return response


def _response(body: str, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(body, status, media_type=f"{media_type};charset=utf-8")
