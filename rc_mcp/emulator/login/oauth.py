"""The token endpoint: exchanges a JWT, a code or a refresh token for tokens, and revokes tokens."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response

from rc_mcp.emulator.dates import SECOND_MS
from rc_mcp.emulator.errors import (
    ApiError,
    Json,
    authorization_malformed,
    authorization_missing,
    oauth_error,
    unsupported_media_type,
)
from rc_mcp.emulator.login.authorization_codes import Codes
from rc_mcp.emulator.login.identity import Account, User
from rc_mcp.emulator.login.sessions import Session, Sessions, Terms
from rc_mcp.emulator.operations.operation import content_type, json_response

_ACCESS_TTL_DEFAULT_S = 3_600
_ACCESS_TTL_LEAST_S = 600
_REFRESH_TTL_DEFAULT_S = 604_800
_REFRESH_TTL_MOST_S = 2_592_000


@dataclass(frozen=True)
class OAuthCall:
    """One request to the OAuth service, with the state that it needs."""

    method: str
    query: QueryParams
    headers: Headers
    form: dict[str, str]
    account: Account
    sessions: Sessions
    codes: Codes


def issue_token(call: OAuthCall) -> Response:
    grant = call.form.get("grant_type", "")
    if not grant:
        raise invalid_request("grant_type")
    if grant not in _GRANTS:
        text = f"The client is unauthorized for the required grant type: [{grant}]"
        raise oauth_error("unsupported_grant_type", "OAU-112", text)
    return _answer(_GRANTS[grant](call), call)


def revoke_token(call: OAuthCall) -> Response:
    """End the whole session. As in RFC 7009, an unknown token is not an error."""
    _check_client(call, secret_needed=False)
    token = call.form.get("token") or call.query.get("token")
    if not token:
        raise invalid_request("token")
    call.sessions.end(token)
    return Response(status_code=200)


def authenticate(request: Request, sessions: Sessions) -> Session:
    """Return the session of a request's bearer token, which may also be a query parameter."""
    header = request.headers.get("authorization")
    if header is None:
        if token := request.query_params.get("access_token"):
            return sessions.check(token)
        raise authorization_missing()
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise authorization_malformed()
    return sessions.check(token.strip())


def user_concerned(call: OAuthCall) -> User | None:
    """Return the user whose limit counts a request, whether or not its credentials are valid."""
    grant = call.codes.grant(call.form.get("code"))
    token = call.form.get("refresh_token") or call.form.get("token") or call.query.get("token")
    return (
        call.account.user_by_jwt(call.form.get("assertion"))
        or call.account.user_by_name(call.form.get("username"))
        or (grant and grant.user)
        or call.sessions.user(token)
    )


def read_form(request: Request, body: bytes) -> dict[str, str]:
    """Return the fields of a POST. A revocation may have none, because its token can be in the query."""
    if request.method != "POST" or not body:
        return {}
    if content_type(request.headers) != "application/x-www-form-urlencoded":
        raise unsupported_media_type()
    return once_each(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def once_each(pairs: list[tuple[str, str]]) -> dict[str, str]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise oauth_error("invalid_request", "OAU-111", "Request parameter duplication detected")
    return dict(pairs)


def invalid_request(name: str) -> ApiError:
    return oauth_error("invalid_request", "CMN-101", f"Parameter [{name}] value is invalid")


def _by_jwt(call: OAuthCall) -> Session:
    _check_client(call, secret_needed=True)
    terms, user = _terms(call.form), call.account.user_by_jwt(call.form.get("assertion"))
    if user is None:
        # The error code for a wrong JWT is not documented. OAuth defines `invalid_grant`, and 400 is the only declared
        # status.
        raise oauth_error("invalid_grant", "OAU-140", "Invalid resource owner credentials")
    return call.sessions.start(user, terms)


def _by_code(call: OAuthCall) -> Session:
    code = call.form.get("code", "")
    known = call.codes.grant(code)
    # The app must prove its identity by its secret or by the verifier.
    _check_client(call, secret_needed=known is not None and known.challenge is None)
    terms = _terms(call.form)
    grant = call.codes.redeem(code, call.form.get("redirect_uri"), call.form.get("code_verifier"))
    return call.sessions.start(grant.user, terms)


def _by_refresh_token(call: OAuthCall) -> Session:
    _check_client(call, secret_needed=False)
    return call.sessions.refresh(call.form.get("refresh_token", ""), _terms(call.form))


_GRANTS: dict[str, Callable[[OAuthCall], Session]] = {
    "urn:ietf:params:oauth:grant-type:jwt-bearer": _by_jwt,
    "authorization_code": _by_code,
    "refresh_token": _by_refresh_token,
}


def _answer(session: Session, call: OAuthCall) -> Response:
    # The remaining lifetime: a refresh during the grace period returns tokens that were issued earlier.
    spent_s = (call.sessions.now_ms() - session.issued_ms) // SECOND_MS
    body: Json = {
        "access_token": session.access_token,
        "token_type": "bearer",
        "expires_in": max(0, session.terms.access_ttl_s - spent_s),
        # A requested `scope` is ignored: the answer always lists all permissions of the app.
        "scope": call.account.scope,
        "owner_id": session.user.extension_id,
        "endpoint_id": session.endpoint_id,
        "session_id": session.id,
    }
    if session.refresh_token is not None:
        body["refresh_token"] = session.refresh_token
        body["refresh_token_expires_in"] = max(0, session.terms.refresh_ttl_s - spent_s)
    response = json_response(body)
    response.headers["Cache-Control"] = "no-store"
    return response


def _terms(form: dict[str, str]) -> Terms:
    """Return the requested lifetimes. As in RingCentral's guide, a lifetime out of range is changed, not refused."""
    access_ttl_s = _seconds(form, "access_token_ttl", _ACCESS_TTL_DEFAULT_S)
    refresh_ttl_s = _seconds(form, "refresh_token_ttl", _REFRESH_TTL_DEFAULT_S)
    return Terms(
        access_ttl_s=min(max(access_ttl_s, _ACCESS_TTL_LEAST_S), _ACCESS_TTL_DEFAULT_S),
        # In the guide, the default is also the maximum and the fallback. The specification has a higher maximum; above
        # it, the fallback is the guide's. Zero or less means no refresh token, as an older edition says.
        refresh_ttl_s=refresh_ttl_s if refresh_ttl_s <= _REFRESH_TTL_MOST_S else _REFRESH_TTL_DEFAULT_S,
        endpoint_id=form.get("endpoint_id") or None,
    )


def _seconds(form: dict[str, str], name: str, default: int) -> int:
    text = form.get(name, str(default))
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        raise invalid_request(name)
    return int(text)


def _check_client(call: OAuthCall, *, secret_needed: bool) -> None:
    """Identify the app by the Basic header, or by `client_id` in the form.

    Apps that cannot keep a secret exchange a code, refresh and revoke with only the id. A JWT needs the secret too.
    """
    if {"client_assertion", "client_assertion_type"} & call.form.keys():
        text = "client_assertion is not emulated; send the client id and secret in the Authorization header"
        raise oauth_error("invalid_client", "OAU-116", text)
    header = call.headers.get("authorization")
    if header is not None:
        client_id, secret = _basic(header)
    else:
        client_id, secret = call.form.get("client_id"), call.form.get("client_secret")
    known = call.account.client_secret
    allowed = {known} if secret_needed or header is not None else {known, None}
    if client_id != call.account.client_id or secret not in allowed:
        # The guide lists 401, but the specification has only 400 here. A client that logs in again after a 401 should
        # not do so after this one.
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
