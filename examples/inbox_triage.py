"""Who is waiting for an answer? The unread messages of the last day by sender, the longest wait first.

    python inbox_triage.py        on the demo mailbox: no account, no key

Nothing is marked as read on the way; the end makes sure of it.
"""

import sys
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

SERVER = StdioServerParameters(command=sys.executable, args=["-m", "rc_mcp", "serve", "--demo"])
KINDS = {"VoiceMail": "voicemail", "SMS": "text", "Pager": "page", "Fax": "fax"}


async def main() -> None:
    async with Client(SERVER) as client:
        inbox = await unread(client)
        waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in reversed(inbox["messages"]):
            waiting[row["untrusted"]["who"]].append(row)

        shown, matched = inbox["summary"]["rows"], inbox["page"]["total_messages"]
        print(f"{shown} of {matched} unread messages since {inbox['window']['date_from']}, from {len(waiting)} senders")
        for who, rows in waiting.items():
            print(f"\n{who}, waiting for {age(rows[0]['at'])}")
            for row in rows:
                print(f"  {KINDS.get(row['type'], row['type'])}: {await content(client, row)}")

        if (await unread(client))["page"]["total_messages"] != matched:
            raise RuntimeError("Reading changed what is unread.")
        print(f"\nAll {matched} are still unread.")


async def unread(client: Client) -> dict[str, Any]:
    return await call(client, "list_messages", read_status="Unread", direction="Inbound", date_from="24h")


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
    minutes = int((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


if __name__ == "__main__":
    anyio.run(main)
