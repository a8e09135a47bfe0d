"""Plans and their storage. A plan is an exact, expiring, single-use proposal to change messages.

A plan's id grants nothing by itself. It names a row in the server's own state, bound to the tool, its arguments, the
mailbox and the principal. `claim` marks the plan as used in one transaction, so no plan is carried out twice, even
from several processes. Every state change is journaled in the same transaction under the plan's id.
"""

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state.journal import DEMO, Channel, Event, Was, add_entry, unused_plans
from rc_mcp.guard.state.state import Transaction
from rc_mcp.guard.state.store import Store
from rc_mcp.views.changes import OutcomeWord, Preview

LIFETIME = timedelta(minutes=10)
REUSED_FOR = LIFETIME / 2
"""An open plan younger than this is reused for the same call."""
MAX_UNUSED = 500
"""The most plans of one principal within an hour that were not carried out."""
TOO_MANY_PLANS = (
    f"{MAX_UNUSED} plans within the last hour were not carried out. "
    "Ask the user what they want before calling again; new plans will be possible within an hour."
)
MAX_MESSAGES = 200
"""The most messages that one plan may hold: with more, an approval would mean little."""

PlanState = Literal["open", "asked", "approved", "denied", "used"]
"""`asked`: a client showed the question to the user. From then on the model's word no longer counts."""
Severity = Literal["reversible", "irreversible"]


@dataclass(frozen=True, slots=True)
class Target:
    """One message that a plan would change, as it was when the plan was made."""

    id: str
    availability: str
    last_modified: str | None
    conversation_id: str | None

    @property
    def was(self) -> Was:
        """Return the state to compare with later."""
        return self.availability, self.last_modified


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """The effect of one request, as read from the mailbox, before it has an id and a lifetime."""

    severity: Severity
    question: str
    phrase: str | None
    preview: Preview
    targets: tuple[Target, ...] = ()
    left_out: Mapping[str, OutcomeWord] | None = None
    period_in_force: int | None = None
    """Days, when the plan was made; only for a retention change."""
    retention_period: int | None = None
    """Days, once it is carried out; only for a retention change."""
    protected: int = 0
    """How many messages are left out because the operator protects them."""
    unseen: int = 0
    """How many more messages cannot be read and are left out."""
    misfits: Mapping[str, int] | None = None
    """The lines of the operator's unattended rule that do not hold, and for how many messages; None: no rule."""

    @property
    def changes_nothing(self) -> bool:
        """Return whether there is nothing to ask about or to do."""
        return not self.targets and self.period_in_force is None


@dataclass(frozen=True, slots=True)
class Plan:
    """A draft with an id, which the user approves or refuses."""

    id: str
    tool: str
    digest: str
    expires: datetime
    draft: PlanDraft
    principal: str
    account_id: str
    extension_id: str
    made: Mapping[str, Any] | None = None
    """A reading of the elapsed-time clock when the plan was made."""

    @property
    def is_demo(self) -> bool:
        """Return whether the plan is for the made-up mailbox of a demo, which exists only in its server's memory."""
        return self.principal.startswith(DEMO)

    def has(self, message_ids: Collection[str]) -> bool:
        """Return whether these are messages of the plan, at least one; none for a change of the retention period."""
        own = {t.id for t in self.draft.targets}
        return own.issuperset(message_ids) and bool(own) == bool(message_ids)

    def without_others(self, message_ids: Collection[str]) -> "Plan":
        """Return the plan for only these of its messages, with the phrase that is typed for so many."""
        draft, kept = self.draft, set(message_ids)
        targets = tuple(t for t in draft.targets if t.id in kept)
        phrase = purge_phrase(len(targets)) if draft.phrase and targets else draft.phrase
        return replace(self, draft=replace(draft, targets=targets, phrase=phrase))

    @property
    def message(self) -> str:
        """Return the question for the user. It contains the plan's id, so no answer fits another plan."""
        return f"{self.draft.question}\nPlan {self.id}"


def purge_phrase(messages: int) -> str:
    """Return what a user types to approve that this many messages are purged."""
    return f"PURGE {messages}"


@cache
def _format() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan)  # made late: it takes longer than the rest of this module


