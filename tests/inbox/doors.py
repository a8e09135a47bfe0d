"""Both doors to the inbox page: a client that shows apps, and the requests of the page in a browser."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2 as httpx
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.extension import ClientExtension
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, Implementation

from rc_mcp.inbox.app import META_KEY, PREFIX
from rc_mcp.inbox.browser import HOST, SESSION_HEADER, Keys, application
from rc_mcp.inbox.desk import Desk as InboxDesk
from rc_mcp.session import MailboxSession
from rc_mcp.wiring import transcriber_for
from tests.desk import Answer, Desk, Era

PORT = 4321
OWN = f"http://{HOST}:{PORT}"


class ShowsApps(ClientExtension):
    """A host that shows MCP Apps."""

    identifier = EXTENSION_ID

    def settings(self) -> dict[str, Any]:
        return {"mimeTypes": [APP_MIME_TYPE]}


@asynccontextmanager
async def app_client(
    desk: Desk, era: Era = "auto", *, name: str = "Claude", answer: Answer | None = None, **variables: str
) -> AsyncGenerator[Client]:
    """Yield a client that shows apps; with `answer` it can also ask its user."""

    async def ask(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(answer, ElicitResult)
        return answer

    async with Client(
        desk.server(**variables),
        mode=era,
        extensions=[ShowsApps()],
        client_info=Implementation(name=name, version="1"),
        elicitation_callback=ask if answer else None,
    ) as client:
        yield client


async def page_calls(client: Client, operation: str, **given: object) -> dict[str, Any]:
    """Call an operation as the page does inside an app; it should succeed."""
    result = await client.call_tool(f"{PREFIX}{operation}", given)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def secret_of(result: CallToolResult) -> str | None:
    """Return the secret that came with an answer."""
    proof: dict[str, str] = (result.meta or {}).get(META_KEY, {})
    return proof.get("secret")


@dataclass
class Page:
    """The page in a browser: what it sends, and what it gets."""

    http: httpx.AsyncClient
    keys: Keys
    headers: dict[str, str] = field(
        default_factory=lambda: {"Host": f"{HOST}:{PORT}", "Origin": OWN, "Content-Type": "application/json"}
    )

    async def open(self) -> None:
        """Open a session with a new key."""
        answer = await self.post("/session", {"key": self.keys.new()})
        self.headers[SESSION_HEADER] = answer.json()["session"]

    async def post(self, path: str, given: object, **headers: str | None) -> httpx.Response:
        """Send a request; `headers` replace or, with None, leave out those of the page."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        lower = {name.lower(): value for name, value in {**self.headers, **changed}.items()}
        sent = {name: value for name, value in lower.items() if value is not None}
        return await self.http.post(f"{OWN}{path}", content=json.dumps(given), headers=sent)

    async def call(self, operation: str, **given: object) -> dict[str, Any]:
        """Call an operation that should succeed."""
        answer = await self.post(f"/api/{operation}", given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, operation: str, **given: object) -> str:
        """Call an operation that should fail; return the error's sentence."""
        answer = await self.post(f"/api/{operation}", given)
        assert answer.status_code == 409, answer.text
        return answer.json()["error"]


@asynccontextmanager
async def browser(desk: Desk, **variables: str) -> AsyncGenerator[Page]:
    """Yield the page in the browser of this mailbox's user, with an open session."""
    settings = desk.settings(**variables)
    async with desk.guard(**variables) as guard:
        session = MailboxSession(guard.client, guard, settings.extensions, settings.download_dir)
        session = replace(session, transcriber=transcriber_for(settings))
        inbox, keys = InboxDesk(session, settings.access, "browser"), Keys()
        transport = httpx.ASGITransport(app=application(inbox, keys, PORT))
        async with httpx.AsyncClient(transport=transport) as http:
            page = Page(http, keys)
            await page.open()
            yield page
        inbox.close()
