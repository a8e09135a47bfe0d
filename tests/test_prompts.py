"""Prompts: every file is whole, and asks an assistant only for calls that the server takes."""

import ast
import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import frontmatter
import pytest
from anyio import create_task_group
from anyio.lowlevel import checkpoint
from jsonschema import Draft202012Validator
from mcp import Client, MCPError
from mcp.server import MCPServer
from mcp.types import INVALID_PARAMS, PromptReference, TextContent, Tool

from rc_mcp.attachments.forms import UntrustedContent
from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Emulator
from rc_mcp.mirror.query import OPERATORS
from rc_mcp.prompts import FrontMatter, PromptFileError, load_prompts, parse_prompt, prompt_files, without_tools
from rc_mcp.tools import PERMISSIONS, SEARCH, tools_for
from rc_mcp.tools.search_messages import Coverage
from tests.desk import Clock, Desk, Era, Faults, call
from tests.searching import searching

pytestmark = pytest.mark.anyio

NAMES = [file.name.removesuffix(".md") for file in prompt_files()]
SKILLS = sorted(Path(__file__).parents[1].glob("plugin/skills/*/SKILL.md"))
MAX_WORDS = 350
with_and_without_a_copy = pytest.mark.parametrize("with_copy", [False, True], ids=["without a copy", "with a copy"])
GOOD = """\
---
title: Count
description: Counts messages.
arguments:
  - name: since
    description: How far back.
    default: 24h
---
Count the messages since {{since}}.
"""


async def test_calls_at_once_read_the_prompts_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = MCPServer.list_tools

    async def slow(server: MCPServer[Any]) -> list[Tool]:
        await checkpoint()
        return await whole(server)

    monkeypatch.setattr(MCPServer, "list_tools", slow)
    server = desk.server()
    found: list[list[str]] = []

    async def look() -> None:
        found.append(sorted(prompt.name for prompt in await server.list_prompts()))

    async with create_task_group() as tasks:
        tasks.start_soon(look)
        tasks.start_soon(look)
    assert found == [sorted(NAMES)] * 2


def test_the_prompts_are_those_that_were_promised() -> None:
    assert {"triage_inbox", "voicemail_digest", "find_fax", "clean_up_mailbox", "follow_ups"} <= set(NAMES)


@with_and_without_a_copy
@pytest.mark.parametrize("file", prompt_files(), ids=lambda file: file.name)
def test_every_prompt_file_can_be_used(file: Any, with_copy: bool) -> None:
    prompt = parse_prompt(file.name, text_for(file, with_copy=with_copy))
    assert f"{prompt.name}.md" == file.name
    assert all(argument.description for argument in prompt.arguments or [])


def test_a_prompt_is_named_as_its_file() -> None:
    assert parse_prompt("count_messages.md", GOOD).name == "count_messages"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Count the messages.", id="no front matter"),
        pytest.param(GOOD.replace("title: Count\n", ""), id="no title"),
        pytest.param(GOOD.replace("description: Counts messages.\n", ""), id="no description"),
        pytest.param(GOOD.replace("title:", "titel:"), id="unknown field"),
        pytest.param(GOOD.replace("title: Count", "title: 7"), id="title is a number"),
        pytest.param(GOOD.replace("    description: How far back.\n", ""), id="argument without description"),
        pytest.param(GOOD.replace("default: 24h", "default: 24"), id="default is a number"),
        pytest.param(GOOD.replace("name: since", "name: Since!"), id="argument with a bad name"),
        pytest.param(GOOD.replace("{{since}}", "yesterday"), id="declared argument is not used"),
        pytest.param(GOOD.replace("{{since}}", "{{from}}"), id="used argument is not declared"),
        pytest.param(GOOD.replace("Count the messages since {{since}}.\n", ""), id="no text"),
        pytest.param(GOOD.replace("title: Count", "title: [Count"), id="not YAML"),
        pytest.param(GOOD + "{{stray-place}}", id="a placeholder without an argument"),
    ],
)
def test_a_file_with_bad_front_matter_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(PromptFileError, match=r"^broken\.md: "):
        parse_prompt("broken.md", text)


@pytest.mark.parametrize("file", prompt_files(), ids=lambda file: file.name)
def test_every_section_of_a_prompt_file_is_for_a_tool(file: Any) -> None:
    assert set(re.findall(r"\{\{[#^](\w+)\}\}", file.read_text("utf-8"))) <= PERMISSIONS.keys()


SECTIONS = """\
Look.
{{#search_messages}}
Search.
{{#update_message}}
Mark.
{{/update_message}}
{{/search_messages}}
{{^search_messages}}
List.
{{/search_messages}}
Say{{^update_message}} only{{/update_message}} it.
"""


