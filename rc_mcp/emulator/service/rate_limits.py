"""Rate limits: requests per minute for each user and group, and the penalty that every further request restarts."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from rc_mcp.emulator.dates import SECOND_MS

Group = Literal["Light", "Medium", "Heavy", "Auth"]

_REQUESTS_PER_WINDOW: dict[Group, int] = {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 5}
_WINDOW_S = 60
_PENALTY_S = 60


@dataclass
class _Bucket:
    """The recent requests and the penalty of one user in one group."""

    passed_at: deque[int] = field(default_factory=deque[int])
    penalty_until_ms: int = 0


@dataclass(frozen=True)
class Usage:
    """One user's requests in one group in the current window."""

    user: str
    group: Group
    used: int
    limit: int
    penalty_s: int


class RateLimits:
    """The limits of all users. Without `enforced`, every request passes and no limit headers are sent."""

    def __init__(self, now_ms: Callable[[], int], *, enforced: bool = True) -> None:
        self._now_ms = now_ms
        self._enforced = enforced
        self._buckets: defaultdict[tuple[str, Group], _Bucket] = defaultdict(_Bucket)

    def take(self, user: str, group: Group) -> tuple[bool, dict[str, str]]:
        """Count one request. Return whether it may pass, and the headers for its answer."""
        if not self._enforced:
            return True, {}
        bucket, now_ms = self._buckets[user, group], self._now_ms()
        _drop_old(bucket, now_ms)
        limit = _REQUESTS_PER_WINDOW[group]
        if now_ms < bucket.penalty_until_ms or len(bucket.passed_at) >= limit:
            return False, self.refuse(user, group)
        bucket.passed_at.append(now_ms)
        return True, _headers(group, limit, limit - len(bucket.passed_at))

    def refuse(self, user: str, group: Group) -> dict[str, str]:
        """Start or restart the penalty and return the headers of a refusal."""
        self._buckets[user, group].penalty_until_ms = self._now_ms() + _PENALTY_S * SECOND_MS
        return {**_headers(group, _REQUESTS_PER_WINDOW[group], 0), "Retry-After": str(_PENALTY_S)}

    def usage(self) -> list[Usage]:
        """Return the usage of every user who has sent a request, for the status page."""
        if not self._enforced:
            return []
        return [self._usage(user, group) for user, group in sorted(self._buckets)]

    def _usage(self, user: str, group: Group) -> Usage:
        bucket, now_ms = self._buckets[user, group], self._now_ms()
        _drop_old(bucket, now_ms)
        penalty_s = max(0, -(-(bucket.penalty_until_ms - now_ms) // SECOND_MS))
        return Usage(user, group, len(bucket.passed_at), _REQUESTS_PER_WINDOW[group], penalty_s)


def _drop_old(bucket: _Bucket, now_ms: int) -> None:
    while bucket.passed_at and bucket.passed_at[0] <= now_ms - _WINDOW_S * SECOND_MS:
        bucket.passed_at.popleft()


def _headers(group: Group, limit: int, remaining: int) -> dict[str, str]:
    return {
        "X-Rate-Limit-Group": group.lower(),
        "X-Rate-Limit-Limit": str(limit),
        "X-Rate-Limit-Remaining": str(remaining),
        "X-Rate-Limit-Window": str(_WINDOW_S),
    }
