"""Plans and where they are kept: an exact, expiring, single-use proposal to change messages.

A plan's id grants nothing by itself. It names a row in the server's own state, bound to the tool, its
arguments, the mailbox and the principal; `claim` takes it out of circulation in one SQL statement, so that
no plan is carried out twice, whoever asks, from however many processes. Every step of a plan's life is written to
the journal in the same transaction, and the plan's id is that of the operation which carries it out.
"""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from rc_mcp.guard.clock import THIS_MACHINE, Clock
from rc_mcp.guard.database import NOTHING_DONE, GuardError, reading, writing
from rc_mcp.guard.journal import Channel, Event, Was, add_entry
from rc_mcp.views.changes import OutcomeWord, Preview

LIFETIME = timedelta(minutes=10)
MAX_MESSAGES = 200
"""The most messages one plan may hold: what a person can still be said to have agreed to."""

State = Literal["open", "asked", "approved", "denied", "used"]
"""`asked`: a client showed the question to a person. From then on no model's word counts, only a person's answer."""
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
        """What shows later whether it is untouched."""
        return self.availability, self.last_modified


@dataclass(frozen=True, slots=True)
class Draft:
    """What one request would do, as read from the mailbox, before it has an id and a lifetime."""

    severity: Severity
    question: str
    phrase: str | None
    preview: Preview
    targets: tuple[Target, ...] = ()
    left_out: Mapping[str, OutcomeWord] | None = None
    period_in_force: int | None = None
    """Days, when the plan was made; only for a retention change."""
    protected: int = 0
    """How many messages are left out because the operator protects them."""
    unseen: int = 0
    """How many more are where it looked, and cannot be read: what it does it does without them."""
    misfits: Mapping[str, int] | None = None
    """Lines of the operator's rule for unattended work that do not hold, and for how many messages; None: no rule."""

    @property
    def changes_nothing(self) -> bool:
        """Nothing is left to ask about or to do."""
        return not self.targets and self.period_in_force is None


@dataclass(frozen=True, slots=True)
class Plan:
    """A draft with an id: what a person is shown and says yes or no to."""

    id: str
    tool: str
    digest: str
    expires: datetime
    draft: Draft
    principal: str
    account_id: str
    extension_id: str
    made: Mapping[str, Any] | None = None
    """When, by the clock that cannot be set."""

    @property
    def message(self) -> str:
        """The question as a person sees it. It holds the plan's id, so no answer fits another plan."""
        return f"{self.draft.question}\nPlan {self.id}"


_PLAN = TypeAdapter(Plan)
_VALID = "expires > ? AND expires <= ?"


