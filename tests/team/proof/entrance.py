"""How a user of the proof gets in: as an MCP client and a browser would, by plain HTTP.

The client registers itself, opens the authorization address in the user's browser, and gets tokens for the code that
comes back. The browser follows redirects, keeps cookies by host, and fills in the forms that it is shown.
"""

import hashlib
import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from tests.team.proof.practice import Member
from tests.team.proof.talk import Said

REDIRECT = "http://127.0.0.1:33418/callback"
_MOST_PAGES = 12
_MARKUP = re.compile(rb"(?s)<style.*?</style>|<[^>]*>|\\s+")

Send = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Said]]
"""Sends a request of a method to an address, with headers and a body, wherever that is served."""


class NotLetIn(Exception):  # noqa: N818  a state
    """The login ended elsewhere than at the client's address."""


@dataclass
class _Form(HTMLParser):
    """The forms of a page, and their fields."""

    forms: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    onward: str = ""
    """Where a page leads by itself."""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "meta" and (given.get("http-equiv") or "").lower() == "refresh":
            self.onward = (given.get("content") or "").partition("url=")[2]
        elif tag == "form":
            self.forms.append({"action": given.get("action") or "", "method": given.get("method", "get"), "fields": []})
        elif self.forms and tag in {"input", "button"} and given.get("name"):
            self.forms[-1]["fields"].append((tag, given.get("type"), given["name"], given.get("value") or ""))


@dataclass
class Browser:
    """The browser of one user, at one RingCentral user's hands."""

    send: Send
    username: str
    password: str
    cookies: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    visited: list[str] = field(default_factory=list[str])
    """Addresses, newest last: what a thief could read over the user's shoulder."""

    async def open(self, url: str, *, until: str, no: bool = False) -> str:
        """Open an address, log in and agree to everything; return the address that begins with `until`, unopened.

        Args:
            no: refuse where a form allows that.

        Raises:
            NotLetIn: it ended on another page.
        """
        method, body = "GET", b""
        for _ in range(_MOST_PAGES):
            if url.startswith(until):
                return url
            self.visited.append(url)
            said = await self.go(method, url, body)
            if said.status in {301, 302, 303, 307, 308}:
                url, method, body = urljoin(url, said.header("location")), "GET", b""
                continue
            form = _Form()
            form.feed(said.body.decode(errors="replace"))
            if said.status < 400 and form.onward:
                url, method, body = urljoin(url, form.onward), "GET", b""
                continue
            if said.status >= 400 or not form.forms:
                shown = _MARKUP.sub(b" ", said.body)[-300:]
                raise NotLetIn(f"{said.status} {urlsplit(url).path}: {shown!r}")
            method, url, body = self._filled(form.forms, url, no=no)
        raise NotLetIn("too many pages")

    async def go(self, method: str, url: str, body: bytes = b"") -> Said:
        """Send one request, with this browser's cookies."""
        host = urlsplit(url).netloc
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        if jar := self.cookies.get(host):
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if method == "POST":
            headers["content-type"] = "application/x-www-form-urlencoded"
            headers["origin"] = f"{urlsplit(url).scheme}://{host}"
        said = await self.send(method, url, headers, body)
        for name, value in said.headers:
            if name == "set-cookie":
                pair, _, rest = value.partition(";")
                key, _, text = pair.partition("=")
                kept = self.cookies.setdefault(host, {})
                if "max-age=0" in rest.lower().replace(" ", "") or not text.strip('"'):
                    kept.pop(key, None)
                else:
                    kept[key] = text
        return said

    def _filled(self, forms: list[dict[str, Any]], url: str, *, no: bool) -> tuple[str, str, bytes]:
        """Return the request that the first form sends."""
        form = forms[-1] if no and len(forms) > 1 else forms[0]
        known = {"username": self.username, "password": self.password}
        fields = {n: known.get(n, v) for tag, kind, n, v in form["fields"] if tag == "input" and kind != "submit"}
        buttons = [(n, v) for tag, kind, n, v in form["fields"] if tag == "button" or kind == "submit"]
        agreeing = [b for b in buttons if not any(w in "".join(b).lower() for w in ("deny", "cancel", "no", "refuse"))]
        refusing = [b for b in buttons if b not in agreeing]
        fields |= dict((refusing if no else agreeing)[:1])
        return form["method"].upper(), urljoin(url, form["action"]), urlencode(fields).encode()


@dataclass
class Grant:
    """What one login gave a client."""

    code: str
    verifier: str
    state: str
    tokens: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Entrance:
    """The client application that users log in with."""

    public_url: str
    send: Send
    client_id: str = ""

    async def register(self) -> None:
        """Register the client with the authorization server."""
        asked = {
            "client_name": "Proof",
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        }
        headers = {"content-type": "application/json"}
        said = await self.send("POST", f"{self.public_url}/register", headers, json.dumps(asked).encode())
        assert said.status == 201, said
        self.client_id = said.json()["client_id"]

    def browser(self, member: Member) -> Browser:
        return Browser(self.send, member.username, member.password)

    async def ask(self, browser: Browser, *, no: bool = False, resource: str | None = None) -> Grant:
        """Let a user log in and agree; return the code that comes back.

        Raises:
            NotLetIn: they did not.
        """
        grant = self.new_grant()
        back = parse_qs(urlsplit(await browser.open(self.address(grant, resource), until=REDIRECT, no=no)).query)
        if back.get("state") != [grant.state] or "code" not in back:
            raise NotLetIn(str(back.get("error")))
        assert back["iss"] == [self.public_url] or back["iss"] == [f"{self.public_url}/"], back
        grant.code = back["code"][0]
        return grant

    def address(self, grant: Grant, resource: str | None = None) -> str:
        """Return the address that a login begins at."""
        challenge = urlsafe_b64encode(hashlib.sha256(grant.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT,
            "state": grant.state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": resource or f"{self.public_url}/mcp",
        }
        return f"{self.public_url}/authorize?{urlencode(asked)}"

    @staticmethod
    def new_grant() -> "Grant":
        """Return the beginning of a login: the client's own secrets."""
        return Grant("", secrets.token_urlsafe(48), secrets.token_urlsafe(16))

    async def redeem(self, grant: Grant, **other: str) -> Said:
        """Exchange a code for tokens."""
        asked = {
            "grant_type": "authorization_code",
            "code": grant.code,
            "redirect_uri": REDIRECT,
            "code_verifier": grant.verifier,
            "resource": f"{self.public_url}/mcp",
            **other,
        }
        return await self._token(asked)

    async def renew(self, refresh_token: str) -> Said:
        return await self._token({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def revoke(self, token: str) -> Said:
        asked = {"token": token, "client_id": self.client_id}
        return await self._post("/revoke", asked)

    async def let_in(self, member: Member) -> Browser:
        """Log a member in, as many pages and requests as that takes."""
        browser = self.browser(member)
        said = await self.redeem(await self.ask(browser))
        if said.status != 200:
            raise NotLetIn(f"{said.status} at the token endpoint")
        self.take(member, said)
        return browser

    def take(self, member: Member, said: Said) -> None:
        """Give a member the tokens of an answer."""
        tokens = said.json()
        member.access, member.refresh = tokens["access_token"], tokens["refresh_token"]
        member.keep("access", tokens["access_token"])
        member.keep("refresh", tokens["refresh_token"])

    async def _token(self, asked: dict[str, str]) -> Said:
        return await self._post("/token", {"client_id": self.client_id, **asked})

    async def _post(self, path: str, asked: dict[str, str]) -> Said:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self.send("POST", self.public_url + path, headers, urlencode(asked).encode())
