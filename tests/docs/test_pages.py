"""Tests of every page under docs/: examples run, and the names in the text exist."""

import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
import yaml

from rc_mcp.cli import main
from rc_mcp.emulator import Emulator
from rc_mcp.settings import Settings
from release import container
from tests.cli.test_http import TOKEN, http_server

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
MINE = [page for page in PAGES if page.parent != ROOT / "docs" and page.parent.name != "reference"]
OTHERS = [*sorted(ROOT.glob("*.md")), ROOT / "examples" / "README.md"]
OUR_PROGRAMS = {"rc-mcp", "make", "python"}
NOT_OURS = {".", "docker", "export", "openssl", "sudo"}
CONTAINER = ROOT / "docs/how-to/run-in-a-container.md"


def fences(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def lines_to_type(page: Path) -> list[list[str]]:
    """Return the words of each command on a page."""
    typed = [line for fence in fences(page, "sh") for line in fence.replace("\\\n", " ").splitlines()]
    typed += [line[2:] for fence in fences(page, "console") for line in fence.splitlines() if line.startswith("$ ")]
    return [shlex.split(line, comments=True) for line in typed if line.strip()]


def sessions(page: Path) -> list[tuple[str, str]]:
    """Return each command that a page shows, with its output."""
    text = "".join(fences(page, "console"))
    return [
        (part.split("\n", 1)[0], part.split("\n", 1)[1]) for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    ]


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=ids)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)", page.read_text("utf-8")):
        file = (page.parent / target) if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings], anchor


def test_the_docs_name_as_many_weeks_as_the_office_has() -> None:
    with Emulator() as emulator:
        times = [datetime.fromisoformat(message["creationTime"]) for message in emulator.store.messages()]
    weeks = ["zero", "one", "two", "three", "four", "five"][round((max(times) - min(times)) / timedelta(weeks=1))]
    named = re.findall(r"(\w+)\s+weeks", (ROOT / "docs/emulator.md").read_text("utf-8"))
    assert len(named) > 1
    assert set(named) == {weeks}


@pytest.mark.parametrize("page", MINE, ids=ids)
def test_every_page_is_in_the_index(page: Path) -> None:
    assert f"]({page.relative_to(ROOT / 'docs').as_posix()})" in (ROOT / "docs/README.md").read_text("utf-8")


@pytest.mark.parametrize("page", MINE, ids=ids)
def test_every_command_on_it_exists(page: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in lines_to_type(page):
        assert words[0] in OUR_PROGRAMS | NOT_OURS, words
        if words[0] == "make":
            assert words[1] in targets
        for start in [i for i, word in enumerate(words) if word == "rc-mcp" and words[0] in {"rc-mcp", "docker"}]:
            parse([*takewhile(lambda word: word not in {"<", ">"}, words[start + 1 :])])


def parse(words: list[str]) -> None:
    """Fail unless the command accepts these words; run nothing."""
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            break
        command, words = found, words[1:]
    if not isinstance(command, click.Group):
        command.make_context("rc-mcp", words)


@pytest.mark.parametrize("page", [page for page in MINE if sessions(page)], ids=ids)
def test_the_commands_of_a_page_print_its_output(page: Path, tmp_path: Path) -> None:
    """Run the page's commands in a copy of its folder, as a new user would."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "state").mkdir(mode=0o700)  # as a server does when it starts
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RC_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "RC_MCP_STATE_DIR": str(tmp_path / "state"),
        "PYTHONUTF8": "1",
    }
    for typed, shown in sessions(page):
        done = subprocess.run(  # noqa: S602  as a user types it
            typed,
            shell=True,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=240,
            check=False,
        )
        checker, seen = doctest.OutputChecker(), doctest.ELLIPSIS
        assert checker.check_output(shown, done.stdout, seen), f"$ {typed}\n{done.stdout}"


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=ids)
def test_every_variable_it_names_is_read(page: Path) -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()}
    named = set(re.findall(r"\bRC_[A-Z]+(?:_[A-Z]+)*\b", page.read_text("utf-8")))
    assert named - known <= {"RC_MCP"}


def test_the_compose_file_starts_a_command_of_the_image() -> None:
    (text,) = fences(CONTAINER, "yaml")
    composed: dict[str, Any] = yaml.safe_load(text)
    service = composed["services"]["rc-mcp"]
    parse(list(service["command"]))
    assert service["environment"].keys() <= {str(field.alias) for field in Settings.model_fields.values()}
    assert service["read_only"] is True
    volume, policy = (mounted.split(":") for mounted in service["volumes"])
    assert volume[0] in composed["volumes"]
    assert volume[1] == container.last("VOLUME").text
    assert policy[1:] == [service["environment"]["RC_MCP_POLICY"], "ro"]


def test_the_units_start_a_command_and_the_agent_of_the_examples() -> None:
    page = ROOT / "docs/how-to/clean-up-unattended.md"
    server, agent, _ = (dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE)) for unit in fences(page, "ini"))
    program, *words = shlex.split(server["ExecStart"])
    assert Path(program).name == "rc-mcp"
    parse(words)
    _, program, *_ = shlex.split(agent["ExecStart"])
    source = (ROOT / "examples" / Path(program).name).read_text("utf-8")
    assert f"{agent['SuccessExitStatus']} = some stay" in source


@pytest.mark.anyio
@pytest.mark.parametrize("token", [TOKEN, ""], ids=["with a token", "without"])
async def test_the_agent_of_the_container_page_reaches_it(token: str) -> None:
    (program,) = fences(CONTAINER, "python")
    with anyio.fail_after(120), http_server("--access", "read", token=token) as served:
        environment = {name: value for name, value in os.environ.items() if name != "RC_MCP_HTTP_TOKEN"}
        environment |= {"MCP_ADDRESS": served.address} | ({"RC_MCP_HTTP_TOKEN": token} if token else {})
        done = await anyio.run_process([sys.executable, "-W", "error", "-c", program], env=environment)
    assert "list_messages" in done.stdout.decode().split()


def test_the_apps_that_it_names_are_those_that_install_knows() -> None:
    from rc_mcp.cli.install.hosts import HOSTS

    page = (ROOT / "docs/how-to/connect-an-assistant.md").read_text("utf-8")
    assert re.findall(r"^rc-mcp install (\S+)$", page, re.MULTILINE) == list(HOSTS)
    heading, *apps = re.findall(r"^\| ([A-Za-z][\w ]+) \|", page, re.MULTILINE)
    assert (heading, apps) == ("app", [host.title for host in HOSTS.values()])
    assert json.loads((ROOT / "plugin/.claude-plugin/plugin.json").read_text())["name"] == "ringcentral"
