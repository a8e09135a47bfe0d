"""Plans and where they are kept: an exact, expiring, single-use proposal to change messages.

A plan's id grants nothing by itself. It names a row in the server's own state, bound to the tool, its
arguments, the mailbox and the principal; `claim` takes it out of circulation in one SQL statement, so that
no plan is carried out twice, whoever asks, from however many processes.
"""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from rc_mcp.views.changes import OutcomeWord, Preview

LIFETIME = timedelta(minutes=10)
MAX_MESSAGES = 200
"""The most messages one plan may hold: what a person can still be said to have agreed to."""

State = Literal["open", "approved", "denied", "used"]
Severity = Literal["reversible", "irreversible"]


class GuardError(Exception):
    """Why nothing was planned or carried out. Its text says what to ask for instead."""


@dataclass(frozen=True, slots=True)
class Target:
    """One message that a plan would change, as it was when the plan was made."""

    id: str
    availability: str
    last_modified: str | None
    conversation_id: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """What one request would do, as read from the mailbox, before it has an id and a lifetime."""

    severity: Severity
    question: str
    phrase: str | None
    preview: Preview
    targets: tuple[Target, ...] = ()
    left_out: Mapping[str, OutcomeWord] | None = None
    date_to: datetime | None = None
    retention_period: int | None = None
    """Days in force when the plan was made; only for a retention change."""
    protected: int = 0
    """How many messages are left out because the operator protects them."""
    misfits: Mapping[str, int] | None = None
    """Lines of the operator's rule for unattended work that do not hold, and for how many messages; None: no rule."""

    @property
    def changes_nothing(self) -> bool:
        """Nothing is left to ask about or to do."""
        return not self.targets and self.retention_period is None


@dataclass(frozen=True, slots=True)
class Plan:
    """A draft with an id: what a person is shown and says yes or no to."""

    id: str
    tool: str
    digest: str
    expires: datetime
    draft: Draft

    @property
    def message(self) -> str:
        """The question as a person sees it. It holds the plan's id, so no answer fits another plan."""
        return f"{self.draft.question}\nPlan {self.id}"


_PLAN = TypeAdapter(Plan)
_VALID = "expires > ? AND expires <= ?"
_TABLE = """
    CREATE TABLE IF NOT EXISTS plan (
        id TEXT PRIMARY KEY, digest TEXT NOT NULL, expires REAL NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL
    )
"""


def digest_of(principal: str, tool: str, arguments: Mapping[str, object]) -> str:
    """What a plan is bound to. The same call by the same principal has the same digest, any other has not."""
    canonical = json.dumps([principal, tool, dict(arguments)], sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


class PlanStore:
    """Plans in one SQLite file in the state folder, shared by servers and the `approvals` command.

    Every call opens the file anew: plans are rare, and nothing is then held over a fork or a crash.
    """

    def __init__(self, state_dir: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.state_dir = state_dir
        self._file = state_dir / "plans.db"
        self._now = now

    def add(self, tool: str, digest: str, draft: Draft) -> Plan:
        """Keep a draft as an open plan, for `LIFETIME`."""
        plan = Plan(_plan_id(), tool, digest, self._now() + LIFETIME, draft)
        with self._open() as db, db:
            # What expired is of no more use to anyone, and its preview holds names: it does not stay.
            db.execute("DELETE FROM plan WHERE expires <= ?", (self._now().timestamp(),))
            row = (plan.id, digest, plan.expires.timestamp(), "open", _PLAN.dump_json(plan).decode())
            db.execute("INSERT INTO plan (id, digest, expires, state, body) VALUES (?, ?, ?, ?, ?)", row)
        return plan

    def get(self, plan_id: str) -> tuple[Plan, State] | None:
        """The plan and its state; None when there is none, or no longer."""
        rows = self._select("id = ?", plan_id)
        return rows[0] if rows else None

    def latest_open(self, digest: str) -> Plan | None:
        """The newest plan for this very call that still waits for an answer."""
        rows = self._select("digest = ? AND state = 'open'", digest)
        return rows[-1][0] if rows else None

    def waiting(self) -> list[Plan]:
        """All plans that still wait for a person, oldest first."""
        return [plan for plan, _ in self._select("state = ?", "open")]

    def approve(self, plan_id: str) -> bool:
        """A person's yes, given outside of the client. False when the plan is not open."""
        return self._move(plan_id, "approved", "open")

    def deny(self, plan_id: str) -> bool:
        """A person's no. False when the plan is neither open nor approved."""
        return self._move(plan_id, "denied", "open", "approved")

    def claim(self, plan_id: str, *states: State) -> bool:
        """Take the plan for carrying it out: true for exactly one caller, and only from one of `states`."""
        return self._move(plan_id, "used", *states)

    def _move(self, plan_id: str, to: State, *states: State) -> bool:
        marks = ", ".join("?" * len(states))
        with self._open() as db, db:
            changed = db.execute(
                f"UPDATE plan SET state = ? WHERE id = ? AND {_VALID} AND state IN ({marks})",  # noqa: S608
                (to, plan_id, *self._valid_span(), *states),
            )
            return changed.rowcount == 1

    def _select(self, where: str, value: str) -> list[tuple[Plan, State]]:
        with self._open() as db:
            rows = db.execute(
                f"SELECT body, state FROM plan WHERE {where} AND {_VALID} ORDER BY rowid",  # noqa: S608
                (value, *self._valid_span()),
            )
            return [(_PLAN.validate_json(body), state) for body, state in rows]

    def _valid_span(self) -> tuple[float, float]:
        # Both ends: a clock that was set back must not give an old plan a new life.
        now = self._now()
        return now.timestamp(), (now + LIFETIME).timestamp()

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        try:
            # Previews name people: the folder and the file are the owner's alone.
            self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file.touch(mode=0o600)
            with closing(sqlite3.connect(self._file, timeout=10)) as db:
                db.execute(_TABLE)
                yield db
        except (OSError, sqlite3.Error, ValidationError) as error:
            fault = f"The server's state folder cannot be used ({type(error).__name__}); a person has to mend it."
            raise GuardError(f"{fault} Nothing was deleted or changed.") from error


def _plan_id() -> str:
    # Short enough to read out and to type; no letters or digits that look alike.
    alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(2))
