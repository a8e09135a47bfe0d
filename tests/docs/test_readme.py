"""The README, and the pages that continue it, agree with the code. Running this file renews the generated tables."""

import html
import json
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from inspect import Parameter, getdoc, isfunction, signature
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

import anyio
import click
import pytest

from rc_mcp.access import LEVELS
from rc_mcp.cli import main
from rc_mcp.emulator import Emulator
from rc_mcp.prompts import load_prompts
from rc_mcp.ringcentral import MessageStoreClient
from rc_mcp.tools import tools_for
from tests.docs.test_hosts import sentence

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TOOLS = ROOT / "docs/reference/tools.md"
CLIENT = ROOT / "docs/client.md"
MOST_LINES = 150
PICTURE = ROOT / "docs/demo.svg"
RENEW = "renew it with: make docs"


def tools() -> str:
    """Every tool, the lowest level that has it, and the first sentence of its description."""
    level_of = {tool.name: level for level in reversed(LEVELS) for tool in tools_for(level)}
    rows = ((f"`{tool.name}`", level_of[tool.name], first_sentence(tool.description)) for tool in tools_for("admin"))
    return table(("tool", "level", "does"), rows)


def prompts() -> str:
    """Return a row for every prompt, with its description."""
    return table(("prompt", "does"), ((f"`{p.name}`", p.description or "") for p in load_prompts()))


def methods() -> str:
    """Return a row for every method of the client: its own arguments, and the first sentence of its docstring."""
    found = {name: each for name, each in vars(MessageStoreClient).items() if isfunction(each) and name[0] != "_"}
    del found["aclose"]  # `async with` calls it
    rows = ((f"`{name}`", ", ".join(arguments(each)), first_sentence(getdoc(each))) for name, each in found.items())
    return table(("method", "arguments", "does"), rows)


def arguments(method: Callable[..., Any]) -> list[str]:
    """Return the names of a method's arguments, without those that nearly every method has."""
    names: list[str] = []
    for each in signature(method).parameters.values():
        if each.kind is Parameter.VAR_KEYWORD:
            (given,) = get_args(each.annotation)
            names += get_type_hints(given)
        elif each.name not in {"self", "account_id", "extension_id"}:
            names.append(each.name)
    return [f"`{name}`" for name in names]


GENERATED = {
    "tools": (TOOLS, tools),
    "prompts": (TOOLS, prompts),
    "hosts": (README, sentence),
    "methods": (CLIENT, methods),
}


def section(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: [^>]*-->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)


def renew() -> None:
    """Write the generated parts into their pages."""
    for name, (page, build) in GENERATED.items():
        text = section(name).sub(partial(with_table, build()), page.read_text("utf-8"))
        page.write_text(text, encoding="utf-8")


def with_table(new: str, found: re.Match[str]) -> str:
    return f"{found[1]}{new}{found[3]}"


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def first_sentence(text: str | None) -> str:
    return re.split(r"(?<=\.) ", " ".join((text or "").split()))[0]


def all_commands(group: click.Group = main, above: str = "rc-mcp") -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            if any(isinstance(p, click.Option) for p in command.params):
                yield f"{above} {name}", command
            yield from all_commands(command, f"{above} {name}")
        else:
            arguments = [
                p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)
            ]
            yield " ".join((above, name, *arguments)), command


def fences(language: str, page: Path = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def shell_lines() -> list[list[str]]:
    lines = [line for fence in fences("sh") for line in fence.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_tables_match_the_code(name: str) -> None:
    page, build = GENERATED[name]
    found = section(name).search(page.read_text("utf-8"))
    assert found is not None, f"{page.name} has no section {name}"
    assert found[2] == build(), RENEW


def test_every_command_in_it_exists() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for words in shell_lines():
        if words[0] == "make":
            assert words[1] in targets
        if words[0] == "rc-mcp":
            rest = words[1 : words.index(">")] if ">" in words else words[1:]
            command: click.Command | None = main
            while isinstance(command, click.Group) and rest:
                command = command.get_command(click.Context(command), rest.pop(0))
            assert command is not None, words
            command.make_context("rc-mcp", rest)  # parses the options, and runs nothing


def test_it_is_short_enough_to_be_read() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= MOST_LINES


def test_its_number_of_tools_of_each_kind_is_that_of_the_code() -> None:
    numbers = {"one": 1, "two": 2, "five": 5, "ten": 10}
    words = " ".join(README.read_text("utf-8").split())
    said = re.search(
        r"(\w+) Message Store operations as tools: (\w+) that read, (\w+) that .*?, (\w+) that .*? (\w+) that", words
    )
    assert said is not None
    counts = [len(tools_for(level)) for level in ("read", "triage", "delete", "admin")]
    added = [now - before for before, now in pairwise([0, *counts])]
    assert [numbers[word] for word in said.groups()] == [counts[-1], *added]


@pytest.mark.parametrize("level", LEVELS)
def test_it_names_every_access_level(level: str) -> None:
    assert f"`{level}`" in README.read_text("utf-8")


def test_every_file_it_points_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", README.read_text("utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


async def run_python_example(folder: Path, code: str) -> str:
    with Emulator() as emulator:
        async with emulator.serve():
            names = ("server_url", "media_url", "client_id", "client_secret", "jwt", "account_id", "extension_id")
            login = {name: getattr(emulator, name) for name in names}
            (folder / "login.json").write_text(json.dumps(login), encoding="utf-8")
            done = await anyio.run_process([sys.executable, "-W", "error", "-c", code], cwd=folder)
            return done.stdout.decode()


@pytest.mark.anyio
async def test_the_python_example_runs_unchanged(tmp_path: Path) -> None:
    first, _ = fences("python", CLIENT)
    assert "Harold Osei" in await run_python_example(tmp_path, first)


@pytest.mark.anyio
async def test_the_example_that_deletes_and_restores_runs_unchanged(tmp_path: Path) -> None:
    _, deletes = fences("python", CLIENT)
    assert (await run_python_example(tmp_path, deletes)).split() == ["Deleted", "Alive"]


def test_the_picture_needs_no_other_file() -> None:
    svg = PICTURE.read_text("utf-8")
    assert re.findall(r"https?://[^\"']+", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"/(home|root|Users|work|tmp)/", svg)


@pytest.mark.process
def test_the_picture_shows_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_mcp.cli.demo.stage.Emulator", partial(Emulator, rate_limits=False))  # to be quick
    now = runpy.run_path(str(ROOT / "docs/picture.py"))["take_picture"]()
    assert words_of(PICTURE.read_text("utf-8")) == words_of(now), "renew it with: make picture"


def words_of(svg: str) -> list[str]:
    """The lines of a picture, without what differs from run to run: the ids of plans."""
    lines = [html.unescape(text) for text in re.findall(r">([^<>]*)</text>", svg)]
    return [re.sub(r"Plan\W[a-z0-9]{4}-[a-z0-9]{4}", "#", line) for line in lines]


if __name__ == "__main__":
    renew()
