"""The frameworks: the package that names each, its program, and its pins."""

import json
import re
from dataclasses import dataclass, field

from bench.frameworks.environments import LOCKS


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework or a client library: the package whose version is shown, its file in `programs/` and its pins."""

    package: str
    program: str
    lock: str
    asks: bool = False
    """It has a callback for the server's questions, and its program uses it."""
    cancels: bool = True
    """A call can be cancelled while it runs."""
    known: dict[str, str] = field(default_factory=dict[str, str])
    """Checks of `observing.py` that do not hold because of the framework, and why, for the page."""

    @property
    def name(self) -> str:
        """The name on the page: the package's, and the language where two packages share a name."""
        return self.package.removesuffix("-slim")

    @property
    def version(self) -> str:
        """The pinned version."""
        return self.pinned(self.package)

    @property
    def mcp(self) -> str:
        """The pinned version of the MCP SDK that it uses; empty if it has a client of its own."""
        return self.pinned("@modelcontextprotocol/sdk" if self.program.endswith(".mjs") else "mcp")

    def pinned(self, package: str) -> str:
        """Return the version of a package in the pins; empty if it is not there."""
        if self.program.endswith(".mjs"):
            packages = json.loads((LOCKS / self.lock / "package-lock.json").read_text("utf-8"))["packages"]
            return packages.get(f"node_modules/{package}", {}).get("version", "")
        pins = (LOCKS / f"{self.lock}.txt").read_text("utf-8")
        found = re.search(rf"^{package}(?:\[.*\])?==(\S+)", pins, re.MULTILINE)
        return found[1] if found else ""


_PICTURES = {
    "base64 of page": 'a picture of a page reaches the model as base64. Ask for `form="text"`, which reads a fax that '
    'is only an image if the server has the extra `ocr`, or `form="file"`.'
}
_RESERVED = (
    "`conversation_id` is a reserved name there: it is left out of each call without a word, so "
    "`delete_message_by_filter` fails and a list is not filtered. Pass "
    '`additional_tool_argument_names=["conversation_id"]`.'
)
_REFUSED_NULL = (
    "its ToolCallingAgent demands every argument of any tool, and refuses the null that it shows the model as allowed "
    "where a schema has `anyOf`. Its CodeAgent can leave arguments out."
)

FRAMEWORKS = [
    Framework("langchain-mcp-adapters", "langchain_adapters.py", "langchain", asks=True),
    Framework("openai-agents", "openai_agents.py", "openai-agents"),
    Framework("pydantic-ai-slim", "pydantic_ai_agent.py", "pydantic-ai", asks=True),
    Framework("google-adk", "google_adk.py", "google-adk", asks=True, known=_PICTURES),
    Framework("google-genai", "google_genai.py", "google-genai", asks=True, known=_PICTURES),
    Framework("llama-index-tools-mcp", "llama_index_tools.py", "llama-index", known=_PICTURES),
    Framework(
        "smolagents",
        "smolagents_tools.py",
        "smolagents",
        cancels=False,
        known={"empty": _REFUSED_NULL, "strict delete": _REFUSED_NULL},
    ),
    Framework("crewai-tools", "crewai_mcp.py", "crewai", cancels=False),
    Framework("autogen-ext", "autogen_workbench.py", "autogen", known=_PICTURES),
    Framework("strands-agents", "strands_agent.py", "strands", asks=True),
    Framework(
        "agent-framework-core",
        "agent_framework_tools.py",
        "agent-framework",
        known={
            "plain": _RESERVED,
            "empty": _RESERVED,
            "error": "of an error the model gets `Error: Function failed.`, unless the function invocation of the chat "
            "client is configured with `include_detailed_errors`.",
        },
    ),
    Framework("fastmcp", "fastmcp_client.py", "fastmcp", asks=True),
    Framework("mcp-use", "mcp_use_tools.py", "mcp-use", asks=True),
    Framework("@modelcontextprotocol/sdk", "mcp_sdk.mjs", "mcp-sdk-js", asks=True),
    Framework("@modelcontextprotocol/client", "mcp_client.mjs", "mcp-client-js", asks=True),
    Framework("@ai-sdk/mcp", "ai_sdk.mjs", "ai-sdk", asks=True),
    Framework("@langchain/mcp-adapters", "langchain_adapters.mjs", "langchain-js"),
    Framework("@openai/agents", "openai_agents.mjs", "openai-agents-js"),
]
SDK = Framework("mcp", "mcp_sdk.py", "fastmcp", asks=True)
"""What the server sends, to compare with."""
