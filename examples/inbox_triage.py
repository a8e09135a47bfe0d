"""List the unread messages of the last day by sender, the longest wait first.

    python inbox_triage.py        on the demo mailbox: no account, no key

It marks nothing as read, and checks that at the end.
"""

import sys
from collections import defaultdict
from datetime import datetime
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

SERVER = StdioServerParameters(command=sys.executable, args=["-P", "-m", "rc_mcp", "serve", "--demo"])
KINDS = {"VoiceMail": "voicemail", "SMS": "text", "Pager": "page", "Fax": "fax"}


async def main() -> None:
    async with Client(SERVER) as client:
        inbox = await unread(client)
        by_sender: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows(inbox):
            by_sender[row["untrusted_who"]].append(row)

        shown, matched = inbox["summary"]["messages"], inbox["page"]["total_messages"]
        print(f"{shown} of {matched} unread messages since {inbox['window']['date_from']}, of {len(by_sender)} senders")
        for who, theirs in by_sender.items():
            print(f"\n{who}, unread for {age(theirs[0]['at'])}")
            for row in theirs:
                print(f"  {KINDS.get(row['type'], row['type'])}: {await content(client, row)}")

        if (await unread(client))["page"]["total_messages"] != matched:
            raise RuntimeError("Reading marked messages as read.")
        print(f"\nAll {matched} are still unread.")


async def unread(client: Client) -> dict[str, Any]:
    return await call(client, "list_messages", read_status="Unread", direction="Inbound", date_from="24h")


def rows(listing: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of all tables, oldest first: there is one for each type, with the names of its columns."""
    found = [
        {"type": kind, **dict(zip(table["columns"], cells, strict=False))}
        for kind, table in listing["messages"].items()
        for cells in table["untrusted_rows"]
    ]
    return sorted(found, key=lambda row: row["at"])


async def content(client: Client, row: dict[str, Any]) -> str:
    """What a message says, as far as it can be had as text."""
    if row["type"] == "VoiceMail":
        read = await call(client, "read_message_content", message_id=row["id"])
        return read["untrusted"].get("text") or f"{row['seconds']} s without a transcript, to be heard"
    if row["type"] == "Fax":
        return f"{row['pages']} page(s), not opened"
    details = await call(client, "read_message", message_id=row["id"])
    return details["messages"][0]["untrusted"]["text"]


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise RuntimeError(f"{tool}: {result.content}")
    return result.structured_content


def age(at: str) -> str:
    """How long ago. A row's time is local, and without its year while that is this one."""
    now = datetime.now().astimezone()
    then = datetime.fromisoformat(at if len(at) > 11 else f"{now.year}-{at}").astimezone()
    minutes = int((now - then).total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


if __name__ == "__main__":
    anyio.run(main)
