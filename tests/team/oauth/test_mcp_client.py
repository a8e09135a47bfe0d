"""The SDK's own client logs in by itself: with its document, and by registering."""

import pytest
from mcp.types import TextContent

from tests.desk import Clock
from tests.team.oauth.desktop import Desktop
from tests.team.oauth.documents import Documents
from tests.team.oauth.site import Browser, Site

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.fixture(params=["document", "registration"])
def desktop(request: pytest.FixtureRequest, site: Site, browser: Browser, documents: Documents) -> Desktop:
    """A program of either kind."""
    url = documents.publish("desktop", redirect_uris=["http://127.0.0.1/callback"])
    return Desktop(site, browser, url if request.param == "document" else None)


async def test_it_logs_in_and_calls_a_tool(desktop: Desktop) -> None:
    async with desktop.connected() as client:
        result = await client.call_tool("whoami", {})

    assert isinstance(result.content[0], TextContent)
    assert result.content[0].text == desktop.site.person().id
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
