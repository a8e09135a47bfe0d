"""The judge: knows what each person said to which plan, and holds every request and every answer to it.

It asks the guard for one thing only: what a plan holds, at the moment a person is shown it. Whether that is what was
asked for, and what was read, it checks then. What may follow from a yes it decides by itself.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar, Literal, cast
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx

from rc_mcp.emulator.vocabulary import DELETABLE
from rc_mcp.guard.state.journal import Operation
from rc_mcp.guard.state.plans import LIFETIME, Plan
from rc_mcp.views.changes import ChangeResult
from tests.proof.host import Now
from tests.proof.rules import (
    MAX_IN,
    MAX_PER_PLAN,
    UNATTENDED_IN,
    UNATTENDED_PER_CALL,
    Spent,
    is_protected,
    may_go_unattended,
)
from tests.proof.truth import Truth

APPROVED = "no destructive request without a consumed approval"
SUBSET = "executed is within approved"
FINAL = "nothing Purged without an irreversible approval"
TRUE = "no outcome that the mailbox contradicts"
ONCE = "a plan runs at most once, no DELETE is repeated"
PATIENT = "nothing destructive for what an earlier request may yet reach"
SETTLED = "what is said as final stays true once everything late has arrived"
NOT_FOR_EVER = "an unanswered request holds back others for minutes, not for hours"
LOCKED = "without a lock nothing is sent"
OWN_WORD = "a folder from elsewhere has no say"
UNDONE = "an undo restores what its operation deleted, and nothing else"
RULED = "what an operator's policy does not let go stays"
FRESH = "what changed since the plan is left alone"
STOPPED = "nothing is begun while the STOP file is there"
PLANNED = "a plan is what was asked for and what was read"
NAMED = "a DELETE names messages by their ids, a PATCH never deletes"
SOUND = "the server does not break"

Channel = Literal["question", "chat", "terminal", "policy"]
_NO_MATTER = timedelta(seconds=5)
HELD_BACK_FOR = timedelta(seconds=59)
"""So long after a request that was not answered nothing destructive is sent for what it named. The guard waits for a
minute, from a little before it leaves."""
_IN_ONE_CALL = timedelta(seconds=90)
"""So long a call may wait for RingCentral before it plans."""
_AT_MOST_HELD_BACK = timedelta(minutes=5)
_FINAL_WORDS = {"failed": True, "already": False, "restored": False}
"""What an answer may not say of a message that an earlier DELETE may still reach; `failed` by what deletes, the others
by what restores."""
NOT_SENT = {"confirmation_required", "declined", "refused", "nothing_to_do"}


class Violation(AssertionError):  # noqa: N818  what it is, not how it ends
    """An invariant was broken. The first one is kept: raised inside a server, it comes out as an error of a tool."""

    first: "ClassVar[Violation | None]" = None

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        Violation.first = Violation.first or self


def hold(condition: object, invariant: str, what: object) -> None:
    """Raises `Violation` unless it is so."""
    if not condition:
        raise Violation(invariant, str(what))


@dataclass(frozen=True)
class Asked:
    """What a call asks for, in the form the model wrote it; `plan_id` is not part of it."""

    tool: str
    arguments: Mapping[str, Any]

    @property
    def key(self) -> object:
        """Equal for calls that mean the same plan."""
        plain = {k: sorted(set(cast("list[str]", v))) if isinstance(v, list) else v for k, v in self.arguments.items()}
        return self.tool, sorted((k, str(v)) for k, v in plain.items())

    @property
    def purge(self) -> bool:
        return bool(self.arguments.get("purge", False))

    @property
    def types(self) -> tuple[str, ...]:
        return DELETABLE[self.arguments.get("type", "All")]


@dataclass(frozen=True)
class Seat:
    """Who sits at one connection: what its server allows, and whether a person can be asked there."""

    name: str
    can_ask: bool
    principal: str
    human: bool
    may_purge: bool
    has_policy: bool = False


@dataclass(eq=False)
class Call:
    """One tool call in progress. `ready`: since when a reading counts as one made after the yes."""

    seat: Seat
    asked: Asked
    began: int
    began_at: Now
    ready: int
    plan_id: str | None = None
    read: dict[str, int] = field(default_factory=dict[str, int])
    """When each message was last read, as far as the answer arrived whole. `configuration` is one of them."""
    sent: dict[str, int] = field(default_factory=dict[str, int])
    """Ids that left in a DELETE, and the moment RingCentral had dealt with it."""
    is_cut_off: bool = False
    """Its client gave it up: what the server had written down by then nobody knows."""
    status: str | None = None
    """How it ended, in the words of its answer."""
    put: int | None = None
    """When RingCentral had dealt with the PUT of a retention period, if one left."""
    faults: list[str] = field(default_factory=list[str])
    final: set[str] = field(default_factory=set[str])
    """What another app's delete, between re-read and DELETE, made ours purge."""
    shown: "Shown | None" = None
    """The plan a person was asked about in it."""


