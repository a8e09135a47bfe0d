"""A person logs in at RingCentral for a client, from the client's address to its tokens."""

import pytest

from rc_mcp.team.oauth.addresses import SCOPE
from tests.team.oauth.site import Browser, McpClient, Site

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def test_a_client_gets_tokens_for_the_person_who_logged_in(site: Site, client: McpClient) -> None:
    tokens = await client.logged_in()

    assert tokens["scope"] == SCOPE
    verified = await site.server.verify_token(tokens["access_token"])
    assert verified
    assert verified.person.extension_id == site.user().extension_id
    assert verified.person.account_id == site.emulator.account_id
    assert (verified.subject, verified.resource) == (verified.person.id, site.resource)


async def test_the_answer_carries_state_and_issuer(site: Site, client: McpClient, browser: Browser) -> None:
    answer = await browser.log_in(client.address())

    assert answer == {"code": answer["code"], "state": "of the client", "iss": site.url}
