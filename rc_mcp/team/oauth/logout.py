"""The page on which a person logs out of all apps, and ends their login at RingCentral.

RingCentral says who it is: the page is a client of its own, and the person logs in once more.
"""

import hmac
from hashlib import sha256

from mcp.server.auth.provider import TokenError
from starlette.requests import Request
from starlette.responses import Response

from rc_mcp.team.oauth.addresses import LOGOUT
from rc_mcp.team.oauth.authorization_server import AuthorizationServer
from rc_mcp.team.oauth.browser import Browsers, is_own_page, new_secret
from rc_mcp.team.oauth.login_attempts import Asked
from rc_mcp.team.oauth.pages import error_page, logged_out_page, logout_page, on_the_way

CLIENT_ID = "logout"
"""Other clients have a UUID or an https address."""
NOT_DONE = "This page is over, or began in another browser. Nobody was logged out. Open it again."


class Logout:
    """The handlers of the page."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server
        self._browsers = Browsers(server.addresses.is_https)

    async def shown(self, request: Request) -> Response:
        """Show the page, or take the answer of its login."""
        browser, given = self._browsers.secret(request), request.query_params
        if given.keys() & {"code", "error"}:
            return await self._ended(browser, given.get("state", ""), given.get("code", ""))
        page = logout_page()
        self._browsers.remember(page, browser or new_secret())
        return page

    async def pressed(self, request: Request) -> Response:
        """Lead to RingCentral, which says who it is."""
        browser = self._browsers.secret(request)
        if browser is None or not is_own_page(request, self._server.addresses.public_url):
            return error_page(NOT_DONE)
        asked = Asked(
            client_id=CLIENT_ID,
            redirect_uri=f"{self._server.addresses.public_url}{LOGOUT}",
            names_redirect_uri=True,
            state=_state_of(browser),
            code_challenge="",  # no verifier fits: the code is only taken here
        )
        return on_the_way(await self._server.begin_login(asked, browser))

    async def _ended(self, browser: str | None, state: str, code: str) -> Response:
        if browser is None or not hmac.compare_digest(state.encode(), _state_of(browser).encode()):
            return error_page(NOT_DONE)
        found = await self._server.grants.code(code, CLIENT_ID)
        if found is None:
            return error_page(NOT_DONE)
        try:
            token = await self._server.verify_token((await self._server.grants.exchange(found)).access_token)
        except TokenError:
            token = None
        if token is None:
            return error_page(NOT_DONE)
        grants, is_over = await self._server.log_out(token.person)
        return logged_out_page(grants - 1, is_over=is_over)  # one is of this page


def _state_of(browser: str) -> str:
    return sha256(f"logout {browser}".encode()).hexdigest()
