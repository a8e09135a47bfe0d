"""An authorization server with MCP behind it, on a real port, and people with browsers who log in there."""

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from html import unescape
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.login.identity import User
from rc_mcp.emulator.service.serving import address, bound_sockets, serving
from rc_mcp.ringcentral.oauth.token_store import Tokens
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import Logins
from rc_mcp.team.oauth import SCOPE, Addresses, AuthorizationServer, SaysWhenAway, routes
from rc_mcp.team.oauth.addresses import web_url
from rc_mcp.team.oauth.client_documents import ClientDocuments
from rc_mcp.team.oauth.ringcentral_login import RingCentralLogin
from rc_mcp.team.people import Person, principal_of

ELSEWHERE = "https://client.example/callback"
"""Where the answers of most clients here go: a browser of a test does not follow it there."""


class NotedLogins(Logins):
    """Notes each login, so that a test can ask which sessions RingCentral still has."""

    kept: ClassVar[list[Tokens]] = []

    async def keep(self, person: Person, tokens: Tokens) -> None:
        self.kept.append(tokens)
        await super().keep(person, tokens)


@dataclass
class Site:
    """What a person and a client can reach, and what is behind it."""

    url: str
    emulator: Emulator
    server: AuthorizationServer
    database: Database
    keys: KeyRing

    @property
    def logins(self) -> Logins:
        """The people's logins, as another replica has them."""
        app = self.emulator.server_url, self.emulator.client_id, self.emulator.client_secret
        return Logins(self.database, self.keys, *app)

    def replica(self, **given: Any) -> AuthorizationServer:
        """Return another server of the same site, which has seen nothing yet."""
        return authorization_server(self.database, self.keys, self.emulator, self.server.addresses, **given)

    @property
    def resource(self) -> str:
        return f"{self.url}/mcp"

    def user(self, number: int = 0) -> User:
        return self.emulator.users[number]

    def person(self, number: int = 0) -> Person:
        account_id, extension_id = self.emulator.account_id, self.user(number).extension_id
        return Person(principal_of(self.emulator.server_url, account_id, extension_id), account_id, extension_id)

    async def log_out(self, number: int) -> None:
        """End what other tests began for this person."""
        await self.server.log_out(self.person(number))

    def sessions(self, number: int) -> int:
        """Return how many sessions a person has at RingCentral."""
        whose = [self.emulator.sessions.user(tokens.access_token) for tokens in NotedLogins.kept]
        return whose.count(self.user(number))

    @asynccontextmanager
    async def client(self, redirect_uri: str = ELSEWHERE, **metadata: object) -> AsyncGenerator["McpClient"]:
        """Yield a client that registered."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            asked = {"client_name": "Test client", "redirect_uris": [redirect_uri], **metadata}
            answer = await http.post("/register", json=asked)
            assert answer.status_code == 201, answer.text
            yield McpClient(self, http, answer.json()["client_id"], redirect_uri)

    @asynccontextmanager
    async def browser(self) -> AsyncGenerator["Browser"]:
        """Yield a browser of its own."""
        async with httpx.AsyncClient(headers={"Accept": "text/html"}) as http:
            yield Browser(self, http)


@dataclass
class McpClient:
    """A client, as its own code would be without the SDK."""

    site: Site
    http: httpx.AsyncClient
    client_id: str
    redirect_uri: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def address(self, **changed: str | None) -> str:
        """Return the address to open in a browser. None leaves a parameter out."""
        challenge = urlsafe_b64encode(sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": "of the client",
            "scope": SCOPE,
            "resource": self.site.resource,
            **changed,
        }
        sent = {name: value for name, value in asked.items() if value is not None}
        return str(httpx.URL(f"{self.site.url}/authorize", params=sent))

    async def token(self, **form: str) -> httpx.Response:
        """Ask for tokens."""
        return await self.http.post("/token", data={"client_id": self.client_id, **form})

    async def exchange(self, code: str, /, **changed: str) -> httpx.Response:
        """Exchange a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            "resource": self.site.resource,
        }
        return await self.token(**{**form, **changed})

    async def refresh(self, token: str, **changed: str) -> httpx.Response:
        """Use a refresh token."""
        return await self.token(grant_type="refresh_token", refresh_token=token, **changed)

    async def logged_in(self, number: int = 0) -> dict[str, Any]:
        """Log a person in with a browser of their own; return the tokens."""
        async with self.site.browser() as browser:
            answer = await browser.log_in(self.address(), number)
        tokens = await self.exchange(answer["code"])
        assert tokens.status_code == 200, tokens.text
        return tokens.json()


