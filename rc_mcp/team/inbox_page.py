"""The inbox page of a team: everyone looks at their own mailbox in a browser, and decides about their own plans.

Its address is no secret, and a link to it gives nothing away: the user who opens it logs in at RingCentral, and gets
the page of the person who logged in. The page is a client of our own authorization server, with a name that no
other client can have, so that a token of an assistant is not good for it: no model can press a button.

- Only the browser that began a login can end it: the state that comes back is derived from its cookie.
- The page keeps its token and sends it in a header of its own. It is no cookie: a browser would send that with requests
  that other pages make.
- The Origin and, where the browser sends it, Sec-Fetch-Site must be those of the page itself.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cache
from typing import Protocol

from mcp.server.auth.provider import TokenError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from rc_mcp.inbox.browser import PAGE_HEADERS, SESSION_HEADER, carried_out, error_answer, json_object, not_from_page
from rc_mcp.inbox.desk import Desk
from rc_mcp.inbox.operations import WRONG
from rc_mcp.inbox.page import content_security_policy, html
from rc_mcp.team.oauth.authorization_server import AuthorizationServer
from rc_mcp.team.oauth.browser import Browsers, new_secret
from rc_mcp.team.oauth.login_attempts import Asked
from rc_mcp.team.oauth.pages import error_page
from rc_mcp.team.sessions import NoSession, Sessions

PATH = "/inbox"
LOGIN = f"{PATH}/login"
CLIENT_ID = "inbox"
"""Other clients have a UUID or an https address."""
OVER = "This login is over, or began in another browser. Open the inbox again."
NOT_SHOWN = "You did not log in, so the inbox is not shown."
LOGGED_OUT = "You are logged out. Reload this page to log in."

_FOR_A_TEAM = {
    '!stopped && tool("Stop deletions", () => stopOrResume("stop")),': "",
    "Deletions are stopped until rc-mcp resume, or the button in the browser, allows them again.": (
        "The operator has stopped all deletions."
    ),
}
"""What the page does otherwise where only operators stop deletes, because that is for everyone."""
_IN_A_BROWSER = {
    **_FOR_A_TEAM,
    "Run rc-mcp inbox in a terminal to open a new page.": "Reload this page to log in.",
    "The server was started again, so the session of this page has ended. ${RUN_INBOX}": LOGGED_OUT,
    "This page opens only through a link from rc-mcp. ${RUN_INBOX}": LOGGED_OUT,
    'post("/session", { key })': f'post("{PATH}/session", {{ key }})',
    "post(`/api/${operation}`, args)": f"post(`{PATH}/api/${{operation}}`, args)",
    'if (response.status === 401) throw new Problem(ENDED, "ever");': (
        'if (response.status === 401) { sessionStorage.removeItem(STORED); throw new Problem(ENDED, "ever"); }'
    ),
    'if (!key && !stored) throw new Problem(NO_KEY, "ever");': (
        f'if (!key && !stored) {{ location.replace("{LOGIN}"); await new Promise(() => {{}}); }}'
    ),
}
"""What the page does otherwise when people log in for it."""


class DeskOf(Protocol):
    """Finds what the operations of the page share for one person, whose session is open."""

    def __call__(self, person_id: str, /) -> Desk: ...


@cache
def page() -> str:
    """Return the page in a browser."""
    return _changed(_IN_A_BROWSER)


@cache
def page_in_app(public_url: str) -> str:
    """Return the page inside an assistant's app."""
    here = "Run rc-mcp inbox in a terminal: its page opens this file."
    return _changed({**_FOR_A_TEAM, here: f"Open {public_url}{PATH} in a browser: the page there opens this file."})


def _changed(changes: Mapping[str, str]) -> str:
    made = html()
    for here, there in changes.items():
        if made.count(here) != 1:
            raise AssertionError(f"the page has changed: {here}")
        made = made.replace(here, there)
    return made


