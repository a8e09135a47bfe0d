"""RingCentral's rate limits, shared by all replicas: one budget for each person and group, in the database.

`budget_schema.budget_turn` decides who gets a place. One statement takes it, and also writes down the answers that came
to this replica since the last one. Without a request that waits, the same statement follows each answer, and takes a
place ahead while there are plenty: the next request of that person finds it, if it comes soon, and waits for nothing.

Until an answer is written down, its place counts as in flight, and no other request gets it. So the sum over all
replicas stays under the limit, whatever dies: the database grants a place before a request is sent, and it is free
again only one window after the answer, or after the time in which an answer comes at the latest.

Within a replica the requests of a person wait in order of arrival, and only the first of them asks the database.
Between replicas, the first one that asks after a place is free gets it.
"""

import json
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from weakref import WeakValueDictionary

import anyio

from rc_mcp import time_limits
from rc_mcp.ringcentral.errors import NotPaced, RateLimited
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.budgets import RateBudget, StatedLimits
from rc_mcp.ringcentral.transport.deadlines import REAL_TIME, Time
from rc_mcp.team.database import Database, DatabaseAway, reason
from rc_mcp.team.measures import waited

_LOOKS_AGAIN_S = 1.0
"""How often the first waiting request asks again: another replica may have ended a penalty, or given back a place."""
_LATER_S = 0.01
"""An answer is written down so much later, because the call that waits for it is answered first."""
_AHEAD_S = 0.5
"""How long a place that was taken ahead is kept. A penalty that another replica notes in that time is not seen."""
_REMEMBERED = 100
"""How many places of answered requests can still be given back."""

_TURN = "SELECT * FROM budget_turn(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


class SharedBudgets:
    """The rate budgets of all people of a team. Run `write_answers` as long as they are used.

    Args:
        time: the clock and the sleep behind the waits.
    """

    def __init__(
        self,
        database: Database,
        time: Time = REAL_TIME,
    ) -> None:
        self.database = database
        self.time = time
        self._owners: WeakValueDictionary[str, OwnerBudgets] = WeakValueDictionary()
        self._unwritten: set[SharedBudget] = set()
        self._some = anyio.Event()

    def of(self, owner: str) -> "OwnerBudgets":
        """Return this person's budgets, for `MessageStoreClient(budgets=...)`."""
        budgets = self._owners.get(owner)
        if budgets is None:
            budgets = self._owners[owner] = OwnerBudgets(self, owner)
        return budgets

    def write_soon(self, budget: "SharedBudget") -> None:
        """Have `write_answers` write down what this budget has learned."""
        self._unwritten.add(budget)
        self._some.set()

    async def write_answers(self) -> None:
        """Write down answers that no further request writes down, until canceled."""
        async with anyio.create_task_group() as tasks:
            while True:
                await self._some.wait()
                self._some = anyio.Event()
                await self.time.sleep(_LATER_S)
                while self._unwritten:
                    budget = self._unwritten.pop()
                    try:
                        if await budget.write():
                            tasks.start_soon(budget.keep_ahead)
                    except DatabaseAway:
                        self.write_soon(budget)
                        await self.time.sleep(_LOOKS_AGAIN_S)
                        break


class OwnerBudgets:
    """The budgets of one person: one for each rate limit group. All clients of this replica get the same."""

    def __init__(self, shared: SharedBudgets, owner: str) -> None:
        self._shared = shared
        self._owner = owner
        self._by_group: dict[str, SharedBudget] = {}

    def __call__(self, group: str, limit: int | None) -> RateBudget:
        if group not in self._by_group:
            self._by_group[group] = SharedBudget(self._shared, self._owner, group, limit)
        return self._by_group[group]


