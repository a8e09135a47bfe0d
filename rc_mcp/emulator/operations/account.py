"""readAccountInfo, readExtension, listDirectoryEntries: the account and its users, as clients look them up first.

Not part of the Message Store. Their answers have the fields that such clients read, not all that RingCentral sends.
"""

from typing import Any

from starlette.responses import Response

from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.login.identity import User
from rc_mcp.emulator.operations import query
from rc_mcp.emulator.operations.operation import Call, json_response

_PER_PAGE_DEFAULT = 1000
_PER_PAGE_MAX = 2000


def read_account(call: Call) -> Response:
    operator = call.account.owner
    return json_response(
        {
            "uri": _account_uri(call),
            "id": int(call.account.account_id),
            "mainNumber": operator.phone_number,
            "operator": {
                "uri": _extension_uri(call, operator),
                "id": int(operator.extension_id),
                "extensionNumber": operator.extension_number,
            },
            "setupWizardState": "Completed",
            "status": "Confirmed",
        }
    )


def read_extension(call: Call) -> Response:
    user = next(each for each in call.account.users if each.extension_id == call.store.addresses.extension_id)
    is_administrator = "AccountAdministration" in user.permissions
    return json_response(
        {
            "uri": _extension_uri(call, user),
            "id": int(user.extension_id),
            "extensionNumber": user.extension_number,
            "name": user.name,
            "contact": _contact(user),
            "type": "User",
            "status": "Enabled",
            "permissions": {"admin": {"enabled": is_administrator}},
            "account": {"uri": _account_uri(call), "id": call.account.account_id},
        }
    )


def list_directory_entries(call: Call) -> Response:
    """List the users by extension number. `perPage` may also be the word `max` or `all`."""
    number = query.integer(call.query, "page", default=1, least=1)
    words = {"max": _PER_PAGE_MAX, "all": len(call.account.users)}
    asked = call.query.get("perPage", "")
    size = words.get(asked) or query.integer(call.query, "perPage", default=_PER_PAGE_DEFAULT, least=1)
    size = min(size, _PER_PAGE_MAX)
    users = sorted(call.account.users, key=lambda user: user.extension_number)
    start, total = (number - 1) * size, len(users)
    shown = users[start : start + size]
    paging: Json = {"page": number, "perPage": size, "totalPages": -(-total // size), "totalElements": total}
    if shown:
        paging |= {"pageStart": start, "pageEnd": start + len(shown) - 1}
    return json_response({"records": [_entry(call, user) for user in shown], "paging": paging})


def _entry(call: Call, user: User) -> Json:
    numbers = [{"phoneNumber": user.phone_number, "type": "VoiceFax", "usageType": "DirectNumber"}]
    return {
        "id": user.extension_id,
        "type": "User",
        "status": "Enabled",
        "extensionNumber": user.extension_number,
        "account": {"id": call.account.account_id},
        "phoneNumbers": numbers if user.phone_number else [],
        **_contact(user),
    }


def _contact(user: User) -> dict[str, Any]:
    first, _, last = user.name.partition(" ")
    return {"firstName": first, "lastName": last, "email": user.username}


def _account_uri(call: Call) -> str:
    return f"{call.store.addresses.hosts.server_url}/restapi/v1.0/account/{call.account.account_id}"


def _extension_uri(call: Call, user: User) -> str:
    return f"{_account_uri(call)}/extension/{user.extension_id}"
