"""The reference pages say what the code says. They are made by running this file: `make docs`."""

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
from tests.test_readme import all_commands, table

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "docs" / "reference"
RENEW = "renew it with: make docs"


def commands() -> str:
    """Every command's own help."""
    names = ["rc-mcp", *(name for name, _ in all_commands())]
    return "\n".join([_COMMANDS, *(section(name.split()) for name in names)])


def section(words: list[str]) -> str:
    words = [word for word in words if not word.isupper()]
    shown = CliRunner().invoke(main, [*words[1:], "--help"], prog_name="rc-mcp", terminal_width=100)
    return f"## {' '.join(words)}\n```text\n{shown.output}```\n"


def environment() -> str:
    """Every setting, with its default and what it is for."""
    rows: list[tuple[str, ...]] = []
    for field in Settings.model_fields.values():
        default = field.default
        shown = f"`{default}`" if default is not PydanticUndefined and isinstance(default, str) and default else ""
        rows.append((f"`{field.alias}`", shown, field.description or ""))
    return _ENVIRONMENT + table(("variable", "default", "meaning"), rows)


_COMMANDS = """\
# Commands

<!-- made from the code by `make docs` -->
`rc-mcp` alone, or with an option of `serve`, is `rc-mcp serve`. Logs go to stderr. Every command answers `--help`.

| exit code | means |
| --- | --- |
| 0 | it did what it was asked to |
| 1 | it could not; what is wrong, and what was left as it was, is on stderr |
| 2 | the command line or a setting is wrong; nothing was begun |
"""

_ENVIRONMENT = """\
# Environment variables

<!-- made from the code by `make docs` -->
They are read from the environment, and from a `.env` file in the folder where the command is run; the environment goes
first. An empty value counts as none. A wrong value is one line that names the variable, and exit code 2. The names
beginning with `RC_` but not `RC_MCP_` are those of RingCentral's own samples.

A login and its settings come from one place, because a folder, and the `.env` in it, can come from elsewhere:

- If the environment has `RC_USER_JWT`, `RC_ACCESS_TOKEN`, `RC_APP_CLIENT_ID` or `RC_APP_CLIENT_SECRET`, `.env` adds
  nothing.
- Otherwise, if `.env` has `RC_USER_JWT` or `RC_ACCESS_TOKEN`, all of it counts. Values are taken as they are written,
  `${NAME}` is refused, and no variable may name a program to run.
- Otherwise the login is that of `rc-mcp login`: `.env` may name the app, and nothing more.

A variable that would add to a login from elsewhere is refused by name, and nothing is started. A folder may begin with
`~`.

"""

PAGES = {"commands.md": commands, "environment.md": environment}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The pages as a fresh process makes them: click remembers of a command how a test called it before."""
    make = "from tests.docs.test_reference import PAGES; print(json.dumps({n: p() for n, p in PAGES.items()}))"
    program = f"import json; {make}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_that_of_the_code(name: str, made: dict[str, str]) -> None:
    assert (FOLDER / name).read_text("utf-8") == made[name], RENEW


def test_every_setting_says_what_it_is_for() -> None:
    assert [field.alias for field in Settings.model_fields.values() if not field.description] == []


def test_every_option_says_what_it_does() -> None:
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