@pytest.mark.parametrize(
    ("absent", "shown"),
    [
        ([], "Look.\nSearch.\nMark.\nSay it.\n"),
        (["update_message"], "Look.\nSearch.\nSay only it.\n"),
        (["search_messages"], "Look.\nList.\nSay it.\n"),
        (["search_messages", "update_message"], "Look.\nList.\nSay only it.\n"),
    ],
)
def test_a_section_is_shown_if_its_tool_is_offered_or_for_the_opposite_if_not(absent: list[str], shown: str) -> None:
    assert without_tools("count.md", SECTIONS, absent) == shown


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{#search_messages}}\nSearch.", id="not closed"),
        pytest.param("{{^search_messages}}\nList.", id="opposite not closed"),
        pytest.param("Search.\n{{/search_messages}}\n", id="not opened"),
        pytest.param("{{#search_messages}}\nSearch.\n{{/serch_messages}}\n", id="closed by another name"),
        pytest.param("{{#a}}{{#b}}{{/a}}{{/b}}", id="closed in another order"),
        pytest.param("{{^a}}{{#b}}{{/a}}", id="not closed in a section"),
    ],
)
@pytest.mark.parametrize("absent", [[], ["search_messages", "a", "b"]], ids=["shown", "not shown"])
def test_a_bad_section_is_refused_with_the_name_of_its_file(text: str, absent: list[str]) -> None:
    with pytest.raises(PromptFileError, match=r"^broken\.md: "):
        without_tools("broken.md", GOOD + text, absent)


@pytest.mark.parametrize("mark", ["{{#search_messages}", "{{# search_messages}}", "{{/}}", "{{!note}}"])
def test_a_mark_that_is_none_is_refused_as_a_stray_placeholder(mark: str) -> None:
    with pytest.raises(PromptFileError, match=r"^broken\.md: "):
        parse_prompt("broken.md", without_tools("broken.md", GOOD + mark, []))


def test_a_file_with_a_bad_section_is_left_out_and_named_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.md").write_text(GOOD + "{{#search_messages}}\n")
    (tmp_path / "whole.md").write_text(GOOD)
    monkeypatch.setattr("rc_mcp.prompts.prompt_files", lambda: sorted(tmp_path.iterdir()))
    assert [prompt.name for prompt in load_prompts()] == ["whole"]
    assert "broken.md" in caplog.text


def test_a_prompt_that_names_an_absent_tool_outside_of_its_sections_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_it.md").write_text(GOOD + "Then call search_messages.\n")
    (tmp_path / "can_do_without.md").write_text(
        GOOD + "{{#search_messages}}\nThen call search_messages.\n{{/search_messages}}\n"
    )
    monkeypatch.setattr("rc_mcp.prompts.prompt_files", lambda: sorted(tmp_path.iterdir()))
    assert [prompt.name for prompt in load_prompts({SEARCH})] == ["can_do_without"]
    assert [prompt.name for prompt in load_prompts()] == ["can_do_without", "needs_it"]


async def test_the_prompts_that_look_for_something_search_if_there_is_a_copy(desk: Desk, era: Era) -> None:
    texts: dict[bool, dict[str, str]] = {}
    for with_copy in (False, True):
        async with asking(desk, era, with_copy=with_copy) as client:
            assert {prompt.name for prompt in (await client.list_prompts()).prompts} == set(NAMES)
            texts[with_copy] = {name: await rendered(client, name) for name in NAMES}
    assert SEARCH not in "".join(texts[False].values())
    assert {name for name in NAMES if SEARCH in texts[True][name]} == {"find_fax", "follow_ups", "voicemail_digest"}
    tool, arguments = next(calls(texts[True]["find_fax"]))
    assert tool == SEARCH
    assert str(arguments["query"]).startswith("type:fax ")


@pytest.mark.parametrize("name", ["find_fax", "follow_ups", "voicemail_digest"])
async def test_a_prompt_that_searches_says_what_limits_a_search(desk: Desk, name: str) -> None:
    async with asking(desk, with_copy=True) as client:
        quoted = set(re.findall(r"`(\w+)`", await rendered(client, name)))
    assert {"coverage", "contents_missing"} <= quoted


async def test_a_section_goes_when_the_permission_of_its_tool_is_found_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, era: Era
) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    section = "{{#update_message}}\nThen call update_message.\n{{/update_message}}\n"
    (folder / "count.md").write_text(GOOD + section)
    monkeypatch.setattr("rc_mcp.prompts.prompt_files", lambda: sorted(folder.iterdir()))
    with Emulator(permissions=["ReadMessages"]) as emulator:
        desk = Desk(emulator, tmp_path, Clock(), Faults(emulator))
        async with desk.client(era) as client:
            before = await rendered(client, "count")
            await call(client, "list_messages")
            after = await rendered(client, "count")
    assert "update_message" in before
    assert "update_message" not in after
    assert after in before


@with_and_without_a_copy
@pytest.mark.parametrize("name", NAMES)
async def test_every_prompt_renders_without_a_placeholder_left(
    desk: Desk, era: Era, name: str, with_copy: bool
) -> None:
    async with asking(desk, era, with_copy=with_copy) as client:
        text = await rendered(client, name)
    assert not re.search(r"\{\{|\}\}", text)
    assert len(text.split()) <= MAX_WORDS


async def test_the_text_contains_an_argument_or_its_default(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        given = await client.get_prompt("find_fax", {"about": "the corrected referral", "since": "3w"})
        default = await client.get_prompt("find_fax", {"about": "the corrected referral"})
    assert "the corrected referral" in text_of(given)
    assert 'date_from="3w"' in text_of(given)
    assert 'date_from="30d"' in text_of(default)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({}, "find_fax .* about"), ({"about": "x", "sender": "y"}, "find_fax .* 'sender'; .* about, since")],
    ids=["missing", "unknown"],
)
async def test_a_missing_or_unknown_argument_is_the_callers_fault(
    desk: Desk, era: Era, arguments: dict[str, str], said: str
) -> None:
    async with desk.client(era) as client:
        with pytest.raises(MCPError) as refusal:
            await client.get_prompt("find_fax", arguments)
    assert refusal.value.code == INVALID_PARAMS
    assert re.fullmatch(said, refusal.value.error.message)


