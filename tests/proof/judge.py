"""The judge checks every request and answer against the approvals that users gave.

It takes only one thing from the guard: the content of a plan when a user sees it. It then checks that this content
matches the call and the messages that were read. It decides itself what an approval permits.
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
from rc_mcp.guard.guard import Decision
from rc_mcp.guard.state.journal import Operation
from rc_mcp.guard.state.plans import LIFETIME, Plan
from rc_mcp.tools.strict_tool import CRASHED
from rc_mcp.views.changes import ChangeResult
from tests.proof.host import Now
from tests.proof.mailbox_model import MailboxModel
from tests.proof.rules import (
    MAX_IN,
    MAX_PER_PLAN,
    UNATTENDED_IN,
    UNATTENDED_PER_CALL,
    Spent,
    is_protected,
    may_go_unattended,
)

APPROVED = "no destructive request without a consumed approval"
SUBSET = "executed is within approved"
FINAL = "nothing Purged without an irreversible approval"
TRUE = "no outcome that the mailbox contradicts"
ONCE = "a plan runs at most once, no DELETE is repeated"
PATIENT = "no destructive request for a message that an earlier one may still reach"
SETTLED = "a final outcome stays true after every late request has arrived"
NOT_FOR_EVER = "an unanswered request holds back others for minutes, not for hours"
LOCKED = "without a lock nothing is sent"
OWN_WORD = "a foreign folder changes no setting"
UNDONE = "an undo restores the messages of its operation, and no others"
RULED = "messages that the operator's policy does not allow to be deleted stay"
FRESH = "messages that changed since the plan are skipped"
STOPPED = "no change begins while the STOP file exists"
PLANNED = "a plan matches the call and the messages that were read"
NAMED = "a DELETE names messages by their ids, a PATCH never deletes"
SOUND = "the server does not crash"

Window = Literal["app", "browser"]
Channel = Literal["question", "chat", "terminal", "policy", "app", "browser"]
_NO_MATTER = timedelta(seconds=5)
HELD_BACK_FOR = timedelta(seconds=59)
"""After an unanswered request, no destructive request may name the same messages for this long. The guard waits for a
minute, counted from a little before it sends."""
_IN_ONE_CALL = timedelta(seconds=90)
"""The longest time a call may wait for RingCentral before it plans."""
_AT_MOST_HELD_BACK = timedelta(minutes=5)
_FINAL_WORDS = {"failed": True, "already": False, "restored": False}
"""Outcomes that are false if an earlier DELETE still reaches the message, and whether a deletion reports them. The
others come from a restore."""
NOT_SENT = {"confirmation_required", "declined", "refused", "nothing_to_do"}


class Violation(AssertionError):  # noqa: N818  named for its meaning
    """A broken invariant. `first` keeps it, because a server turns an exception into a tool error."""

    first: "ClassVar[Violation | None]" = None

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        Violation.first = Violation.first or self


def hold(condition: object, invariant: str, what: object) -> None:
    """Raise `Violation` unless the condition is true."""
    if not condition:
        raise Violation(invariant, str(what))


@dataclass(frozen=True)
class Asked:
    """The tool and the arguments of a call as the model wrote them, without `plan_id`."""

    tool: str
    arguments: Mapping[str, Any]

    @property
    def key(self) -> object:
        """Return a key that is equal for calls with the same plan."""
        plain = {k: sorted(set(cast("list[str]", v))) if isinstance(v, list) else v for k, v in self.arguments.items()}
        return self.tool, sorted((k, str(v)) for k, v in plain.items())

    @property
    def purge(self) -> bool:
        return bool(self.arguments.get("purge", False))

    @property
    def types(self) -> tuple[str, ...]:
        return DELETABLE[self.arguments.get("type", "All")]


@dataclass(frozen=True)
class ClientSetup:
    """One connection, or one window: the permissions of its server, and how its user is asked."""

    name: str
    can_ask: bool
    principal: str
    human: bool
    may_purge: bool
    has_policy: bool = False
    may_set_period: bool = True
    shows: Window | None = None
    """The window in which its user is shown plans, so that no claim of a model counts there."""
    window: Window | None = None
    """Set if this is not a connection but a window, in which a user decides."""


@dataclass(eq=False)
class Call:
    """One tool call, or one decision in a window. Readings from `ready` on count as made after the approval."""

    setup: ClientSetup
    asked: Asked
    began: int
    began_at: Now
    ready: int
    plan_id: str | None = None
    read: dict[str, int] = field(default_factory=dict[str, int])
    """The moment of the last complete reading, by message id or `configuration`."""
    sent: dict[str, int] = field(default_factory=dict[str, int])
    """The ids sent in a DELETE, and the moment at which RingCentral had processed it."""
    is_cut_off: bool = False
    """Whether its client canceled it. The state of the journal is then uncertain."""
    status: str | None = None
    """The status of its answer, or `error`."""
    put: int | None = None
    """The moment at which RingCentral had processed its PUT of a retention period, if any."""
    faults: list[str] = field(default_factory=list[str])
    final: set[str] = field(default_factory=set[str])
    """Messages purged only because another app deleted them between the re-read and the DELETE."""
    shown: "Shown | None" = None
    """The plan in its question to the user."""


@dataclass(eq=False)
class Shown:
    """A plan that a user has seen."""

    plan: Plan
    asked: Asked
    principal: str
    place: str
    made: Now
    """The time at which the user first saw it, a little after its creation."""
    denied: bool = False
    was_asked_about: bool = False
    """Whether a client or a window asked its user about it. From then on, no claim of a model counts."""

    @property
    def is_period(self) -> bool:
        return self.asked.tool == "update_message_store_configuration"

    def phrase(self, n: int) -> str | None:
        """Return what a user must type to approve it for `n` messages, whatever phrase the plan states."""
        if not self.irreversible:
            return None
        return f"KEEP {self.asked.arguments['retention_period']} DAYS" if self.is_period else f"PURGE {n}"

    @property
    def ids(self) -> set[str]:
        return {t.id for t in self.plan.draft.targets}

    @property
    def irreversible(self) -> bool:
        """Return whether its effect is irreversible, whatever severity the plan states."""
        if self.is_period:
            return self.asked.arguments["retention_period"] < (self.plan.draft.period_in_force or 0)
        return self.asked.purge


@dataclass(eq=False)
class Consent:
    """An approval of one plan through one channel, by a user or by the operator's policy."""

    shown: Shown
    channel: Channel
    given: int
    ids: set[str]
    """The messages that it covers: in a window a user may take some out of the plan."""
    for_call: Call | None = None
    """The only call that an approval in the chat or in a window covers."""
    run_by: Call | None = None
    named: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Effect:
    """A destructive request with its approval, recorded before it is sent."""

    consent: Consent
    ids: frozenset[str]
    """The messages it names."""
    left: int
    """The moment at which it was sent."""
    sent: Now
    by: Call


