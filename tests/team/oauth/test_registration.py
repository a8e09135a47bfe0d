"""Dynamic registration, for clients that have no document."""

import json
from datetime import timedelta

import pytest

from rc_mcp.team.oauth import clients
from tests.desk import Clock
from tests.team.oauth.documents import REDIRECT
from tests.team.oauth.site import Browser, McpClient, Site

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def test_a_client_gets_no_secret_even_if_it_asks(client: McpClient) -> None:
    asked = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic", "scope": "a b"}

    answer = (await client.http.post("/register", json=asked)).json()

    assert answer["token_endpoint_auth_method"] == "none"
    assert answer["scope"] == "messages"
    assert "client_secret" not in answer


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uris": ["http://client.example/"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": []},
        {"redirect_uris": [f"https://client.example/{number}" for number in range(21)]},
        {"redirect_uris": [f"https://client.example/{number}{'x' * 2_000}" for number in range(6)]},
        {"client_name": 7},
        {"grant_types": ["client_credentials"]},
    ],
)
async def test_a_bad_registration_is_refused(client: McpClient, changed: dict[str, object]) -> None:
    answer = await client.http.post("/register", json={"redirect_uris": [REDIRECT], **changed})

    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}


async def test_a_long_registration_is_not_read(client: McpClient) -> None:
    assert (await client.http.post("/register", json={"client_name": "x" * 20_000})).status_code == 413


async def test_strange_names_do_no_harm(client: McpClient) -> None:
    for name in ("\0", "\ud800", "x" * 5_000):
        asked = f'{{"redirect_uris": ["{REDIRECT}"], "client_name": {json.dumps(name)}}}'
        answer = await client.http.post("/register", content=asked)
        assert answer.status_code in {201, 400}


async def test_nobody_who_registers_without_end_keeps_others_from_it(
    site: Site, client: McpClient, browser: Browser, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.logged_in()
    monkeypatch.setattr(clients, "MOST_UNUSED", 3)
    asked = {"redirect_uris": [REDIRECT]}

    made: list[str] = []
    for _ in range(5):
        clock.time += timedelta(seconds=1)
        made.append((await client.http.post("/register", json=asked)).json()["client_id"])
    pages = [await browser.http.get(client.address(client_id=each, redirect_uri=REDIRECT)) for each in made]

    assert [page.status_code for page in pages] == [400, 400, 302, 302, 302]
    assert (await browser.http.get(client.address())).status_code == 302
