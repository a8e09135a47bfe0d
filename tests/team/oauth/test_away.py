"""While the database is away, every address says so within two seconds, and no token is called wrong."""

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from tests.team.oauth.site import McpClient, open_site

pytestmark = [pytest.mark.anyio, pytest.mark.process]

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
A_UUID = "6f5902ac-237e-4de7-aac5-0a1b2c3d4e5f"


@pytest.mark.filterwarnings("ignore")
async def test_every_address_answers_503_within_two_seconds() -> None:
    emulator, keys = Emulator(rate_limits=False), KeyRing(["a key of the tests, which has 32 characters"])
    answers: dict[str, httpx.Response] = {}
    with emulator:
        async with (
            Database(NOWHERE) as database,
            open_site(database, keys, emulator) as site,
            httpx.AsyncClient(base_url=site.url) as http,
        ):
            client = McpClient(site, http, A_UUID, "https://client.example/callback")

            async def ask(method: str, path: str, **sent: object) -> None:
                answers[path] = await http.request(method, path, **sent)

            with anyio.fail_after(4):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(ask, "GET", client.address())
