"""The journal: what was asked, refused, agreed to, sent and seen, in rows that are only added.

An operation is a plan that was, or was not, carried out, and has the plan's id. It holds ids, counts, outcomes and
times; no message text, no name, no number of anybody. Each row holds a hash over the row before and itself, so
`Journal.verify` finds a row that was changed, removed or moved. It cannot find that the owner of the file cut off its
end, or computed the chain anew from some row on: for that the newest hash has to be kept somewhere else.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, cast

from anyio import to_thread

from rc_mcp.guard.clock import THIS_MACHINE, Clock
from rc_mcp.guard.database import reading, writing
from rc_mcp.views.changes import OutcomeWord, Status

Event = Literal["asked", "rehearsed", "refused", "declined", "approved", "begun", "sending", "noticed", "sent", "done"]
"""`asked`: a plan was made. `rehearsed`: the same in a dry run. `begun`: it was taken, to be carried out. `sending`:
these ids are about to leave in one request. `noticed`: after a restart of the machine that request was found without
an outcome, and its time counts from here. `sent`: what became of the ids. `done`: nothing more happens in it."""
Channel = Literal["client", "chat", "terminal", "policy"]
"""How a yes came: a question in the client, the model's word for the user's, a terminal, or an operator's policy."""
Aim = Literal["Deleted", "Purged", "Alive"]
"""The availability that a request is to bring about."""
Was = tuple[str, str | None]
"""A message's availability and lastModifiedTime when a request for it left: what shows later that it is untouched."""

DEMO = "demo "
"""How the principal of a demo begins: its mailbox is in its server's memory."""