def inbox_routes(server: AuthorizationServer, sessions: Sessions, desk_of: DeskOf) -> list[BaseRoute]:
    """Return the addresses of the page."""
    inbox = _Inbox(server, sessions, desk_of)
    return [
        Route(PATH, inbox.shown, methods=["GET"]),
        Route(LOGIN, inbox.login, methods=["GET"]),
        Route(f"{PATH}/session", inbox.opened, methods=["POST"]),
        Route(f"{PATH}/api/{{operation}}", inbox.called, methods=["POST"]),
    ]


class _Inbox:
    def __init__(self, server: AuthorizationServer, sessions: Sessions, desk_of: DeskOf) -> None:
        self._server = server
        self._sessions = sessions
        self._desk_of = desk_of
        self._browsers = Browsers(server.addresses.is_https)
        self._origin = server.addresses.public_url

    async def shown(self, _: Request) -> Response:
        """Show the page, which is the same for everyone and has no messages."""
        policy = {"Content-Security-Policy": content_security_policy(page())}
        return Response(page(), media_type="text/html", headers={**PAGE_HEADERS, **policy})

    async def login(self, request: Request) -> Response:
        """Lead the browser to RingCentral's login; take the answer, and give the page its code."""
        given, browser = request.query_params, self._browsers.secret(request)
        if not given.keys() & {"code", "error"}:
            return await self._begun(browser or new_secret())
        if browser is None or not hmac.compare_digest(given.get("state", "").encode(), _state_of(browser).encode()):
            return error_page(OVER)
        if "code" not in given:
            return error_page(given.get("error_description") or NOT_SHOWN)
        return _redirect(f"{self._origin}{PATH}#{given['code']}")  # browsers send nothing after the # to any server

    async def _begun(self, browser: str) -> Response:
        asked = Asked(
            client_id=CLIENT_ID,
            client_name="The inbox page of this server",
            redirect_uri=f"{self._origin}{LOGIN}",
            names_redirect_uri=True,
            state=_state_of(browser),
            code_challenge=_challenge_of(browser),
        )
        answer = _redirect(await self._server.begin_login(asked, browser))
        self._browsers.remember(answer, browser)
        return answer

    async def opened(self, request: Request) -> Response:
        """Exchange the code of a login for the token of the page. It works once, in the browser that logged in."""
        given = await self._asked(request)
        if isinstance(given, Response):
            return given
        key, browser = given.get("key"), self._browsers.secret(request)
        code = await self._server.grants.code(key, CLIENT_ID) if isinstance(key, str) and browser else None
        if code is None or code.code_challenge != _challenge_of(browser or ""):
            return error_answer(LOGGED_OUT, 403)
        try:
            tokens = await self._server.grants.exchange(code)
        except TokenError:
            return error_answer(LOGGED_OUT, 403)
        return JSONResponse({"session": tokens.access_token}, headers=PAGE_HEADERS)

    async def called(self, request: Request) -> Response:
        """Carry out an operation of the page for the person who logged in."""
        given = await self._asked(request)
        if isinstance(given, Response):
            return given
        token = await self._server.verify_token(request.headers.get(SESSION_HEADER, ""))
        if token is None or token.client_id != CLIENT_ID or token.subject is None:
            return error_answer(LOGGED_OUT, 401)
        try:
            async with self._sessions.of(token.subject):
                answer = await carried_out(self._desk_of(token.subject), request.path_params["operation"], given)
                answer.headers.update(PAGE_HEADERS)
                return answer
        except NoSession as error:
            return error_answer(str(error), 503)

    async def _asked(self, request: Request) -> dict[str, object] | Response:
        """Return the JSON that the page itself sent, or the refusal of another request."""
        if refusal := not_from_page(request.headers, self._origin):
            return refusal
        given = await json_object(request.receive)
        return error_answer(WRONG, 400) if given is None else given


def _redirect(url: str) -> Response:
    return RedirectResponse(url, 302, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _state_of(browser: str) -> str:
    return _derived("state", browser)


def _challenge_of(browser: str) -> str:
    """Return the challenge (S256) of the secret that only this browser has."""
    return _derived("", _derived("verifier", browser))


def _derived(purpose: str, secret: str) -> str:
    digest = hashlib.sha256(f"{purpose and f'inbox {purpose} '}{secret}".encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
