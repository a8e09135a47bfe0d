"""How often requests may go out: one budget per rate limit group, shared by all calls of a client.

RingCentral counts requests in a window that slides, per user and app, and refuses with a penalty that each further
request restarts (its guide, "Rate limits"). So a request takes a place before it is sent, in the order of arrival. Its
place is taken from the moment it goes until a window after its *answer*: RingCentral counted it somewhere in between,
and so no delay on the way can make two of our windows one of its.

What a group is and allows is an assumption until RingCentral says it. Other programs may use the same login: when
RingCentral knows of fewer places than we do, the difference is theirs for a window. Never more than half of what is
free is on its way at once, so that two programs that start together do not overdraw. On a 429 the group is closed.

Own arithmetic: aiolimiter and pyrate-limiter keep a rate that is set once, `limits` and throttled-py say no without
saying when to come back in a queue; none learns a limit from an answer, counts what others used, or closes.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral.answers import penalty_s
from rc_mcp.ringcentral.errors import RateLimited
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.waiting import Time

ASSUMED: Mapping[str, int] = {"light": 50, "medium": 40, "heavy": 10, "auth": 5}
"""Requests in 60 s, where RingCentral has not said otherwise yet. From its guide."""

_NO_LIMIT = 10**9
_GROUP_NAME = re.compile("[a-z]{1,20}")


@dataclass(frozen=True)
class Told:
    """What an answer's headers say of the limits; None for what they do not say, or not credibly."""

    group: str | None
    limit: int | None
    remaining: int | None
    window_s: int | None

    @classmethod
    def by(cls, headers: Mapping[str, str]) -> "Told":
        group = headers.get("x-rate-limit-group", "").strip().lower()
        return cls(
            group if _GROUP_NAME.fullmatch(group) else None,
            _number(headers, "x-rate-limit-limit", least=1),
            _number(headers, "x-rate-limit-remaining", least=0),
            _number(headers, "x-rate-limit-window", least=1, most=int(LIMITS.max_retry_after_s)),
        )


