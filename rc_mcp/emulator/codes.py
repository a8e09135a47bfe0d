"""Authorization codes: what a login in the browser leaves for the app to exchange, once and within a minute."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rc_mcp.emulator.dates import SECOND_MS
from rc_mcp.emulator.errors import oauth_error
from rc_mcp.emulator.identity import User

LIFETIME_S = 60
# Enough to tell an expired code from one that never was.
_KEPT = 1_000

ChallengeMethod = Literal["plain", "S256"]


@dataclass(frozen=True)
class Challenge:
    """PKCE: only who knows the verifier can use the code."""

    text: str
    method: ChallengeMethod

    def meets(self, verifier: str) -> bool:
        shown = verifier if self.method == "plain" else _s256(verifier)
        return hmac.compare_digest(shown.encode(), self.text.encode())


@dataclass(frozen=True)
class Grant:
    """Who logged in, for which redirect URI, and what the app must show. No `redirect_uri` means none was named."""

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
        """What a code is for, without using it."""
        found = self._grants.get(code or "")
        return None if found is None else found[0]

    def redeem(self, code: str, redirect_uri: str | None, verifier: str | None) -> Grant:
        """Uses the code up, even if the rest does not fit: a second guess takes a second login."""
        grant, ends_ms = self._grants.pop(code, (None, 0))
        if grant is None:
            raise oauth_error("invalid_grant", "OAU-106", "Invalid authorization code")
        if self._now_ms() >= ends_ms:
            raise oauth_error("invalid_grant", "OAU-108", "Authorization code is expired")
        if redirect_uri != grant.redirect_uri:
            raise oauth_error("invalid_grant", "OAU-109", "Redirect URIs do not match")
        if not _shown(grant.challenge, verifier):
            # Which code a wrong verifier gets is not documented.
            raise oauth_error("invalid_grant", "CMN-101", "Parameter [code_verifier] value is invalid")
        return grant


def _shown(challenge: Challenge | None, verifier: str | None) -> bool:
    """A verifier without a challenge is refused too: somebody may have stripped the challenge on its way."""
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    return challenge.meets(verifier)


def _s256(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