@pytest.mark.parametrize(
    ("argument", "typed", "offered"),
    [("since", "", ["24h", "3d", "7d", "2w"]), ("since", "2", ["24h", "2w"]), ("since", "x", []), ("until", "", [])],
)
async def test_a_host_can_offer_values_for_an_argument(
    desk: Desk, era: Era, argument: str, typed: str, offered: list[str]
) -> None:
    triage = PromptReference(type="ref/prompt", name="triage_inbox")
    async with desk.client(era) as client:
        completion = (await client.complete(triage, {"name": argument, "value": typed})).completion
    assert completion.values == offered


async def test_nothing_is_offered_for_a_prompt_that_is_not_there(desk: Desk) -> None:
    async with desk.client() as client:
        completed = await client.complete(PromptReference(type="ref/prompt", name="../x"), {"name": "a", "value": ""})
    assert completed.completion.values == []


@pytest.mark.parametrize("file", prompt_files(), ids=lambda file: file.name)
def test_every_span_of_a_prompt_has_suggestions_and_its_default_is_one(file: Any) -> None:
    head = FrontMatter.model_validate(frontmatter.parse(file.read_text("utf-8"))[0])
    for argument in head.arguments:
        if argument.default is not None:
            assert argument.default in argument.suggestions, argument.name


@with_and_without_a_copy
@pytest.mark.parametrize("name", NAMES)
async def test_the_server_takes_every_call_that_a_prompt_shows(desk: Desk, name: str, with_copy: bool) -> None:
    async with asking(desk, with_copy=with_copy) as client:
        known = await something_to_ask_for(client)
        shown = list(calls(await rendered(client, name)))
        for tool, arguments in shown:
            await call(client, tool, **{key: filled_in(key, value, known) for key, value in arguments.items()})
    assert shown


@with_and_without_a_copy
@pytest.mark.parametrize("file", [*prompt_files(), *SKILLS], ids=lambda file: f"{file.parent.name}-{file.name}")
def test_every_call_in_a_prompt_or_a_skill_fits_the_published_schema(file: Any, with_copy: bool) -> None:
    schemas = {tool.name: tool.parameters for tool in tools_for("admin", with_search=with_copy)}
    known = {"message_id": "1", "conversation_id": "2", "phone_number": "+16505550100", "plan_id": "none-such"}
    shown = list(calls(text_for(file, with_copy=with_copy)))
    for tool, arguments in shown:
        given = {key: filled_in(key, value, known) for key, value in arguments.items()}
        Draft202012Validator({**schemas[tool], "additionalProperties": False}).validate(given)  # pyright: ignore[reportUnknownMemberType]
    assert shown