class Budget:
    """The requests of one group."""

    def __init__(self, group: str, limit: int, time: Time) -> None:
        self.group = group
        self._limit = limit
        self._time = time
        self._window_s = LIMITS.rate_window_s
        self._under_way = 0
        self._answered_at: deque[float] = deque()
        self._others = 0
        self._others_at = 0.0
        self._closed_until = 0.0
        # Waiters queue here; only the first of them watches the clock. anyio's lock is fair and survives cancellation.
        self._first_in_line = anyio.Lock()
        self._nap: anyio.CancelScope | None = None

    async def enter(self, until: float) -> None:
        """Waits for a place, and takes it.

        Raises:
            RateLimited: it would come after `until`.
        """
        queue = self._first_in_line.statistics()
        self._give_up_beyond(until, ahead=queue.tasks_waiting + queue.locked)
        async with self._first_in_line:
            while (wait_s := self._wait_s()) > 0:
                patience_s = until - self._time.now()
                self._give_up_beyond(until if patience_s > 0 else -inf, ahead=0)
                await self._sleep(min(wait_s, patience_s))
            self._under_way += 1

    def leave(self) -> None:
        """The request of one place was answered, or failed."""
        self._under_way -= 1
        self.count()

    def count(self) -> None:
        """A request of this group was answered now."""
        self._answered_at.append(self._time.now())
        self._look_again()

    def give_back(self) -> None:
        """The request that left last does not count here: it never reached RingCentral, or was another group's."""
        if self._answered_at:
            self._answered_at.pop()
            self._look_again()

    def learn(self, told: Told) -> None:
        """Takes over what RingCentral says. An answer may be older than requests on their way: they count as extra."""
        self._limit = told.limit or self._limit
        if told.window_s:
            self._window_s = told.window_s + LIMITS.rate_margin_s
        if told.remaining is not None and self._limit != _NO_LIMIT:
            self._forget()
            self._others = max(0, self._limit - told.remaining - len(self._answered_at))
            self._others_at = self._time.now()
        elif told.remaining == 0:
            # Of how many places is not known, and so not how many were taken, but that there is none.
            self.close(self._window_s)
        self._look_again()

    def close(self, wait_s: float) -> None:
        """Lets nothing through for so long; a shorter closing does not open what a longer one closed."""
        self._closed_until = max(self._closed_until, self._time.now() + wait_s)
        self._look_again()

    async def _sleep(self, wait_s: float) -> None:
        self._nap = anyio.CancelScope()
        try:
            with self._nap:
                await self._time.sleep(wait_s)
        finally:
            self._nap = None

    def _look_again(self) -> None:
        """Wakes the first in line, for whom something may have changed."""
        if self._nap:
            self._nap.cancel()

    def _give_up_beyond(self, until: float, ahead: int) -> None:
        now = self._time.now()
        wait_s = self._opens_at(ahead, now) - now
        if wait_s > max(until - now, 0.0) or until == -inf:
            raise RateLimited(retry_after_s=max(1.0, wait_s), group=self.group, held_back=True)

    def _wait_s(self) -> float:
        """How long the first in line has to wait at least before it is worth looking again; 0 for not at all."""
        now = self._time.now()
        opens_at = self._opens_at(0, now)
        if opens_at > now:
            return opens_at - now
        half = (self._limit - len(self._answered_at) - self._others) // 2
        if self._under_way < max(half, 0 if self._others else 1):
            return 0
        # An answer wakes it. With none to come, one place is left, and another program may be reaching for it.
        return self._window_s if self._under_way else self._opens_at(1, now) - now

    def _opens_at(self, ahead: int, now: float) -> float:
        """When there is a place for the one who has so many `ahead` of it, as far as is known."""
        self._forget()
        windows, place = divmod(ahead, self._limit)
        start = max(now, self._closed_until)
        beyond = self._taken() + place - self._limit
        if beyond >= 0:
            taken_at = sorted([*self._answered_at, *[self._others_at] * self._others, *[now] * self._under_way])
            start = max(start, taken_at[beyond] + self._window_s)
        return start + windows * self._window_s

    def _taken(self) -> int:
        return len(self._answered_at) + self._others + self._under_way

    def _forget(self) -> None:
        now = self._time.now()
        while self._answered_at and self._answered_at[0] + self._window_s <= now:
            self._answered_at.popleft()
        if self._others_at + self._window_s <= now:
            self._others = 0


class Budgets:
    """The budgets of one login, and which requests count for which."""

    def __init__(self, time: Time, *, assume_limits: bool) -> None:
        self._time = time
        self._assumed: Mapping[str, int] = ASSUMED if assume_limits else {}
        self._group_of: dict[str, str] = {}
        self._budgets: dict[str, Budget] = {}

    def of(self, request: httpx.Request) -> Budget:
        """The budget that this request counts for, as far as is known."""
        kind = _kind(request)
        return self._budget(self._group_of.get(kind) or _assumed_group(kind))

    def learn(self, request: httpx.Request, response: httpx.Response, budget: Budget) -> None:
        """Takes over what the answer to this request, sent under `budget`, says."""
        told = Told.by(response.headers)
        if told.group and told.group != budget.group:
            self._group_of[_kind(request)] = told.group
            budget.give_back()
            budget = self._budget(told.group)
            budget.count()
        budget.learn(told)
        if response.status_code == 429:
            budget.close(penalty_s(response.headers))

    def _budget(self, group: str) -> Budget:
        if group not in self._budgets:
            self._budgets[group] = Budget(group, self._assumed.get(group, _NO_LIMIT), self._time)
        return self._budgets[group]


def _kind(request: httpx.Request) -> str:
    """The method and path of a request without the ids in it."""
    words = [part for part in request.url.path.split("/") if part[:1].isalpha()]
    return f"{request.method} {'/'.join(words)}"


def _assumed_group(kind: str) -> str:
    """As RingCentral's OpenAPI document has it for the ten operations."""
    method, _, path = kind.partition(" ")
    if "/oauth" in path:
        return "auth"
    changes = method != "GET" and not path.endswith("/message-store-configuration")
    return "medium" if changes or path.endswith("/content") else "light"


def _number(headers: Mapping[str, str], name: str, *, least: int, most: int = 100_000) -> int | None:
    value = headers.get(name, "").strip()
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1
    return number if least <= number <= most else None
