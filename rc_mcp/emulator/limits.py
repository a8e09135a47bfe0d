"""Rate limits: requests per minute by user and group, and the penalty that every further request restarts."""

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
    """What one user did in one group."""

    passed_at: deque[int] = field(default_factory=deque[int])
    penalty_until_ms: int = 0


class RateLimits:
    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._buckets: defaultdict[tuple[str, Group], _Bucket] = defaultdict(_Bucket)

    def take(self, user: str, group: Group) -> tuple[bool, dict[str, str]]:
        """Counts one request. Says whether it may pass, and the headers its answer carries either way."""
        bucket, now_ms = self._buckets[user, group], self._now_ms()
        _drop_old(bucket, now_ms)
        limit = _REQUESTS_PER_WINDOW[group]
        refused = now_ms < bucket.penalty_until_ms or len(bucket.passed_at) >= limit
        if refused:
            bucket.penalty_until_ms = now_ms + _PENALTY_S * SECOND_MS
        else:
            bucket.passed_at.append(now_ms)
        headers = _headers(group, limit, 0 if refused else limit - len(bucket.passed_at))
        if refused:
            headers["Retry-After"] = str(_PENALTY_S)
        return not refused, headers


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
