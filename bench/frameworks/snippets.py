"""Runs the snippets of docs/how-to/use-from-a-framework.md, each with the packages that it is about."""

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.frameworks.environments import command_of

PAGE = Path(__file__).parents[2] / "docs/how-to/use-from-a-framework.md"
LOCKS = {
    "LangChain": "langchain",
    "OpenAI Agents": "openai-agents",
    "Pydantic AI": "pydantic-ai",
    "AI SDK": "ai-sdk",
    "Google ADK": "google-adk",
    "Claude Agent SDK": "claude-agent-sdk",
}
"""The heading above each snippet, and its pins."""
TOOLS = {"Pydantic AI": 9}
"""How many tools a snippet prints first where that is not ten: its server has another access level."""
RUN_TIMEOUT_S = 180


def snippets() -> dict[str, str]:
    """Return the code below each heading that has some."""
    sections = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    code = {heading: re.search(r"```(?:python|js)\n(.*?)```", text, re.DOTALL) for heading, text in sections}
    return {heading: found[1] for heading, found in code.items() if found and heading in LOCKS}


def wrong(heading: str, code: str) -> str:
    """Run a snippet as its reader does; return what went wrong, empty if nothing did."""
    lock = LOCKS[heading]
    with TemporaryDirectory() as folder:
        # Nothing of the developer's own: a framework may look for keys in the environment and at home.
        env = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": folder,
            "RC_MCP_STATE_DIR": f"{folder}/state",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        program = Path(folder) / f"snippet.{'mjs' if heading == 'AI SDK' else 'py'}"
        program.write_text(code, encoding="utf-8")
        command = command_of(program, lock)
        try:
            done = subprocess.run(  # noqa: S603
                command, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return "it did not end"
    if done.returncode or not re.match(rf"{TOOLS.get(heading, 10)} \S", done.stdout):
        return f"it ended with {done.returncode}: {done.stdout[-200:]}{done.stderr[-500:]}"
    return ""
