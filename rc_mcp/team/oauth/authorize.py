"""The steps of a login that happen in a browser: /authorize, the consent page, and RingCentral's answer.

The SDK has a handler for /authorize, which does not do here: its errors carry no `iss` (RFC 9207) and show JSON to
people, and a repeated parameter passes.
"""

import re
from collections.abc import Iterable, Mapping

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rc_mcp.ringcentral import RingCentralError
from rc_mcp.team import measures
from rc_mcp.team.database import DatabaseAway
from rc_mcp.team.oauth.addresses import CONSENT, SCOPE
from rc_mcp.team.oauth.authorization_server import AnotherAccount, AuthorizationServer
from rc_mcp.team.oauth.browser import Browsers, is_own_page, new_secret
from rc_mcp.team.oauth.client import Client, ClientRefused
from rc_mcp.team.oauth.login_attempts import Asked, NoSuchLogin
from rc_mcp.team.oauth.pages import consent_page, error_page, on_the_way, wrong_request_page
from rc_mcp.team.oauth.redirects import with_parameters
from rc_mcp.team.oauth.ringcentral_login import advice_on

OVER = (
    "This login is not known here: it took longer than 10 minutes, was finished before, or began in another browser. "
    "Cookies must be allowed for this page."
)
REPEATED = "A parameter was sent twice."
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_STATE_CHARS = 2_048


class _Refused(Exception):  # noqa: N818  a state
    """A request whose error the client may hear: OAuth's word for it, and a sentence."""

    def __init__(self, error: str, sentence: str) -> None:
        super().__init__(sentence)
        self.error = error


class LoginInBrowser:
    """The handlers of the addresses that a person's browser opens."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server
        self._browsers = Browsers(server.addresses.is_https)

    async def authorize(self, request: Request) -> Response:
        """Check a client's request, and lead to the consent page."""
        try:
            given = _once_each(request.query_params.multi_items())
            client = await self._server.clients.find(given.get("client_id", ""))
            redirect_uri = client.redirect_uri(given.get("redirect_uri"))
        except (ClientRefused, _Refused) as refused:
            return error_page(str(refused))
        try:
            asked = self._asked(client, redirect_uri, given)
        except _Refused as refused:
            state = given.get("state", "")[:_STATE_CHARS] or None
            answer = self._answer(redirect_uri, state, error=refused.error, error_description=str(refused))
            return wrong_request_page(f"The app asked in a wrong way: {refused}.", answer)
        sealed = self._server.attempts.sealed_request(asked)
        return _redirect(f"{CONSENT}?request={sealed}")

    async def consent(self, request: Request) -> Response:
        """Show the consent page."""
        try:
            asked = self._server.attempts.request(request.query_params.get("request", ""))
            client = await self._server.clients.find(asked.client_id)
        except NoSuchLogin:
            return error_page(OVER)
        except ClientRefused as refused:
            return error_page(str(refused))
        browser = self._browsers.secret(request) or new_secret()
        form = self._server.attempts.form(asked, browser)
        page = consent_page(client, asked, form, self._server.addresses)
        self._browsers.remember(page, browser)
        return page

    async def decided(self, request: Request) -> Response:
        """Take the person's decision, and lead to RingCentral or back to the client."""
        browser, form = self._browsers.secret(request), _texts(await request.form())
        if browser is None or not is_own_page(request, self._server.addresses.public_url):
            return error_page(OVER)
        try:
            asked = self._server.attempts.agreed(form.get("request", ""), browser)
        except NoSuchLogin:
            return error_page(OVER)
        if form.get("answer") != "allow":
            return on_the_way(self._answer(asked.redirect_uri, asked.state, error="access_denied"))
        return on_the_way(await self._server.begin_login(asked, browser))

    async def from_ringcentral(self, request: Request) -> Response:
        """Take RingCentral's answer, and lead back to the client with our code."""
        browser, given = self._browsers.secret(request), request.query_params
        try:
            asked, verifier = await self._server.attempts.take(given.get("state", ""), browser)
        except NoSuchLogin:
            return error_page(OVER)
        if "code" not in given:
            said = {"error": "access_denied" if given.get("error") == "access_denied" else "server_error"}
        else:
            try:
                with measures.login():
                    said = {"code": await self._server.end_login(asked, verifier, given["code"])}
            except AnotherAccount as refused:
                said = {"error": "access_denied", "error_description": str(refused)}
            except (RingCentralError, DatabaseAway) as error:
                said = {"error": "temporarily_unavailable", "error_description": advice_on(error)}
        return on_the_way(self._answer(asked.redirect_uri, asked.state, **said))

    def _asked(self, client: Client, redirect_uri: str, given: Mapping[str, str]) -> Asked:
        if given.get("response_type") != "code":
            raise _Refused("unsupported_response_type", "response_type must be code")
        if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
            raise _Refused("invalid_request", "PKCE is required: code_challenge with code_challenge_method S256")
        if not self._server.addresses.is_ours(given.get("resource")):
            raise _Refused("invalid_target", f"resource must be {self._server.addresses.resource}")
        scopes = given.get("scope", SCOPE).split()
        if scopes and SCOPE not in scopes:
            raise _Refused("invalid_scope", f"the scope is {SCOPE}")
        if len(given.get("state", "")) > _STATE_CHARS:
            raise _Refused("invalid_request", f"state has more than {_STATE_CHARS} characters")
        return Asked(
            client_id=client.client_id,
            client_name=client.name,
            redirect_uri=redirect_uri,
            names_redirect_uri="redirect_uri" in given,
            state=given.get("state"),
            code_challenge=given["code_challenge"],
        )

    def _answer(self, redirect_uri: str, state: str | None, **parameters: str) -> str:
        return with_parameters(redirect_uri, **parameters, state=state, iss=self._server.addresses.issuer)


def _redirect(url: str) -> Response:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(url, 302, headers)


def _once_each(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given:
        if name in found:
            raise _Refused("invalid_request", REPEATED)
        found[name] = value
    return found


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
