"""Rate limit budgets: one per rate limit group, shared by all calls of a client.

RingCentral counts requests per user and app in a sliding window. Above the limit it imposes a penalty, which each
further request restarts (its guide, "Rate limits"). So each request waits for a place in order of arrival, and keeps it
until one window after its *answer*: RingCentral counted the request somewhere in between, so that no network delay can
push two of our windows into one of theirs.

Group membership and limits are assumed until a response header states them. If RingCentral reports fewer free places
than we count, other programs with the same login used the difference, which stays taken for one window. At most half of
the free places are in use by requests in flight, so that two programs that start together stay under the limit. A 429
closes the group, unless its body says that it is about that request only (CMN-304): then `lift_penalty` opens it again.

Requests `in_background` could take all places at once, and a user's request would then wait for a whole window. So they
wait behind all others. They go only while all requests together are spread evenly: of the places after theirs, one is
free within each interval (window / limit), so that a user waits for one interval at most. After a request of a user
they also leave one place free for some minutes: a delete does not wait for a place, it is refused.

`Paced` wraps the client's authentication, because httpx passes each request and each answer of a call through it, also
logins and retries after a 401. A custom transport would see them too, but then httpx would ignore the proxy from the
environment.

Why not a library: aiolimiter and pyrate-limiter use a fixed rate; `limits` and throttled-py refuse without a time in a
queue; none learns a limit from an answer, counts other programs' requests, or closes.
"""

import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from math import inf
from typing import Protocol

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral.errors import NotSent, RateLimited
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.deadlines import Time, awaiting, is_in_background, is_too_late, latest
from rc_mcp.ringcentral.transport.responses import penalty_s

ASSUMED: Mapping[str, int] = {"light": 50, "medium": 40, "heavy": 10, "auth": 5}
"""Requests per 60 s from RingCentral's guide, used until a header states others."""

_NO_LIMIT = 10**9
_UNEVEN = 1
"""So many intervals a request in the background may be early. Otherwise the time of each answer would be lost."""
_USER_IS_HERE_S = 600.0
"""Ours: how long after a request of a user another one is expected. A plan for a delete is valid this long."""
_TICK_S = 0.001
"""A shorter wait is an error of rounding."""
_BUDGET, _PENALTY = "rc_mcp.budget", "rc_mcp.penalty"
_GROUP_NAME = re.compile("[a-z]{1,20}")


@dataclass(frozen=True)
class StatedLimits:
    """Rate limits from an answer's headers; None where a header is missing or not credible."""

    group: str | None
    limit: int | None
    remaining: int | None
    window_s: int | None

    @classmethod
    def in_headers(cls, headers: Mapping[str, str]) -> "StatedLimits":
        group = headers.get("x-rate-limit-group", "").strip().lower()
        return cls(
            group if _GROUP_NAME.fullmatch(group) else None,
            _number(headers, "x-rate-limit-limit", least=1),
            _number(headers, "x-rate-limit-remaining", least=0),
            _number(headers, "x-rate-limit-window", least=1, most=int(LIMITS.max_retry_after_s)),
        )


class RateBudget(Protocol):
    """What keeps the places of one rate limit group. `Budget` keeps those of one client, and says what each does."""

    @property
    def group(self) -> str: ...
    async def enter(self, until: float, *, method: str = "", path: str = "") -> None: ...
    async def enter_last(self, spare: int) -> None: ...
    def leave(self) -> None: ...
    def count(self) -> None: ...
    def give_back(self) -> None: ...
    def learn(self, stated: StatedLimits) -> None: ...
    def close(self, wait_s: float) -> float: ...
    def lift(self, until: float) -> None: ...


NewBudget = Callable[[str, int | None], RateBudget]
"""Returns the budget of a group, with the requests per window that are assumed; None: without a limit."""


