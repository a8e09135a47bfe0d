"""Tools whose permission RingCentral did not grant are not offered once that is known. Listing does not log in."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import TokenAuth
from rc_mcp.ringcentral.oauth.permissions import permissions_of
from rc_mcp.tools import tools_for
from tests.desk import Clock, Desk, Era, Faults, call, refused

pytestmark = pytest.mark.anyio

READING = ["list_messages", "sync_messages", "read_message", "read_message_content"]
EDITING = ["update_message", "patch_message", "delete_message", "delete_message_by_filter"]
RETENTION = ["read_message_store_configuration", "update_message_store_configuration"]
RINGCENTRALS = {*READING, *EDITING, *RETENTION}
EVERYTHING = {tool.name for tool in tools_for("admin")}


@contextmanager
def granted(tmp_path: Path, *permissions: str) -> Generator[Desk]:
    """Return a desk with an app that has only these permissions."""
    clock = Clock()
    with Emulator(rate_limits=False, now=clock, permissions=permissions) as emulator:
        yield Desk(emulator, tmp_path, clock, Faults(emulator))


async def offered(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.parametrize(
    ("permissions", "tools"),
    [
        (["ReadMessages"], READING),
        (["SMS"], READING),
        (["EditMessages"], [*READING, *EDITING]),
        (["ReadMessages", "EditAccounts"], [*READING, *RETENTION]),
        (["EditMessages", "EditAccounts"], [*READING, *EDITING, *RETENTION]),
    ],
)
async def test_after_the_first_call_only_tools_with_granted_permissions_are_offered(
    tmp_path: Path, era: Era, permissions: list[str], tools: list[str]
) -> None:
    with granted(tmp_path, *permissions) as desk:
        async with desk.client(era) as client:
            assert await offered(client) == EVERYTHING
            assert desk.emulator.requests == []  # a list does not log in
            await call(client, "list_messages")
            assert await offered(client) & RINGCENTRALS == set(tools)


async def test_the_level_still_holds(tmp_path: Path) -> None:
    with granted(tmp_path, "EditMessages", "EditAccounts") as desk:
        async with desk.client(RC_MCP_ACCESS="read") as client:
            await call(client, "list_messages")
            assert await offered(client) & RINGCENTRALS == {*READING, "read_message_store_configuration"}


async def test_an_error_names_the_missing_permission_to_a_client_with_an_old_list(tmp_path: Path, era: Era) -> None:
    with granted(tmp_path, "ReadMessages") as desk:
        async with desk.client(era) as client:
            await call(client, "list_messages")
            requests = len(desk.emulator.requests)
            said = await refused(client, "delete_message", message_id=desk.ids()[:1])
            assert len(desk.emulator.requests) == requests
    assert "EditMessages" in said


async def test_a_prompt_that_needs_a_missing_tool_is_not_offered_either(tmp_path: Path, era: Era) -> None:
    with granted(tmp_path, "ReadMessages") as desk:
        async with desk.client(era) as client:
            before = {prompt.name for prompt in (await client.list_prompts()).prompts}
            await call(client, "list_messages")
            after = {prompt.name for prompt in (await client.list_prompts()).prompts}
    assert "clean_up_mailbox" in before - after
    assert after


async def test_listeners_hear_once_that_the_list_changed(tmp_path: Path) -> None:
    heard: list[str] = []
    with granted(tmp_path, "ReadMessages") as desk:
        async with desk.client() as client, client.listen(tools_list_changed=True) as events:
            await call(client, "list_messages")
            await call(client, "list_messages")
            with anyio.move_on_after(1):
                async for event in events:
                    heard.append(type(event).__name__)  # noqa: PERF401  notifications before the timeout count
    assert heard == ["ToolsListChanged"]


async def test_with_an_access_token_only_the_level_decides(tmp_path: Path) -> None:
    assert TokenAuth("a-ready-token").granted is None
    with granted(tmp_path, "ReadMessages") as desk:
        async with desk.client(RC_ACCESS_TOKEN="a-ready-token") as client:
            await client.call_tool("list_messages", {})
            assert await offered(client) == EVERYTHING


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("", None),
        ("ReadMessages", {"ReadMessages"}),
        ("EditMessages SMS", {"EditMessages", "ReadMessages", "SMS"}),
        ("CallLog Messages", {"CallLog", "Messages", "EditMessages", "ReadMessages"}),
        ("CallLog", {"CallLog"}),
    ],
)
def test_a_scope_grants_its_permission_and_the_included_ones(scope: str, granted: set[str] | None) -> None:
    assert permissions_of(scope) == granted
