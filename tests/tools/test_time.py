"""No call lasts as long as RingCentral likes: what reads is given up, what changes says that it may have happened."""

import anyio
import pytest
from mcp import Client

from rc_mcp.tools import tools_for
from tests.desk import Desk, Era, refused

pytestmark = pytest.mark.anyio


async def required(client: Client, tool: str) -> list[str]:
    """The arguments that a call of it cannot leave out: ids of messages."""
    schemas = {t.name: t.input_schema for t in (await client.list_tools()).tools}
    return schemas[tool].get("required", [])


@pytest.mark.parametrize("tool", [tool.name for tool in tools_for("read")])
@pytest.mark.usefixtures("a_short_call")
async def test_a_read_that_takes_too_long_is_given_up_and_said_to_be(desk: Desk, era: Era, tool: str) -> None:
    desk.faults.hang("GET")
    async with desk.client(era) as client:
        needed = dict.fromkeys(await required(client, tool), "1")
        with anyio.fail_after(10):
            said = await refused(client, tool, **needed)
    assert "was given up. Ask for less" in said
    assert "Nothing was deleted or changed" in said


@pytest.mark.usefixtures("a_short_call")
async def test_an_update_that_takes_too_long_does_not_claim_that_nothing_changed(desk: Desk) -> None:
    desk.faults.hang("PUT")
    async with desk.client() as client:
        with anyio.fail_after(10):
            said = await refused(client, "update_message", message_id=["1"], read_status="Read")
    assert "unknown" in said
    assert "Nothing was changed" not in said