@dataclass(eq=False)
class Shown:
    """A plan as a person was shown it."""

    plan: Plan
    asked: Asked
    principal: str
    seat: str
    made: Now
    """When a person was shown it first, a little after it was made."""
    denied: bool = False
    put_to_a_person: bool = False
    """A client asked a person about it: from then on no model's word counts."""

    @property
    def ids(self) -> set[str]:
        return {t.id for t in self.plan.draft.targets}

    @property
    def irreversible(self) -> bool:
        """By what it does, not by what the plan calls itself."""
        if self.asked.tool == "update_message_store_configuration":
            return self.asked.arguments["retention_period"] < (self.plan.draft.period_in_force or 0)
        return self.asked.purge


@dataclass(eq=False)
class Consent:
    """A yes to one plan, through one channel: a person's, or an operator's beforehand."""

    shown: Shown
    channel: Channel
    given: int
    for_call: Call | None = None
    """The one call that a yes in the chat counts for."""
    run_by: Call | None = None
    named: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Effect:
    """What a destructive request is allowed, decided before it goes on its way."""

    consent: Consent
    ids: frozenset[str]
    """What it would reach now."""
    left: int
    """The moment it left."""
    sent: Now
    by: Call


class Judge:
    """Holds the invariants. Every example has its own."""

    def __init__(self, truth: Truth, right: Callable[[], datetime]) -> None:
        self.truth = truth
        self.right = right
        self.shown: dict[str, Shown] = {}
        self.consents: list[Consent] = []
        self.stopped_since: int | None = None
        self.limited_until: dict[str, datetime] = {}
        """Until when a server was told to send nothing, by the seat's name."""
        self.on_its_way: dict[str, Effect] = {}
        """What the last DELETE of each message was, if RingCentral did not refuse it; also the last PUT of a period."""
        self.last_tried: dict[str, Now] = {}
        """When something was last to be sent for a message, or for the `configuration`."""
        self.first_held: dict[tuple[str, str], Now] = {}
        """Since when a machine, by its boot, has held something back for a message: the boot and the id."""
        self.said: dict[str, list[tuple[int, str, bool]]] = {}
        """Words of answers about each message, when, and whether they were about a delete."""
        self.took: dict[str, set[str]] = {}
        """By plan: what its DELETEs really took."""
        self.locks_are_refused = False
        self.spent: list[Spent] = []
        self.counts: dict[str, int] = {}
        Violation.first = None

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    # What people see and say

    def show(self, plan: Plan | None, question: str | None, call: Call) -> Shown:
        """A plan is shown to a person, in a question or in an answer."""
        hold(plan is not None, PLANNED, f"a person is shown a plan that was never made: {question}")
        assert plan is not None
        if plan.id in self.shown:
            return self.shown[plan.id]
        shown = self._new(plan, call)
        self._check_plan(shown, question, call)
        self.shown[plan.id] = shown
        self.count(f"plans: {call.asked.tool}{' (purge)' if call.asked.purge else ''}")
        return shown

    def _new(self, plan: Plan, call: Call) -> Shown:
        now = replace(call.began_at, right=self.right())
        return Shown(plan, call.asked, call.seat.principal, call.seat.name, now)

    def _check_plan(self, shown: Shown, question: str | None, call: Call) -> None:
        draft, asked = shown.plan.draft, call.asked
        irreversible = draft.severity == "irreversible"
        hold(irreversible == shown.irreversible, PLANNED, f"{draft.severity}: {asked}")
        if asked.tool == "update_message_store_configuration":
            days = {days for moment, _, days in self.truth.retention if moment <= self.truth.moment}
            hold(draft.period_in_force in days, PLANNED, f"{draft.period_in_force} days were never in force")
            return
        hold(draft.phrase == (f"PURGE {len(shown.ids)}" if asked.purge else None), PLANNED, draft.phrase)
        if question is not None:
            hold(f" {len(shown.ids)} message" in question.splitlines()[0], PLANNED, question)
        right = {"Alive", "Deleted"} if asked.purge else {"Alive"}
        before = _before(asked, call)
        for target in draft.targets:
            message = self.truth.store.find(int(target.id))
            is_early = before is None or message is None or message.created_ms < before.timestamp() * 1000
            hold(is_early, PLANNED, f"{target.id} is not from before {before}: {asked}")
            hold(self._asked_for(target.id, asked), PLANNED, f"{target.id} was not asked for: {asked}")
            hold(target.availability in right, PLANNED, f"{target.id} is {target.availability}")
            was = [v for v in self.truth.since(target.id, call.began) if v.availability == target.availability]
            hold(target.last_modified in {_iso(v.modified_ms) for v in was}, PLANNED, f"{target.id} was never so")

    def _asked_for(self, id_: str, asked: Asked) -> bool:
        message = self.truth.store.find(int(id_))
        if message is None or message.type not in asked.types:
            return message is None
        if asked.tool == "delete_message":
            return id_ in {str(int(i)) for i in asked.arguments["message_id"]}
        return str(message.conversation_id) in asked.arguments["conversation_id"]

    def agree(self, shown: Shown, channel: Channel, now: datetime, call: Call | None = None) -> None:
        """A person says yes. What was denied, or has expired, nobody can agree to any more."""
        if shown.denied or now >= shown.plan.expires:  # by the wall clock there
            return
        self.count(f"approved: {channel}")
        moment = self.truth.next_moment()
        self.consents.append(Consent(shown, channel, moment, call if channel == "chat" else None))
        if call is not None:
            call.ready = moment

    def deny(self, shown: Shown) -> None:
        """A person says no, and it counts."""
        shown.denied = True
        self.count("denied")

    def policy_agreed(self, plan: Plan, call: Call) -> None:
        """A server says that its policy lets it carry this plan out. Whether it does is held against each DELETE."""
        if any(c.shown.plan is plan for c in self.consents):
            return
        hold(call.seat.has_policy, APPROVED, f"there is no policy at {call.seat.name}")
        shown = self.shown.get(plan.id)  # an open plan is handed out again for the same call
        if shown is None:
            shown = self._new(plan, call)
            self._check_plan(shown, None, call)
        self.consents.append(Consent(shown, "policy", self.truth.next_moment(), call))
        self.count("approved: policy")

    # What leaves

    def tried(self, names: Iterable[str], call: Call) -> None:
        """Something is about to be sent for these, and may be called in doubt from now on."""
        now = replace(call.began_at, right=self.right())
        for id_ in names:
            self.last_tried[id_] = now
            for key in [key for key in self.first_held if key[1] == id_]:
                del self.first_held[key]

    def delete_leaves(self, call: Call, request: httpx.Request, now: Now, taken: Plan | None) -> Effect:
        """A DELETE is about to go out. `taken`: the plan that is carried out, says the guard."""
        hold(call.asked.tool != "undo", UNDONE, "an undo sends a DELETE")
        hold(not self.locks_are_refused, LOCKED, f"a DELETE by {call.asked}")
        url = urlsplit(str(request.url))
        in_path, query = url.path.partition("/message-store")[2].strip("/"), parse_qs(url.query)
        targets = set(in_path.split(","))
        hold(all(i.isdigit() for i in targets) and "conversationId" not in query, NAMED, f"DELETE {in_path}?{query}")
        purge = query.get("purge") == ["true"]
        self._check_not_stopped(call, targets)
        again = {i for i in targets if self._may_be_reached(i, now)}
        hold(not again, PATIENT, f"DELETE of {in_path}: an earlier one of {sorted(again)} may be on its way")
        consent = self._consent_for(call, targets, taken, purge=purge)
        consent.run_by = call
        consent.named |= targets
        if call.seat.has_policy:
            self._check_policy(call, consent, targets, now)
        self.count("DELETEs")
        return Effect(consent, frozenset(targets), self.truth.next_moment(), now, call)

    def _check_policy(self, call: Call, consent: Consent, ids: set[str], now: Now) -> None:
        """Who is protected is left alone whoever agreed, and so are caps. Nobody agrees to what the rule does not."""
        messages = {i: self.truth.store.find(int(i)) for i in ids}
        protected = [i for i, m in messages.items() if is_protected(m)]
        hold(not protected, RULED, f"{protected} are protected")
        n, planned = len(ids), len(consent.shown.ids)
        hold(planned <= MAX_PER_PLAN, RULED, f"{planned} messages in one plan")
        for within, most in MAX_IN.items():
            used = self._used(within, now)
            hold(used + n <= most, RULED, f"{n} after {used} in {within}; {self.spent}")
            if used + n == most:
                self.count("caps used up")
        if any(is_protected(self.truth.store.find(int(i))) for i in consent.shown.ids):
            self.count("plans carried out without what is protected")
        if consent.channel != "policy":
            return
        hold(not call.asked.purge, RULED, "an unattended purge")
        hold(planned <= UNATTENDED_PER_CALL, RULED, f"{planned} messages in one unattended call")
        for within, most in UNATTENDED_IN.items():
            used = self._used(within, now, unattended=True)
            hold(used + n <= most, RULED, f"unattended, {n} after {used} in {within}; {self.spent}")
        for i, message in messages.items():
            allowed = may_go_unattended(message, now.wall) or self._nobody_could_know(i, call)
            hold(allowed, RULED, f"unattended: {message}")

    def _used(self, within: timedelta, now: Now, *, unattended: bool = False) -> int:
        """How much of a cap is used up, by what really went."""
        span = within - _NO_MATTER  # the guard counts from when it wrote it down, and a little earlier
        recent = [s for s in self.spent if s.sent.is_within(span, now)]
        return sum(s.unattended or not unattended for s in recent)

    def _takes(self, effect: Effect, id_: str) -> None:
        self.took.setdefault(effect.consent.shown.plan.id, set()).add(id_)
        self.spent.append(Spent(id_, effect.sent, effect.consent.channel == "policy"))
        is_purged = self.truth.now(id_).availability in {"Purged", None}
        self.count("messages purged" if is_purged else "messages deleted")

    def may_yet_arrive(self, effect: Effect, answer: httpx.Response | None) -> None:
        """A DELETE was answered, or not: it may yet reach what RingCentral has not refused in its own words."""
        refused = set[str]()
        if answer is not None and answer.status_code == HTTPStatus.MULTI_STATUS:
            refused = _refused_parts(answer)
        elif answer is not None and _is_refusal(answer.status_code, _body_of(answer)):
            refused = set(effect.ids)
        self.on_its_way |= dict.fromkeys(effect.ids - refused, effect)
        if refused and effect.ids - refused:
            self.count("refused beside what is in doubt")

    def _may_be_reached(self, id_: str, now: Now) -> bool:
        """Whether a DELETE of it may yet arrive, as far as anyone can tell."""
        effect = self.on_its_way.get(id_)
        if effect is None or now.right >= effect.sent.right + HELD_BACK_FOR:
            return False
        return not self._seems_done(effect, id_)

    def _seems_done(self, effect: Effect, id_: str, by: int | None = None) -> bool:
        """Whether a message has been, since this DELETE left, as it leaves one. Whose DELETE it was cannot be seen."""
        done = {"Purged", None} if effect.consent.shown.asked.purge else {"Deleted", "Purged", None}
        changes = self.truth.changes(id_, effect.left)
        return any(v.availability in done for v in changes if by is None or v.moment <= by)

    def held_back(self, call: Call, plan: Plan, now: Now) -> None:
        """A plan was not carried out because of an earlier request: of the last minutes, by a clock that counts."""
        self.count("held back: in doubt")
        ids = {t.id for t in plan.draft.targets} or {"configuration"}
        allowed = [id_ for id_ in ids if self._is_recent(id_, now)]
        hold(allowed, NOT_FOR_EVER, f"{ids} at {call.seat.name}: {[self.last_tried.get(i) for i in ids]}, now {now}")

    def _is_recent(self, id_: str, now: Now) -> bool:
        """Whether something was to be sent for this so lately that it may still be held back."""
        last = self.last_tried.get(id_)
        if last is None:
            return False
        # How long ago something left before a machine's last start no server there can tell: it waits from when it saw.
        since = last if last.boot == now.boot else self.first_held.setdefault((now.boot, id_), now)
        return now.right - since.right < _AT_MOST_HELD_BACK

    def delete_done(self, call: Call, effect: Effect, changed: Iterable[str]) -> None:
        """RingCentral has dealt with it, or never got it."""
        moment, shown = self.truth.moment, effect.consent.shown
        for id_ in changed:
            purged = self.truth.now(id_).availability in {"Purged", None}
            beyond = id_ not in shown.ids
            if beyond or (purged and not shown.asked.purge):
                hold(self._nobody_could_know(id_, call), SUBSET if beyond else FINAL, f"{id_}, plan {shown.plan.id}")
                call.final.add(id_)
                self.count("purges nobody can stop")
            self._takes(effect, id_)
        call.ready = moment
        call.sent |= dict.fromkeys(effect.ids | set(changed), moment)

    def late_done(self, effect: Effect, read: Mapping[str, int], changed: Iterable[str]) -> None:
        """RingCentral has dealt with a DELETE that was given up. What it purges nothing of ours may have deleted.

        `read`: when each message was read last before it left.
        """
        self.count("late DELETEs carried out")
        shown = effect.consent.shown
        for id_ in changed:
            purged = self.truth.now(id_).availability in {"Purged", None}
            if purged and not shown.asked.purge:
                others = {"another app", "benign call", "time"}
                by_others = any(v.by in others for v in self.truth.changes(id_, read.get(id_, -1)))
                hold(by_others, FINAL, f"{id_}, by a DELETE of plan {shown.plan.id} that came late")
                self.count("purges nobody can stop")
            self._takes(effect, id_)
            for moment, word, of_delete in self.said.get(id_, []):
                if moment > effect.left and _FINAL_WORDS.get(word) is of_delete:
                    could_not_know = self._seems_done(effect, id_, by=moment)
                    hold(could_not_know, SETTLED, f"{id_} was said to be {word}, and then a late DELETE took it")

    def late_put_done(self, effect: Effect) -> None:
        """RingCentral has dealt with a PUT of a period that was given up: nothing of ours may have followed it."""
        self.count("late PUTs carried out")
        follows = self.on_its_way.get("configuration")
        is_last = follows in (None, effect)
        hold(is_last, SETTLED, f"{_days(effect)} days come into force after a period that was agreed to later")
        hold(effect.by.status not in {"failed", "refused", "error"}, SETTLED, f"{effect.by.status}, and then it came")

    def put_leaves(self, call: Call, days: int, now: Now, taken: Plan | None) -> Effect:
        """A PUT of a retention period is about to go out. `taken` as for a DELETE."""
        hold(call.asked.tool == "update_message_store_configuration", APPROVED, f"PUT {days} days by {call.asked}")
        hold(not self.locks_are_refused, LOCKED, f"a PUT by {call.asked}")
        self._check_not_stopped(call, {"configuration"})
        mine = [c for c in self._unspent(call) if c.shown.asked.key == call.asked.key]
        agreed = [c for c in mine if c.shown.asked.arguments["retention_period"] == days]
        hold(agreed, APPROVED, f"PUT {days} days, to which nobody agreed")
        fresh = [c for c in agreed if self._is_period_fresh(call, c)]
        hold(fresh, FRESH, f"the period changed: {self.truth.retention}")
        again = [c for c in fresh if "configuration" not in c.named]
        hold(again, ONCE, "the PUT was sent before")
        consent = _of(taken, again)
        earlier = self.on_its_way.get("configuration")
        if earlier is not None and now.right < earlier.sent.right + HELD_BACK_FOR:
            hold(self._seems_in_force(earlier), PATIENT, f"PUT {days} days: {_days(earlier)} days may be on their way")
        lowers = consent.shown.irreversible
        hold(not (lowers and call.seat.has_policy), RULED, "a shorter period would take what is protected")
        consent.run_by = call
        consent.named.add("configuration")
        self.count("PUTs of the retention period")
        return Effect(consent, frozenset(), self.truth.moment, now, call)

    def _seems_in_force(self, effect: Effect) -> bool:
        """Whether the period of a PUT was in force at some time since it left."""
        in_force = [days for moment, _, days in self.truth.retention if moment > effect.left]
        return _days(effect) in [self._period_at(effect.left), *in_force]

    def _period_at(self, at: int) -> int:
        return next(days for moment, _, days in reversed(self.truth.retention) if moment <= at)

    def put_done(self, call: Call, effect: Effect, answer: httpx.Response | None) -> None:
        """RingCentral has dealt with it, or never got it. `answer`: what the server was answered, if it was."""
        call.put = self.truth.moment
        if answer is None or not _is_refusal(answer.status_code, _body_of(answer)):
            self.on_its_way["configuration"] = effect

    def _unspent(self, call: Call) -> list[Consent]:
        """Every yes that counts at this seat and was not used up by another call."""
        return [
            c
            for c in self.consents
            if c.run_by in (None, call)
            and c.for_call in (None, call)
            and not c.shown.denied
            and c.shown.plan.expires > call.began_at.wall
            and (c.shown.made.boot != call.began_at.boot or call.began_at.right - c.shown.made.right < LIFETIME)
            and c.shown.principal == call.seat.principal
            and (c.channel == "policy" or (c.channel == "question") == call.seat.can_ask)
            and not self._ran(c.shown, call)
        ]

    def _ran(self, shown: Shown, call: Call) -> bool:
        """Whether another call carried this plan out, whatever yes it had."""
        return any(c.shown is shown and c.run_by not in (None, call) for c in self.consents)

    def _consent_for(self, call: Call, ids: set[str], taken: Plan | None, *, purge: bool) -> Consent:
        why = f"DELETE of {sorted(ids)}{' (purge)' if purge else ''} by {call.asked} at {call.seat.name}"
        mine = [c for c in self._unspent(call) if c.shown.asked.key == call.asked.key and c.shown.asked.purge == purge]
        used = [c for c in self.consents if c.run_by not in (None, call) and ids & c.shown.ids]
        hold(mine, ONCE if used and not mine else APPROVED, why)
        hold(not purge or call.seat.may_purge, APPROVED, f"{why}: this server may not purge")
        within = [c for c in mine if ids <= c.shown.ids]
        hold(within, SUBSET, f"{why}: of {[sorted(c.shown.ids) for c in mine]}")
        again = [c for c in within if not c.named & ids]
        hold(again, ONCE, f"{why}: sent before")
        fresh = [c for c in again if self._is_fresh(call, c, ids)]
        now = {i: self.truth.now(i) for i in ids}
        hold(fresh, FRESH, f"{why}: {now}, planned {[c.shown.plan.draft.targets for c in again]}")
        return _of(taken, fresh)

    def _is_fresh(self, call: Call, consent: Consent, ids: set[str]) -> bool:
        """Whether all are as they were when the plan was made, or changed when nobody could know."""
        planned = {t.id: (t.availability, t.last_modified) for t in consent.shown.plan.draft.targets}
        now = {i: self.truth.now(i) for i in ids}
        return all(
            (v.availability, _iso(v.modified_ms)) == planned[i] or self._nobody_could_know(i, call)
            for i, v in now.items()
        )

    def _is_period_fresh(self, call: Call, consent: Consent) -> bool:
        """Whether it is as it was when the plan was made, or changed when nobody could know."""
        read = call.read.get("configuration", 0)
        later = any(moment > read for moment, _, _ in self.truth.retention)
        same = self.truth.retention[-1][2] == consent.shown.plan.draft.period_in_force
        return same or (later and read >= call.ready)

    def _check_not_stopped(self, call: Call, ids: set[str]) -> None:
        """Nothing leaves once the file was there before the last reading was over."""
        last_looked = max(call.ready, *(call.read.get(i, 0) for i in ids), 0)
        stopped = self.stopped_since is not None and self.stopped_since < last_looked
        hold(not stopped, STOPPED, f"{call.asked} went on")

    def _nobody_could_know(self, id_: str, call: Call) -> bool:
        """Whether something that is not the guard's changed it after it was re-read, as late as can be."""
        read = call.read.get(id_, -1)
        if read < call.ready or self.truth.arrived(id_) > call.began:
            return False
        others = {"another app", "benign call", "time"}
        return any(v.by in others for v in self.truth.changes(id_, read))

    # What is undone

    def patch_leaves(self, call: Call, ids: Iterable[str]) -> None:
        """An undo is about to restore these."""
        hold(not self.locks_are_refused, LOCKED, "an undo restores")
        others = set(ids) - self._perhaps_deleted(call)
        hold(not others, UNDONE, f"{others} were not deleted by {call.asked}")

    def patch_done(self, call: Call, ids: Iterable[str], changed: Iterable[str]) -> None:
        """RingCentral has dealt with it, or never got it."""
        call.sent |= dict.fromkeys(ids, self.truth.moment)
        self.count("messages restored by an undo", len(list(changed)))

    def check_undone(self, call: Call, answer: ChangeResult | None, now: Now) -> None:
        """What an undo says, against the mailbox. None: an error, which says that nothing was restored."""
        self.count(f"undone: {answer.status if answer else 'error'}")
        if answer is None:
            hold(not call.sent, TRUE, f"nothing was restored, but {set(call.sent)} were sent")
            return
        others = set(answer.outcomes) - self._perhaps_deleted(call)
        hold(not others, UNDONE, f"{others} were not deleted by {call.asked}")
        hold(set(call.sent) <= set(answer.outcomes), TRUE, f"of {call.sent} only {answer.outcomes} are told")
        is_back = set(answer.outcomes.values()) <= {"restored", "already"}
        hold(answer.status != "done" or is_back, TRUE, f"done, but {answer.outcomes}")
        right = {"restored": "Alive", "already": "Alive", "failed": "Deleted", "purged": "Purged", "not_found": None}
        for id_, word in answer.outcomes.items():
            was = {v.availability for v in self._states(call, id_)}
            hold(word == "unknown" or right.get(word, "") in was, TRUE, f"{id_} is said {word}, was {was}")
        self._says(call, answer.outcomes, now)

    def _perhaps_deleted(self, call: Call) -> set[str]:
        """What the operation deleted that this call undoes, or may have: what its DELETEs were meant for."""
        mine = [c for c in self.consents if c.shown.plan.id == call.asked.arguments["operation"]]
        ran = [(c.run_by, c.shown.ids) for c in mine if c.run_by]
        return {i for by, ids in ran for i in ids if by.is_cut_off or i in by.sent}

    # What is said

    def _says(self, call: Call, outcomes: Mapping[str, str], now: Now) -> None:
        """An answer is given: what it says of each message is remembered, and `unknown` needs a reason."""
        of_delete = call.asked.tool.startswith("delete")
        for id_, word in outcomes.items():
            self.said.setdefault(id_, []).append((self.truth.moment, word, of_delete))
            if word != "unknown":
                continue
            self.count(f"unknown: {call.asked.tool}")
            told = f"{id_} is unknown to {call.asked} since {self.last_tried.get(id_)}, now {now}"
            hold(call.faults or self._is_recent(id_, now), NOT_FOR_EVER, told)

    def check_journal(self, operations: Iterable[Operation]) -> None:
        """What the journal says at the end of what became of each message, against what our DELETEs took."""
        for operation in operations:
            took = self.took.get(operation.id, set())
            for id_, word in operation.outcomes.items():
                spared = word in {"failed", "skipped", "already", "not_found"}
                hold(
                    not (spared and id_ in took), TRUE, f"{id_} is journaled as {word} in {operation.id}, which took it"
                )

    def check_answer(self, call: Call, answer: Mapping[str, Any], now: Now) -> None:
        """A call's structured answer against the mailbox: each outcome was true after what we sent, until now."""
        status, outcomes = answer["status"], answer.get("outcomes", {})
        call.status = status
        self.count(f"answered: {status}")
        if status in NOT_SENT:
            hold(not call.sent and call.put is None, TRUE, f"{status}, but something left: {call.sent}")
        if call.asked.tool == "update_message_store_configuration":
            self._check_retention(call, status)
            return
        for id_, word in outcomes.items():
            hold(self._is_true(call, id_, word), TRUE, f"{id_} is said {word}, was {self._states(call, id_)}; {answer}")
        untold = set(call.sent) - set(outcomes)
        hold(untold <= call.final - self._planned(call), TRUE, f"{untold} are not told of")
        words = set(outcomes.values())
        if status == "done":
            hold(words <= {"deleted", "purged", "restored", "updated", "already"}, TRUE, f"done, but {words}")
            finally_so = "purged" in words and call.asked.tool != "patch_message" and not call.asked.purge
            hold(not finally_so, TRUE, "done, but a plain delete purged")
        if words & {"unknown", "failed"} and call.asked.tool != "patch_message":
            disturbed = bool(call.faults) or any(self.truth.changes(i, call.began) for i in outcomes)
            hold(disturbed, TRUE, f"{outcomes} though nothing went wrong")
        self._says(call, outcomes, now)

    def _planned(self, call: Call) -> set[str]:
        return {i for c in self.consents if c.run_by is call for i in c.shown.ids}

    def _check_retention(self, call: Call, status: str) -> None:
        wanted = call.asked.arguments["retention_period"]
        since = call.began if call.put is None else call.put
        in_force = [d for m, _, d in self.truth.retention if m <= since][-1:]
        in_force += [d for m, _, d in self.truth.retention if m > since]
        if status == "done":
            hold(call.put is not None and wanted in in_force, TRUE, f"done, but {in_force} days are in force")
        if status == "failed" and call.put is not None:
            hold(any(d != wanted for d in in_force), TRUE, f"failed, but {in_force} days are in force")

    def _states(self, call: Call, id_: str) -> list[Any]:
        return self.truth.since(id_, call.sent.get(id_, call.began))

    def _is_true(self, call: Call, id_: str, word: str) -> bool:
        states = {v.availability for v in self._states(call, id_)}
        purge = call.asked.purge
        match word:
            case "deleted":
                return "Deleted" in states and id_ in call.sent
            case "purged":
                return bool(states & {"Purged", None}) and id_ in call.sent
            case "already":
                done = {"Purged", None} if purge else {"Deleted", "Purged", None}
                done = {"Alive"} if call.asked.tool == "patch_message" else done
                return bool(states & done) and id_ not in call.sent
            case "not_found":
                # RingCentral shows no content of a Purged message to an update, and nothing of one that is gone.
                gone = {"Purged", None} if call.asked.tool == "patch_message" else {None}
                told_so = "404 for the reading back" in call.faults  # in RingCentral's own words: who could know better
                return (told_so or bool(states & gone)) and id_ not in call.sent
            case "skipped":
                return id_ not in call.sent
            case "failed":
                is_spared = states & ({"Alive", "Deleted"} if purge or id_ not in call.sent else {"Alive"})
                return call.asked.tool == "patch_message" or bool(is_spared and not self._was_taken(call, id_))
            case "restored":
                return "Alive" in states
            case "updated":
                return call.asked.arguments["read_status"] in {v.read_status for v in self._states(call, id_)}
            case _:
                return word == "unknown"

    def _was_taken(self, call: Call, id_: str) -> bool:
        return any(id_ in self.took.get(c.shown.plan.id, ()) for c in self.consents if c.run_by is call)

    def check_error(self, call: Call, text: str) -> None:
        """A call that ended in an error said that nothing was done."""
        call.status = "error"
        self.count("answered: error")
        hold("failed inside this server" not in text, SOUND, text)
        hold(not call.sent and call.put is None, TRUE, f"{text} But something left: {call.sent}")

    def end(self, call: Call, finished: bool) -> None:
        """The call is over."""
        ran = [c for c in self.consents if c.run_by is call]
        call.is_cut_off = not finished
        if not ran:
            return
        self.count(f"plans carried out: {ran[0].channel}")
        if not finished:
            self.count("calls cut off after a DELETE")


