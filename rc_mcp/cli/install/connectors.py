"""What to do for hosts that run in their vendor's cloud: they read no file on this machine and start no program.

Such a host connects to a public https address, without a login or by OAuth. As of November 2026:
https://support.claude.com/en/articles/11503834-building-custom-integrations-via-remote-mcp-servers,
https://developers.openai.com/api/docs/guides/developer-mode.md and
https://developers.openai.com/api/docs/guides/secure-mcp-tunnels.md.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connector:
    """A host in a vendor's cloud."""

    title: str
    where: str
    """Where its user adds the address of a server."""
    private: str
    """A way to the user's own mailbox that needs no public address."""

    def steps(self) -> str:
        """Return what works with this host today, what does not, and each step."""
        return f"""\
{self.title} runs in its vendor's cloud: it reads no file and starts no program here. Nothing was written.
It needs a public https address in front of rc-mcp, which takes someone technical. It connects there without a login
or by OAuth; {self.title} sends no fixed token such as RC_MCP_HTTP_TOKEN.
NAME below is the host name of that address, such as rc.example.com.

The made-up mailbox works, and everybody who knows the address can use it:
  1. `rc-mcp serve --http --demo --allow-host NAME`
  2. Put https in front: a tunnel or a proxy that serves https://NAME and passes requests on to 127.0.0.1:8000.
  3. {self.where}
     The address is https://NAME/mcp, without authentication.

Your own mailbox must not be served that way: everybody who knows the address could read it and delete in it.
  `rc-mcp serve --http --team` has the OAuth login, for one person or several: docs/how-to/run-for-a-team.md.
  {self.private}
We tried none of this with a {self.title} account."""


CONNECTORS = {
    "claude-ai": Connector(
        title="Claude",
        where="In Claude open Customize, Connectors, and choose Add custom connector.",
        private="Use Claude Desktop on this machine: `rc-mcp install claude-desktop`.",
    ),
    "chatgpt": Connector(
        title="ChatGPT",
        where="In ChatGPT open Settings, Apps, Advanced settings, switch on Developer mode, and choose Create app.",
        private=(
            "Use OpenAI's Secure MCP Tunnel (https://developers.openai.com/api/docs/guides/secure-mcp-tunnels) to\n"
            "  http://127.0.0.1:8000/mcp, where `rc-mcp serve --http` listens.\n"
            "  Or use Codex on this machine: `rc-mcp install codex`."
        ),
    ),
}
