"""The state machine of GUARD.md, section 7: actions in any order, and no message is deleted without approval."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import anyio
from anyio.from_thread import BlockingPortal
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from mcp.types import ElicitResult

from rc_mcp.guard.guard import Decision
from tests.desk import CANCEL, DECLINE, EMPTY, NO, NOTHING, YES, typed
from tests.proof.faults import AFTER, ARRIVALS, BEFORE, EVENTS, LATE, OTHERS, PARTS, RESTORED, WITHOUT_CODE, Event
from tests.proof.host import DAYS, FOREIGN, LOCK_FAULTS
from tests.proof.judge import Asked, Shown, Violation, Window
from tests.proof.office import HOSTS, PLACES, Answering, ConnectedClient, Office, Question

Page = tuple[str, Window]
_PLANNERS = {
    "one": ("cannot ask, 2026", "page, 2026", "another login, 2026"),
    "two": ("cannot ask, 2025", "app, 2025", "cannot ask, 2025"),
}
"""Clients of each machine that cannot ask."""
_UNKNOWN_ID = "99"
_RECENT = 6

places = st.sampled_from(list(PLACES))
numbers = st.sampled_from((0, 0, 0, 1, 1, 2, 3, 5))  # the newest more often than the old

any_events = st.one_of(st.just([]), st.lists(st.one_of([st.sampled_from(kind) for kind in EVENTS]), max_size=2))
doubtful = st.sampled_from([[Event("DELETE", what)] for what in (*PARTS, *WITHOUT_CODE, *LATE, RESTORED, RESTORED)])
"""Faults of a DELETE that may still arrive, whole or in part, or whose message another app restores."""
unheard = st.sampled_from([[Event("DELETE", what)] for what in AFTER])
"""Faults of a DELETE that RingCentral carried out."""
in_parts = st.sampled_from([[Event("DELETE", what)] for what in PARTS])
arrives = st.sampled_from([[Event("DELETE", what, at_message=m)] for what in ARRIVALS for m in range(2)])
"""An arrival just before the DELETE, in a conversation that may be deleted."""
unset = st.sampled_from([[Event("PUT", what)] for what in (*WITHOUT_CODE, *LATE, "drop", "drop after")])
"""Faults of a PUT of a retention period that may still take effect."""
lock_faults = st.sampled_from((*[None] * 14, *LOCK_FAULTS))
unrestored = st.sampled_from([[Event("PATCH", what)] for what in BEFORE])
times = st.sampled_from((1, 2))
"""An impatient assistant repeats its call, whatever the answer was."""
answers = st.sampled_from(
    ("yes",) * 8
    + ("no", "decline", "cancel", "empty", "nothing", "wrong phrase", "late", "a text", "a number", "sloppy")
)
pages = st.sampled_from(
    tuple(
        (place, window)
        for place in (
            "cannot ask, 2026",
            "cannot ask, 2025",
            "human, 2025",
            "another login, 2026",
            "no purge, 2026",
            "policy, cannot ask, 2026",
        )
        for window in ("app", "browser")
    )
)
"""Where a user decides. Each page has a server with settings of its own; what their clients can do does not matter."""
said = st.sampled_from(
    ("yes",) * 8 + ("no", "whole phrase", "whole phrase", "wrong phrase", "no phrase", "sloppy", "late")
)
"""What a user decides in a window. `whole phrase`: the phrase for the plan as it was made, whatever is left in it."""
ticked = st.sampled_from(
    ("all",) * 5 + ("first", "last", "first twice", "all but the last", "none", "another too", "only another")
)
"""The messages that are left in the plan."""


class Machine(RuleBasedStateMachine):
    """One example: an office, the actions in it, and the judge that checks them.

    No rule has a precondition; without a plan or question, a rule does nothing. Whether a plan exists may depend on
    which of two concurrent calls was first, and Hypothesis requires that the same choices offer the same rules.
    """

    office: ClassVar[Office]
    portal: ClassVar[BlockingPortal]
    totals: ClassVar[dict[str, int]]

    def __init__(self) -> None:
        super().__init__()
        self._is_begun = False
        self._open: dict[str, tuple[ConnectedClient, ExitStack]] = {}
        self._asked: list[Asked] = []
        self._questions: list[Question] = []

    @initialize(day=st.sampled_from(("an ordinary day", *DAYS)))
    def begins(self, day: str) -> None:
        """Begin an example, on an ordinary day or a day on which clocks change."""
        self._run(self.office.begin, day)
        self.office.judge.count(f"begun: {day}")
        self._is_begun = True

    def teardown(self) -> None:
        try:
            if self._is_begun and Violation.first is None:
                self._run(self.office.end)
        finally:
            self._leave_all()

    def _leave_all(self) -> None:
        for _, connection in self._open.values():
            connection.close()
        if not self._is_begun:
            return
        self.totals["examples"] = self.totals.get("examples", 0) + 1
        for what, n in self.office.judge.counts.items():
            self.totals[what] = self.totals.get(what, 0) + n

    # Actions of a model

    @rule(
        place=places,
        what=st.integers(1, 2**10 - 1),
        kind=st.integers(0, 5),
        events=st.one_of(any_events, any_events, doubtful),
        answer=answers,
        times=times,
        then=st.sampled_from((None, None, "undo", "restore")),
    )
    def deletes(
        self, place: str, what: int, kind: int, events: list[Event], answer: str, times: int, then: str | None
    ) -> None:
        """Delete or purge messages by id, of all types or only texts, and perhaps restore them at once."""
        ids = [i for n, i in enumerate([*self.office.mailbox.ids[-9:], _UNKNOWN_ID]) if what >> n & 1]
        arguments = (
            {"message_id": ids} | ({"purge": True} if kind in {3, 4} else {}) | ({"type": "SMS"} if kind == 5 else {})
        )
        self._calls(place, Asked("delete_message", arguments), None, events, answer, times)
        if then == "undo":
            self.undoes(0, [], None)
        elif then == "restore":
            self.restores_or_marks(place, what, restore=True, events=[])

    @rule(
        place=places,
        what=st.integers(1, 7),
        kind=st.integers(0, 5),
        until=st.sampled_from((None, None, None, "1m", "90m")),
        events=st.one_of(any_events, any_events, in_parts, in_parts, arrives),
        answer=answers,
        times=times,
    )
    def deletes_conversations(
        self, place: str, what: int, kind: int, until: str | None, events: list[Event], answer: str, times: int
    ) -> None:
        """Delete or purge conversations, up to now or to an earlier time."""
        ids = [c for n, c in enumerate(self._conversations()) if what >> n & 1]
        arguments: dict[str, Any] = {"conversation_id": ids or ["7"]}
        arguments |= (
            {"purge": True} if kind == 3 else {"type": "SMS"} if kind == 4 else {"type": "Text"} if kind == 5 else {}
        )
        arguments |= {"date_to": until} if until else {}
        self._calls(place, Asked("delete_message_by_filter", arguments), None, events, answer, times)

    @rule(
        place=places,
        days=st.lists(st.sampled_from((7, 14, 30, 60, 90)), min_size=1, max_size=2),
        events=st.one_of(any_events, unset),
        answer=answers,
    )
    def sets_the_period(self, place: str, days: list[int], events: list[Event], answer: str) -> None:
        """Change how long faxes and voicemails are kept, perhaps twice in a row."""
        for n, period in enumerate(days):
            asked = Asked("update_message_store_configuration", {"retention_period": period})
            self._calls(place, asked, None, [] if n else events, answer)

    @rule(place=places, which=numbers, events=any_events, answer=answers)
    def asks_again(self, place: str, which: int, events: list[Event], answer: str) -> None:
        """Repeat a call without a plan id."""
        if not self._asked:
            return
        self._calls(place, _nth(self._asked, which), None, events, answer)

    @rule(
        place=st.one_of(st.none(), places),
        which=numbers,
        events=any_events,
        answer=answers,
        times=st.sampled_from((1, 1, 1, 3)),
        locks=lock_faults,
    )
    def uses_a_plan(
        self, place: str | None, which: int, events: list[Event], answer: str, times: int, locks: str | None
    ) -> None:
        """Repeat the call of a plan with its id, once or more, at the same place or another."""
        if not self.office.judge.shown:
            return
        shown = _nth(list(self.office.judge.shown.values()), which)
        with self._locks_at(locks):
            self._calls(place or shown.place, shown.asked, shown.plan.id, events, answer, times)

    @rule(place=places, which=numbers, other=numbers, events=any_events, answer=answers)
    def uses_a_plan_for_something_else(
        self, place: str, which: int, other: int, events: list[Event], answer: str
    ) -> None:
        """Make another call with the id of a plan, or with an id that never existed."""
        if not (self.office.judge.shown and self._asked):
            return
        shown = _nth(list(self.office.judge.shown.values()), which)
        self._calls(place, _nth(self._asked, other), shown.plan.id if which else "zzzz-zzzz", events, answer)

    @rule(which=numbers, events=any_events, answer=answers, times=st.sampled_from((1, 1, 3)))
    def answers_a_question_again(self, which: int, events: list[Event], answer: str, times: int) -> None:
        """Answer an earlier question: late, differently, or three times."""
        if not self._questions:
            return
        question = _nth(self._questions, which)
        self.office.new_step(list(events))
        for _ in range(times):
            self._run(self._client(question.place.setup.name).answer, question, self._answering(answer))

    @rule(place=places, what=st.integers(1, 2**9 - 1), restore=st.booleans(), events=any_events)
    def restores_or_marks(self, place: str, what: int, restore: bool, events: list[Event]) -> None:
        """Call patch_message, which needs no approval."""
        ids = [i for n, i in enumerate(self.office.mailbox.ids[-9:]) if what >> n & 1]
        arguments = {"availability": "Alive"} if restore else {"read_status": "Read"}
        self.office.new_step(list(events))
        self._run(
            self._client(place).call,
            Asked("patch_message", {"message_id": ids, **arguments}),
            None,
            self._answering("no"),
        )

    @rule(
        who=st.lists(
            st.tuples(places, numbers, st.booleans(), answers), min_size=2, max_size=3, unique_by=lambda w: w[0]
        ),
        decisions=st.lists(st.tuples(pages, numbers, said, ticked), max_size=2),
        pauses=st.lists(st.sampled_from((0, 0, 3, 10, 30, 80)), min_size=1, max_size=6),
        events=any_events,
        locks=st.sampled_from((*[None] * 7, "locks: ENOSYS", "locks: lock nothing", "locks: lock nothing")),
    )
    def works_together(
        self,
        who: list[tuple[str, int, bool, str]],
        pauses: list[int],
        events: list[Event],
        locks: str | None,
        decisions: list[tuple[Page, int, str, str]] | None = None,
    ) -> None:
        """Make calls at once at different servers, with or without a plan id, while users decide in windows."""
        if not self._asked:
            return
        self.office.new_step(list(events), pauses)
        self.office.judge.count("steps with calls at once")
        calls: list[Callable[[], Awaitable[None]]] = []
        for place, which, planned, answer in who:
            asked, plan_id = _nth(self._asked, which), None
            if planned and self.office.judge.shown:
                shown = _nth(list(self.office.judge.shown.values()), which)
                asked, plan_id = shown.asked, shown.plan.id
            calls.append(self._asking(self._client(place), asked, plan_id, answer))
        for page, which, answer, left in (decisions or []) if self.office.judge.shown else []:
            shown = _nth(list(self.office.judge.shown.values()), which)
            calls.append(partial(self._decides, page, shown, answer, left))

        async def all_at_once() -> None:
            async with anyio.create_task_group() as tasks:
                for call in calls:
                    tasks.start_soon(_awaited, call)

        with self._locks_at(locks):
            self._run(all_at_once)

    # Actions of users

    @rule(which=numbers, place=st.one_of(st.none(), places), answer=answers)
    def approves_in_the_terminal(self, which: int, place: str | None, answer: str) -> None:
        """Run `rc-mcp approvals approve`; if it succeeds, an assistant usually continues at once, at any place."""
        if not self.office.judge.shown:
            return
        shown = _nth(list(self.office.judge.shown.values()), which)
        if self._run(self.office.plans.approve, shown.plan.id):
            self.office.judge.agree(shown, "terminal", self.office.hosts["one"].wall())
            if place:
                self._calls(place, shown.asked, shown.plan.id, [], answer)

    @rule(which=numbers)
    def denies_in_the_terminal(self, which: int) -> None:
        """Run `rc-mcp approvals deny`."""
        if not self.office.judge.shown:
            return
        shown = _nth(list(self.office.judge.shown.values()), which)
        if self._run(self.office.plans.deny, shown.plan.id):
            self.office.judge.deny(shown)

    @rule(
        page=pages,
        which=numbers,
        waits=st.sampled_from((True, True, True, False)),
        said=said,
        ticked=ticked,
        events=st.one_of(any_events, any_events, doubtful),
        times=times,
        locks=lock_faults,
    )
    def decides_in_a_window(
        self,
        page: Page,
        which: int,
        waits: bool,
        said: str,
        ticked: str,
        events: list[Event],
        times: int,
        locks: str | None,
    ) -> None:
        """Decide about a plan on a page, once or twice."""
        judge = self.office.judge
        if not judge.shown:
            return
        # A page lists the plans that wait; an old page has others too.
        waiting = [s for s in judge.shown.values() if waits and judge.waits(s)]
        shown = _nth(waiting or list(judge.shown.values()), which)
        for n in range(times):
            self.office.new_step(list(events) if n == 0 else [])
            with self._locks_at(locks):
                self._run(self._decides, page, shown, said, ticked)

    @rule(
        page=pages,
        planner=st.integers(0, 2),
        what=st.integers(1, 2**9 - 1),
        kind=st.integers(0, 7),
        said=said,
        ticked=ticked,
        events=st.one_of(any_events, unheard),
    )
    def plans_and_decides(
        self, page: Page, planner: int, what: int, kind: int, said: str, ticked: str, events: list[Event]
    ) -> None:
        """Plan a change where the user cannot be asked, and decide about it on a page of the same machine."""
        place = _PLANNERS[PLACES[page[0]].host][planner]
        if kind in {6, 7}:
            self.sets_the_period(place, [7 if kind == 6 else 90], [], "no")
        else:
            self.deletes(place, what, kind, [], "no", 1, None)
        self.decides_in_a_window(page, 0, True, said, ticked, events, 1, None)

    @rule(which=numbers, events=st.one_of(any_events, unrestored), locks=lock_faults)
    def undoes(self, which: int, events: list[Event], locks: str | None) -> None:
        """Run `rc-mcp undo` on a plan that was carried out."""
        ran = [c.shown.plan.id for c in self.office.judge.consents if c.run_by is not None]
        if not ran:
            return
        self.office.new_step(list(events))
        with self._locks_at(locks):
            self._run(self.office.undo, _nth(ran, which))

    # Other events

    @rule(what=st.sampled_from((*OTHERS, "a message arrives", "app restores")), which=st.integers(0, 15))
    def another_app(self, what: str, which: int) -> None:
        """Change the mailbox as another app would."""
        self._run(self.office.another_app, what, which)

    @rule(minutes=st.sampled_from((0.05, 0.05, 1, 1, 4, 11, 120, 6 * 1440)))
    def time_goes_by(self, minutes: float) -> None:
        """Let time pass: plans and tokens expire, and messages deleted long ago are purged."""
        self.office.clock.go_on(timedelta(minutes=minutes))
        self._run(self.office.mailbox.pass_time)

    @rule(
        host=st.sampled_from(list(HOSTS)),
        minutes=st.sampled_from((-185, -61, -4, -4, 0, 0, 3, 3, 61, 185, 1560)),
        after=st.sampled_from((0, 0, 0, 4, 11)),
    )
    def sets_a_clock(self, host: str, minutes: int, after: int = 0) -> None:
        """Set the wall clock of a machine to a wrong or the right time, perhaps after a while."""
        if after:
            self.time_goes_by(after)
        self.office.judge.count(f"clocks set {'back' if minutes < 0 else 'ahead' if minutes else 'right'}")
        self.office.hosts[host].set_clock(timedelta(minutes=minutes))

    @rule(
        place=places,
        what=st.sampled_from(("STOP", "go on", "go on", "go on", "restart", "restart", "start again", "elsewhere")),
        brings=st.sampled_from(list(FOREIGN)),
    )
    def the_operator(self, place: str, what: str, brings: str) -> None:
        """Create or remove the STOP file, or restart a server or a machine on the same state folder."""
        match what:
            case "restart":
                self.office.judge.count("restarts")
                self._leave(place)
                self.office.server(PLACES[place], restarted=True)
            case "start again":
                self.starts_again(PLACES[place].host)
            case "elsewhere":
                self.starts_elsewhere(place, brings)
            case _:
                self.office.stop(on=what == "STOP")

    def starts_again(self, host: str) -> None:
        """Restart a machine: all its servers end, and its monotonic clock starts again at zero."""
        self.office.judge.count("machines started again")
        for place in [p for p in self._open if PLACES[p].host == host]:
            self._leave(place)
        self.office.start_again(host)

    def starts_elsewhere(self, place: str, brings: str) -> None:
        """Restart a server in a foreign folder with this `.env`."""
        self._leave(place)
        self.office.server(PLACES[place], restarted=True, brings=brings)

    # Helpers

    @contextmanager
    def _locks_at(self, fault: str | None) -> Generator[None]:
        judge = self.office.judge
        if fault is not None:
            judge.count(f"fault: {fault}")
        with self.office.locks.at(fault):
            judge.locks_are_refused = self.office.locks.are_refused
            try:
                yield
            finally:
                judge.locks_are_refused = False

    def _calls(
        self, place: str, asked: Asked, plan_id: str | None, events: list[Event], answer: str, times: int = 1
    ) -> None:
        for n in range(times):
            self.office.new_step(list(events) if n == 0 else [])
            self._run(self._asking(self._client(place), asked, plan_id, answer))

    async def _decides(self, page: Page, shown: Shown, said: str, ticked: str) -> None:
        decision = self._decision(shown, said, ticked)
        if said == "late":
            self.office.clock.go_on(timedelta(minutes=11))
        place, window = page
        await self.office.decide(PLACES[place], window, shown, decision)

    def _decision(self, shown: Shown, said: str, ticked: str) -> Decision:
        ids = [t.id for t in shown.plan.draft.targets]
        others = [i for i in self.office.mailbox.ids if i not in ids] or [_UNKNOWN_ID]
        left = {
            "first": ids[:1],
            "last": ids[-1:],
            "first twice": 2 * ids[:1],
            "all but the last": ids[:-1],
            "none": [],
            "another too": [*ids, others[-1]],
            "only another": others[-1:],
        }.get(ticked, ids)
        right, whole = shown.phrase(len(set(left))) or "", shown.plan.draft.phrase or ""
        typed = {
            "whole phrase": whole,
            "wrong phrase": f"{right}0" if right else "PURGE 1",
            "no phrase": "",
            "sloppy": f" {right} ",
        }.get(said, right)
        return Decision(shown.plan.id, said != "no", tuple(left), typed)

    def _asking(
        self, client: ConnectedClient, asked: Asked, plan_id: str | None, answer: str
    ) -> Callable[[], Awaitable[None]]:
        """Return a function that makes a call and answers its question, if any."""

        async def run() -> None:
            self._asked = [*self._asked, asked][-_RECENT:]
            if question := await client.call(asked, plan_id, self._answering(answer)):
                self._questions = [*self._questions, question][-_RECENT:]
                await client.answer(question, self._answering(answer))

        return run

    def _answering(self, kind: str) -> Answering:
        def answer(shown: Shown) -> ElicitResult:
            phrase = shown.plan.draft.phrase
            if kind == "late":
                self.office.clock.go_on(timedelta(minutes=11))
            plain = {"no": NO, "decline": DECLINE, "cancel": CANCEL, "empty": EMPTY, "nothing": NOTHING}
            if kind in plain:
                return plain[kind]
            return _phrase(kind, phrase) if phrase else _tick(kind)

        return answer

    def _conversations(self) -> list[str]:
        held = (self.office.emulator.store.find(int(i)) for i in self.office.mailbox.ids[:9])
        found = self._run(lambda: [str(m.conversation_id) for m in held if m and m.conversation_id])
        return list(dict.fromkeys(found))

    def _client(self, place: str) -> ConnectedClient:
        if place not in self._open:
            client, stack = ConnectedClient(self.office, PLACES[place]), ExitStack()
            stack.enter_context(
                self.portal.wrap_async_context_manager(client.connected(self.office.server(PLACES[place])))
            )
            self._open[place] = client, stack
        return self._open[place][0]

    def _leave(self, place: str) -> None:
        if place in self._open:
            self._open.pop(place)[1].close()

    def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self.portal.call(function, *arguments)
        finally:
            if Violation.first is not None:
                raise Violation.first


def _nth(items: list[Any], n: int) -> Any:
    """Return the nth item, counted from the newest and starting again after the oldest."""
    return items[-1 - n % len(items)]


def _phrase(kind: str, phrase: str) -> ElicitResult:
    """Return the phrase that the user types. A wrong one, such as `PURGE 3` for two messages, fits another plan."""
    words = {
        "wrong phrase": f"{phrase[:-1]}{int(phrase[-1]) + 1}" if phrase[-1].isdigit() else phrase.lower(),
        "a text": "yes",
        "a number": "",
        "sloppy": f" {phrase} ",
    }
    return typed(words.get(kind, phrase))


def _tick(kind: str) -> ElicitResult:
    odd: dict[str, Any] = {
        "wrong phrase": {"phrase": "PURGE 1"},
        "a text": {"confirm": "true"},
        "a number": {"confirm": 1},
    }
    return ElicitResult(action="accept", content=odd[kind]) if kind in odd else YES


async def _awaited(call: Callable[[], Awaitable[None]]) -> None:
    await call()