def _of(taken: Plan | None, consents: list[Consent]) -> Consent:
    """The yes to the plan that is carried out. Another that would do as well may have led to nothing elsewhere."""
    return next((c for c in consents if c.shown.plan is taken), consents[0])


def _is_refusal(status: int, body: object) -> bool:
    """Whether RingCentral itself says no, so that nothing is on its way any more.

    What lies between us and RingCentral has none of its codes, its gateway knows of no message, and 401, 408, 416 and
    5xx say nothing of whether it was carried out.
    """
    code = cast("dict[str, object]", body).get("errorCode") if isinstance(body, dict) else None
    says_no = status in range(400, 500) and status not in {401, 408, 416}
    return says_no and isinstance(code, str) and re.fullmatch("(?!AGW)[A-Z]+-[0-9]+", code) is not None


def _days(effect: Effect) -> int:
    return effect.consent.shown.asked.arguments["retention_period"]


def _before(asked: Asked, call: Call) -> datetime | None:
    """The time before which messages are asked for: a span is elapsed time, whatever a zone makes of it."""
    spans = {"1m": timedelta(minutes=1), "90m": timedelta(minutes=90)}
    span = spans.get(asked.arguments.get("date_to") or "")
    return call.began_at.wall - span + _IN_ONE_CALL if span else None


def _refused_parts(answer: httpx.Response) -> set[str]:
    body = _body_of(answer)  # of one that was cut short there is none
    parts = cast("list[dict[str, Any]]", body) if isinstance(body, list) else []
    return {str(part["resourceId"]) for part in parts if _is_refusal(part["status"], part.get("body"))}


def _body_of(answer: httpx.Response) -> object:
    with suppress(ValueError):
        return json.loads(answer.content)
    return None


def _iso(ms: int) -> str:
    from datetime import UTC

    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)).isoformat()
