"""Authorization codes: a login in the browser creates one, and the app exchanges it once, within a minute."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rc_mcp.emulator.dates import SECOND_MS
from rc_mcp.emulator.errors import oauth_error
from rc_mcp.emulator.login.identity import User

LIFETIME_S = 60
# Expired codes are kept too, to distinguish them from unknown ones.
_KEPT = 1_000

ChallengeMethod = Literal["plain", "S256"]


@dataclass(frozen=True)
class Challenge:
    """A PKCE challenge: only a client that knows the verifier can use the code."""

    text: str
    method: ChallengeMethod

    def meets(self, verifier: str) -> bool:
        computed = verifier.encode()
        if self.method == "S256":
            computed = urlsafe_b64encode(hashlib.sha256(computed).digest()).rstrip(b"=")
        return hmac.compare_digest(computed, self.text.encode())


@dataclass(frozen=True)
class Grant:
    """One login: its user, redirect URI (None if the app named none) and PKCE challenge."""

    user: User
    redirect_uri: str | None
    challenge: Challenge | None


class Codes:
    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._grants: dict[str, tuple[Grant, int]] = {}

    def issue(self, grant: Grant) -> str:
        code = secrets.token_urlsafe(48)
        self._grants[code] = grant, self._now_ms() + LIFETIME_S * SECOND_MS
        while len(self._grants) > _KEPT:
            del self._grants[next(iter(self._grants))]
        return code

    def grant(self, code: str | None) -> Grant | None:
        """Return the grant of a code, without using the code up."""
        found = self._grants.get(code or "")
        return None if found is None else found[0]

    def redeem(self, code: str, redirect_uri: str | None, verifier: str | None) -> Grant:
        """Exchange the code and use it up, even on failure: a second attempt needs a second login."""
        grant, ends_ms = self._grants.pop(code, (None, 0))
        if grant is None:
            raise oauth_error("invalid_grant", "OAU-106", "Invalid authorization code")
        if self._now_ms() >= ends_ms:
            raise oauth_error("invalid_grant", "OAU-108", "Authorization code is expired")
        if redirect_uri != grant.redirect_uri:
            raise oauth_error("invalid_grant", "OAU-109", "Redirect URIs do not match")
        if not _verified(grant.challenge, verifier):
            # The error code for a wrong verifier is not documented.
            raise oauth_error("invalid_grant", "CMN-101", "Parameter [code_verifier] value is invalid")
        return grant


def _verified(challenge: Challenge | None, verifier: str | None) -> bool:
    """Return whether the verifier fits. Without a challenge it does not: an attacker may have removed the challenge."""
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    return challenge.meets(verifier)
