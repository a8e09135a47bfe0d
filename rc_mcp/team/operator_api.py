"""The addresses for operators: `/operator/...` with JSON in and out, and `/metrics` for Prometheus.

Each request needs the operators' bearer token, which is RC_MCP_HTTP_TOKEN on a team's server. Without one these
addresses do not exist.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast

from mcp.server.transport_security import RequestBodyLimitMiddleware
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.guard.policy.policy_file import PolicyError
from rc_mcp.guard.refusals import GuardError
from rc_mcp.http_token import OnlyWith
from rc_mcp.team.database import DatabaseAway
from rc_mcp.team.operators import NoTenant, Operators
from rc_mcp.team.schema import ACCOUNT_ID
from rc_mcp.tools.arguments import instant

PREFIX, METRICS = "/operator", "/metrics"
BY = "operator"
"""What the journal says stopped or resumed."""
LAST, MOST = 200, 500
_MOST_BYTES = 2_000_000
"""A policy of the largest size that is taken, in JSON."""
_WANTED = 'Send a JSON object such as {"policy": "..."}, with TOML or null. Nothing was changed.'
_NO_SUCH = "There is no such address. Nothing was done."
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Answer = Callable[[Operators, Request], Awaitable[object]]


def with_operators(operators: Operators, token: SecretStr, exposition: Callable[[], bytes], app: ASGIApp) -> ASGIApp:
    """Return an application that serves these addresses, under any host name, and `app` at all others.

    Args:
        exposition: returns all metrics, as Prometheus reads them.
    """

    async def metrics(_: Request) -> Response:
        return Response(exposition(), headers={**_HEADERS, "Content-Type": CONTENT_TYPE_LATEST})

    tenant = f"{PREFIX}/tenants/{{account_id}}"
    routes = [
        Route(METRICS, metrics, methods=["GET"]),
        Route(f"{PREFIX}/tenants", _answering(operators, _tenants), methods=["GET"]),
        Route(f"{tenant}/audit", _answering(operators, _audit), methods=["GET"]),
        Route(f"{tenant}/stop", _answering(operators, _stop), methods=["POST"]),
        Route(f"{tenant}/resume", _answering(operators, _resume), methods=["POST"]),
        Route(f"{tenant}/policy", _answering(operators, _policy), methods=["GET"]),
        Route(f"{tenant}/policy", _answering(operators, _set_policy), methods=["PUT"]),
    ]
    api = Starlette(routes=routes, exception_handlers={404: _no_such, 405: _no_such})
    for_operators = OnlyWith(token, RequestBodyLimitMiddleware(api, _MOST_BYTES))

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        is_for_operators = path in {METRICS, PREFIX} or path.startswith(f"{PREFIX}/")
        await (for_operators if is_for_operators else app)(scope, receive, send)

    return by_path


class _Refused(Exception):  # noqa: N818  a state
    """A wrong request. The text says what is wrong with it."""


def _answering(operators: Operators, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        try:
            return _json(200, await answer(operators, request))
        except NoTenant as error:
            return _json(404, {"error": str(error)})
        except PolicyError as error:
            return _json(422, {"error": str(error), "faults": error.faults})
        except _Refused as error:
            return _json(400, {"error": str(error)})
        except (DatabaseAway, GuardError) as error:
            return _json(503, {"error": str(error)})

    return answered


async def _tenants(operators: Operators, request: Request) -> object:
    after = request.query_params.get("after", "")
    if not re.fullmatch(rf"({ACCOUNT_ID})?", after, re.ASCII):
        raise _Refused("after: must be the id of an account")
    tenants, has_more = await operators.tenants(after)
    return {"tenants": [asdict(tenant) for tenant in tenants], "has_more": has_more}


async def _audit(operators: Operators, request: Request) -> object:
    given = request.query_params
    try:
        since = instant(given.get("since"), datetime.now(UTC), None)
    except ValueError as error:
        raise _Refused(f"since: {error}") from None
    last = given.get("last", str(LAST))
    if not (last.isascii() and last.isdigit() and len(last) < 5 and 1 <= int(last) <= MOST):
        raise _Refused(f"last: must be a number from 1 to {MOST:,}")
    entries, has_more = await operators.audit(request.path_params["account_id"], int(last), since)
    return {"entries": entries, "has_more": has_more}


async def _stop(operators: Operators, request: Request) -> object:
    return asdict(await operators.stop(request.path_params["account_id"], BY))


async def _resume(operators: Operators, request: Request) -> object:
    return asdict(await operators.resume(request.path_params["account_id"], BY))


async def _policy(operators: Operators, request: Request) -> object:
    return {"policy": await operators.policy(request.path_params["account_id"])}


async def _set_policy(operators: Operators, request: Request) -> object:
    try:
        given = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise _Refused(_WANTED) from None
    if not isinstance(given, dict) or given.keys() != {"policy"}:
        raise _Refused(_WANTED)
    policy = cast("dict[str, object]", given)["policy"]
    if not isinstance(policy, str | None) or not _is_text(policy or ""):
        raise _Refused(_WANTED)
    await operators.set_policy(request.path_params["account_id"], policy)
    return {"policy": policy}


def _is_text(given: str) -> bool:
    """Return whether a database can keep it: JSON can name halves of characters."""
    return "\0" not in given and given.encode(errors="replace").decode() == given


async def _no_such(_: Request, __: Exception) -> Response:
    return _json(404, {"error": _NO_SUCH})


def _json(status: int, content: Any) -> Response:
    text = json.dumps(content, default=_as_text)
    return Response(text, status, {**_HEADERS, "Content-Type": "application/json"})


def _as_text(given: object) -> str:
    return given.isoformat() if isinstance(given, datetime) else repr(given)  # bytes, written by another process