@dataclass(slots=True)
class _Learned:
    """What a replica has learned about a budget and not yet written down. Times are the replica's clock."""

    answered: dict[int, float] = field(default_factory=dict[int, float])
    """When the request of each place was answered."""
    given_back: list[int] = field(default_factory=list[int])
    penalties: dict[int, float] = field(default_factory=dict[int, float])
    """When each ends."""
    lifted: list[int] = field(default_factory=list[int])
    limit: int | None = None
    window_s: float | None = None
    remaining: int | None = None

    def as_json(self, now: float) -> str | None:
        """Return it for `budget_turn`; None if it is nothing."""
        if self == _NOTHING:
            return None
        learned = {
            "answered": {place: now - at for place, at in self.answered.items()},
            "given_back": self.given_back,
            "penalties": {penalty: until - now for penalty, until in self.penalties.items()},
            "lifted": [str(penalty) for penalty in self.lifted],
            "limit": self.limit,
            "window_s": self.window_s,
            "remaining": self.remaining,
        }
        return json.dumps({name: value for name, value in learned.items() if value not in (None, [], {})})

    def then(self, later: "_Learned") -> "_Learned":
        """Return both."""
        return _Learned(
            self.answered | later.answered,
            self.given_back + later.given_back,
            self.penalties | later.penalties,
            self.lifted + later.lifted,
            self.limit if later.limit is None else later.limit,
            self.window_s if later.window_s is None else later.window_s,
            self.remaining if later.remaining is None else later.remaining,
        )


_NOTHING = _Learned()


@dataclass(frozen=True, slots=True)
class _Outlook:
    """Why a place was refused, and when the next ones are expected. Times are the replica's clock."""

    at: float
    free_at: list[float]
    limit: int | None
    window_s: float
    closed_until: float

    def opens_at(self, ahead: int) -> float:
        """Return the expected time of a place for a request with `ahead` others before it."""
        start = max(self.at, self.closed_until)
        if self.limit is None:
            return start
        windows, place = divmod(ahead, self.limit)
        beyond = len(self.free_at) + place - self.limit
        if beyond >= 0:
            start = max(start, self.free_at[beyond])
        return start + windows * self.window_s


