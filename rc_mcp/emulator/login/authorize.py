"""The authorization endpoint: a user logs in on a page, and the app gets a code at its redirect URI.

An error without a safe redirect URI is shown here. Every other error goes to the redirect URI, as OAuth requires.
"""

import re
import secrets

from starlette.responses import Response

from rc_mcp.emulator.errors import ApiError, oauth_error
from rc_mcp.emulator.login.authorization_codes import LIFETIME_S, Challenge, Grant
from rc_mcp.emulator.login.login_page import error_page, login_page
from rc_mcp.emulator.login.oauth import OAuthCall, invalid_request, once_each
from rc_mcp.emulator.login.redirect_uris import redirect_target, with_parameters
from rc_mcp.emulator.operations.operation import error_response

Parameters = dict[str, str]

# RFC 7636, sections 4.1 and 4.2. It is not documented whether RingCentral checks the form.
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def authorize(call: OAuthCall) -> Response:
    """Show the login page, or redirect to the app. The page's form is a POST with a username and a password."""
    try:
        asked = call.form if call.method == "POST" else once_each(call.query.multi_items())
        redirect_uri = _redirect_uri(call, asked)
    except ApiError as error:
        return _shown(call, error)
    try:
        challenge = _challenge(asked)
        _check_interaction(asked)
    except ApiError as error:
        return _back(redirect_uri, asked, error=error.body["error"], error_description=error.body["message"])
    if call.method == "POST" and "cancel" in asked:
        return _back(redirect_uri, asked, error="access_denied", error_description="The user did not log in")
    if call.method == "POST" and "username" in asked:
        return _log_in(call, asked, redirect_uri, challenge)
    return login_page(call.account, asked, redirect_uri)


def _log_in(call: OAuthCall, asked: Parameters, redirect_uri: str, challenge: Challenge | None) -> Response:
    user, password = call.account.user_by_name(asked["username"]), asked.get("password", "")
    if user is None or not secrets.compare_digest(password.encode(), user.password.encode()):
        return login_page(call.account, asked, redirect_uri, wrong=True)
    code = call.codes.issue(Grant(user, asked.get("redirect_uri"), challenge))
    return _back(redirect_uri, asked, code=code, expires_in=str(LIFETIME_S))


def _redirect_uri(call: OAuthCall, asked: Parameters) -> str:
    if asked.get("client_id") != call.account.client_id:
        raise oauth_error("invalid_client", "OAU-146", "Invalid client credentials")
    return redirect_target(asked.get("redirect_uri"), call.account.redirect_uris)


def _challenge(asked: Parameters) -> Challenge | None:
    if asked.get("response_type") != "code":
        text = "Parameter [response_type] value is invalid"
        raise oauth_error("unsupported_response_type", "CMN-101", text)
    text, method = asked.get("code_challenge") or None, asked.get("code_challenge_method") or None
    if method not in {None, "plain", "S256"} or (method and text is None):
        raise invalid_request("code_challenge_method")
    if text is None:
        return None
    if not _CHALLENGE.fullmatch(text):
        raise invalid_request("code_challenge")
    return Challenge(text, "S256" if method == "S256" else "plain")


def _check_interaction(asked: Parameters) -> None:
    """Refuse `prompt=none`: no login is remembered between visits, so a login without the user cannot succeed."""
    prompts = asked.get("prompt", "").split()
    if "none" in prompts and len(prompts) > 1:
        raise invalid_request("prompt")
    if prompts == ["none"]:
        # The specification lists no error for this case; `login_required` is OpenID Connect's.
        raise oauth_error("login_required", "CMN-405", "Login to extension required")


def _back(redirect_uri: str, asked: Parameters, **parameters: str) -> Response:
    if "state" in asked:
        parameters["state"] = asked["state"]
    headers = {"Location": with_parameters(redirect_uri, parameters), "Cache-Control": "no-store"}
    return Response(status_code=302, headers=headers)


def _shown(call: OAuthCall, error: ApiError) -> Response:
    """Show the error as a page if the client accepts HTML; otherwise as the specification's JSON."""
    if "text/html" in call.headers.get("accept", ""):
        return error_page(error.body["message"])
    return error_response(error)
