"""The addresses of the ten operations, and which of the two hosts answers each."""

import re
from dataclasses import dataclass
from typing import Literal

from rc_mcp.emulator.call import Operation
from rc_mcp.emulator.configuration import read_configuration, update_configuration
from rc_mcp.emulator.content import read_content
from rc_mcp.emulator.conversations import delete_by_filter
from rc_mcp.emulator.errors import invalid_uri, method_not_allowed
from rc_mcp.emulator.listing import list_messages
from rc_mcp.emulator.messages import delete_message, patch_message, read_message, update_message
from rc_mcp.emulator.syncing import sync_messages

EntryPoint = Literal["platform", "media"]

_READ = ("ReadMessages", "ReadMessages")
_EDIT = ("EditMessages", "EditMessages")
_ADMINISTER = ("EditAccounts", "AccountAdministration")

_ACCOUNT = r"/restapi/v1\.0/account/(?P<account>[^/]+)"
_EXTENSION = rf"{_ACCOUNT}/extension/(?P<extension>[^/]+)"


@dataclass(frozen=True)
class _Route:
    entry_point: EntryPoint
    pattern: re.Pattern[str]
    operations: dict[str, Operation]


_ROUTES = [
    _Route(
        "platform",
        # A path that ends where an id should follow is the collection: an empty id list joined into the path
        # deletes everything, as the specification warns.
        re.compile(rf"{_EXTENSION}/message-store/?"),
        {
            "GET": Operation("listMessages", "Light", *_READ, list_messages),
            "DELETE": Operation("deleteMessageByFilter", "Medium", *_EDIT, delete_by_filter),
        },
    ),
    _Route(
        "platform",
        re.compile(rf"{_EXTENSION}/message-store/(?P<message>[^/]+)"),
        {
            "GET": Operation("readMessage", "Light", *_READ, read_message),
            "PUT": Operation("updateMessage", "Medium", *_EDIT, update_message),
            "PATCH": Operation("patchMessage", "Medium", *_EDIT, patch_message),
            "DELETE": Operation("deleteMessage", "Medium", *_EDIT, delete_message),
        },
    ),
    _Route(
        "media",
        re.compile(rf"{_EXTENSION}/message-store/(?P<message>[^/]+)/content/(?P<attachment>[^/]+)"),
        {"GET": Operation("readMessageContent", "Medium", "ReadMessages", "ReadMessageContent", read_content)},
    ),
    _Route(
        "platform",
        re.compile(rf"{_EXTENSION}/message-sync"),
        {"GET": Operation("syncMessages", "Light", *_READ, sync_messages)},
    ),
    _Route(
        "platform",
        re.compile(rf"{_ACCOUNT}/message-store-configuration"),
        {
            "GET": Operation("readMessageStoreConfiguration", "Light", *_ADMINISTER, read_configuration),
            "PUT": Operation("updateMessageStoreConfiguration", "Light", *_ADMINISTER, update_configuration),
        },
    ),
]


def find_operation(entry_points: frozenset[EntryPoint], method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The operation at an address and the parts of its path. Content is served by the media host alone.

    Whether the platform host still serves content is not known; the specification says it must not be asked.
    """
    for route in _ROUTES:
        match = route.pattern.fullmatch(path)
        if match and route.entry_point in entry_points:
            operation = route.operations.get("GET" if method == "HEAD" else method)
            if operation is None:
                raise method_not_allowed(sorted(route.operations))
            return operation, match.groupdict()
    raise invalid_uri()
