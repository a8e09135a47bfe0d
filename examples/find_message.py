"""Find messages by their words: of texts, of faxes, and of what was said in voicemails. It marks nothing as read.

python find_message.py [QUERY]        such as: referral, "type:voicemail swollen", "from:quillmere newer_than:7d"
"""

import argparse
import sys
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

SERVER = StdioServerParameters(
    command=sys.executable, args=["-P", "-m", "rc_mcp", "serve", "--demo", "--access", "read"]
)
FILLED_IN_S = 60.0
"""A demo's local copy is new at each start. After this time, the answer is what the copy has so far."""


async def main(query: str) -> str | None:
    """Print the messages that the query finds; return the error, if there was one."""
    async with Client(SERVER) as client:
        result = await search(client, query)
        answer = result.structured_content
        if result.is_error or answer is None:
            return " ".join(block.text for block in result.content if block.type == "text")

        print(f"{answer['total']} found for {query!r}")
        for kind, table in answer["messages"].items():  # a table for each type, with the newest message first
            for cells in table["untrusted_rows"]:
                row = dict(zip(table["columns"], cells, strict=False))
                print(f"\n{kind}, {row['at']}, {row['untrusted_who']}")
                print(f"  {row.get('untrusted_snippet') or '(no text)'}")

        coverage = answer["coverage"]
        print(f"\nSearched: {coverage['messages']} messages since {coverage.get('date_from', 'never')}.")
        print(f"Texts of attachments that are not in the copy yet: {coverage['contents_missing']}. {answer['next']}")
        return None


async def search(client: Client, query: str) -> CallToolResult:
    """Search, and search again until the copy has all messages and their texts."""
    until = anyio.current_time() + FILLED_IN_S
    while True:
        result = await client.call_tool("search_messages", {"query": query, "sort": "newest"})
        if result.is_error or is_filled(result.structured_content or {}) or anyio.current_time() > until:
            return result
        await anyio.sleep(0.5)


def is_filled(answer: dict[str, Any]) -> bool:
    coverage = answer["coverage"]
    return bool(coverage.get("synced_at")) and not coverage["contents_missing"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("query", nargs="?", default="referral", help="words and operators: %(default)s")
    sys.exit(anyio.run(main, parser.parse_args().query))