@with_and_without_a_copy
@pytest.mark.parametrize("name", NAMES)
async def test_every_name_in_a_prompt_is_one_that_the_tools_use(desk: Desk, name: str, with_copy: bool) -> None:
    desk.clock.time += timedelta(days=24)  # some of the office's faxes and voicemails are about to be erased
    async with asking(desk, with_copy=with_copy) as client:
        tools = (await client.list_tools()).tools
        quoted = set(re.findall(r"`([^`]+)`", await rendered(client, name)))
        await call(client, "read_message_store_configuration")
        known = await something_to_ask_for(client)
        answers = [
            await call(client, "list_messages", date_from="90d"),
            await call(client, "list_messages", date_from="90d", detail="full"),
            await call(client, "read_message_content", message_id=known["message_id"]),
        ]
        if with_copy:
            answers.append(await call(client, SEARCH, query="referral"))
    ours = {word for tool in tools for word in words_of(tool.input_schema) | words_of(tool.output_schema)}
    ours |= words_of(answers)
    ours |= Coverage.model_fields.keys() if with_copy else set()  # some are only there when they are not 0
    ours |= UntrustedContent.model_fields.keys()  # of a server that transcribes
    for text in quoted:
        if "(" not in text and not text.startswith("rc-mcp "):
            assert set(text.partition("=")[0].split(".")) <= ours, f"`{text}`"


@pytest.mark.parametrize("name", NAMES)
async def test_every_operator_in_a_prompt_is_one_of_the_query_language(desk: Desk, name: str) -> None:
    async with asking(desk, with_copy=True) as client:
        text = await rendered(client, name)
    assert set(re.findall(r"(?<![\w/])([a-z_]+):(?=[\w\"(])", text)) <= set(OPERATORS)


async def test_only_the_cleanup_shows_a_call_that_deletes(desk: Desk) -> None:
    async with asking(desk, with_copy=True) as client:
        tools = (await client.list_tools()).tools
        deleting = {tool.name for tool in tools if tool.annotations and tool.annotations.destructive_hint}
        shown = {name: {tool for tool, _ in calls(await rendered(client, name))} for name in NAMES}
    assert {name for name, named in shown.items() if named & deleting} == {"clean_up_mailbox"}


async def test_no_prompt_shows_a_call_that_purges(desk: Desk) -> None:
    async with desk.client() as client:
        for name in NAMES:
            assert not any("purge" in arguments for _, arguments in calls(await rendered(client, name)))


@asynccontextmanager
async def asking(desk: Desk, era: Era = "auto", *, with_copy: bool) -> AsyncGenerator[Client]:
    """A client of a server with a filled local copy, or without one."""
    if with_copy:
        async with searching(desk, era) as (client, _):
            yield client
    else:
        async with desk.client(era) as client:
            yield client


def text_for(file: Any, *, with_copy: bool) -> str:
    """The text of a file for a server with a local copy, or without one."""
    return without_tools(file.name, file.read_text("utf-8"), [] if with_copy else [SEARCH])


async def rendered(client: Client, name: str) -> str:
    """Return the prompt's text with its defaults, and a word for arguments without one."""
    prompt = next(p for p in (await client.list_prompts()).prompts if p.name == name)
    required = {a.name: "something" for a in prompt.arguments or [] if a.required}
    return text_of(await client.get_prompt(name, required))


def text_of(prompt: Any) -> str:
    """The text of a prompt's only message, which is the user's."""
    [message] = prompt.messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


def calls(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls that a prompt shows: `tool(argument=value)`, with `...` for a value that is known only then."""
    for source in re.findall(r"`(\w+\([^`]*\))`", text):
        expression = ast.parse(source.replace("=true", "=True"), mode="eval").body
        assert isinstance(expression, ast.Call)
        assert isinstance(expression.func, ast.Name)
        assert not expression.args
        yield expression.func.id, {str(k.arg): ast.literal_eval(k.value) for k in expression.keywords}


def filled_in(name: str, value: Any, known: dict[str, str]) -> Any:
    """The value as an assistant would pass it."""
    if value == [...]:
        return [known[name]]
    return known[name] if value is ... else value


async def something_to_ask_for(client: Client) -> dict[str, str]:
    """Values for the required arguments of prompts: a voicemail with a transcript, a conversation, its number."""
    voicemails = await call(client, "list_messages", message_type="VoiceMail", date_from="30d")
    voicemail = next(m for m in rows(voicemails["messages"]) if not m.get("transcription"))
    texts = await call(client, "list_messages", message_type="SMS", date_from="30d")
    return {
        "message_id": voicemail["id"],
        "conversation_id": rows(texts["messages"])[0]["conversation_id"],
        "phone_number": "+16505550100",
        "plan_id": "none-such",
    }


def words_of(value: object) -> set[str]:
    """Every name in a schema or an answer, and every value that is one word."""
    return set(re.findall(r'"(\w+)"', json.dumps(value)))
