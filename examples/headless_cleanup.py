"""Delete a courier's old texts unattended, check every step, and undo it.

    python headless_cleanup.py        on the demo mailbox: no account, no key

This client cannot ask the user (no elicitation), so a delete takes two calls: the first returns a preview and a
plan_id, and the second names the plan. Between them `agreed` decides: a rule of your own, which an operator can read.
With RC_MCP_APPROVAL=human only a user in a terminal can approve. A program can never approve a purge.
"""

import sys
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

COURIER = "+15035550160"
OLD = {"phone_number": COURIER, "message_type": "SMS", "date_from": "90d", "date_to": "7d"}


async def main() -> None:
    with TemporaryDirectory() as state_dir:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-P", "-m", "rc_mcp", "serve", "--demo"],
            env={"RC_MCP_STATE_DIR": state_dir, "RC_MCP_APPROVAL": "auto"},
        )
        async with Client(server) as client:
            await clean_up(client)


async def clean_up(client: Client) -> None:
    found = await call(client, "list_messages", **OLD)
    ids = ids_of(found)
    print(f"{len(ids)} texts from {COURIER} between {found['window']['date_from']} and {found['window']['date_to']}")
    if not ids:
        return

    plan = await change(client, "confirmation_required", "delete_message", message_id=ids)
    preview = plan["preview"]
    print(f"  preview: {preview['by_type']}, {preview['by_read_status']}, newest {preview['newest']}")
    await expect(client, ids, alive=True)
    if not agreed(preview):
        print("The rule refused the plan. Nothing was deleted.")
        return

    await change(client, "done", "delete_message", message_id=ids, plan_id=plan["plan_id"])
    await expect(client, ids, alive=False)
    await change(client, "refused", "delete_message", message_id=ids, plan_id=plan["plan_id"])

    plan = await change(client, "confirmation_required", "delete_message", message_id=ids, purge=True)
    await change(client, "refused", "delete_message", message_id=ids, purge=True, plan_id=plan["plan_id"])
    await expect(client, ids, alive=False)

    await change(client, "done", "patch_message", message_id=ids, availability="Alive")
    await expect(client, ids, alive=True)
    print("Everything is back as it was.")


def agreed(preview: dict[str, Any]) -> bool:
    """Decide in place of a user: texts only, one sender only, none newer than a day."""
    senders, newest = preview["untrusted"]["senders"], preview.get("newest")
    is_old = newest is not None and datetime.fromisoformat(newest) < datetime.now(UTC) - timedelta(days=1)
    return set(preview["by_type"]) == {"SMS"} and len(senders) == 1 and is_old


async def change(client: Client, expected: str, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that changes messages, and fail unless it answers with the expected status."""
    answer = await call(client, tool, **arguments)
    kind = "purge" if arguments.get("purge") else tool.removesuffix("_message")
    print(f"{kind}{' with its plan' if 'plan_id' in arguments else ''}: {answer['status']}. {answer['said']}")
    if answer["status"] != expected:
        raise RuntimeError(f"Expected {expected}: {answer}")
    return answer


async def expect(client: Client, ids: list[str], *, alive: bool) -> None:
    """Read the mailbox itself: an answer says what happened, the mailbox shows it."""
    for availability, expected in (("Alive", alive), ("Deleted", not alive)):
        listed = await call(client, "list_messages", **OLD, availability=availability)
        if set(ids_of(listed)).issuperset(ids) != expected:
            raise RuntimeError(f"Expected {availability}: {expected}, found {listed['summary']}")
    print(f"  read back: {len(ids)} {'in the mailbox' if alive else 'in Deleted'}")


def ids_of(listing: dict[str, Any]) -> list[str]:
    """The ids in all tables of a list; there is one for each type."""
    return [
        cells[table["columns"].index("id")]
        for table in listing["messages"].values()
        for cells in table["untrusted_rows"]
    ]


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise RuntimeError(f"{tool}: {result.content}")
    return result.structured_content


if __name__ == "__main__":
    anyio.run(main)