class Judge:
    """The invariants and the state they need. Each example has its own judge."""

    def __init__(self, mailbox: MailboxModel, right: Callable[[], datetime]) -> None:
        self.mailbox = mailbox
        self.right = right
        self.shown: dict[str, Shown] = {}
        self.consents: list[Consent] = []
        self.stopped_since: int | None = None
        self.limited_until: dict[str, datetime] = {}
        """The end of the pause that RingCentral imposed on a server, by the name of its place."""
        self.on_its_way: dict[str, Effect] = {}
        """The last DELETE of each message that RingCentral did not refuse; also the last such PUT of a period."""
        self.last_tried: dict[str, Now] = {}
        """The time of the last attempt to send a change, by message id or `configuration`."""
        self.first_held: dict[tuple[str, str], Now] = {}
        """The time since which a machine has held back a request, by its boot and the message id."""
        self.said: dict[str, list[tuple[int, str, bool]]] = {}
        """The reported outcomes of each message: the moment, the outcome, and whether a deletion reported it."""
        self.took: dict[str, set[str]] = {}
        """The messages that the DELETEs of each plan really deleted."""
        self.locks_are_refused = False
        self.spent: list[Spent] = []
        self.counts: dict[str, int] = {}
        Violation.first = None

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    # Questions and approvals

    def show(self, plan: Plan | None, question: str | None, call: Call) -> Shown:
        """Check a plan that a user sees in a question or an answer."""
        hold(plan is not None, PLANNED, f"the user sees a plan that was never made: {question}")
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
        return Shown(plan, call.asked, call.setup.principal, call.setup.name, now)

    def _check_plan(self, shown: Shown, question: str | None, call: Call) -> None:
        draft, asked = shown.plan.draft, call.asked
        irreversible = draft.severity == "irreversible"
        hold(irreversible == shown.irreversible, PLANNED, f"{draft.severity}: {asked}")
        if asked.tool == "update_message_store_configuration":
            days = {days for moment, _, days in self.mailbox.retention if moment <= self.mailbox.moment}
            hold(draft.period_in_force in days, PLANNED, f"{draft.period_in_force} days were never in force")
            return
        hold(draft.phrase == (f"PURGE {len(shown.ids)}" if asked.purge else None), PLANNED, draft.phrase)
        if question is not None:
            hold(f" {len(shown.ids)} message" in question.splitlines()[0], PLANNED, question)
        right = {"Alive", "Deleted"} if asked.purge else {"Alive"}
        before = _before(asked, call)
        for target in draft.targets:
            message = self.mailbox.store.find(int(target.id))
            is_early = before is None or message is None or message.created_ms < before.timestamp() * 1000
            hold(is_early, PLANNED, f"{target.id} is not older than {before}: {asked}")
            hold(self._asked_for(target.id, asked), PLANNED, f"{target.id} was not asked for: {asked}")
            hold(target.availability in right, PLANNED, f"{target.id} is {target.availability}")
            was = [v for v in self.mailbox.since(target.id, call.began) if v.availability == target.availability]
            hold(target.last_modified in {_iso(v.modified_ms) for v in was}, PLANNED, f"{target.id}: wrong time")

    def _asked_for(self, id_: str, asked: Asked) -> bool:
        message = self.mailbox.store.find(int(id_))
        if message is None or message.type not in asked.types:
            return message is None
        if asked.tool == "delete_message":
            return id_ in {str(int(i)) for i in asked.arguments["message_id"]}
        return str(message.conversation_id) in asked.arguments["conversation_id"]

    def agree(
        self, shown: Shown, channel: Channel, now: datetime, call: Call | None = None, ids: set[str] | None = None
    ) -> bool:
        """Record an approval of a plan, or of only these of its messages. Return False if it was denied or expired."""
        if shown.denied or now >= shown.plan.expires:  # by the wall clock of that machine
            return False
        self.count(f"approved: {channel}")
        moment, only_for = self.mailbox.next_moment(), call if channel in {"chat", "app", "browser"} else None
        self.consents.append(Consent(shown, channel, moment, shown.ids if ids is None else ids, only_for))
        if call is not None:
            call.ready = moment
        return True

    def decide(self, shown: Shown, decision: Decision, call: Call) -> bool:
        """Record an approval in a window. Return whether it is one that counts (GUARD.md, sections 4 and 8)."""
        setup, ids = call.setup, set(decision.message_ids)
        assert setup.window is not None
        fits = shown.principal == setup.principal and ids <= shown.ids and bool(ids) != shown.is_period
        allowed = (setup.may_purge or not shown.irreversible) and (setup.may_set_period or not shown.is_period)
        is_enough = setup.window == "browser" or not (shown.irreversible or setup.human)
        phrase = shown.phrase(len(ids))
        typed = phrase is None or decision.phrase.strip() == phrase
        if not (decision.approves and fits and allowed and is_enough and typed):
            return False
        return self.agree(shown, setup.window, call.began_at.wall, call, ids)

    def check_decided(self, shown: Shown, decision: Decision, answer: Mapping[str, Any], *, agreed: bool) -> None:
        """Check what a window answers: nothing is carried out without an approval, and a yes is never a no."""
        status = answer["status"]
        hold(agreed or status in {"refused", "declined"}, APPROVED, f"{decision} was answered: {answer}")
        hold(status != "declined" or not decision.approves, TRUE, f"{decision} was answered: {answer}")
        if status == "declined":
            self.deny(shown)

    def waits(self, shown: Shown) -> bool:
        """Return whether the user has not decided about a plan yet."""
        return not shown.denied and not any(c.shown is shown and c.run_by for c in self.consents)

    def deny(self, shown: Shown) -> None:
        """Record a denial."""
        shown.denied = True
        self.count("denied")

    def policy_agreed(self, plan: Plan, call: Call) -> None:
        """Record that a server's policy approved this plan. Each DELETE checks whether the policy really allows it."""
        if any(c.shown.plan is plan for c in self.consents):
            return
        hold(call.setup.has_policy, APPROVED, f"there is no policy at {call.setup.name}")
        shown = self.shown.get(plan.id)  # the same call may get an open plan again
        if shown is None:
            shown = self._new(plan, call)
            self._check_plan(shown, None, call)
        self.consents.append(Consent(shown, "policy", self.mailbox.next_moment(), shown.ids, call))
        self.count("approved: policy")

    # Requests

    def tried(self, names: Iterable[str], call: Call) -> None:
        """Record that a change of these is about to be sent. From now on its result may be in doubt."""
        now = replace(call.began_at, right=self.right())
        for id_ in names:
            self.last_tried[id_] = now
            for key in [key for key in self.first_held if key[1] == id_]:
                del self.first_held[key]

    def delete_leaves(self, call: Call, request: httpx.Request, now: Now, taken: Plan | None) -> Effect:
        """Check a DELETE before it is sent. `taken`: the plan that the guard is carrying out."""
        hold(call.asked.tool != "undo", UNDONE, "an undo sends a DELETE")
        hold(not self.locks_are_refused, LOCKED, f"a DELETE by {call.asked}")
        url = urlsplit(str(request.url))
        in_path, query = url.path.partition("/message-store")[2].strip("/"), parse_qs(url.query)
        targets = set(in_path.split(","))
        hold(all(i.isdigit() for i in targets) and "conversationId" not in query, NAMED, f"DELETE {in_path}?{query}")
        purge = query.get("purge") == ["true"]
        self._check_not_stopped(call, targets)
        again = {i for i in targets if self._may_be_reached(i, now)}
        hold(not again, PATIENT, f"DELETE of {in_path}: an earlier one of {sorted(again)} may still arrive")
        consent = self._consent_for(call, targets, taken, purge=purge)
        consent.run_by = call
        consent.named |= targets
        if call.setup.has_policy:
            self._check_policy(call, consent, targets, now)
        self.count("DELETEs")
        return Effect(consent, frozenset(targets), self.mailbox.next_moment(), now, call)

    def _check_policy(self, call: Call, consent: Consent, ids: set[str], now: Now) -> None:
        """Check protection and caps, which apply to every approval, and the rules for unattended deletes."""
        messages = {i: self.mailbox.store.find(int(i)) for i in ids}
        protected = [i for i, m in messages.items() if is_protected(m)]
        hold(not protected, RULED, f"{protected} are protected")
        n, planned = len(ids), len(consent.ids)
        hold(planned <= MAX_PER_PLAN, RULED, f"{planned} messages in one plan")
        for within, most in MAX_IN.items():
            used = self._used(within, now)
            hold(used + n <= most, RULED, f"{n} after {used} in {within}; {self.spent}")
            if used + n == most:
                self.count("caps used up")
        if any(is_protected(self.mailbox.store.find(int(i))) for i in consent.ids):
            self.count("plans carried out without their protected messages")
        if consent.channel != "policy":
            return
        hold(not call.asked.purge, RULED, "an unattended purge")
        hold(planned <= UNATTENDED_PER_CALL, RULED, f"{planned} messages in one unattended call")
        for within, most in UNATTENDED_IN.items():
            used = self._used(within, now, unattended=True)
            hold(used + n <= most, RULED, f"unattended, {n} after {used} in {within}; {self.spent}")
        for i, message in messages.items():
            allowed = may_go_unattended(message, now.wall) or self._changed_after_reading(i, call)
            hold(allowed, RULED, f"unattended: {message}")

    def _used(self, within: timedelta, now: Now, *, unattended: bool = False) -> int:
        """Return how much of a cap is used up by messages that were really deleted."""
        span = within - _NO_MATTER  # the guard counts from its journal entry, made a little earlier
        recent = [s for s in self.spent if s.sent.is_within(span, now)]
        return sum(s.unattended or not unattended for s in recent)

    def _takes(self, effect: Effect, id_: str) -> None:
        self.took.setdefault(effect.consent.shown.plan.id, set()).add(id_)
        self.spent.append(Spent(id_, effect.sent, effect.consent.channel == "policy"))
        is_purged = self.mailbox.now(id_).availability in {"Purged", None}
        self.count("messages purged" if is_purged else "messages deleted")

    def may_yet_arrive(self, effect: Effect, answer: httpx.Response | None) -> None:
        """Record which messages a DELETE may still reach: all that RingCentral itself did not refuse."""
        refused = set[str]()
        if answer is not None and answer.status_code == HTTPStatus.MULTI_STATUS:
            refused = _refused_parts(answer)
        elif answer is not None and _is_refusal(answer.status_code, _body_of(answer)):
            refused = set(effect.ids)
        self.on_its_way |= dict.fromkeys(effect.ids - refused, effect)
        if refused and effect.ids - refused:
            self.count("refused in part, in doubt in part")

    def _may_be_reached(self, id_: str, now: Now) -> bool:
        """Return whether, judging from the mailbox, a DELETE of it may still arrive."""
        effect = self.on_its_way.get(id_)
        if effect is None or now.right >= effect.sent.right + HELD_BACK_FOR:
            return False
        return not self._seems_done(effect, id_)

    def _seems_done(self, effect: Effect, id_: str, by: int | None = None) -> bool:
        """Return whether, since this DELETE was sent, the message has had the state that it causes, by any cause."""
        done = {"Purged", None} if effect.consent.shown.asked.purge else {"Deleted", "Purged", None}
        changes = self.mailbox.changes(id_, effect.left)
        return any(v.availability in done for v in changes if by is None or v.moment <= by)

    def held_back(self, call: Call, plan: Plan, now: Now) -> None:
        """Check that a plan was held back only because of a request of the last minutes, by a monotonic clock."""
        self.count("held back: in doubt")
        ids = {t.id for t in plan.draft.targets} or {"configuration"}
        allowed = [id_ for id_ in ids if self._is_recent(id_, now)]
        hold(allowed, NOT_FOR_EVER, f"{ids} at {call.setup.name}: {[self.last_tried.get(i) for i in ids]}, now {now}")

    def _is_recent(self, id_: str, now: Now) -> bool:
        """Return whether a change of this was attempted so recently that it may still be held back."""
        last = self.last_tried.get(id_)
        if last is None:
            return False
        # A server cannot date a request from before its machine started: it waits from when it first noticed it.
        since = last if last.boot == now.boot else self.first_held.setdefault((now.boot, id_), now)
        return now.right - since.right < _AT_MOST_HELD_BACK

    def delete_done(self, call: Call, effect: Effect, changed: Iterable[str]) -> None:
        """Check the messages that a DELETE changed."""
        moment, shown = self.mailbox.moment, effect.consent.shown
        for id_ in changed:
            purged = self.mailbox.now(id_).availability in {"Purged", None}
            beyond = id_ not in effect.consent.ids
            if beyond or (purged and not shown.asked.purge):
                invariant = SUBSET if beyond else FINAL
                hold(self._changed_after_reading(id_, call), invariant, f"{id_}, plan {shown.plan.id}")
                call.final.add(id_)
                self.count("unpreventable purges")
            self._takes(effect, id_)
        call.ready = moment
        call.sent |= dict.fromkeys(effect.ids | set(changed), moment)

    def late_done(self, effect: Effect, read: Mapping[str, int], changed: Iterable[str]) -> None:
        """Check a DELETE that arrived late. It may purge only messages that another app had deleted.

        `read`: the moment of the last reading of each message before it was sent.
        """
        self.count("late DELETEs carried out")
        shown = effect.consent.shown
        for id_ in changed:
            purged = self.mailbox.now(id_).availability in {"Purged", None}
            if purged and not shown.asked.purge:
                others = {"another app", "benign call", "time"}
                by_others = any(v.by in others for v in self.mailbox.changes(id_, read.get(id_, -1)))
                hold(by_others, FINAL, f"{id_}, by a late DELETE of plan {shown.plan.id}")
                self.count("unpreventable purges")
            self._takes(effect, id_)
            for moment, word, of_delete in self.said.get(id_, []):
                if moment > effect.left and _FINAL_WORDS.get(word) is of_delete:
                    looked_done = self._seems_done(effect, id_, by=moment)
                    hold(looked_done, SETTLED, f"{id_} was reported as {word}, then a late DELETE deleted it")

    def late_put_done(self, effect: Effect) -> None:
        """Check a PUT of a period that arrived late: no later PUT of ours may have overtaken it."""
        self.count("late PUTs carried out")
        follows = self.on_its_way.get("configuration")
        is_last = follows in (None, effect)
        hold(is_last, SETTLED, f"{_days(effect)} days replace a period that was approved later")
        hold(effect.by.status not in {"failed", "refused", "error"}, SETTLED, f"{effect.by.status}, but it arrived")

    def put_leaves(self, call: Call, days: int, now: Now, taken: Plan | None) -> Effect:
        """Check a PUT of a retention period before it is sent. `taken`: the plan that the guard is carrying out."""
        hold(call.asked.tool == "update_message_store_configuration", APPROVED, f"PUT {days} days by {call.asked}")
        hold(not self.locks_are_refused, LOCKED, f"a PUT by {call.asked}")
        self._check_not_stopped(call, {"configuration"})
        mine = [c for c in self._unspent(call) if c.shown.asked.key == call.asked.key]
        agreed = [c for c in mine if c.shown.asked.arguments["retention_period"] == days]
        hold(agreed, APPROVED, f"PUT {days} days without an approval")
        fresh = [c for c in agreed if self._is_period_fresh(call, c)]
        hold(fresh, FRESH, f"the period changed: {self.mailbox.retention}")
        again = [c for c in fresh if "configuration" not in c.named]
        hold(again, ONCE, "the PUT was sent before")
        consent = _of(taken, again)
        earlier = self.on_its_way.get("configuration")
        if earlier is not None and now.right < earlier.sent.right + HELD_BACK_FOR:
            hold(self._seems_in_force(earlier), PATIENT, f"PUT {days} days: {_days(earlier)} days may still come")
        lowers = consent.shown.irreversible
        hold(not (lowers and call.setup.has_policy), RULED, "a shorter period would delete protected messages")
        consent.run_by = call
        consent.named.add("configuration")
        self.count("PUTs of the retention period")
        return Effect(consent, frozenset(), self.mailbox.moment, now, call)

    def _seems_in_force(self, effect: Effect) -> bool:
        """Return whether the period of a PUT has been in force since it was sent."""
        in_force = [days for moment, _, days in self.mailbox.retention if moment > effect.left]
        return _days(effect) in [self._period_at(effect.left), *in_force]

    def _period_at(self, at: int) -> int:
        return next(days for moment, _, days in reversed(self.mailbox.retention) if moment <= at)

    def put_done(self, call: Call, effect: Effect, answer: httpx.Response | None) -> None:
        """Record a PUT, which may take effect later unless `answer` is a refusal."""
        call.put = self.mailbox.moment
        if answer is None or not _is_refusal(answer.status_code, _body_of(answer)):
            self.on_its_way["configuration"] = effect

    def _unspent(self, call: Call) -> list[Consent]:
        """Return every approval that is valid at this place and not used by another call."""
        return [
            c
            for c in self.consents
            if c.run_by in (None, call)
            and c.for_call in (None, call)
            and not c.shown.denied
            and c.shown.plan.expires > call.began_at.wall
            and (c.shown.made.boot != call.began_at.boot or call.began_at.right - c.shown.made.right < LIFETIME)
            and c.shown.principal == call.setup.principal
            and _counts_at(call.setup, c.channel)
            and not self._ran(c.shown, call)
        ]

    def _ran(self, shown: Shown, call: Call) -> bool:
        """Return whether another call carried this plan out, with any approval."""
        return any(c.shown is shown and c.run_by not in (None, call) for c in self.consents)

    def _consent_for(self, call: Call, ids: set[str], taken: Plan | None, *, purge: bool) -> Consent:
        why = f"DELETE of {sorted(ids)}{' (purge)' if purge else ''} by {call.asked} at {call.setup.name}"
        mine = [c for c in self._unspent(call) if c.shown.asked.key == call.asked.key and c.shown.asked.purge == purge]
        used = [c for c in self.consents if c.run_by not in (None, call) and ids & c.shown.ids]
        hold(mine, ONCE if used and not mine else APPROVED, why)
        hold(not purge or call.setup.may_purge, APPROVED, f"{why}: this server may not purge")
        within = [c for c in mine if ids <= c.ids]
        hold(within, SUBSET, f"{why}: of {[sorted(c.ids) for c in mine]}")
        again = [c for c in within if not c.named & ids]
        hold(again, ONCE, f"{why}: sent before")
        fresh = [c for c in again if self._is_fresh(call, c, ids)]
        now = {i: self.mailbox.now(i) for i in ids}
        hold(fresh, FRESH, f"{why}: {now}, planned {[c.shown.plan.draft.targets for c in again]}")
        return _of(taken, fresh)

    def _is_fresh(self, call: Call, consent: Consent, ids: set[str]) -> bool:
        """Return whether each message is as planned, or changed too late for the guard to see."""
        planned = {t.id: (t.availability, t.last_modified) for t in consent.shown.plan.draft.targets}
        now = {i: self.mailbox.now(i) for i in ids}
        return all(
            (v.availability, _iso(v.modified_ms)) == planned[i] or self._changed_after_reading(i, call)
            for i, v in now.items()
        )

    def _is_period_fresh(self, call: Call, consent: Consent) -> bool:
        """Return whether the period is as planned, or changed too late for the guard to see."""
        read = call.read.get("configuration", 0)
        later = any(moment > read for moment, _, _ in self.mailbox.retention)
        same = self.mailbox.retention[-1][2] == consent.shown.plan.draft.period_in_force
        return same or (later and read >= call.ready)

    def _check_not_stopped(self, call: Call, ids: set[str]) -> None:
        """Check that the STOP file did not exist before the end of the last reading."""
        last_reading = max(call.ready, *(call.read.get(i, 0) for i in ids), 0)
        stopped = self.stopped_since is not None and self.stopped_since < last_reading
        hold(not stopped, STOPPED, f"{call.asked} continued")

    def _changed_after_reading(self, id_: str, call: Call) -> bool:
        """Return whether another cause than the guard changed it after the last re-read."""
        read = call.read.get(id_, -1)
        if read < call.ready or self.mailbox.arrived(id_) > call.began:
            return False
        others = {"another app", "benign call", "time"}
        return any(v.by in others for v in self.mailbox.changes(id_, read))

    # Undo

    def patch_leaves(self, call: Call, ids: Iterable[str]) -> None:
        """Check the ids of an undo before its PATCH is sent."""
        hold(not self.locks_are_refused, LOCKED, "an undo restores")
        others = set(ids) - self._perhaps_deleted(call)
        hold(not others, UNDONE, f"{others} were not deleted by {call.asked}")

    def patch_done(self, call: Call, ids: Iterable[str], changed: Iterable[str]) -> None:
        """Record the messages that an undo restored."""
        call.sent |= dict.fromkeys(ids, self.mailbox.moment)
        self.count("messages restored by an undo", len(list(changed)))

    def check_undone(self, call: Call, answer: ChangeResult | None, now: Now) -> None:
        """Compare the result of an undo with the mailbox. None is an error: nothing was restored."""
        self.count(f"undone: {answer.status if answer else 'error'}")
        if answer is None:
            hold(not call.sent, TRUE, f"nothing was restored, but {set(call.sent)} were sent")
            return
        others = set(answer.outcomes) - self._perhaps_deleted(call)
        hold(not others, UNDONE, f"{others} were not deleted by {call.asked}")
        hold(set(call.sent) <= set(answer.outcomes), TRUE, f"of {call.sent} only {answer.outcomes} are reported")
        is_back = set(answer.outcomes.values()) <= {"restored", "already"}
        hold(answer.status != "done" or is_back, TRUE, f"done, but {answer.outcomes}")
        right = {"restored": "Alive", "already": "Alive", "failed": "Deleted", "purged": "Purged", "not_found": None}
        for id_, word in answer.outcomes.items():
            was = {v.availability for v in self._states(call, id_)}
            hold(word == "unknown" or right.get(word, "") in was, TRUE, f"{id_} is reported as {word}, was {was}")
        self._says(call, answer.outcomes, now)

    def _perhaps_deleted(self, call: Call) -> set[str]:
        """Return the messages that the operation deleted or may have deleted, to be undone by this call."""
        mine = [c for c in self.consents if c.shown.plan.id == call.asked.arguments["operation"]]
        ran = [(c.run_by, c.ids) for c in mine if c.run_by]
        return {i for by, ids in ran for i in ids if by.is_cut_off or i in by.sent}

    # Answers

    def _says(self, call: Call, outcomes: Mapping[str, str], now: Now) -> None:
        """Record the outcomes in an answer. Check that `unknown` has a cause."""
        of_delete = call.asked.tool.startswith("delete")
        for id_, word in outcomes.items():
            self.said.setdefault(id_, []).append((self.mailbox.moment, word, of_delete))
            if word != "unknown":
                continue
            self.count(f"unknown: {call.asked.tool}")
            detail = f"{id_} is unknown to {call.asked} since {self.last_tried.get(id_)}, now {now}"
            hold(call.faults or self._is_recent(id_, now), NOT_FOR_EVER, detail)

    def check_journal(self, operations: Iterable[Operation]) -> None:
        """Compare the outcomes in the journal at the end with the messages that our DELETEs really deleted."""
        for operation in operations:
            took = self.took.get(operation.id, set())
            for id_, word in operation.outcomes.items():
                spared = word in {"failed", "skipped", "already", "not_found"}
                hold(
                    not (spared and id_ in took),
                    TRUE,
                    f"{id_} is journaled as {word} in {operation.id}, which deleted it",
                )

    def check_answer(self, call: Call, answer: Mapping[str, Any], now: Now) -> None:
        """Compare a structured answer with the mailbox: each outcome was true at some time since the call's request."""
        status, outcomes = answer["status"], answer.get("outcomes", {})
        call.status = status
        self.count(f"answered: {status}")
        if status in NOT_SENT:
            hold(not call.sent and call.put is None, TRUE, f"{status}, but a request was sent: {call.sent}")
        if call.asked.tool == "update_message_store_configuration":
            self._check_retention(call, status)
            return
        for id_, word in outcomes.items():
            hold(self._is_true(call, id_, word), TRUE, f"{id_} is not {word}: {self._states(call, id_)}; {answer}")
        omitted = set(call.sent) - set(outcomes)
        hold(omitted <= call.final - self._planned(call), TRUE, f"{omitted} are not reported")
        words = set(outcomes.values())
        if status == "done":
            hold(words <= {"deleted", "purged", "restored", "updated", "already"}, TRUE, f"done, but {words}")
            purged_by_delete = "purged" in words and call.asked.tool != "patch_message" and not call.asked.purge
            hold(not purged_by_delete, TRUE, "done, but a plain delete purged")
        if words & {"unknown", "failed"} and call.asked.tool != "patch_message":
            disturbed = bool(call.faults) or any(self.mailbox.changes(i, call.began) for i in outcomes)
            hold(disturbed, TRUE, f"{outcomes} without any fault")
        self._says(call, outcomes, now)

    def _planned(self, call: Call) -> set[str]:
        return {i for c in self.consents if c.run_by is call for i in c.ids}

    def _check_retention(self, call: Call, status: str) -> None:
        wanted = call.asked.arguments["retention_period"]
        since = call.began if call.put is None else call.put
        in_force = [d for m, _, d in self.mailbox.retention if m <= since][-1:]
        in_force += [d for m, _, d in self.mailbox.retention if m > since]
        if status == "done":
            hold(call.put is not None and wanted in in_force, TRUE, f"done, but {in_force} days are in force")
        if status == "failed" and call.put is not None:
            hold(any(d != wanted for d in in_force), TRUE, f"failed, but {in_force} days are in force")

    def _states(self, call: Call, id_: str) -> list[Any]:
        return self.mailbox.since(id_, call.sent.get(id_, call.began))

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
                # RingCentral's answer to an update has no content of a Purged message and nothing of a missing one.
                gone = {"Purged", None} if call.asked.tool == "patch_message" else {None}
                is_misled = "404 for the reading back" in call.faults  # in RingCentral's own format
                return (is_misled or bool(states & gone)) and id_ not in call.sent
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
        """Check an error: the server did not crash, and no change was sent."""
        call.status = "error"
        self.count("answered: error")
        hold(CRASHED not in text, SOUND, text)
        hold(not call.sent and call.put is None, TRUE, f"{text} But a request was sent: {call.sent}")

    def end(self, call: Call, finished: bool) -> None:
        """Record the end of a call."""
        ran = [c for c in self.consents if c.run_by is call]
        call.is_cut_off = not finished
        if not ran:
            return
        self.count(f"plans carried out: {ran[0].channel}")
        if ran[0].ids < ran[0].shown.ids:
            self.count("plans carried out: only the messages that were left in them")
        if not finished:
            self.count("calls cut off after a DELETE")


