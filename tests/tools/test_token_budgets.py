"""What our tools cost a model: before the first question, and with each answer."""

import pytest

from tests.desk import Desk, Era
from tests.tokens import definitions, tokens

pytestmark = pytest.mark.anyio

ALL_TOOLS, READING_TOOLS = 4_000, 2_000
ROW = 45
USUAL_ANSWER = 5_000
ANY_ANSWER_TOKENS, ANY_ANSWER_CHARS = 20_000, 45_000
SHARE_OF_RINGCENTRALS = 0.15


async def test_the_definitions_of_all_ten_tools_are_short(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        costs = {tool["name"]: tokens(tool) for tool in await definitions(client)}
    assert sum(costs.values()) <= ALL_TOOLS, costs


async def test_the_definitions_of_the_reading_tools_are_shorter_still(desk: Desk) -> None:
    async with desk.client(RC_MCP_ACCESS="read") as client:
        costs = {tool["name"]: tokens(tool) for tool in await definitions(client)}
    assert sum(costs.values()) <= READING_TOOLS, costs
