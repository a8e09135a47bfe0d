"""Print unheard voicemails from one caller, with their transcripts. It saves nothing and marks nothing as heard.

python voicemail_query.py [NAME OR NUMBER] [SINCE]        such as: quillmere 7d, 360-555-0108 24h
"""

import argparse
import sys
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

SERVER = StdioServerParameters(
    command=sys.executable, args=["-P", "-m", "rc_mcp", "serve", "--demo", "--access", "read"]
)


async def main(caller: str, since: str) -> str | None:
    """Print the unheard voicemails of this caller; return the error, if there was one."""
    asked = {"message_type": "VoiceMail", "read_status": "Unread", "date_from": since}
    by_number = is_number(caller)
    if by_number:
        asked["phone_number"] = caller  # the tool knows the ways to write a number
    async with Client(SERVER) as client:
        listed = await client.call_tool("list_messages", asked)
        if listed.is_error or listed.structured_content is None:
            return " ".join(block.text for block in listed.content if block.type == "text")
        table = listed.structured_content["messages"].get("VoiceMail", {"columns": [], "untrusted_rows": []})
        voicemails = [dict(zip(table["columns"], cells, strict=False)) for cells in table["untrusted_rows"]]
        # RingCentral filters by whole numbers only, so a name, or a part of one, is matched here.
        found = [row for row in voicemails if by_number or caller.lower() in row["untrusted_who"].lower()]

        start = listed.structured_content["window"]["date_from"]
        print(f"{len(found)} unheard from {caller!r} since {start}")
        for row in found:
            print(f"\n{row['untrusted_who']}, {row['at']}, {row['seconds']} s")
            print(f"  {await transcript(client, row['id'])}")
        return None


def is_number(caller: str) -> bool:
    """Return whether this is a whole phone number, however it is written. Shorter ones may be a part of one."""
    return sum(map(str.isdigit, caller)) >= 7 and not any(map(str.isalpha, caller))


async def transcript(client: Client, message_id: str) -> str:
    """The words of a voicemail, or why there are none and where the recording is."""
    answer = await call(client, "read_message_content", message_id=message_id)
    return answer["untrusted"].get("text") or f"{answer['said']} The recording: {answer['uri']}"


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise RuntimeError(f"{tool}: {result.content}")
    return result.structured_content


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "caller", nargs="?", default="quillmere", help="a part of a name, or a whole number: %(default)s"
    )
    parser.add_argument("since", nargs="?", default="7d", help="ISO 8601, or how far back, such as 24h: %(default)s")
    asked = parser.parse_args()
    sys.exit(anyio.run(main, asked.caller, asked.since))