_BEGINNING = "0" * 64
_COLUMNS = "number, at, event, operation, principal, tool, detail, hash"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row."""

    number: int
    at: str
    """UTC, ISO 8601 with microseconds."""
    event: Event
    operation: str | None
    """None for a refusal that no plan was made for."""
    principal: str
    tool: str
    detail: str
    """JSON, as it was hashed."""
    hash: str

    @property
    def details(self) -> Mapping[str, Any]:
        """What `detail` holds."""
        return cast("Mapping[str, Any]", json.loads(self.detail))

    @property
    def was(self) -> Mapping[str, Was]:
        """Of `sending`: the messages as they were. Empty for rows of versions that did not keep it."""
        return {i: (was[0], was[1]) for i, was in self.details.get("was", {}).items()}

    @property
    def is_demo(self) -> bool:
        """Whether it is about a mailbox that was made up, and is gone."""
        return self.principal.startswith(DEMO)

    @property
    def moment(self) -> datetime:
        """`at` as a time."""
        return datetime.fromisoformat(self.at)

    def is_as_written_after(self, former: str) -> bool:
        """Whether it is what was written after a row with that hash."""
        try:
            return self.hash == self.hash_after(former)
        except (TypeError, ValueError):
            return False  # such as bytes where there was text

    def hash_after(self, former: str) -> str:
        """The hash this row has to have after a row with that one."""
        content = [former, self.number, self.at, self.event, self.operation, self.principal, self.tool, self.detail]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Operation:
    """All rows of one operation, oldest first, and what they come to."""

    id: str
    entries: tuple[Entry, ...]

    @property
    def principal(self) -> str:
        """Whose operation it is."""
        return self.entries[0].principal

    @property
    def tool(self) -> str:
        """The tool that was called; `undo` for the command."""
        return self.entries[0].tool

    @property
    def is_demo(self) -> bool:
        """Whether its mailbox was made up, and is gone."""
        return self.entries[0].is_demo

    @property
    def asked(self) -> Mapping[str, Any] | None:
        """What it was to do (`action`, `severity`, `ids`); None for an undo."""
        return self._last("asked")

    @property
    def begun(self) -> Mapping[str, Any] | None:
        """Whose mailbox it is about (`account_id`, `extension_id`); None while it was only asked for."""
        return self._last("begun")

    @property
    def done(self) -> Mapping[str, Any] | None:
        """How it ended (`status`); None while it is under way, or when it was cut short."""
        return self._last("done")

    @property
    def approved_by(self) -> Channel | None:
        """How the yes came."""
        approved = self._last("approved")
        return approved["by"] if approved else None

    @property
    def outcomes(self) -> dict[str, OutcomeWord]:
        """What is known to have become of each id."""
        known: dict[str, OutcomeWord] = {}
        for entry in self.entries:
            known |= entry.details.get("outcomes", {})
        return known

    @property
    def intents(self) -> list[Entry]:
        """Its requests: each may have left."""
        return [e for e in self.entries if e.event == "sending"]

    @property
    def in_doubt(self) -> list[str]:
        """Ids that may have been sent, and of which nothing is known yet."""
        known = self.outcomes
        return [i for entry in self.intents for i in entry.details.get("ids", []) if i not in known]

    def _last(self, event: Event) -> Mapping[str, Any] | None:
        return next((e.details for e in reversed(self.entries) if e.event == event), None)


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """What requests without an outcome may still change."""

    deletes: frozenset[str] = frozenset()
    """Messages that a delete or purge may still reach, of whichever mailbox and login."""
    restores: frozenset[str] = frozenset()
    """Messages that a restore may still reach."""
    retention: bool = False
    """Whether a change of the retention period is among the requests."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many messages were touched. What is unknown or in doubt counts as touched."""

    deleted: int = 0
    purged: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading the whole chain came to."""

    entries: int
    head: str
    """The newest hash. Kept elsewhere, it shows later that nothing up to here was cut off or computed anew."""
    faults: tuple[str, ...]


class Journal:
    """The rows in the state folder's database, for all servers and commands that share it. Every method blocks.

    Raises:
        GuardError: (every method) the database cannot be used.
    """

    def __init__(
        self, state_dir: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC), clock: Clock = THIS_MACHINE
    ) -> None:
        self.state_dir = state_dir
        self.clock = clock
        self._now = now

    def append(
        self, event: Event, *, operation: str | None, principal: str, tool: str, details: Mapping[str, object]
    ) -> None:
        """Add a row; it is on disk when this returns."""
        with writing(self.state_dir) as db:
            add_entry(db, self._now(), event, operation=operation, principal=principal, tool=tool, details=details)

    def entries(self, since: datetime | None = None) -> list[Entry]:
        """All rows from that time on, oldest first."""
        with reading(self.state_dir) as db:
            return list(_select(db, "at >= ? ORDER BY number", _stamp(since) if since else ""))

    def operation(self, operation_id: str) -> Operation | None:
        """One operation; None when there is none of that id."""
        return next(iter(self._operations("operation = ?", operation_id)), None)

    def operations(self, since: datetime | None = None) -> list[Operation]:
        """Whole operations of which something was written from that time on, in the order they began."""
        return self._operations(f"{_THOSE} at >= ?)", _stamp(since) if since else "")

    def unfinished(self, principal: str) -> list[Operation]:
        """Operations of this principal that were begun and not ended: under way, or cut short."""
        ended = "SELECT operation FROM entry WHERE event = 'done'"
        return self._operations(
            f"{_THOSE} event = 'begun' AND principal = ? AND operation NOT IN ({ended}))", principal
        )

    def may_yet_arrive(self, operation: Operation, intent: Entry, settled_after: timedelta) -> bool:
        """Whether a request of it that was not answered may still be carried out, by elapsed time.

        The clock of a machine begins anew with each start. So for a request of an earlier start, or of another machine,
        the time counts from when it was first noticed by this clock, which is written down.
        """
        readings = (e.details.get("clock") for e in operation.entries if e.number >= intent.number)
        elapsed_s = [s for reading in readings if (s := self.clock.elapsed_s(reading)) is not None]
        if not elapsed_s:
            who = {"operation": operation.id, "principal": operation.principal, "tool": operation.tool}
            self.append("noticed", **who, details={"clock": self.clock.read()})
        return max(elapsed_s, default=0.0) < settled_after.total_seconds()

    def on_its_way(self, settled_after: timedelta) -> OnItsWay:
        """What requests, whoever's, may still change: they left less than `settled_after` ago and nothing is known."""
        ended = "SELECT operation FROM entry WHERE event = 'done'"
        deletes, restores, retention = set[str](), set[str](), False
        for operation in self._operations(f"{_THOSE} event = 'sending') AND operation NOT IN ({ended})"):
            known = operation.outcomes
            for intent in operation.intents:
                doubtful = {i for i in intent.details.get("ids", ()) if i not in known}
                is_retention = "retention_period" in intent.details
                if (doubtful or is_retention) and self.may_yet_arrive(operation, intent, settled_after):
                    (restores if intent.details.get("to") == "Alive" else deletes).update(doubtful)
                    retention = retention or is_retention
        return OnItsWay(frozenset(deletes), frozenset(restores), retention)

    def touched_within(self, span: timedelta, principal: str, *, by: Channel | None = None) -> Counted:
        """How many messages were deleted or purged, or may have been, in so long a time until now.

        By elapsed time for what left since this machine was started, by the wall clock for what left before.

        Args:
            principal: who asks. Another one's count as well, as a renewed credential is another; but for a demo only
                its own do, and for a real mailbox no demo's.
            by: only what was agreed to in this way.
        """
        is_demo = principal.startswith(DEMO)
        since = self._now() - span
        recent = "event = 'sending' AND (at > ? OR json_extract(detail, '$.clock.name') = ?)"
        counts = {"Deleted": 0, "Purged": 0, "Alive": 0}
        for operation in self._operations(f"{_THOSE} {recent})", _stamp(since), self.clock.name):
            counts_here = operation.principal == principal if is_demo else not operation.is_demo
            if counts_here and by in {None, operation.approved_by}:
                known = operation.outcomes
                for intent in (e for e in operation.intents if self._is_within(span, since, e)):
                    words = [known.get(i, "unknown") for i in intent.details.get("ids", [])]
                    counts[intent.details.get("to", "Alive")] += sum(w in _TOUCHED for w in words)
        return Counted(deleted=counts["Deleted"], purged=counts["Purged"])

    def verify(self) -> Verified:
        """Read the chain from its beginning and say which rows are not as they were written."""
        faults: list[str] = []
        former, count, expected = _BEGINNING, 0, 1
        with reading(self.state_dir) as db:
            for entry in _select(db, "true ORDER BY number"):
                if entry.number == expected + 1:
                    faults.append(f"Entry {expected} is missing.")
                elif entry.number != expected:
                    faults.append(f"Entries {expected} to {entry.number - 1} are missing.")
                elif not entry.is_as_written_after(former):
                    faults.append(f"Entry {entry.number} is not what was written after entry {entry.number - 1}.")
                former, count, expected = entry.hash, count + 1, entry.number + 1
        return Verified(count, former, tuple(faults))

    def _is_within(self, span: timedelta, since: datetime, entry: Entry) -> bool:
        elapsed_s = self.clock.elapsed_s(entry.details.get("clock"))
        return entry.at > _stamp(since) if elapsed_s is None else elapsed_s < span.total_seconds()

    def _operations(self, where: str, *values: str) -> list[Operation]:
        with reading(self.state_dir) as db:
            found = _select(db, f"{where} ORDER BY operation, number", *values)
            grouped = [(i, tuple(rows)) for i, rows in groupby(found, lambda e: e.operation) if i is not None]
        operations = [Operation(i, rows) for i, rows in grouped]
        return sorted(operations, key=lambda operation: operation.entries[0].number)