class Budget:
    """The places for requests of one rate limit group."""

    def __init__(self, group: str, limit: int, time: Time) -> None:
        self.group = group
        self._limit = limit
        self._time = time
        self._window_s = LIMITS.rate_window_s
        self._in_flight = 0
        self._answered_at: deque[float] = deque()
        self._others = 0
        self._others_at = 0.0
        self._penalties: list[float] = []
        """The times at which they end."""
        # Only the first in the queue watches the clock. anyio's lock is fair and survives cancellation.
        self._first_in_line = anyio.Lock()
        self._nap: anyio.CancelScope | None = None
        self._last_in_line = anyio.Lock()

    async def enter(self, until: float, *, method: str = "", path: str = "") -> None:
        """Wait for a place, and take it.

        Raises:
            RateLimited: the place would come after `until`.
        """
        queue = self._first_in_line.statistics()
        self._give_up_beyond(until, queue.tasks_waiting + queue.locked, method, path)
        async with self._first_in_line:
            while (wait_s := self._wait_s()) > 0:
                patience_s = until - self._time.now()
                self._give_up_beyond(until if patience_s > 0 else -inf, 0, method, path)
                await self._sleep(min(wait_s, patience_s))
            self._in_flight += 1

    async def enter_last(self, spare: int) -> None:
        """Wait for a place that no other request waits for, and take it.

        Args:
            spare: how many places must be free after that.
        """
        async with self._last_in_line:
            while (wait_s := self._background_wait_s(spare)) > 0:
                await self._time.sleep(wait_s)
            self._in_flight += 1

    def leave(self) -> None:
        """Note that one request was answered or failed."""
        self._in_flight -= 1
        self.count()

    def count(self) -> None:
        """Count a request of this group as answered now."""
        self._answered_at.append(self._time.now())
        self._look_again()

    def give_back(self) -> None:
        """Uncount the latest request: it never reached RingCentral, or was another group's."""
        if self._answered_at:
            self._answered_at.pop()
            self._look_again()

    def learn(self, stated: StatedLimits) -> None:
        """Apply the limits that RingCentral states. It may not have counted requests in flight: they count on top."""
        self._limit = stated.limit or self._limit
        if stated.window_s:
            self._window_s = stated.window_s + LIMITS.rate_margin_s
        if stated.remaining is not None and self._limit != _NO_LIMIT:
            self._forget()
            self._others = max(0, self._limit - stated.remaining - len(self._answered_at))
            self._others_at = self._time.now()
        elif stated.remaining == 0:
            # The limit is unknown, and so is the number of places taken; known is only that none is free.
            self.close(self._window_s)
        self._look_again()

    def close(self, wait_s: float) -> float:
        """Let no request through for `wait_s`. A shorter time does not shorten an earlier, longer one.

        Returns:
            The end of this penalty, for `lift`.
        """
        until = self._time.now() + wait_s
        self._penalties.append(until)
        self._look_again()
        return until

    def lift(self, until: float) -> None:
        """Cancel the penalty that ends then. Others stay."""
        if until in self._penalties:
            self._penalties.remove(until)
            self._look_again()

    async def _sleep(self, wait_s: float) -> None:
        self._nap = anyio.CancelScope()
        try:
            with self._nap:
                await self._time.sleep(wait_s)
        finally:
            self._nap = None

    def _look_again(self) -> None:
        """Wake the first in the queue, because its place may be free now."""
        if self._nap:
            self._nap.cancel()

    def _give_up_beyond(self, until: float, ahead: int, method: str, path: str) -> None:
        now = self._time.now()
        wait_s = self._opens_at(ahead, now) - now
        if wait_s > max(until - now, 0.0) or until == -inf:
            wait_s = max(1.0, wait_s)
            raise RateLimited(retry_after_s=wait_s, group=self.group, held_back=True, method=method, path=path)

    def _wait_s(self) -> float:
        """Return how long the first in the queue must wait before it checks again; 0 if it may go."""
        now = self._time.now()
        opens_at = self._opens_at(0, now)
        if opens_at > now:
            return opens_at - now
        half = (self._limit - len(self._answered_at) - self._others) // 2
        if self._in_flight < max(half, 0 if self._others else 1):
            return 0
        # An answer wakes it. If none is expected, one place is left, and another program may take it.
        return self._window_s if self._in_flight else self._opens_at(1, now) - now

    def _background_wait_s(self, spare: int) -> float:
        """Return how long a request in the background must wait before it checks again; 0 if it may go."""
        now, interval_s = self._time.now(), self._window_s / self._limit
        queue = self._first_in_line.statistics()
        if ahead := queue.tasks_waiting + queue.locked:
            return max(self._opens_at(ahead, now) - now, interval_s / 10, _TICK_S)
        next_place = self._opens_at(1, now) - (0.0 if spare else interval_s)
        wait_s = max(next_place - now, self._until_even(now, interval_s))
        return max(min(self._wait_s(), interval_s), wait_s if wait_s > _TICK_S else 0.0)

    def _until_even(self, now: float, interval_s: float) -> float:
        """Return after which time the places that others get after this request come at least once an interval."""
        taken = self._taken_at(now)
        free = self._limit - len(taken)
        waits_s = (at + self._window_s - now - (free + n + _UNEVEN) * interval_s for n, at in enumerate(taken))
        return max(waits_s, default=0.0)

    def _opens_at(self, ahead: int, now: float) -> float:
        """Return the expected time of a place for a request with `ahead` others before it."""
        self._forget()
        windows, place = divmod(ahead, self._limit)
        start = max([now, *self._penalties])
        beyond = self._taken() + place - self._limit
        if beyond >= 0:
            start = max(start, self._taken_at(now)[beyond] + self._window_s)
        return start + windows * self._window_s

    def _taken_at(self, now: float) -> list[float]:
        return sorted([*self._answered_at, *[self._others_at] * self._others, *[now] * self._in_flight])

    def _taken(self) -> int:
        return len(self._answered_at) + self._others + self._in_flight

    def _forget(self) -> None:
        now = self._time.now()
        self._penalties = [until for until in self._penalties if until > now]
        while self._answered_at and self._answered_at[0] + self._window_s <= now:
            self._answered_at.popleft()
        if self._others_at + self._window_s <= now:
            self._others = 0


