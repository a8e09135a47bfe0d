"""Types of the operations: `Call`, an operation's input, and `Operation`, its limits, permissions and function."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from rc_mcp.emulator.errors import ApiError, unreadable_json
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
    return Response(_json(body), status, media_type=f"{media_type};charset=utf-8")


def error_response(error: ApiError) -> Response:
    response = json_response(error.body, error.status)
    response.headers.update(error.headers)
    return response


def _json(body: Mapping[str, Any] | Sequence[Any]) -> bytes:
    try:
        return to_json(body)
    except PydanticSerializationError:
        # A lone surrogate has no UTF-8 form; json.dumps writes it as an escape.
        return json.dumps(body).encode()