@dataclass
class Browser:
    """A browser that shows pages, and whose user presses what a test says."""

    site: Site
    http: httpx.AsyncClient

    async def log_in(self, address: str, number: int = 0) -> dict[str, str]:
        """Open a client's address, agree, log in at RingCentral; return what the client is sent."""
        return await self.at_ringcentral(await self.agree(address), number)

    async def agree(self, address: str, **pressed: str) -> str:
        """Open a client's address and press a button; return the address that it leads to."""
        page = await self.open(address)
        answer = await self.press(page, **(pressed or {"answer": "allow"}))
        return leads_to(answer)

    async def at_ringcentral(self, address: str, number: int = 0, **pressed: str) -> dict[str, str]:
        """Log in at RingCentral; return what the client is sent."""
        back = await self.back_from_ringcentral(address, number, **pressed)
        return sent_to(await self.http.get(back))

    async def back_from_ringcentral(self, address: str, number: int = 0, **pressed: str) -> str:
        """Log in at RingCentral; return the address that it sends the browser to."""
        page = await self.http.get(address)
        user = self.site.user(number)
        form = {**fields_of(page), **(pressed or {"username": user.username, "password": user.password})}
        answer = await self.http.post(f"{self.site.emulator.server_url}/restapi/oauth/authorize", data=form)
        return answer.headers["location"]

    async def open(self, address: str) -> httpx.Response:
        """Open an address of ours, and follow redirects on the site."""
        page = await self.http.get(address)
        while page.is_redirect and page.headers["location"].startswith("/"):
            page = await self.http.get(f"{self.site.url}{page.headers['location']}")
        return page

    async def press(self, page: httpx.Response, origin: str | None = None, **pressed: str) -> httpx.Response:
        """Press a button of a page of ours."""
        headers = {"Origin": origin or self.site.url}
        return await self.http.post(
            f"{self.site.url}{page.url.path}", data={**fields_of(page), **pressed}, headers=headers
        )


def fields_of(page: httpx.Response) -> dict[str, str]:
    """Return the hidden fields of a page's form."""
    found = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in found}


def leads_to(page: httpx.Response) -> str:
    """Return where a page leads by itself."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', page.text)
    assert found, page.text
    return unescape(found[1])


def sent_to(answer: httpx.Response) -> dict[str, str]:
    """Return what the client is told, by a redirect or by a page that leads there."""
    return parameters_of(answer.headers["location"] if answer.is_redirect else leads_to(answer))


def parameters_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


@asynccontextmanager
async def open_site(
    database: Database, keys: KeyRing, emulator: Emulator, documents: ClientDocuments | None = None, **given: Any
) -> AsyncGenerator[Site]:
    """Yield a server on a port of this machine, `AuthorizationServer(**given)`; several can share a database."""
    with bound_sockets("127.0.0.1", 0) as [bound]:
        url = address(bound)
        addresses = Addresses(url)
        server = authorization_server(database, keys, emulator, addresses, documents=documents, **given)
        mcp = MCPServer("site", token_verifier=server, auth=auth_settings(addresses))
        mcp.add_tool(whoami)
        app = mcp.streamable_http_app(stateless_http=True)
        both = SaysWhenAway(_both(Router(routes(server)), app))
        async with mcp.session_manager.run(), serving({both: bound}):
            yield Site(url, emulator, server, database, keys)


def authorization_server(
    database: Database,
    keys: KeyRing,
    emulator: Emulator,
    addresses: Addresses,
    **given: Any,
) -> AuthorizationServer:
    app = emulator.server_url, emulator.client_id, emulator.client_secret
    login, logins = RingCentralLogin(*app, addresses.redirect_uri), NotedLogins(database, keys, *app)
    return AuthorizationServer(database, keys, addresses, emulator.server_url, login, logins, **given)


def auth_settings(addresses: Addresses) -> AuthSettings:
    return AuthSettings(
        issuer_url=web_url(addresses.issuer),
        resource_server_url=web_url(addresses.resource),
        required_scopes=[SCOPE],
        validate_token_resource=True,
    )


def whoami() -> str:
    """Return whose token it is."""
    token = get_access_token()
    return (token and token.subject) or ""


def _both(oauth: Router, mcp: ASGIApp) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await (mcp if scope["path"] == "/mcp" else oauth)(scope, receive, send)

    return serve
