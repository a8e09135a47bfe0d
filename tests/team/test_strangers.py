"""What a request meets before it is known who sent it."""

import httpx2 as httpx
import pytest
from mcp.server.auth.provider import AccessToken
from starlette.responses import PlainTextResponse

from rc_mcp.team.database import DatabaseAway
from rc_mcp.team.strangers import MOST_BYTES, LittleFromStrangers

pytestmark = pytest.mark.anyio


class Tokens:
    """Knows one token, or is away."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.asked = 0

    async def verify_token(self, token: str) -> AccessToken | None:
        self.asked += 1
        if self.is_away:
            raise DatabaseAway("it is too slow")
        return AccessToken(token=token, client_id="client", scopes=[]) if token == "good" else None


async def posted(tokens: Tokens, token: str, size: int) -> httpx.Response:
    transport = httpx.ASGITransport(app=LittleFromStrangers(tokens, PlainTextResponse("served")))
    async with httpx.AsyncClient(transport=transport, base_url="https://team.test") as http:
        return await http.post("/mcp", headers={"Authorization": f"Bearer {token}"}, content=b" " * size)


@pytest.mark.parametrize(("token", "status"), [("good", 200), ("forged", 413)])
async def test_only_a_person_may_send_much(token: str, status: int) -> None:
    assert (await posted(Tokens(), token, MOST_BYTES + 1)).status_code == status
    assert (await posted(Tokens(), token, MOST_BYTES)).status_code == 200


async def test_a_database_that_is_away_is_asked_once_and_nobody_waits_twice() -> None:
    tokens = Tokens(is_away=True)

    answer = await posted(tokens, "good", 2)

    assert (answer.status_code, tokens.asked) == (503, 1)
    assert "does not answer (it is too slow). Nothing was deleted or changed." in answer.text
