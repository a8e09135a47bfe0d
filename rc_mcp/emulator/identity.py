"""Who may do what: the app's credentials and permissions, the user's, and the account's other extensions."""

from collections.abc import Collection
from dataclasses import dataclass

from rc_mcp.emulator import ids
from rc_mcp.emulator.errors import (
    app_permission_required,
    extended_scope_required,
    not_found,
    user_permission_required,
)
from rc_mcp.emulator.people import extension_id_of

APP_PERMISSIONS = ("EditAccounts", "EditMessages", "ReadAccounts", "ReadMessages")
# `ReadMessageContent` was asked for in older editions and is no longer named. It is still asked for here, so
# that a client meets a refusal where it could meet one.
USER_PERMISSIONS = ("AccountAdministration", "EditMessages", "ReadMessageContent", "ReadMessages")

_INCLUDES = {
    "EditAccounts": ("ReadAccounts", "EditExtensions"),
    "EditMessages": ("ReadMessages",),
    "Faxes": ("ReadMessages",),
    "InternalMessages": ("ReadMessages",),
    "SMS": ("ReadMessages",),
}


@dataclass(frozen=True)
class Identity:
    account_id: str
    extension_id: str
    client_id: str
    client_secret: str
    jwt: str
    app_permissions: frozenset[str]
    user_permissions: frozenset[str]
    colleagues: frozenset[str]

    @property
    def scope(self) -> str:
        return " ".join(sorted(self.app_permissions))


def create_identity(
    seed: int,
    extension_number: str,
    colleagues: Collection[str],
    permissions: Collection[str] | None,
    user_permissions: Collection[str] | None,
) -> Identity:
    return Identity(
        account_id=extension_id_of("account"),
        extension_id=extension_id_of(extension_number),
        client_id=ids.token(seed, "client id", 22),
        client_secret=ids.token(seed, "client secret", 43),
        jwt=".".join(ids.token(seed, f"jwt {part}", length) for part, length in enumerate((36, 180, 43))),
        app_permissions=_with_included(APP_PERMISSIONS if permissions is None else permissions),
        user_permissions=_with_included(USER_PERMISSIONS if user_permissions is None else user_permissions),
        colleagues=frozenset(extension_id_of(number) for number in colleagues),
    )


def check_permissions(identity: Identity, app_permission: str, user_permission: str) -> None:
    if app_permission not in identity.app_permissions:
        raise app_permission_required(app_permission)
    if user_permission not in identity.user_permissions:
        raise user_permission_required(user_permission)


def check_mailbox(identity: Identity, path: dict[str, str], permission: str) -> None:
    """Lets through the user's own account and extension. Another's mailbox takes rights nobody has here."""
    if path["account"] not in {"~", identity.account_id}:
        raise not_found("accountId")
    extension_id = path.get("extension", "~")
    if extension_id in identity.colleagues:
        raise extended_scope_required(permission)
    if extension_id not in {"~", identity.extension_id}:
        raise not_found("extensionId")


def _with_included(permissions: Collection[str]) -> frozenset[str]:
    included = {also for permission in permissions for also in _INCLUDES.get(permission, ())}
    return frozenset({*permissions, *included})
