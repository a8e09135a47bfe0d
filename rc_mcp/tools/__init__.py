"""The tools, one file each. Only tools in this table exist."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from mcp.types import ToolAnnotations

from rc_mcp.access import LEVELS, Level
from rc_mcp.ringcentral import Permission
from rc_mcp.tools.delete_message import delete_message
from rc_mcp.tools.delete_message_by_filter import delete_message_by_filter
from rc_mcp.tools.list_messages import NO_SEARCH, WITH_SEARCH, list_messages
from rc_mcp.tools.patch_message import patch_message
from rc_mcp.tools.read_message import read_message
from rc_mcp.tools.read_message_content import read_message_content
from rc_mcp.tools.read_message_store_configuration import read_message_store_configuration
from rc_mcp.tools.strict_tool import StrictTool
from rc_mcp.tools.sync_messages import sync_messages
from rc_mcp.tools.update_message import update_message
from rc_mcp.tools.update_message_store_configuration import update_message_store_configuration


@dataclass(frozen=True, slots=True)
class _Entry:
    function: Callable[..., Any]
    title: str
    level: Level
    permission: Permission


# Titles are for users; models read the tools in this order.
_TOOLS = (
    _Entry(list_messages, "List messages", "read", "ReadMessages"),
    _Entry(sync_messages, "Follow what changed", "read", "ReadMessages"),
    _Entry(read_message, "Read messages", "read", "ReadMessages"),
    _Entry(read_message_content, "Read an attachment", "read", "ReadMessages"),
    _Entry(read_message_store_configuration, "Read the retention period", "read", "EditAccounts"),
    _Entry(update_message, "Mark read or unread", "triage", "EditMessages"),
    _Entry(patch_message, "Restore, or mark read or unread", "triage", "EditMessages"),
    _Entry(delete_message, "Delete messages", "delete", "EditMessages"),
    _Entry(delete_message_by_filter, "Delete conversations", "delete", "EditMessages"),
    _Entry(update_message_store_configuration, "Set the retention period", "admin", "EditAccounts"),
)


SEARCH = "search_messages"
"""The tool that needs the local copy."""
PERMISSIONS: dict[str, Permission] = {SEARCH: "ReadMessages", **{t.function.__name__: t.permission for t in _TOOLS}}
"""The permission that RingCentral must grant for each tool."""


def tools_for(access: Level, *, with_search: bool = False) -> list[StrictTool]:
    """Return the tools of an access level. Tools above the level are not listed at all.

    Args:
        with_search: there is a local copy of the mailbox.
    """
    allowed = LEVELS[: LEVELS.index(access) + 1]
    tools = [_tool(t) for t in _TOOLS if t.level in allowed]
    return _with_search(tools) if with_search else tools


@cache
def _tool(entry: _Entry) -> StrictTool:
    # Once per process: making the schemas takes most of the time of making a server.
    return StrictTool.of(entry.function, entry.title, _annotations(entry.level))


def _with_search(tools: Sequence[StrictTool]) -> list[StrictTool]:
    """Return the tools with `search_messages` after the first, and without the sentence that nothing can search."""
    from rc_mcp.tools.search_messages import search_messages  # late: most servers have no local copy

    search = _tool(_Entry(search_messages, "Search messages", "read", PERMISSIONS[SEARCH]))
    first, *others = tools
    return [
        first.model_copy(update={"description": first.description.replace(NO_SEARCH, WITH_SEARCH)}),
        search,
        *others,
    ]


def _annotations(level: Level) -> ToolAnnotations:
    # Never idempotent where it deletes: a second DELETE purges. Open world: senders wrote the content.
    reads = level == "read"
    return ToolAnnotations(
        read_only_hint=reads,
        destructive_hint=level not in {"read", "triage"},
        idempotent_hint=level in {"read", "triage"},
        open_world_hint=True,
    )
