"""What RingCentral granted a login: the permissions named in a token's `scope`, and those that they include.

Source: RingCentral's guide ("Application permissions"). The user's own role has to allow a request too, and no token
tells about that.
"""

from typing import Literal

Permission = Literal["ReadMessages", "EditMessages", "EditAccounts"]
"""What the ten operations need, one each."""

_INCLUDE: dict[str, tuple[Permission, ...]] = {
    "EditMessages": ("ReadMessages",),
    "Faxes": ("ReadMessages",),
    "InternalMessages": ("ReadMessages",),
    "SMS": ("ReadMessages",),
    # An older name, in samples of the guide: what it stood for is not said, so it takes nothing away.
    "Messages": ("ReadMessages", "EditMessages"),
}


def permissions_of(scope: str) -> frozenset[str] | None:
    """All that this scope grants; None where it says nothing."""
    named = scope.split()
    return frozenset(named).union(*(_INCLUDE.get(name, ()) for name in named)) if named else None