def digest_of(principal: str, tool: str, arguments: Mapping[str, object]) -> str:
    """What a plan is bound to. The same call by the same principal has the same digest, any other has not."""
    canonical = json.dumps([principal, tool, dict(arguments)], sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


class PlanStore:
    """Plans in the state folder, shared by servers and the `approvals` command. Every method blocks.

    Raises:
        GuardError: (every method) the state folder cannot be used.
    """

    def __init__(
        self, state_dir: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC), clock: Clock = THIS_MACHINE
    ) -> None:
        self.state_dir = state_dir
        self._now = now
        self._clock = clock

    def add(self, tool: str, digest: str, draft: Draft, *, principal: str, account_id: str, extension_id: str) -> Plan:
        """Keep a draft as an open plan, for `LIFETIME`."""
        expires, made = self._now() + LIFETIME, self._clock.read()
        plan = Plan(new_id(), tool, digest, expires, draft, principal, account_id, extension_id, made)
        with writing(self.state_dir) as db:
            # What expired is of no more use to anyone, and its preview holds names: it does not stay.
            db.execute("DELETE FROM plan WHERE expires <= ?", (self._now().timestamp(),))
            row = (plan.id, digest, plan.expires.timestamp(), "open", _PLAN.dump_json(plan).decode())
            db.execute("INSERT INTO plan (id, digest, expires, state, body) VALUES (?, ?, ?, ?, ?)", row)
            ids = [t.id for t in draft.targets]
            self._note(db, plan, "asked", action=draft.preview.action, severity=draft.severity, ids=ids)
        return plan

    def get(self, plan_id: str) -> tuple[Plan, State] | None:
        """The plan and its state; None when there is none, or no longer."""
        rows = self._select("id = ?", plan_id)
        return rows[0] if rows else None

    def latest_asked(self, digest: str) -> Plan | None:
        """The newest plan for this very call that a client was asked about and that still waits for the answer."""
        rows = self._select("digest = ? AND state = 'asked'", digest)
        return rows[-1][0] if rows else None

    def waiting(self) -> list[Plan]:
        """All plans that still wait for a person, oldest first."""
        return [plan for plan, _ in self._select("state IN ('open', 'asked')")]

    def ask(self, plan_id: str) -> None:
        """A person is about to be shown this plan in a client. Nothing, unless it is open."""
        with writing(self.state_dir) as db:
            self._move(db, plan_id, "asked", "open")

    def approve(self, plan_id: str) -> bool:
        """A person's yes, given outside of the client. False when the plan waits for nobody."""
        with writing(self.state_dir) as db:
            moved = self._move(db, plan_id, "approved", "open", "asked")
            if moved:
                self._note(db, moved[0], "approved", by="terminal")
            return moved is not None

    def deny(self, plan_id: str, by: Channel = "terminal") -> bool:
        """A person's no. False when the plan neither waits for a person nor was approved."""
        with writing(self.state_dir) as db:
            moved = self._move(db, plan_id, "denied", "open", "asked", "approved")
            if moved:
                self._note(db, moved[0], "declined", by=by)
            return moved is not None

    def claim(self, plan_id: str, *states: State, by: Channel) -> bool:
        """Take the plan for carrying it out: true for exactly one caller, and only from one of `states`.

        `by`: how the yes came, unless it came in the terminal before.
        """
        with writing(self.state_dir) as db:
            moved = self._move(db, plan_id, "used", *states)
            if moved:
                plan, was = moved
                if was != "approved":
                    self._note(db, plan, "approved", by=by)
                self._note(db, plan, "begun", account_id=plan.account_id, extension_id=plan.extension_id)
            return moved is not None

    def _move(self, db: sqlite3.Connection, plan_id: str, to: State, *states: State) -> tuple[Plan, State] | None:
        """The plan and the state it was in, if it was in one of `states`; it is in `to` then."""
        marks = ", ".join("?" * len(states))
        found = db.execute(
            f"SELECT body, state FROM plan WHERE id = ? AND {_VALID} AND state IN ({marks})",  # noqa: S608
            (plan_id, *self._valid_span(), *states),
        ).fetchone()
        if found is None or not self._is_young(plan := _plan_of(found[0])):
            return None
        db.execute("UPDATE plan SET state = ? WHERE id = ?", (to, plan_id))
        return plan, found[1]

    def _note(self, db: sqlite3.Connection, plan: Plan, event: Event, **details: object) -> None:
        who = {"operation": plan.id, "principal": plan.principal, "tool": plan.tool}
        add_entry(db, self._now(), event, **who, details=details)

    def _select(self, where: str, *values: str) -> list[tuple[Plan, State]]:
        with reading(self.state_dir) as db:
            rows = db.execute(
                f"SELECT body, state FROM plan WHERE {where} AND {_VALID} ORDER BY rowid",  # noqa: S608
                (*values, *self._valid_span()),
            )
            found = [(_plan_of(body), state) for body, state in rows]
        return [(plan, state) for plan, state in found if self._is_young(plan)]

    def _is_young(self, plan: Plan) -> bool:
        """Whether its lifetime is not over, where the wall clock was set back since it was made."""
        elapsed_s = self._clock.elapsed_s(plan.made)
        return elapsed_s is None or elapsed_s < LIFETIME.total_seconds()

    def _valid_span(self) -> tuple[float, float]:
        # Both ends: a clock that was set back must not give an old plan a new life.
        now = self._now()
        return now.timestamp(), (now + LIFETIME).timestamp()


def _plan_of(body: str) -> Plan:
    try:
        return _PLAN.validate_json(body)
    except ValidationError as error:
        raise GuardError(f"A stored plan cannot be read. {NOTHING_DONE}") from error


def new_id() -> str:
    """Short enough to read out and to type; no letters or digits that look alike."""
    alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(2))
