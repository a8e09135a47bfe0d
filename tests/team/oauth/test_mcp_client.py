"""The SDK's own client logs in by itself: with its document, and by registering."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp.types import TextContent
from pydantic import AnyUrl

from rc_mcp.team.people import principal_of
from tests.desk import Clock
from tests.team.oauth.documents import Documents
from tests.team.oauth.site import Browser, Site

pytestmark = [pytest.mark.anyio, pytest.mark.process]

CALLBACK = "http://127.0.0.1:33418/callback"


@dataclass
class Stored:
    """What the client keeps."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class Desktop:
    """A program with the SDK's client, and the browser that it opens."""

    site: Site
    browser: Browser
    document: str | None
    stored: Stored = field(default_factory=Stored)
    opened: list[str] = field(default_factory=list[str])

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Client]:
        """Yield the client, which logs in on its first request if it must."""

        async def open_browser(address: str) -> None:
            self.opened.append(address)

        async def answer() -> AuthorizationCodeResult:
            return AuthorizationCodeResult(**await self.browser.log_in(self.opened[-1]))

        login = OAuthClientProvider(
            self.site.resource,
            OAuthClientMetadata(client_name="Desktop", redirect_uris=[AnyUrl(CALLBACK)]),
            self.stored,
            open_browser,
            answer,
            client_metadata_url=self.document,
        )
        async with (
            httpx.AsyncClient(auth=login, timeout=10) as http,
            Client(streamable_http_client(self.site.resource, http_client=http)) as client,
        ):
            yield client


@pytest.fixture(params=["document", "registration"])
def desktop(request: pytest.FixtureRequest, site: Site, browser: Browser, documents: Documents) -> Desktop:
    """A program of either kind."""
    url = documents.publish("desktop", redirect_uris=["http://127.0.0.1/callback"])
    return Desktop(site, browser, url if request.param == "document" else None)


async def test_it_logs_in_and_calls_a_tool(desktop: Desktop) -> None:
    async with desktop.connected() as client:
        result = await client.call_tool("whoami", {})

    emulator = desktop.site.emulator
    own = principal_of(emulator.server_url, emulator.account_id, desktop.site.user().extension_id)
    assert isinstance(result.content[0], TextContent)
    assert result.content[0].text == own
    assert desktop.stored.client
    assert (desktop.stored.client.client_id == desktop.document) == (desktop.document is not None)


async def test_it_renews_its_tokens_without_the_person(desktop: Desktop, clock: Clock) -> None:
    async with desktop.connected() as client:
        await client.call_tool("whoami", {})
    first = desktop.stored.tokens
    assert first
    desktop.stored.tokens = first.model_copy(update={"expires_in": -1})

    async with desktop.connected() as client:
        assert not (await client.call_tool("whoami", {})).is_error

    assert desktop.stored.tokens != first
    assert len(desktop.opened) == 1


async def test_it_logs_in_again_once_the_login_is_over(desktop: Desktop) -> None:
    async with desktop.connected() as client:
        await client.call_tool("whoami", {})
        assert desktop.stored.tokens
        token = await desktop.site.server.verify_token(desktop.stored.tokens.access_token)
        assert token
        await desktop.site.server.log_out(token.person)

        assert not (await client.call_tool("whoami", {})).is_error
    assert len(desktop.opened) == 2
