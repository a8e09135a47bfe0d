"""The tools, one file each. Only tools in this table exist."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from mcp.types import ToolAnnotations

from rc_mcp.access import LEVELS, Level
from rc_mcp.ringcentral import Permission
from rc_mcp.tools.delete_message import delete_message
from rc_mcp.tools.delete_message_by_filter import delete_message_by_filter
from rc_mcp.tools.list_messages import list_messages
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


PERMISSIONS: dict[str, Permission] = {t.function.__name__: t.permission for t in _TOOLS}
"""The permission that RingCentral must grant for each tool."""


def tools_for(access: Level) -> list[StrictTool]:
    """Return the tools of an access level. Tools above the level are not listed at all."""
    allowed = LEVELS[: LEVELS.index(access) + 1]
    return [_tool(t) for t in _TOOLS if t.level in allowed]


@cache
def _tool(entry: _Entry) -> StrictTool:
    # Once per process: making the schemas takes most of the time of making a server.
    return StrictTool.of(entry.function, entry.title, _annotations(entry.level))


def _annotations(level: Level) -> ToolAnnotations:
    # Never idempotent where it deletes: a second DELETE purges. Open world: senders wrote the content.
    reads = level == "read"
    return ToolAnnotations(
        read_only_hint=reads,
        destructive_hint=level not in {"read", "triage"},
        idempotent_hint=level in {"read", "triage"},
        open_world_hint=True,
    )
