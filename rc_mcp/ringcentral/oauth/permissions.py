"""Permissions of a login: those in a token's `scope`, and those that they include.

Source: RingCentral's guide ("Application permissions"). The user's role must allow a request too, but no token shows
the role.
"""

from typing import Literal

Permission = Literal["ReadMessages", "EditMessages", "EditAccounts"]
"""The permissions that the operations need; each needs one."""

_INCLUDE: dict[str, tuple[Permission, ...]] = {
    "EditMessages": ("ReadMessages",),
    "Faxes": ("ReadMessages",),
    "InternalMessages": ("ReadMessages",),
    "SMS": ("ReadMessages",),
    # An older name in samples of the guide. Its meaning is not documented, so it includes both.
    "Messages": ("ReadMessages", "EditMessages"),
}


def permissions_of(scope: str) -> frozenset[str] | None:
    """Return all permissions that this scope grants; None if it is empty."""
    named = scope.split()
    return frozenset(named).union(*(_INCLUDE.get(name, ()) for name in named)) if named else None
