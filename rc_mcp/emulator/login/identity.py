"""Identity and permissions, of the app and of the account's users."""

from collections.abc import Collection
from dataclasses import dataclass

from rc_mcp.emulator.errors import app_permission_required, extended_scope_required, not_found, user_permission_required
from rc_mcp.emulator.mailbox import ids
from rc_mcp.emulator.mailbox.people import Party, extension_id_of

APP_PERMISSIONS = ("EditAccounts", "EditMessages", "ReadAccounts", "ReadMessages")
# Older editions of the specification require `ReadMessageContent`; the current one does not name it. The emulator still
# requires it, so that a client meets a refusal wherever the real service could send one.
STAFF_PERMISSIONS = ("EditMessages", "ReadMessageContent", "ReadMessages")
ADMINISTRATOR_PERMISSIONS = ("AccountAdministration", *STAFF_PERMISSIONS, "Users")

_INCLUDES = {
    "EditAccounts": ("ReadAccounts", "EditExtensions"),
    "EditMessages": ("ReadMessages",),
    "Faxes": ("ReadMessages",),
    "InternalMessages": ("ReadMessages",),
    "SMS": ("ReadMessages",),
}


@dataclass(frozen=True)
class User:
    """An extension and its login: by JWT, or by username and password on the login page."""

    extension_id: str
    extension_number: str
    name: str
    jwt: str
    username: str
    password: str
    permissions: frozenset[str]
    phone_number: str | None = None

    @property
    def extended_permissions(self) -> frozenset[str]:
        """The permissions that the user also has for other extensions.

        Each account decides which roles have extended scope. Here administrators can read all users' messages and
        change only their own.
        """
        return frozenset({"ReadMessages"}) if "AccountAdministration" in self.permissions else frozenset()


@dataclass(frozen=True)
class Account:
    """The account, its users (the owner first), and the one app they log in with."""

    account_id: str
    client_id: str
    client_secret: str
    app_permissions: frozenset[str]
    redirect_uris: tuple[str, ...]
    users: tuple[User, ...]

    @property
    def owner(self) -> User:
        return self.users[0]

    @property
    def scope(self) -> str:
        return " ".join(sorted(self.app_permissions))

    def user(self, extension_id: str) -> User | None:
        return next((user for user in self.users if user.extension_id == extension_id), None)

    def user_by_jwt(self, jwt: str | None) -> User | None:
        return next((user for user in self.users if user.jwt == jwt), None)

    def user_by_name(self, username: str | None) -> User | None:
        named = (username or "").strip().lower()
        return next((user for user in self.users if user.username.lower() == named), None)


def create_account(
    seed: int, users: Collection[User], permissions: Collection[str] | None, redirect_uris: Collection[str]
) -> Account:
    return Account(
        account_id=extension_id_of("account"),
        client_id=ids.token(seed, "client id", 22),
        client_secret=ids.token(seed, "client secret", 43),
        app_permissions=_with_included(APP_PERMISSIONS if permissions is None else permissions),
        redirect_uris=tuple(redirect_uris),
        users=tuple(users),
    )


def create_user(seed: int, party: Party, username: str, permissions: Collection[str], *, jwt: str) -> User:
    """Create a user. The credential is derived from `jwt`, which must differ between users."""
    number = party.extension_number or ""
    return User(
        extension_id=extension_id_of(number),
        extension_number=number,
        name=party.name or "",
        jwt=".".join(ids.token(seed, f"{jwt} {part}", length) for part, length in enumerate((36, 180, 43))),
        username=username,
        password=ids.token(seed, f"password {number}", 12),
        permissions=_with_included(permissions),
        phone_number=party.phone_number,
    )


def check_permissions(account: Account, user: User, app_permission: str, user_permission: str | None) -> None:
    if app_permission not in account.app_permissions:
        raise app_permission_required(app_permission)
    if user_permission is not None and user_permission not in user.permissions:
        raise user_permission_required(user_permission)


def mailbox_asked_for(account: Account, user: User, path: dict[str, str], permission: str | None) -> str:
    """Return the extension that a path names.

    Another user's extension requires the permission with extended scope; None asks for public information only.
    """
    if path["account"] not in {"~", account.account_id}:
        raise not_found("accountId")
    extension_id = path.get("extension", "~")
    if extension_id in {"~", user.extension_id}:
        return user.extension_id
    if account.user(extension_id) is None:
        raise not_found("extensionId")
    if permission is not None and permission not in user.extended_permissions:
        raise extended_scope_required(permission)
    return extension_id


def _with_included(permissions: Collection[str]) -> frozenset[str]:
    included = {also for permission in permissions for also in _INCLUDES.get(permission, ())}
    return frozenset({*permissions, *included})
