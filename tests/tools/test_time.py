"""Slow answers from RingCentral: reads are given up, and changes report that they may have happened."""

import anyio
import pytest

from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.tools import tools_for
from rc_mcp.views.changes import MAYBE_CHANGED
from tests.desk import Desk, Era, refused
from tests.suites.calls import calls_of_every_tool

CALLS = calls_of_every_tool()

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("tool", [tool.name for tool in tools_for("read")])
@pytest.mark.usefixtures("a_short_call")
async def test_a_read_that_takes_too_long_is_given_up_and_said_to_be(desk: Desk, era: Era, tool: str) -> None:
    desk.faults.hang("GET")
    async with desk.client(era) as client:
        with anyio.fail_after(10):
            said = await refused(client, tool, **CALLS[tool][0])
    assert " 0 s " in said
    assert said.endswith(NOTHING_DONE)


@pytest.mark.usefixtures("a_short_call")
async def test_an_update_that_takes_too_long_does_not_claim_that_nothing_changed(desk: Desk) -> None:
    desk.faults.hang("PUT")
    async with desk.client() as client:
        with anyio.fail_after(10):
            said = await refused(client, "update_message", message_id=["1"], read_status="Read")
    assert said.endswith(MAYBE_CHANGED)
