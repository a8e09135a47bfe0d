"""A program with the SDK's own client, and the browser that it opens."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import httpx2 as httpx
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.team.oauth.site import Site

CALLBACK = "http://127.0.0.1:33418/callback"
"""Nothing listens there: the browser of a test says what it would have been sent."""


class LogsIn(Protocol):
    """A browser, and the person before it."""

    async def log_in(self, address: str) -> dict[str, str]:
        """Log in at this address; return what the client is sent."""
        ...


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
    browser: LogsIn
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