def digest_of(principal: str, tool: str, arguments: Mapping[str, object]) -> str:
    """Return the digest that binds a plan to one call by one principal."""
    canonical = json.dumps([principal, tool, dict(arguments)], sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


class TooManyPlans(GuardError):  # noqa: N818  a state, as the client's errors are
    """Too many of this principal's plans were not carried out: the model may be in a loop."""

    def __init__(self) -> None:
        super().__init__(f"{TOO_MANY_PLANS} {NOTHING_DONE}")


@dataclass(frozen=True)
class PlanStore(Store):
    """Plans in the state, shared by servers and the `approvals` command. Every method blocks."""

    def add(
        self, tool: str, digest: str, draft: PlanDraft, *, principal: str, account_id: str, extension_id: str
    ) -> Plan:
        """Store a draft as an open plan for `LIFETIME`, or return an equal plan that is open and young.

        Raises:
            TooManyPlans: too many of this principal's plans of the last hour were not carried out.
        """
        now, made = self.now(), self.clock.read()
        plan = Plan(new_id(), tool, digest, now + LIFETIME, draft, principal, account_id, extension_id, made)
        self.state.keep_open()
        self.forget_expired()
        with self.writing() as db:
            for other, _ in reversed(self._valid(db, "digest = ? AND state = 'open'", digest)):
                if other.expires > plan.expires - REUSED_FOR and other.draft == draft:
                    return other
            if unused_plans(db, principal, now - timedelta(hours=1)) >= MAX_UNUSED:
                raise TooManyPlans
            body = self.state.sealed(_format().dump_json(plan).decode())
            row = (plan.id, digest, plan.expires.timestamp(), "open", body)
            db.execute("INSERT INTO plan (id, digest, expires, state, body) VALUES (?, ?, ?, ?, ?)", row)
            ids = [t.id for t in draft.targets]
            self._note(db, plan, "asked", action=draft.preview.action, severity=draft.severity, ids=ids)
        return plan

    def forget_expired(self) -> None:
        """Remove expired plans: they are useless, and their previews contain names."""
        self.state.erase("DELETE FROM plan WHERE expires <= ?", (self.now().timestamp(),))

    def get(self, plan_id: str) -> tuple[Plan, PlanState] | None:
        """Return the plan and its state; None if it does not exist or has expired."""
        return next(iter(self._read("id = ?", plan_id)), None)

    def latest_asked(self, digest: str) -> Plan | None:
        """Return the newest plan for this call that a client shows to the user now."""
        return next((plan for plan, _ in reversed(self._read("digest = ? AND state = 'asked'", digest))), None)

    def waiting(self) -> list[Plan]:
        """Return all plans that wait for the user, oldest first."""
        return [plan for plan, _ in self._read("state IN ('open', 'asked')")]

    def ask(self, plan_id: str) -> None:
        """Record that a client is about to show the plan to the user. It has no effect unless the plan is open."""
        with self.writing() as db:
            self._move(db, plan_id, "asked", "open")

    def approve(self, plan_id: str, shown: Plan | None = None) -> bool:
        """Record a user's approval in the terminal. Return False if the plan does not wait for one.

        `shown`: the plan that the user saw. If the stored plan differs, it is not approved.
        """
        with self.writing() as db:
            moved = self._move(db, plan_id, "approved", "open", "asked", only=shown)
            if moved:
                self._note(db, moved[0], "approved", by="terminal")
            return moved is not None

    def deny(self, plan_id: str, by: Channel = "terminal") -> bool:
        """Record the user's refusal. Return False if the plan neither waits for the user nor was approved."""
        with self.writing() as db:
            moved = self._move(db, plan_id, "denied", "open", "asked", "approved")
            if moved:
                self._note(db, moved[0], "declined", by=by)
            return moved is not None

    def claim(self, plan_id: str, *states: PlanState, by: Channel, only: Collection[str] | None = None) -> bool:
        """Claim the plan for execution. Return True for exactly one caller, and only from one of `states`.

        Args:
            by: the source of the approval, unless the plan was approved in the terminal before.
            only: the messages that the user left in the plan; default: all.
        """
        with self.writing() as db:
            moved = self._move(db, plan_id, "used", *states)
            if moved:
                plan, was = moved
                if was != "approved" or only is not None:
                    self._note(db, plan, "approved", by=by, **({} if only is None else {"only": list(only)}))
                self._note(db, plan, "begun", account_id=plan.account_id, extension_id=plan.extension_id)
            return moved is not None

    def _move(
        self, db: Transaction, plan_id: str, to: PlanState, *states: PlanState, only: Plan | None = None
    ) -> tuple[Plan, PlanState] | None:
        """Move the plan from one of `states` to `to`, if it equals `only`; return it and its former state."""
        for plan, was in self._valid(db, "id = ?", plan_id):
            if was in states and (only is None or only == plan):
                db.execute("UPDATE plan SET state = ? WHERE id = ?", (to, plan_id))
                return plan, was
        return None

    def _note(self, db: Transaction, plan: Plan, event: Event, **details: object) -> None:
        who = {"operation": plan.id, "principal": plan.principal, "tool": plan.tool}
        add_entry(db, self.now(), event, **who, details=details)

    def _read(self, where: str, *values: str) -> list[tuple[Plan, PlanState]]:
        with self.reading() as db:
            return self._valid(db, where, *values)

    def _valid(self, db: Transaction, where: str, *values: str) -> list[tuple[Plan, PlanState]]:
        """Return the plans that have not expired, oldest first, with their states."""
        now = self.now()
        # Both limits: a clock that was set back must not extend an old plan.
        rows = db.execute(
            f"SELECT body, state FROM plan WHERE {where} AND expires > ? AND expires <= ? ORDER BY rowid",  # noqa: S608
            (*values, now.timestamp(), (now + LIFETIME).timestamp()),
        )
        found = [(_plan_of(self.state.opened(body)), state) for body, state in rows]
        return [(plan, state) for plan, state in found if self._is_young(plan)]

    def _is_young(self, plan: Plan) -> bool:
        """Return whether the plan has not expired by elapsed time: the wall clock may have been set back."""
        elapsed_s = self.clock.elapsed_s(plan.made)
        return elapsed_s is None or elapsed_s < LIFETIME.total_seconds()


def _plan_of(body: str) -> Plan:
    try:
        return _format().validate_json(body)
    except ValidationError as error:
        raise GuardError(f"A stored plan cannot be read. {NOTHING_DONE}") from error


def new_id() -> str:
    """Return an id that is short enough to read aloud and type, without characters that look alike."""
    alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(2))