class SharedBudget:
    """The places of one person for requests of one rate limit group, as one replica has them."""

    def __init__(self, shared: SharedBudgets, owner: str, group: str, assumed: int | None) -> None:
        self.group = group
        self._shared = shared
        self._time = shared.time
        self._owner = owner
        self._assumed = assumed
        self._in_flight: deque[int] = deque()
        self._left: deque[int] = deque(maxlen=_REMEMBERED)
        self._learned = _Learned()
        self._outlook: _Outlook | None = None
        self._ahead: int | None = None
        self._serves_users = False
        # Only the first in the queue asks the database. anyio's lock is fair and survives cancellation.
        self._first_in_line = anyio.Lock()
        # Statements follow each other, so that none decides without what an earlier one carries.
        self._asking = anyio.Lock(fast_acquire=True)
        self._last_in_line = anyio.Lock()
        self._nap: anyio.CancelScope | None = None

    async def enter(self, until: float, *, method: str = "", path: str = "") -> None:
        """Wait for a place, and take it.

        Raises:
            RateLimited: the place would come after `until`.
            NotPaced: the database does not answer.
        """
        began, queue = self._time.now(), self._first_in_line.statistics()
        self._serves_users = True
        if ahead := queue.tasks_waiting + queue.locked:
            self._give_up_beyond(until, ahead, method, path)
        async with self._first_in_line:
            while (wait_s := await self._turn(method, path)) > 0:
                patience_s = until - self._time.now()
                self._give_up_beyond(until if patience_s > 0 else -inf, 0, method, path)
                if self._learned == _NOTHING:  # otherwise an answer came during this turn
                    await self._sleep(min(wait_s, patience_s, _LOOKS_AGAIN_S))
        waited(self.group, self._time.now() - began)

    async def enter_last(self, spare: int) -> None:
        """Wait for a place that no other request waits for, on any replica, and take it.

        Raises:
            NotPaced: the database does not answer.
        """
        self._serves_users = False
        async with self._last_in_line:
            while (wait_s := await self._background_turn(spare)) > 0:
                await self._time.sleep(min(wait_s, _LOOKS_AGAIN_S))

    def leave(self) -> None:
        # Not always the place of that request. The oldest is free again first, so no place is free too early.
        self._answer(self._in_flight.popleft())

    def count(self) -> None:
        self._answer(_new_id())

    def give_back(self) -> None:
        if self._left:
            place = self._left.pop()
            self._learned.answered.pop(place, None)
            self._learned.given_back.append(place)
            self._look_again()

    def learn(self, stated: StatedLimits) -> None:
        window_s = stated.window_s + LIMITS.rate_margin_s if stated.window_s else None
        self._learned = self._learned.then(
            _Learned(limit=stated.limit, window_s=window_s, remaining=stated.remaining),
        )
        self._look_again()

    def close(self, wait_s: float) -> float:
        """Let no request through for `wait_s`, on any replica. Return the number of this penalty, for `lift`."""
        penalty = secrets.randbits(52)  # a whole number that a float can have
        self._learned.penalties[penalty] = self._time.now() + wait_s
        self._put_back()
        self._look_again()
        return penalty

    def lift(self, until: float) -> None:
        penalty = int(until)
        if not self._learned.penalties.pop(penalty, None):
            self._learned.lifted.append(penalty)
        self._look_again()

    async def write(self) -> bool:
        """Write down what was learned. Return whether that took a place for the next request.

        Raises:
            DatabaseAway: that is not possible now.
        """
        async with self._asking:
            if self._learned == _NOTHING:
                return False
            place = _new_id() if self._learned.answered and self._serves_users and self._ahead is None else None
            if await self._ask(place, ahead=place is not None) > 0 or place is None:
                return False
            self._ahead = place
            return True

    async def keep_ahead(self) -> None:
        """Keep the place that was taken ahead for a moment."""
        kept = self._ahead
        await self._time.sleep(_AHEAD_S)
        if self._ahead == kept:
            self._put_back()

    def _put_back(self) -> None:
        if self._ahead is not None:
            self._learned.given_back.append(self._ahead)
            self._ahead = None
            self._look_again()

    async def _turn(self, method: str = "", path: str = "", spare: int | None = None) -> float:
        """Take a place, if there is one; return how long to wait before the next turn."""
        try:
            with anyio.fail_after(time_limits.DATABASE_S):
                async with self._asking:
                    place = self._ahead if spare is None else None
                    if place is not None:
                        self._ahead, wait_s = None, 0.0
                    else:
                        place = _new_id()
                        wait_s = await self._ask(place, spare=spare)
                    if wait_s <= 0:
                        self._in_flight.append(place)
                    return wait_s
        except (DatabaseAway, TimeoutError) as error:
            why = error.why if isinstance(error, DatabaseAway) else reason(error)
            what = f"{method} {path[:120]} was not sent" if method else "A request was not sent"
            raise NotPaced(f"{what}: the team's database does not answer ({why})") from None

    async def _background_turn(self, spare: int) -> float:
        return _LOOKS_AGAIN_S if self._first_in_line.locked() else await self._turn(spare=spare)

    async def _ask(self, place: int | None, *, spare: int | None = None, ahead: bool = False) -> float:
        learned, self._learned = self._learned, _Learned()
        began = self._time.now()
        try:
            row = await self._shared.database.statement(
                _TURN,
                (
                    self._owner,
                    self.group,
                    _seconds(self._shared.database.set_time),
                    learned.as_json(began),
                    place,
                    self._assumed,
                    LIMITS.rate_window_s,
                    LIMITS.answer_s + _AHEAD_S * ahead,
                    spare,
                    ahead,
                ),
            )
        except BaseException:
            # It may have been carried out: writing it down again changes nothing, and a place is given back.
            self._learned = learned.then(self._learned)
            if place is not None:
                self._learned.given_back.append(place)
            self._shared.write_soon(self)
            raise
        assert row  # noqa: S101  a function returns one row
        wait_s, free_in_s, limit, window_s, closed_s = row
        now = self._time.now()
        if place is not None and not ahead:
            outlook = _Outlook(now, [now + s for s in free_in_s], limit, window_s, now + closed_s)
            self._outlook = outlook if wait_s > 0 else None
        return wait_s

    def _answer(self, place: int) -> None:
        self._learned.answered[place] = self._time.now()
        self._left.append(place)
        self._look_again()

    async def _sleep(self, wait_s: float) -> None:
        self._nap = anyio.CancelScope()
        try:
            with self._nap:
                await self._time.sleep(wait_s)
        finally:
            self._nap = None

    def _look_again(self) -> None:
        """Have the first in the queue, or otherwise `write_answers`, write down what was learned."""
        if self._nap:
            self._nap.cancel()
        else:
            self._shared.write_soon(self)

    def _give_up_beyond(self, until: float, ahead: int, method: str, path: str) -> None:
        now = self._time.now()
        wait_s = self._outlook.opens_at(ahead) - now if self._outlook else 0.0
        if wait_s > max(until - now, 0.0) or until == -inf:
            wait_s = max(1.0, wait_s)
            raise RateLimited(retry_after_s=wait_s, group=self.group, held_back=True, method=method, path=path)


def _new_id() -> int:
    return secrets.randbits(63)


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at else None
