"""The addresses of the operations, and the hosts that serve them."""

import re
from typing import Literal

from rc_mcp.emulator.errors import method_not_allowed, no_such_route
from rc_mcp.emulator.operations.account import list_directory_entries, read_account, read_extension
from rc_mcp.emulator.operations.configuration import read_configuration, update_configuration
from rc_mcp.emulator.operations.content import read_content
from rc_mcp.emulator.operations.conversations import delete_by_filter
from rc_mcp.emulator.operations.exports import create_export, list_archives, read_archive, read_export
from rc_mcp.emulator.operations.listing import list_messages
from rc_mcp.emulator.operations.messages import delete_message, patch_message, read_message, update_message
from rc_mcp.emulator.operations.operation import Operation
from rc_mcp.emulator.operations.syncing import sync_messages

EntryPoint = Literal["platform", "media"]

_READ = ("ReadMessages", "ReadMessages")
_EDIT = ("EditMessages", "EditMessages")
_ADMINISTER = ("EditAccounts", "AccountAdministration")
# Old and new specification; the guide demands an administrator.
_EXPORT = ("ReadMessages", "Users")
# Every user may look up public information on the account and its users (RingCentral's guide).
_LOOK_UP = ("ReadAccounts", None)

_ACCOUNT = r"/restapi/v1\.0/account/(?P<account>[^/]+)"
_EXTENSION = rf"{_ACCOUNT}/extension/(?P<extension>[^/]+)"
_MESSAGE = rf"{_EXTENSION}/message-store/(?P<message>[^/]+)"
_EXPORTS = rf"{_ACCOUNT}/message-store-report"
_TASK = rf"{_EXPORTS}/(?P<task>[^/]+)"
_CONTENT = rf"{_MESSAGE}/content/(?P<attachment>[^/]+)"

# The operations at each pattern of a path, by method.
_ROUTES = {
    # A path with an empty id is the collection's path. If a client joins an empty list of ids into the path, it deletes
    # everything, as the specification warns.
    rf"{_EXTENSION}/message-store/?": {
        "GET": Operation("listMessages", "Light", *_READ, list_messages),
        "DELETE": Operation("deleteMessageByFilter", "Medium", *_EDIT, delete_by_filter),
    },
    _MESSAGE: {
        "GET": Operation("readMessage", "Light", *_READ, read_message),
        "PUT": Operation("updateMessage", "Medium", *_EDIT, update_message),
        "PATCH": Operation("patchMessage", "Medium", *_EDIT, patch_message),
        "DELETE": Operation("deleteMessage", "Medium", *_EDIT, delete_message),
    },
    _CONTENT: {"GET": Operation("readMessageContent", "Medium", "ReadMessages", "ReadMessageContent", read_content)},
    rf"{_EXTENSION}/message-sync": {"GET": Operation("syncMessages", "Light", *_READ, sync_messages)},
    rf"{_ACCOUNT}/message-store-configuration": {
        "GET": Operation("readMessageStoreConfiguration", "Light", *_ADMINISTER, read_configuration),
        "PUT": Operation("updateMessageStoreConfiguration", "Light", *_ADMINISTER, update_configuration),
    },
    _EXPORTS: {"POST": Operation("createMessageStoreReport", "Heavy", *_EXPORT, create_export)},
    _TASK: {"GET": Operation("readMessageStoreReportTask", "Heavy", *_EXPORT, read_export)},
    rf"{_TASK}/archive": {"GET": Operation("readMessageStoreReportArchive", "Heavy", *_EXPORT, list_archives)},
    rf"{_TASK}/archive/(?P<archive>[^/]+)": {
        "GET": Operation("readMessageStoreReportArchiveContent", "Heavy", *_EXPORT, read_archive)
    },
    _ACCOUNT: {"GET": Operation("readAccountInfo", "Light", *_LOOK_UP, read_account)},
    _EXTENSION: {"GET": Operation("readExtension", "Light", *_LOOK_UP, read_extension)},
    rf"{_ACCOUNT}/directory/entries": {
        "GET": Operation("listDirectoryEntries", "Heavy", *_LOOK_UP, list_directory_entries)
    },
}


def find_operation(entry_points: frozenset[EntryPoint], method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """Return the operation at an address and the parts of its path.

    Both hosts serve content; the media host serves nothing else. The specification demands the media host, but
    RingCentral's own SDKs (`@rc-ex/core` 1.8) ask the platform host. It is not known whether that still answers.
    """
    for pattern, operations in _ROUTES.items():
        match = re.fullmatch(pattern, path)
        if match and ("platform" in entry_points or pattern == _CONTENT):
            operation = operations.get("GET" if method == "HEAD" else method)
            if operation is None:
                raise method_not_allowed(sorted(operations))
            return operation, match.groupdict()
    raise no_such_route()
