"""The secrets that make a button of the inbox page inside an app count, the same on each replica.

A secret is derived from the plan and its person, so that nothing about it needs to be kept. A plan is used up once,
and its secret with it.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass

PURPOSE = "app-secret"


@dataclass(frozen=True, slots=True)
class DerivedSecrets:
    """The secrets of one person's plans.

    Args:
        keys: the first makes secrets, and all are good.
    """

    keys: Sequence[bytes]
    person_id: str

    def new(self, plan_id: str) -> str:
        """Return the secret of a plan."""
        return self._derived(self.keys[0], plan_id)

    def has(self, plan_id: str) -> bool:
        """Return True: which window has a secret is known only to the window."""
        return True

    def fits(self, secret: str, plan_id: str) -> bool:
        """Return whether the secret is for this plan."""
        given = secret.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(given, self._derived(key, plan_id).encode()) for key in self.keys)

    def forget(self, plan_id: str) -> None:
        """Do nothing: the plan is used up."""

    def _derived(self, key: bytes, plan_id: str) -> str:
        made = hmac.digest(key, f"{self.person_id}\n{plan_id}".encode("utf-8", "surrogatepass"), "sha256")
        return urlsafe_b64encode(made).decode().rstrip("=")
