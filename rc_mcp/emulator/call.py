"""What an operation is given, and what the app needs to know of an operation before it runs it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from rc_mcp.emulator.errors import unreadable_json
from rc_mcp.emulator.limits import Group
from rc_mcp.emulator.store import Store
from rc_mcp.emulator.wire import Addresses

JsonObject = dict[str, JsonValue]


@dataclass(frozen=True)
class Call:
    """One request that has passed every check an operation does not do itself."""

    method: str
    path: dict[str, str]
    query: QueryParams
    headers: Headers
    body: bytes
    store: Store
    addresses: Addresses


@dataclass(frozen=True)
class Operation:
    """One of the ten operations: what it is limited by, what it takes to be allowed, and how it is done."""

    name: str
    group: Group
    app_permission: str
    user_permission: str
    run: Callable[[Call], Response]


def content_type(call: Call) -> str:
    return call.headers.get("content-type", "").partition(";")[0].strip().lower()


def read_json(body: bytes | str) -> JsonValue:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise unreadable_json() from None


def json_response(
    body: Mapping[str, Any] | Sequence[Any], status: int = 200, media_type: str = "application/json"
) -> Response:
    return Response(_json(body), status, media_type=f"{media_type};charset=utf-8")


def _json(body: Mapping[str, Any] | Sequence[Any]) -> bytes:
    try:
        return to_json(body)
    except PydanticSerializationError:
        # Half an emoji can be written as an escape alone.
        return json.dumps(body).encode()
