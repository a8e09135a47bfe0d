"""The server as any client meets it: RingCentral's methods as tools, strict, truthful, the protocol's own errors."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.types import INVALID_PARAMS

from rc_mcp.access import LEVELS, Level
from rc_mcp.server import instructions_for
from rc_mcp.settings import load_settings
from rc_mcp.tools import tools_for
from rc_mcp.wiring import command_for
from tests.desk import Desk, Era, call, refused, text_of

pytestmark = pytest.mark.anyio

LEVEL_OF: dict[str, Level] = {
    "list_messages": "read",
    "sync_messages": "read",
    "read_message": "read",
    "read_message_content": "read",
    "read_message_store_configuration": "read",
    "update_message": "triage",
    "patch_message": "triage",
    "delete_message": "delete",
    "delete_message_by_filter": "delete",
    "update_message_store_configuration": "admin",
}
"""RingCentral's ten methods, and the lowest level that has each."""


async def test_all_ten_methods_are_tools_by_their_api_names(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        tools = (await client.list_tools()).tools
    assert {t.name for t in tools} >= LEVEL_OF.keys()
    assert all(t.title and t.description for t in tools)
    # A schema requires structured content, and hosts do not show pictures next to that.
    assert [t.name for t in tools if not t.output_schema] == ["read_message_content"]


@pytest.mark.parametrize("access", LEVELS)
async def test_tools_above_the_access_level_do_not_exist(desk: Desk, access: Level) -> None:
    async with desk.client(RC_MCP_ACCESS=access) as client:
        offered = {t.name for t in (await client.list_tools()).tools}
    allowed = LEVELS[: LEVELS.index(access) + 1]
    assert offered & LEVEL_OF.keys() == {name for name, level in LEVEL_OF.items() if level in allowed}


async def test_every_schema_is_flat_closed_and_described(desk: Desk) -> None:
    async with desk.client() as client:
        tools = (await client.list_tools()).tools
    for tool in tools:
        # google-genai 2.34 refuses a tool with this key (python-genai#2393). Unknown arguments are refused by name.
        assert "additionalProperties" not in tool.input_schema
        assert not {"$defs", "title"} & tool.input_schema.keys()
        for name, schema in tool.input_schema["properties"].items():
            assert "title" not in schema, f"{tool.name}.{name}"
            arms = schema.get("anyOf", [schema, {"type": "null"}])  # a type, perhaps or null, as pydantic publishes it
            assert (len(arms), arms[1]) == (2, {"type": "null"}), f"{tool.name}.{name}"
            assert arms[0]["type"] != "object", f"{tool.name}.{name}"
            assert len(schema["description"].split()) >= 4, f"{tool.name}.{name}"
            # The server checks the mailbox against the operator's settings by these names.
            assert ("~" in schema["description"]) is (name in {"account_id", "extension_id"})


async def test_deletes_say_that_they_destroy_and_never_that_they_may_be_repeated(desk: Desk) -> None:
    async with desk.client() as client:
        hints = {t.name: t.annotations for t in (await client.list_tools()).tools}
    for name, hint in hints.items():
        assert hint is not None
        level = LEVEL_OF.get(name, "read")  # a tool that is not a RingCentral method is harmless
        assert hint.read_only_hint is (level == "read")
        assert hint.destructive_hint is (level not in {"read", "triage"})
        if hint.destructive_hint:
            assert hint.idempotent_hint is False


async def test_every_tool_refuses_an_unknown_argument_by_name_before_anything_is_sent(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        for tool in (await client.list_tools()).tools:
            result = await client.call_tool(tool.name, {"sender": "x"})
            assert result.is_error
            assert "'sender'" in str(result.content[0])
    assert desk.emulator.requests == []


async def test_an_unknown_tool_is_a_protocol_error(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("send_message", {})
    assert caught.value.error.code == INVALID_PARAMS


async def test_an_extension_the_operator_did_not_name_is_out_of_reach(desk: Desk) -> None:
    async with desk.client() as client:
        result = await client.call_tool("list_messages", {"extension_id": "12345"})
    assert result.is_error
    assert desk.emulator.requests == []


@pytest.mark.parametrize("tool", ["list_messages", "sync_messages"])
@pytest.mark.parametrize("argument", ["owner", "voicemail_owner"])
async def test_an_owner_the_operator_did_not_name_is_out_of_reach(
    desk: Desk, era: Era, tool: str, argument: str
) -> None:
    async with desk.client(era, RC_MCP_EXTENSIONS="777") as client:
        for owner in ("12345", ["12345"], ["777", "12345"], '["12345"]', ' [ "777", "12345" ] '):
            said = await refused(client, tool, **{argument: owner})
            assert said == (await refused(client, tool, extension_id="12345")).replace("extension_id", argument, 1)
        assert desk.emulator.requests == []
        answer = await call(client, tool, **{argument: ["777"]})
    assert answer["filters"][argument] == ["777"]


async def test_null_is_left_out_and_the_word_in_a_string_is_refused(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        whole = await call(client, "list_messages", extension_id=None, read_status=None)
        assert whole == await call(client, "list_messages")
        sent = len(desk.emulator.requests)
        for argument in ("read_status", "date_to", "conversation_id"):
            said = await refused(client, "list_messages", **{argument: " null "})
            assert said.startswith(f'{argument}: "null"')
        assert "no argument 'colour'" in await refused(client, "list_messages", colour=None)
        assert "needs message_id" in await refused(client, "read_message", message_id=None)
        assert "extension_id" in await refused(client, "list_messages", extension_id=12345)
    assert len(desk.emulator.requests) == sent


@pytest.mark.parametrize("owner", ["Any", "Personal", "Shared"])
async def test_owners_that_name_no_extension_are_left_to_ringcentral(desk: Desk, era: Era, owner: str) -> None:
    async with desk.client(era) as client:
        assert (await call(client, "list_messages", owner=owner))["filters"]["owner"] == [owner]


async def test_an_extension_the_operator_named_is_asked_for(desk: Desk) -> None:
    own = desk.emulator.extension_id
    async with desk.client(RC_MCP_EXTENSIONS=f"1, {own}") as client:
        result = await client.call_tool("list_messages", {"extension_id": own})
    assert not result.is_error


def test_the_user_gets_a_command_for_the_shell_of_the_system() -> None:
    settings = load_settings(RC_MCP_STATE_DIR="/it's here")
    folder = str(settings.state_dir)
    command = command_for(load_settings(), "linux")
    assert shlex.split(command_for(settings, "linux")) == [f"RC_MCP_STATE_DIR={folder}", *shlex.split(command)]
    quoted = folder.replace("'", "''")
    command = command_for(load_settings(), "win32")
    assert command_for(settings, "win32") == f"$env:RC_MCP_STATE_DIR='{quoted}'; {command}"


@pytest.mark.parametrize("place", ["bin", "my bin", "it's"])
def test_the_users_command_runs_in_a_terminal_that_does_not_have_the_servers_path(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / place
    for folder in (ours, tmp_path / "other", tmp_path / "links"):
        folder.mkdir()
    for folder in (ours, tmp_path / "other"):
        (folder / "rc-mcp").touch(mode=0o755)
    (tmp_path / "links" / "rc-mcp").symlink_to(ours / "rc-mcp")
    monkeypatch.setattr(sys, "executable", str(ours / "python"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))  # a virtual environment
    for path in ("", ".", str(tmp_path / "other"), str(ours)):  # unknown, another program, activated in one terminal
        monkeypatch.setenv("PATH", path)
        assert shlex.split(command_for(load_settings(), "linux")) == [str(ours / "rc-mcp")]
    monkeypatch.setenv("PATH", str(tmp_path / "links"))  # as pipx and uv install it
    assert command_for(load_settings(), "linux") == "rc-mcp"
    (ours / "rc-mcp").unlink()
    command = shlex.split(command_for(load_settings(), "linux"))
    assert (command[0], command[-1]) == (str(ours / "python"), "rc_mcp")


def test_a_command_with_a_space_is_called_in_powershell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my bin").mkdir()
    (tmp_path / "my bin" / "rc-mcp").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my bin" / "python"))
    monkeypatch.setenv("PATH", "")
    assert command_for(load_settings(), "win32") == f"& '{tmp_path / 'my bin' / 'rc-mcp'}'"


def test_the_instructions_fit_where_hosts_cut_them() -> None:
    assert len(instructions_for("admin")) < 2048
    assert "untrusted" in instructions_for("read")[:512]


@pytest.mark.parametrize("access", LEVELS[:-1])
async def test_nothing_names_a_tool_that_is_not_there(desk: Desk, access: Level) -> None:
    async with desk.client(RC_MCP_ACCESS=access) as client:
        here = {t.name for t in (await client.list_tools()).tools}
        said = [client.instructions or ""]
        for prompt in (await client.list_prompts()).prompts:
            given = {a.name: "x" for a in prompt.arguments or []}
            said.append(str(await client.get_prompt(prompt.name, given)))
    elsewhere = {tool.name for tool in tools_for("admin")} - here
    assert not [tool for tool in elsewhere if any(re.search(rf"\b{tool}\b", text) for text in said)]


async def test_descriptions_fit_where_hosts_cut_them(desk: Desk) -> None:
    async with desk.client() as client:
        assert all(len(t.description or "") <= 1024 for t in (await client.list_tools()).tools)


async def test_a_framework_can_have_text_alone(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        usual = await client.call_tool("list_messages", {})
    async with desk.client(era, RC_MCP_STRUCTURED="off") as client:
        tools = (await client.list_tools()).tools
        alone = [await client.call_tool(name, {}) for name in ("list_messages", "read_message_store_configuration")]
        question = await client.call_tool("delete_message", {"message_id": desk.ids(availability="Alive")[0]})
    assert usual.structured_content is not None
    assert alone[0].content == usual.content
    assert all(tool.output_schema is None for tool in tools)
    assert {answer.structured_content for answer in (*alone, question)} == {None}
    assert "confirmation_required" in text_of(question)
