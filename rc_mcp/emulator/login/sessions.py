"""OAuth sessions: issuing, refreshing, checking and ending tokens.

The rules of RingCentral that break clients are kept: a sixth login ends the user's oldest session; a refreshed access
token is invalid at once; a refresh token is valid once, but for a short grace period returns the same new pair again.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rc_mcp.emulator.dates import MINUTE_MS, SECOND_MS
from rc_mcp.emulator.errors import oauth_error, token_invalid
from rc_mcp.emulator.login.identity import User

SESSIONS_PER_USER = 5
_GRACE_UNUSED_MS = 60 * MINUTE_MS
_GRACE_USED_MS = 10 * SECOND_MS
# For this long, a replaced access token gets an error of its own.
_REPLACED_KNOWN_MS = 10 * SECOND_MS


@dataclass(frozen=True)
class Terms:
    """The lifetimes and endpoint id that a client requests. A lifetime of zero or less means no refresh token."""

    access_ttl_s: int
    refresh_ttl_s: int
    endpoint_id: str | None = None


@dataclass
class Session:
    user: User
    terms: Terms
    issued_ms: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    access_token: str = field(default_factory=lambda: _new_token())
    refresh_token: str | None = None
    used_ms: int | None = None
    replaced_access_token: str | None = None
    replaced_refresh_token: str | None = None

    @property
    def endpoint_id(self) -> str:
        return self.terms.endpoint_id or self.id[:22]

    def access_ends_ms(self) -> int:
        return self.issued_ms + self.terms.access_ttl_s * SECOND_MS

    def refresh_ends_ms(self) -> int:
        return self.issued_ms + self.terms.refresh_ttl_s * SECOND_MS

    def grace_ends_ms(self) -> int:
        used_ms = self.issued_ms + _GRACE_UNUSED_MS if self.used_ms is None else self.used_ms + _GRACE_USED_MS
        return min(used_ms, self.issued_ms + _GRACE_UNUSED_MS)

    def tokens(self) -> set[str | None]:
        return {self.access_token, self.refresh_token, self.replaced_access_token, self.replaced_refresh_token}


class Sessions:
    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self._sessions: list[Session] = []

    def start(self, user: User, terms: Terms) -> Session:
        session = Session(user, terms, self.now_ms(), refresh_token=_refresh_token(terms))
        own = [each for each in self._sessions if each.user == user]
        ended = own[: max(0, len(own) + 1 - SESSIONS_PER_USER)]
        self._sessions = [*(each for each in self._sessions if each not in ended), session]
        return session

    def refresh(self, refresh_token: str, terms: Terms) -> Session:
        """Exchange a refresh token. In its grace period, a used one gets the same new tokens, whatever the terms."""
        for session in self._sessions:
            if refresh_token == session.refresh_token and self.now_ms() < session.refresh_ends_ms():
                return self._renewed(session, terms)
            if refresh_token == session.replaced_refresh_token and self.now_ms() < session.grace_ends_ms():
                return session
        raise oauth_error("invalid_grant", "OAU-213", "Token not found")

    def check(self, access_token: str) -> Session:
        """Return the live session of an access token and mark it as used. Raises the matching 401 if there is none."""
        for session in self._sessions:
            if access_token == session.access_token:
                return self._used(session)
            just_renewed = self.now_ms() < session.issued_ms + _REPLACED_KNOWN_MS
            if access_token == session.replaced_access_token and just_renewed:
                raise token_invalid("OAU-129", "Access token corrupted")
        if access_token.startswith(_PREFIX):
            raise token_invalid("OAU-213", "Token not found")
        raise token_invalid("OAU-149", "OAuth token is invalid")

    def user(self, token: str | None) -> User | None:
        """Return the user of an access or refresh token, current or replaced by the last refresh."""
        return next((each.user for each in self._sessions if token and token in each.tokens()), None)

    def end(self, token: str) -> None:
        """End the session of a token, current or just replaced, with all its tokens."""
        self._sessions = [each for each in self._sessions if token not in each.tokens()]

    def end_all(self) -> None:
        """End all sessions and so all tokens, as when an administrator signs out all users."""
        self._sessions = []

    def _renewed(self, session: Session, terms: Terms) -> Session:
        session.replaced_access_token, session.replaced_refresh_token = session.access_token, session.refresh_token
        session.terms = replace(terms, endpoint_id=terms.endpoint_id or session.endpoint_id)
        session.access_token, session.refresh_token = _new_token(), _refresh_token(session.terms)
        session.issued_ms, session.used_ms = self.now_ms(), None
        return session

    def _used(self, session: Session) -> Session:
        if self.now_ms() >= session.access_ends_ms():
            raise token_invalid("OAU-128", "Access token expired")
        if session.used_ms is None:
            session.used_ms = self.now_ms()
        return session


_PREFIX = "U0pDMTFQMDFQQVMwM"


def _new_token() -> str:
    return _PREFIX + secrets.token_urlsafe(48)


def _refresh_token(terms: Terms) -> str | None:
    return _new_token() if terms.refresh_ttl_s > 0 else None
