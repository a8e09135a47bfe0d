"""The addresses of the authorization server.

Any web page may use them: the Inspector is one. So no check of the Origin comes before them; the form of the consent
page checks its own.
"""

from collections.abc import Awaitable, Callable

from mcp.server.auth.handlers.metadata import MetadataHandler
from mcp.server.auth.handlers.register import RegistrationHandler
from mcp.server.auth.handlers.token import TokenErrorResponse, TokenHandler
from mcp.server.auth.middleware.client_auth import ClientAuthenticator
from mcp.server.auth.routes import cors_middleware, create_protected_resource_routes
from mcp.server.auth.settings import ClientRegistrationOptions
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, request_response
from starlette.types import ASGIApp

from rc_mcp.team.oauth.addresses import (
    AUTHORIZE,
    CONSENT,
    FROM_RINGCENTRAL,
    LOGOUT,
    METADATA,
    REGISTER,
    REVOKE,
    SCOPE,
    TOKEN,
    web_url,
)
from rc_mcp.team.oauth.authorization_server import AuthorizationServer
from rc_mcp.team.oauth.authorize import LoginInBrowser
from rc_mcp.team.oauth.away import SaysWhenAway
from rc_mcp.team.oauth.logout import Logout

MOST_BYTES = 16_384
"""The body of any request."""
_NOT_KEPT = {"Cache-Control": "no-store"}
_Handler = Callable[[Request], Awaitable[Response]]


def routes(server: AuthorizationServer) -> list[Route]:
    """Return all addresses of the authorization server, and the metadata of the resource that it protects."""
    addresses, browser, logout = server.addresses, LoginInBrowser(server), Logout(server)
    tokens = TokenHandler(server, ClientAuthenticator(server))
    registrations = RegistrationHandler(server, ClientRegistrationOptions(enabled=True))

    async def token(request: Request) -> Response:
        resource = (await request.form()).get("resource")
        if not isinstance(resource, str | None) or not addresses.is_ours(resource):  # the SDK's handler does not look
            wrong = TokenErrorResponse(
                error="invalid_target", error_description=f"resource must be {addresses.resource}"
            )
            return tokens.response(wrong)
        return await tokens.handle(request)

    async def revoke(request: Request) -> Response:
        # The SDK's handler refuses clients without a secret that send none.
        form = await request.form()
        given, client_id = form.get("token"), form.get("client_id")
        if not isinstance(given, str) or not isinstance(client_id, str):
            said = {"error": "invalid_request", "error_description": "token and client_id are required"}
            return JSONResponse(said, 400, _NOT_KEPT)
        await server.end_grant(given, client_id)
        return Response(status_code=200, headers=_NOT_KEPT)

    return [
        Route(
            METADATA, cors_middleware(MetadataHandler(addresses.metadata()).handle, ["GET"]), methods=["GET", "OPTIONS"]
        ),
        *create_protected_resource_routes(
            web_url(addresses.resource), [web_url(addresses.issuer)], [SCOPE], "RingCentral messages"
        ),
        _page(AUTHORIZE, browser.authorize, "GET"),
        _page(CONSENT, browser.consent, "GET"),
        _page(CONSENT, browser.decided, "POST"),
        _page(FROM_RINGCENTRAL, browser.from_ringcentral, "GET"),
        _page(LOGOUT, logout.shown, "GET"),
        _page(LOGOUT, logout.pressed, "POST"),
        _for_programs(TOKEN, token),
        _for_programs(REGISTER, registrations.handle),
        _for_programs(REVOKE, revoke),
    ]


def _page(path: str, handle: _Handler, method: str) -> Route:
    return Route(path, _guarded(handle), methods=[method])


def _for_programs(path: str, handle: _Handler) -> Route:
    app = CORSMiddleware(_guarded(handle), allow_origins=["*"], allow_methods=["POST"], allow_headers=["*"])
    return Route(path, app, methods=["POST", "OPTIONS"])


def _guarded(handle: _Handler) -> ASGIApp:
    return SaysWhenAway(RequestBodyLimitMiddleware(request_response(handle), MOST_BYTES))
