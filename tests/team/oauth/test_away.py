"""While the database is away, every address says so, and no token is called wrong."""

from functools import partial
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from rc_mcp import time_limits
from rc_mcp.emulator import Emulator
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from tests.team.oauth.documents import REDIRECT
from tests.team.oauth.site import McpClient, open_site

pytestmark = [pytest.mark.anyio, pytest.mark.process]

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
A_UUID = "6f5902ac-237e-4de7-aac5-0a1b2c3d4e5f"


async def test_every_address_says_that_the_database_is_away(
    emulator: Emulator, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limits, "DATABASE_S", 1.0)
    async with (
        Database(NOWHERE) as database,
        open_site(database, keys, emulator) as site,
        httpx.AsyncClient(base_url=site.url) as http,
    ):
        client = McpClient(site, http, A_UUID, REDIRECT)
        answers: list[httpx.Response] = []

        async def ask(method: str, path: str, **sent: Any) -> None:
            answers.append(await http.request(method, path, **sent))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, "GET", client.address())
                tasks.start_soon(partial(ask, "GET", client.address(), headers={"Accept": "text/html"}))
                tasks.start_soon(partial(ask, "POST", "/register", json={"redirect_uris": [REDIRECT]}))
                tasks.start_soon(partial(ask, "POST", "/revoke", data={"client_id": A_UUID, "token": "x"}))
                code = {"grant_type": "authorization_code", "client_id": A_UUID, "code": "x", "code_verifier": "x"}
                tasks.start_soon(partial(ask, "POST", "/token", data=code))
                tasks.start_soon(partial(ask, "POST", "/mcp", json={}, headers={"Authorization": "Bearer x"}))

    assert [each.status_code for each in answers] == [503] * 6
    assert all("does not answer" in each.text for each in answers)


async def test_the_sdk_s_client_shows_the_sentence(
    emulator: Emulator, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limits, "DATABASE_S", 0.5)
    async with (
        Database(NOWHERE) as database,
        open_site(database, keys, emulator) as site,
        httpx.AsyncClient(headers={"Authorization": "Bearer x"}) as http,
    ):
        said = pytest.RaisesExc(MCPError, match="database does not answer")
        with pytest.RaisesGroup(said, flatten_subgroups=True), anyio.fail_after(60):
            async with Client(streamable_http_client(site.resource, http_client=http)):
                pass
