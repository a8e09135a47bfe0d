"""Tests that the reference pages match the code. Running this file writes the pages: `make docs`."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic_core import PydanticUndefined

from rc_mcp.cli import main
from rc_mcp.settings import Settings
from tests.docs.test_readme import all_commands, table

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "docs" / "reference"
RENEW = "renew it with: make docs"


def commands() -> str:
    """Return the help of every command."""
    names = ["rc-mcp", *(name for name, _ in all_commands())]
    return "\n".join([_COMMANDS, *(section(name.split()) for name in names)])


def section(words: list[str]) -> str:
    words = [word for word in words if not word.isupper()]
    shown = CliRunner().invoke(main, [*words[1:], "--help"], prog_name="rc-mcp", terminal_width=100)
    return f"## {' '.join(words)}\n```text\n{shown.output}```\n"


def environment() -> str:
    """Return every setting, with its default and its meaning."""
    rows: list[tuple[str, ...]] = []
    for field in Settings.model_fields.values():
        default = field.default
        shown = f"`{default}`" if default is not PydanticUndefined and isinstance(default, str) and default else ""
        rows.append((f"`{field.alias}`", shown, field.description or ""))
    return _ENVIRONMENT + table(("variable", "default", "meaning"), rows)


_COMMANDS = """\
# Commands

<!-- made from the code by `make docs` -->
`rc-mcp` without a command, or with an option of `serve`, is `rc-mcp serve`. Logs go to stderr. Every command has
`--help`.

| exit code | means |
| --- | --- |
| 0 | the command succeeded |
| 1 | the command failed; stderr has the fault and says what was not changed |
| 2 | the command line or a setting is wrong; nothing was started |
"""

_ENVIRONMENT = """\
# Environment variables

<!-- made from the code by `make docs` -->
rc-mcp reads variables from the environment, and from a `.env` file in the current folder; the environment has priority.
An empty value is ignored. For a wrong value rc-mcp prints one line with the variable's name, and exits with code 2.
So it does for a name that begins with `RC_MCP_` and is not in this table.
Names that begin with `RC_` but not `RC_MCP_` come from RingCentral's own samples.

A login and its settings must come from one source, because a folder and its `.env` can come from another author:

- If the environment has `RC_USER_JWT`, `RC_ACCESS_TOKEN`, `RC_APP_CLIENT_ID` or `RC_APP_CLIENT_SECRET`, `.env` adds
  nothing.
- Otherwise, if `.env` has `RC_USER_JWT` or `RC_ACCESS_TOKEN`, all of it is used. Values are taken literally,
  `${NAME}` is refused, and no variable may name a program to run.
- Otherwise the login of `rc-mcp login` is used: `.env` may only name the app.

If a variable would add to a login from another source, rc-mcp names it and does not start. A folder may begin with `~`.

"""

PAGES = {"commands.md": commands, "environment.md": environment}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Generate the pages in a new process: click keeps state from commands that tests called before."""
    make = "from tests.docs.test_reference import PAGES; print(json.dumps({n: p() for n, p in PAGES.items()}))"
    program = f"import json; {make}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_matches_the_code(name: str, made: dict[str, str]) -> None:
    assert (FOLDER / name).read_text("utf-8") == made[name], RENEW


def test_every_setting_has_a_description() -> None:
    assert [field.alias for field in Settings.model_fields.values() if not field.description] == []


def test_every_option_has_help() -> None:
    silent = [
        f"{name} {option.opts[0]}"
        for name, command in all_commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


if __name__ == "__main__":
    for page, build in PAGES.items():
        (FOLDER / page).write_text(build(), encoding="utf-8")