def _of(taken: Plan | None, consents: list[Consent]) -> Consent:
    """Return the approval of the plan that is carried out. Another fitting plan may have ended without effect."""
    return next((c for c in consents if c.shown.plan is taken), consents[0])


def _counts_at(setup: ClientSetup, channel: Channel) -> bool:
    """Return whether an approval through this channel can be enough at this connection or window."""
    if setup.window is not None:
        return channel == setup.window
    return channel == "policy" or (channel == "question") == setup.can_ask


def _is_refusal(status: int, body: object) -> bool:
    """Return whether RingCentral itself refused, so that the request cannot take effect later.

    A proxy sends none of RingCentral's codes, and its gateway knows no messages. A 401, 408, 416 or 5xx does not show
    whether the request was carried out.
    """
    code = cast("dict[str, object]", body).get("errorCode") if isinstance(body, dict) else None
    is_client_error = status in range(400, 500) and status not in {401, 408, 416}
    return is_client_error and isinstance(code, str) and re.fullmatch("(?!AGW)[A-Z]+-[0-9]+", code) is not None


def _days(effect: Effect) -> int:
    return effect.consent.shown.asked.arguments["retention_period"]


def _before(asked: Asked, call: Call) -> datetime | None:
    """Return the upper limit of message times in a call. A span is elapsed time in any time zone."""
    spans = {"1m": timedelta(minutes=1), "90m": timedelta(minutes=90)}
    span = spans.get(asked.arguments.get("date_to") or "")
    return call.began_at.wall - span + _IN_ONE_CALL if span else None


def _refused_parts(answer: httpx.Response) -> set[str]:
    body = _body_of(answer)  # None if the answer was truncated
    parts = cast("list[dict[str, Any]]", body) if isinstance(body, list) else []
    return {str(part["resourceId"]) for part in parts if _is_refusal(part["status"], part.get("body"))}


def _body_of(answer: httpx.Response) -> object:
    with suppress(ValueError):
        return json.loads(answer.content)
    return None


def _iso(ms: int) -> str:
    from datetime import UTC

    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)).isoformat()
