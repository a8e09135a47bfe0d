"""OAuth sessions: issuing, refreshing, checking and ending tokens.

Two habits of RingCentral's that break clients are kept: a sixth login ends the user's oldest session, and a
refresh token is used once, yet for a short grace the old one still answers with the same new pair.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from rc_mcp.emulator.dates import MINUTE_MS, SECOND_MS
from rc_mcp.emulator.errors import ApiError, oauth_error, token_invalid

SESSIONS_PER_USER = 5
_GRACE_UNUSED_MS = 60 * MINUTE_MS
_GRACE_USED_MS = 10 * SECOND_MS


@dataclass
class Session:
    access_ttl_s: int
    refresh_ttl_s: int
    issued_ms: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    access_token: str = field(default_factory=lambda: _new_token())
    refresh_token: str = field(default_factory=lambda: _new_token())
    used_ms: int | None = None
    replaced_access_token: str | None = None
    replaced_refresh_token: str | None = None

    def access_ends_ms(self) -> int:
        return self.issued_ms + self.access_ttl_s * SECOND_MS

    def refresh_ends_ms(self) -> int:
        return self.issued_ms + self.refresh_ttl_s * SECOND_MS

    def grace_ends_ms(self) -> int:
        used_ms = self.issued_ms + _GRACE_UNUSED_MS if self.used_ms is None else self.used_ms + _GRACE_USED_MS
        return min(used_ms, self.issued_ms + _GRACE_UNUSED_MS)


class Sessions:
    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._sessions: list[Session] = []

    def start(self, access_ttl_s: int, refresh_ttl_s: int) -> Session:
        session = Session(access_ttl_s, refresh_ttl_s, self._now_ms())
        self._sessions = [*self._sessions, session][-SESSIONS_PER_USER:]
        return session

    def refresh(self, refresh_token: str) -> Session:
        for session in self._sessions:
            if refresh_token == session.refresh_token and self._now_ms() < session.refresh_ends_ms():
                return self._renewed(session)
            if refresh_token == session.replaced_refresh_token and self._now_ms() < session.grace_ends_ms():
                return session
        raise oauth_error("invalid_grant", "OAU-213", "Token not found")

    def check(self, access_token: str) -> Session:
        """The live session of an access token; marks it as used. Raises the 401 that fits otherwise."""
        for session in self._sessions:
            if access_token == session.replaced_access_token:
                raise token_invalid("OAU-129", "Access token corrupted")
            if access_token == session.access_token:
                return self._used(session)
        raise _unknown(access_token)

    def end(self, token: str) -> None:
        """Ends the session an access or refresh token belongs to, with all its tokens."""
        self._sessions = [s for s in self._sessions if token not in {s.access_token, s.refresh_token}]

    def end_all(self) -> None:
        """As when an administrator signs the user out everywhere: every token dies before its time."""
        self._sessions = []

    def _renewed(self, session: Session) -> Session:
        session.replaced_access_token, session.replaced_refresh_token = (
            session.access_token,
            session.refresh_token,
        )
        session.access_token, session.refresh_token = _new_token(), _new_token()
        session.issued_ms, session.used_ms = self._now_ms(), None
        return session

    def _used(self, session: Session) -> Session:
        if self._now_ms() >= session.access_ends_ms():
            raise token_invalid("OAU-128", "Access token expired")
        if session.used_ms is None:
            session.used_ms = self._now_ms()
        return session


_PREFIX = "U0pDMTFQMDFQQVMwM"


def _new_token() -> str:
    return _PREFIX + secrets.token_urlsafe(48)


def _unknown(access_token: str) -> ApiError:
    if access_token.startswith(_PREFIX):
        return token_invalid("OAU-213", "Token not found")
    return token_invalid()