class Paced(httpx.Auth):
    """Authentication by `auth` that delays each request until the budget it is expected to count for has a place.

    By default, this client has budgets of its own.

    Raises:
        RateLimited: the request would wait longer than the caller allows. It was not sent.
        NotSent: a request in `at_once` has waited too long for a login.
    """

    def __init__(self, auth: httpx.Auth, time: Time, *, assume_limits: bool, budgets: NewBudget | None = None) -> None:
        self._auth = auth
        self._time = time
        self._assumed: Mapping[str, int] = ASSUMED if assume_limits else {}
        self._group_of: dict[str, str] = {}
        self._new_budget: NewBudget = budgets or self._own_budget
        self._budgets: dict[str, RateBudget] = {}
        self._user_until = -inf

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        async with aclosing(self._auth.async_auth_flow(request)) as flow:
            outgoing = await anext(flow)
            while True:
                kind = _kind(outgoing)
                budget = self._budget(self._group_of.get(kind) or _assumed_group(kind))
                await self._enter(budget, outgoing)
                outgoing.extensions[_BUDGET] = budget
                try:
                    with awaiting(outgoing):
                        response = yield outgoing
                finally:
                    budget.leave()
                self._learn(kind, response, budget)
                try:
                    outgoing = await flow.asend(response)
                except StopAsyncIteration:
                    return

    async def _enter(self, budget: RateBudget, outgoing: httpx.Request) -> None:
        if is_in_background():
            await budget.enter_last(spare=int(self._time.now() < self._user_until))
            return
        self._user_until = self._time.now() + _USER_IS_HERE_S
        await budget.enter(latest(), method=outgoing.method, path=outgoing.url.path)
        if is_too_late():
            budget.leave()
            budget.give_back()
            raise NotSent(
                f"{outgoing.method} {outgoing.url.path[:120]} was not sent: it waited too long, such as for a login"
            )

    def _learn(self, kind: str, response: httpx.Response, budget: RateBudget) -> None:
        """Apply the limits in the answer to a request of this kind, which was sent under `budget`."""
        stated = StatedLimits.in_headers(response.headers)
        if stated.group and stated.group != budget.group:
            self._group_of[kind] = stated.group
            budget.give_back()
            budget = self._budget(stated.group)
            budget.count()
        budget.learn(stated)
        if response.status_code == 429:
            response.request.extensions[_PENALTY] = budget, budget.close(penalty_s(response.headers))

    def _budget(self, group: str) -> RateBudget:
        if group not in self._budgets:
            self._budgets[group] = self._new_budget(group, self._assumed.get(group))
        return self._budgets[group]

    def _own_budget(self, group: str, limit: int | None) -> Budget:
        return Budget(group, limit or _NO_LIMIT, self._time)


def give_place_back(request: httpx.Request) -> None:
    """Free the place of a request that certainly did not reach RingCentral."""
    budget: RateBudget | None = request.extensions.pop(_BUDGET, None)
    if budget:
        budget.give_back()


def lift_penalty(request: httpx.Request) -> None:
    """Open the group again that the 429 to this request closed. The body, which says why, arrives after the status."""
    budget, until = request.extensions.pop(_PENALTY)
    budget.lift(until)


def _kind(request: httpx.Request) -> str:
    """Return the method and path of a request without its ids."""
    words = [part for part in request.url.path.split("/") if part[:1].isalpha()]
    return f"{request.method} {'/'.join(words)}"


def _assumed_group(kind: str) -> str:
    """Return the group that RingCentral's OpenAPI document gives for each of the ten operations."""
    method, _, path = kind.partition(" ")
    if "/oauth" in path:
        return "auth"
    changes = method != "GET" and not path.endswith("/message-store-configuration")
    return "medium" if changes or path.endswith("/content") else "light"


def _number(headers: Mapping[str, str], name: str, *, least: int, most: int = 100_000) -> int | None:
    value = headers.get(name, "").strip()
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1
    return number if least <= number <= most else None