@dataclass(frozen=True, slots=True)
class Record:
    """What one operation writes down while it is carried out."""

    journal: Journal
    operation: str
    principal: str
    tool: str

    async def begun(self, account_id: str, extension_id: str, *, undoes: str) -> None:
        """An undo begins. What a plan begins, `PlanStore.claim` writes down."""
        await self._append("begun", {"account_id": account_id, "extension_id": extension_id, "undoes": undoes})

    async def sending(self, was: Mapping[str, Was], to: Aim) -> None:
        """One request is about to name these ids; each with the message as it is now. It may leave when this returns.

        Raises:
            GuardError: it could not be written.
        """
        await self._sending({"ids": list(was), "to": to, "was": was})

    async def sending_retention(self, days: int, *, before: int | None) -> None:
        """As `sending`, for a retention period in place of the one `before`."""
        await self._sending({"retention_period": days, "before": before})

    async def sent(self, outcomes: Mapping[str, OutcomeWord]) -> None:
        """What became of ids that had left."""
        await self._append("sent", {"outcomes": dict(outcomes)})

    async def done(self, status: Status, outcomes: Mapping[str, OutcomeWord], *, cut_short: bool = False) -> None:
        """It is over. `outcomes`: of ids that nothing was sent for, too. `cut_short`: it was found out later."""
        how = {"cut_short": True} if cut_short else {}
        await self._append("done", {"status": status, "outcomes": dict(outcomes), **how})

    async def _sending(self, details: Mapping[str, object]) -> None:
        await self._append("sending", {**details, "clock": self.journal.clock.read()})

    async def _append(self, event: Event, details: Mapping[str, object]) -> None:
        who = {"operation": self.operation, "principal": self.principal, "tool": self.tool}
        await to_thread.run_sync(partial(self.journal.append, event, **who, details=details))


def add_entry(
    db: sqlite3.Connection,
    at: datetime,
    event: Event,
    *,
    operation: str | None,
    principal: str,
    tool: str,
    details: Mapping[str, object],
) -> None:
    """Add a row within a transaction that is alone (`writing`)."""
    last = db.execute("SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1").fetchone()
    number, former = last or (0, _BEGINNING)
    detail = json.dumps(details, sort_keys=True)
    entry = Entry(number + 1, _stamp(at), event, operation, principal, tool, detail, "")
    row = (entry.number, entry.at, event, operation, principal, tool, detail, entry.hash_after(former))
    db.execute(f"INSERT INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608


_THOSE = "operation IN (SELECT operation FROM entry WHERE"
_TOUCHED = {"deleted", "purged", "unknown"}


def _select(db: sqlite3.Connection, where: str, *values: str) -> Iterator[Entry]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM entry WHERE {where}", values)  # noqa: S608
    return (Entry(*row) for row in rows)


def _stamp(moment: datetime) -> str:
    # Of one length, so that text sorts as time does.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
