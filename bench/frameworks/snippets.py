"""Runs the snippets of docs/how-to/use-from-a-framework.md, each with the packages that it is about."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.frameworks.environments import command_of
from tests.cli.test_http import TOKEN, http_server

PAGE = Path(__file__).parents[2] / "docs/how-to/use-from-a-framework.md"
LOCKS = {
    "LangChain": "langchain",
    "OpenAI Agents": "openai-agents",
    "Pydantic AI": "pydantic-ai",
    "AI SDK": "ai-sdk",
    "Google ADK": "google-adk",
    "Claude Agent SDK": "claude-agent-sdk",
    "MCP SDK for Python": "fastmcp",
}
"""The heading above each snippet, and its pins."""
ACCESS = ("--access", "delete")
"""The access level of each snippet's server."""
TOOLS = 10
"""How many tools it has, which each snippet prints first."""
YES = "y\n" * 2
"""What the user of a snippet that asks types."""
RUN_TIMEOUT_S = 180

ADDRESS = "http://127.0.0.1:8000/mcp"
"""The server's address on the page."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program of the page: the heading above it, and its code."""

    heading: str
    code: str
    over_http: bool = False
    """It connects to a server at ADDRESS that wants a token, and does not start one."""


def snippets() -> list[Snippet]:
    """Return the code below each heading, and the same with the lines for a server that is running."""
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    (names,) = _fences(sections["Over HTTP"])
    found: list[Snippet] = []
    for heading in (heading for heading in sections if heading in LOCKS):
        code, instead = _fences(sections[heading])
        before = "" if heading == "AI SDK" else names
        found += [
            Snippet(heading, code),
            Snippet(heading, before + over_http(code, instead), over_http=True),
        ]
    return found


def over_http(code: str, instead: str) -> str:
    """Return the code with its line that has the name of the last line of `instead`; the lines before go to the top."""
    *first, last = instead.splitlines()
    name = last.partition(" = ")[0]
    changed, count = re.subn(rf"^( *){re.escape(name)} = .*$", lambda line: line[1] + last, code, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{name}: {count} lines to replace")
    return "\n".join([*first, changed])


def wrong(snippet: Snippet) -> str:
    """Run a snippet as its reader does; return what went wrong, empty if nothing did."""
    if not snippet.over_http:
        return _wrong(snippet, snippet.code, {})
    with http_server("--port", "0", *ACCESS, token=TOKEN) as server:
        return _wrong(snippet, snippet.code.replace(ADDRESS, server.address), {"RC_MCP_HTTP_TOKEN": TOKEN})


def _fences(section: str) -> list[str]:
    return re.findall(r"^```(?:python|js)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def _wrong(snippet: Snippet, code: str, variables: dict[str, str]) -> str:
    with TemporaryDirectory() as folder:
        # Nothing of the developer's own: a framework may look for keys in the environment and at home.
        env = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": folder,
            "RC_MCP_STATE_DIR": f"{folder}/state",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **variables,
        }
        program = Path(folder) / f"snippet.{'mjs' if snippet.heading == 'AI SDK' else 'py'}"
        program.write_text(code, encoding="utf-8")
        command = command_of(program, LOCKS[snippet.heading])
        try:
            done = subprocess.run(  # noqa: S603
                command,
                cwd=folder,
                env=env,
                input=YES,
                capture_output=True,
                text=True,
                timeout=RUN_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "it did not end"
    if done.returncode or not re.match(rf"{TOOLS} \S", done.stdout):
        return f"it ended with {done.returncode}: {done.stdout[-200:]}{done.stderr[-500:]}"
    return ""
