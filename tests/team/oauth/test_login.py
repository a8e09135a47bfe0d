"""A person logs in at RingCentral for a client, from the client's address to its tokens."""

import pytest

from rc_mcp.team.oauth.addresses import SCOPE, Addresses
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


@pytest.mark.parametrize("url", ["https://Messages.Example.com", "https://messages.example.com:443/"])
def test_the_issuer_is_written_as_clients_compare_it(url: str) -> None:
    addresses = Addresses(url)

    assert addresses.issuer == str(addresses.metadata().issuer) == "https://messages.example.com"
    assert addresses.is_ours("https://messages.example.com/mcp")


async def test_the_metadata_say_what_claude_and_chatgpt_look_for(site: Site, client: McpClient) -> None:
    said = (await client.http.get("/.well-known/oauth-authorization-server")).json()
    resource = (await client.http.get("/.well-known/oauth-protected-resource/mcp")).json()
    refused = await client.http.post("/mcp", json={})

    assert said["client_id_metadata_document_supported"] is True
    assert said["authorization_response_iss_parameter_supported"] is True
    assert said["token_endpoint_auth_methods_supported"] == ["none"]
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert (resource["resource"], resource["authorization_servers"]) == (site.resource, [said["issuer"]])
    assert said["scopes_supported"] == resource["scopes_supported"] == [SCOPE]
    assert f"{site.url}/.well-known/oauth-protected-resource/mcp" in refused.headers["www-authenticate"]
