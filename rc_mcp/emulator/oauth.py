"""The token endpoint: logging in with a JWT, refreshing, and ending a session."""

import base64
import binascii
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from rc_mcp.emulator.call import json_response
from rc_mcp.emulator.errors import (
    ApiError,
    Json,
    authorization_malformed,
    authorization_missing,
    oauth_error,
    unsupported_media_type,
)
from rc_mcp.emulator.identity import Identity
from rc_mcp.emulator.sessions import Session, Sessions

_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ACCESS_TTL_S = range(600, 3601)
_REFRESH_TTL_S = range(1, 2_592_001)


def issue_token(request: Request, body: bytes, identity: Identity, sessions: Sessions) -> Response:
    form = _form(request, body)
    grant = form.get("grant_type", "")
    if grant == _JWT_GRANT:
        _check_client(request, form, identity, secret_needed=True)
        return _answer(_log_in(form, identity, sessions), identity)
    if grant == "refresh_token":
        _check_client(request, form, identity, secret_needed=False)
        return _answer(sessions.refresh(form.get("refresh_token", "")), identity)
    if not grant:
        raise _invalid_request("grant_type")
    text = f"The client is unauthorized for the required grant type: [{grant}]"
    raise oauth_error("unsupported_grant_type", "OAU-112", text)


def revoke_token(request: Request, body: bytes, identity: Identity, sessions: Sessions) -> Response:
    """Ends the whole session. As RFC 7009 has it, a token nobody knows is no error."""
    form = _form(request, body) if body else {}
    _check_client(request, form, identity, secret_needed=False)
    token = form.get("token") or request.query_params.get("token")
    if not token:
        raise _invalid_request("token")
    sessions.end(token)
    return Response(status_code=200)


def authenticate(request: Request, sessions: Sessions) -> Session:
    """The session behind a request's bearer token, which may also come as a query parameter."""
    header = request.headers.get("authorization")
    if header is None:
        if token := request.query_params.get("access_token"):
            return sessions.check(token)
        raise authorization_missing()
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise authorization_malformed()
    return sessions.check(token.strip())


def _log_in(form: dict[str, str], identity: Identity, sessions: Sessions) -> Session:
    access_ttl_s = _seconds(form, "access_token_ttl", 3600, _ACCESS_TTL_S)
    refresh_ttl_s = _seconds(form, "refresh_token_ttl", 604_800, _REFRESH_TTL_S)
    if form.get("assertion") != identity.jwt:
        # Which code a wrong JWT gets is not documented. OAuth's own word is certain, and 400 the only status
        # declared.
        raise oauth_error("invalid_grant", "OAU-140", "Invalid resource owner credentials")
    return sessions.start(access_ttl_s, refresh_ttl_s)


def _answer(session: Session, identity: Identity) -> Response:
    body: Json = {
        "access_token": session.access_token,
        "token_type": "bearer",
        "expires_in": session.access_ttl_s,
        "refresh_token": session.refresh_token,
        "refresh_token_expires_in": session.refresh_ttl_s,
        # What is asked for in `scope` is ignored: the answer always names all the app has.
        "scope": identity.scope,
        "owner_id": identity.extension_id,
        "endpoint_id": session.id[:22],
        "session_id": session.id,
    }
    response = json_response(body)
    response.headers["Cache-Control"] = "no-store"
    return response


def _form(request: Request, body: bytes) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise unsupported_media_type()
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    if len({name for name, _ in pairs}) < len(pairs):
        raise oauth_error("invalid_request", "OAU-111", "Request parameter duplication detected")
    return dict(pairs)


def _check_client(request: Request, form: dict[str, str], identity: Identity, *, secret_needed: bool) -> None:
    """Knows the app by the Basic header, or by `client_id` in the form.

    An id without its secret is how apps that cannot keep one refresh and revoke; logging in by JWT takes the
    secret.
    """
    header = request.headers.get("authorization")
    if header is not None:
        client_id, secret = _basic(header)
    else:
        client_id, secret = form.get("client_id"), form.get("client_secret")
    allowed = {identity.client_secret} if secret_needed or header is not None else {identity.client_secret, None}
    if client_id != identity.client_id or secret not in allowed:
        # Listed as 401, though the specification knows only 400 here. A client that logs in again upon 401
        # had better not do so for this one.
        raise oauth_error("invalid_client", "OAU-146", "Invalid client credentials", status=401)


def _basic(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise oauth_error("invalid_client", "OAU-123", f"Invalid Authorization header value: {scheme}", status=401)
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise oauth_error("invalid_client", "OAU-134", "Invalid Authorization header", status=401) from None
    return client_id, secret


def _seconds(form: dict[str, str], name: str, default: int, allowed: range) -> int:
    text = form.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and int(text) in allowed):
        raise _invalid_request(name)
    return int(text)


def _invalid_request(name: str) -> ApiError:
    return oauth_error("invalid_request", "CMN-101", f"Parameter [{name}] value is invalid")
