"""Tokens as models count them (o200k), for the budgets that tests hold."""

import json
import warnings
from functools import cache
from typing import Any

import httpx2 as httpx
from mcp import Client

from rc_mcp.emulator import Emulator

_PIECE_CHARS = 100_000


def tokens(value: object) -> int:
    """Count the tokens of a text, or of anything else as compact JSON, as sent."""
    text = value if isinstance(value, str) else compact(value)
    return sum(_count(text[at : at + _PIECE_CHARS]) for at in range(0, len(text), _PIECE_CHARS))


def compact(value: object) -> str:
    """The value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def definitions(client: Client) -> list[dict[str, Any]]:
    """The tools as `tools/list` sends them."""
    listed = await client.list_tools()
    return [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed.tools]


async def from_ringcentral(emulator: Emulator, path: str, **query: str) -> str:
    """RingCentral's own answer about the mailbox, as it travels."""
    transport = httpx.ASGITransport(app=emulator.app)
    async with httpx.AsyncClient(transport=transport, base_url=emulator.server_url) as http:
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": emulator.jwt}
        login = await http.post("/restapi/oauth/token", data=grant, auth=(emulator.client_id, emulator.client_secret))
        headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
        answer = await http.get(f"/restapi/v1.0/account/~/extension/~/{path}", params=query, headers=headers)
        return answer.raise_for_status().text


def _count(text: str) -> int:
    # A special token's name in a message is text like any other. A tokenizer rejects a lone surrogate.
    return len(_encoding().encode_ordinary(text.encode("utf-8", "replace").decode()))


@cache
def _encoding() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, on loading
        from bpe_openai import get_encoding  # pyright: ignore[reportMissingTypeStubs]

        return get_encoding("o200k_base")
