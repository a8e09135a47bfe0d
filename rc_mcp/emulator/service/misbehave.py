"""Answers to requests that meet a fault."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from starlette.responses import HTMLResponse, Response

from rc_mcp.emulator.clock import Clock
from rc_mcp.emulator.errors import ApiError, no_such_route
from rc_mcp.emulator.operations.operation import error_response
from rc_mcp.emulator.service.connection import Connection
from rc_mcp.emulator.service.faults import Fault

_BROKEN_JSON = b'{"records": [{"id": 1, "uri": '
# A proxy or captive portal may answer with 200 and a page like this.
_NOT_THE_API = "<!DOCTYPE html><html><body>Sign in to use this network.</body></html>"


async def misbehave(fault: Fault, act: Callable[[], Response], connection: Connection, clock: Clock) -> None:
    """Answer as the fault demands. `act` carries the request out and returns its correct answer."""
    if fault.kind == "latency":
        await _late(fault, act, connection, clock)
        return
    answer = act() if fault.lets_act else Response(status_code=204)
    match fault.kind:
        case "drop":
            await connection.hang_up()
        case "stall":
            await connection.stall()
        case "truncate":
            await connection.send_half(answer)
        case "malformed":
            await connection.send(_malformed(answer, fault.body))
        case "server_error":
            await connection.send(_server_error(fault))
        case "gateway":
            await connection.send(error_response(no_such_route()))
        case _:
            # The other faults take effect in `act`.
            await connection.send(answer)


async def _late(fault: Fault, act: Callable[[], Response], connection: Connection, clock: Clock) -> None:
    """Answer late. Without `acted`, act after the delay even if the client has gone, as a queue does."""
    due = clock() + timedelta(seconds=fault.seconds)
    answer = act() if fault.acted else None
    if await connection.wait(partial(clock.reach, due)):
        await connection.send(answer or act())


def _malformed(answer: Response, form: str) -> Response:
    if form == "html":
        return HTMLResponse(_NOT_THE_API)
    body = bytes(answer.body)
    is_json = "json" in answer.headers.get("content-type", "")
    return Response(body[: len(body) // 2] if is_json else _BROKEN_JSON, media_type="application/json;charset=utf-8")


def _server_error(fault: Fault) -> Response:
    # The guide says that a 503 comes with Retry-After; no record has one.
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    status = fault.status
    # The guide lists CMN-201 as a 500, and also mentions 503. The bodies of 502 and 504 are not documented. Gateways
    # send these, with HTML.
    if status in {502, 504}:
        page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
        return HTMLResponse(page, status, headers)
    return error_response(ApiError(status, "CMN-201", "Service Temporary Unavailable", headers=headers))
