"""Measures MCP messages and requests to RingCentral as they pass, and completes the SDK's spans.

A client may name a tool, a prompt or a method as it likes, and a resource by the id of a message. So only words that
this server knows become attributes.
"""

import re
from collections.abc import Mapping
from functools import cache
from time import perf_counter
from typing import Any, get_args

import httpx2 as httpx
from anyio import get_cancelled_exc_class
from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.types import INVALID_PARAMS, CallToolResult
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from opentelemetry.trace import get_current_span
from pydantic import ValidationError

from rc_mcp.inbox.app import OPEN, PREFIX
from rc_mcp.inbox.operations import OPERATIONS
from rc_mcp.prompts import load_prompts
from rc_mcp.resources import TEMPLATES
from rc_mcp.team.measures import GROUPS, OTHER, changes, known, operations, requests
from rc_mcp.tools import PERMISSIONS
from rc_mcp.views.changes import Status
from rc_mcp.views.messages import mailbox_uri

METHODS = SPEC_CLIENT_METHODS | SPEC_CLIENT_NOTIFICATION_METHODS
TOOLS = frozenset({*PERMISSIONS, OPEN, *(f"{PREFIX}{operation}" for operation in OPERATIONS)})
STATUSES = frozenset(get_args(Status))
VERSIONS = frozenset(KNOWN_PROTOCOL_VERSIONS)
TRANSPORT = "tcp"
HTTP_VERSIONS = frozenset({"1.0", "1.1", "2", "3"})


class Measuring(ServerMiddleware[Any]):
    """Middleware that measures each MCP message, and completes the SDK's span for it.

    It belongs right inside the SDK's own middleware for traces: `server.middleware.insert(1, Measuring())`.
    """

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        attributes = described(ctx)
        began = perf_counter()
        try:
            result = await call_next(ctx)
        except MCPError as error:
            attributes |= _failed_with(str(error.error.code))
            raise
        except ValidationError:
            attributes |= _failed_with(str(INVALID_PARAMS))
            raise
        except get_cancelled_exc_class():
            attributes["error.type"] = "cancelled"
            raise
        except Exception as error:
            attributes["error.type"] = type(error).__qualname__
            raise
        else:
            attributes |= _outcome(ctx.method, attributes.get("gen_ai.tool.name"), result)
            return result
        finally:
            operations.record(perf_counter() - began, attributes)
            uri = (ctx.params or {}).get("uri")
            span = get_current_span()
            span.set_attributes(attributes)
            if isinstance(uri, str):
                span.set_attribute("mcp.resource.uri", form_of(uri))


def described(ctx: ServerRequestContext[Any, Any]) -> dict[str, str]:
    """Return what the conventions say about a message, before it is answered."""
    version = str(getattr(ctx.request, "scope", {}).get("http_version"))
    attributes = {
        "mcp.method.name": known(ctx.method, METHODS),
        "mcp.protocol.version": known(ctx.protocol_version, VERSIONS),
        "network.transport": TRANSPORT,
        "network.protocol.name": "http",
        "network.protocol.version": known(version, HTTP_VERSIONS),
    }
    if ctx.method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
        attributes["gen_ai.tool.name"] = known((ctx.params or {}).get("name"), TOOLS)
    elif ctx.method == "prompts/get":
        attributes["gen_ai.prompt.name"] = known((ctx.params or {}).get("name"), prompt_names())
    return attributes


@cache
def prompt_names() -> frozenset[str]:
    return frozenset(prompt.name for prompt in load_prompts())


class MeasuredTransport(httpx.AsyncBaseTransport):
    """A transport that measures each request to RingCentral."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "server.address": request.url.host,
            "server.port": request.url.port or (443 if request.url.scheme == "https" else 80),
        }
        began = perf_counter()
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            attributes["error.type"] = type(error).__qualname__
            raise
        else:
            attributes["http.response.status_code"] = response.status_code
            attributes["rc_mcp.rate_limit.group"] = known(
                response.headers.get("x-rate-limit-group", "").strip().lower(), GROUPS
            )
            if response.status_code >= 400:
                attributes["error.type"] = str(response.status_code)
            return response
        finally:
            requests.record(perf_counter() - began, attributes)

    async def aclose(self) -> None:
        await self._transport.aclose()


def _failed_with(code: str) -> dict[str, str]:
    return {"error.type": code, "rpc.response.status_code": code}


def _outcome(method: str, tool: str | None, result: HandlerResult) -> dict[str, str]:
    """Return how a call of a tool ended, and count it if it was a change."""
    if method != "tools/call":
        return {}
    match result:
        case CallToolResult(is_error=True) | {"isError": True}:
            return {"error.type": "tool_error"}
        case CallToolResult(structured_content={"status": str(status)}):
            pass
        case {"structuredContent": {"status": str(status)}}:
            pass
        case _:
            return {}
    if tool and status in STATUSES:
        changes.add(1, {"gen_ai.tool.name": tool, "rc_mcp.change.status": status})
    return {}


def form_of(uri: str) -> str:
    """Return a resource's address with `{message_id}` and the like in place of ids."""
    return next((form for form, pattern in _forms().items() if pattern.fullmatch(uri)), OTHER)


@cache
def _forms() -> Mapping[str, re.Pattern[str]]:
    forms = (mailbox_uri("{account_id}", "{extension_id}"), *(template.uri_template for template in TEMPLATES))
    return {form: re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(form))) for form in forms}
