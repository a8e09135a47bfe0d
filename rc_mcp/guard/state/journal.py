"""The append-only journal of requests, refusals, approvals and outcomes.

An operation is a plan, whether carried out or not, and has the plan's id. The journal holds ids, counts, outcomes and
times, but no message text, name or phone number. Each row has a hash over itself and the row before, so
`Journal.verify` finds a row that was changed, removed or moved. It cannot find that the owner of the file cut off its
end, or computed the chain again from some row on: to detect that, keep the newest hash somewhere else.

A refusal or rehearsal that repeats a row of the last hour gets no row of its own. It is counted next to that row,
outside of the chain, so a model in a loop does not fill the disk. Approvals and requests always get rows.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, Literal, TypedDict, TypeVar, Unpack, cast

from rc_mcp.guard.state.coordination import check_still_locked
from rc_mcp.guard.state.state import Transaction, Value
from rc_mcp.guard.state.store import Store, in_thread
from rc_mcp.views.changes import OutcomeWord, Status

Key = TypeVar("Key", int, str)

Event = Literal[
    "asked", "rehearsed", "refused", "declined", "approved", "begun", "sending", "noticed", "sent", "done", "stopped",
    "resumed",
]  # fmt: skip
"""`asked`: a plan was made. `rehearsed`: a request ended as a dry run. `begun`: the plan was claimed for execution.
`sending`: one request for these ids is about to leave. `noticed`: after a restart of the machine that request was found
without an outcome; its time counts from here. `sent`: the outcomes of the ids. `done`: the operation is over.
`stopped`, `resumed`: all deletions were stopped, or allowed again; neither belongs to an operation or a login.
"""
Channel = Literal["client", "chat", "terminal", "policy", "app", "browser"]
"""The source of an approval: a question in the client, the model's word, a terminal, the operator's policy, a button of
the inbox page inside the client, or the inbox page in the user's browser."""
Aim = Literal["Deleted", "Purged", "Alive"]
"""The availability that a request sets."""
Was = tuple[str, str | None]
"""A message's availability and lastModifiedTime before its request, to see later whether it is unchanged."""

REPEATS_WITHIN = timedelta(hours=1)
"""How long repeats of a refusal or rehearsal are counted next to its row."""
ROWS_AN_HOUR = 100
"""How many different refusals of one principal get their own rows within an hour; rehearsals count separately."""
TOO_MANY = "too_many_to_list"
"""The reason in the row that counts all further ones of the hour, for each tool."""

DEMO = "demo "
"""The prefix of a demo's principal. The demo's mailbox is only in its server's memory."""

BEGINNING = "0" * 64
"""The head of a journal without entries."""
_COLUMNS = "number, at, event, operation, principal, tool, detail, hash"


@dataclass(frozen=True, slots=True)
class Entry:
    number: int
    at: str
    """UTC, ISO 8601 with microseconds."""
    event: Event
    operation: str | None
    """None for a refusal without a plan, and for `stopped` and `resumed`."""
    principal: str
    """Empty for `stopped` and `resumed`."""
    tool: str
    detail: str
    """JSON text, exactly as hashed."""
    hash: str
    repeated: int = 0
    """How many repeats followed within an hour. Not part of the chain."""
    repeated_at: str | None = None
    """The time of the last repeat, in the format of `at`."""

    @property
    def details(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", json.loads(self.detail))

    @property
    def was(self) -> Mapping[str, Was]:
        """Return the messages' states before a `sending` entry; empty for rows of versions that did not store them."""
        return {i: (was[0], was[1]) for i, was in self.details.get("was", {}).items()}

    @property
    def is_demo(self) -> bool:
        """Return whether the entry is about a demo's mailbox, which no longer exists."""
        return self.principal.startswith(DEMO)

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.at)

    def is_as_written_after(self, former: str) -> bool:
        """Return whether this is the row written after a row with that hash."""
        try:
            return self.hash == self.hash_after(former)
        except (TypeError, ValueError):
            return False  # such as bytes in place of text

    def hash_after(self, former: str) -> str:
        """Return the hash that this row must have after a row with that hash."""
        content = [former, self.number, self.at, self.event, self.operation, self.principal, self.tool, self.detail]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Operation:
    """All rows of one operation, oldest first, and facts derived from them."""

    id: str
    entries: tuple[Entry, ...]

    @property
    def principal(self) -> str:
        return self.entries[0].principal

    @property
    def tool(self) -> str:
        """Return the tool that was called; `undo` for the command."""
        return self.entries[0].tool

    @property
    def is_demo(self) -> bool:
        return self.entries[0].is_demo

    @property
    def asked(self) -> Mapping[str, Any] | None:
        """Return the plan's `action`, `severity` and `ids`; None for an undo."""
        return self._last("asked")

    @property
    def begun(self) -> Mapping[str, Any] | None:
        """Return the mailbox (`account_id`, `extension_id`); None if the plan was never claimed."""
        return self._last("begun")

    @property
    def done(self) -> Mapping[str, Any] | None:
        """Return how it ended (`status`); None while it is in progress, or if it was interrupted."""
        return self._last("done")

    @property
    def approved_by(self) -> Channel | None:
        approved = self._last("approved")
        return approved["by"] if approved else None

    @property
    def outcomes(self) -> dict[str, OutcomeWord]:
        known: dict[str, OutcomeWord] = {}
        for entry in self.entries:
            known |= entry.details.get("outcomes", {})
        return known

    @property
    def reported(self) -> dict[str, OutcomeWord]:
        """Return the outcomes, with `unknown` for each message whose request has none yet."""
        in_doubt: dict[str, OutcomeWord] = dict.fromkeys(self.in_doubt, "unknown")
        return self.outcomes | in_doubt

    @property
    def approved_ids(self) -> list[str]:
        """Return the plan's messages, without those that the user took out when they approved it."""
        return (self._last("approved") or {}).get("only") or (self.asked or {}).get("ids", [])

    @property
    def intents(self) -> list[Entry]:
        return [e for e in self.entries if e.event == "sending"]

    @property
    def in_doubt(self) -> list[str]:
        """Return the ids that may have been sent and have no known outcome yet."""
        known = self.outcomes
        return [i for entry in self.intents for i in entry.details.get("ids", []) if i not in known]

    def known_to_have_left(self, intent: Entry) -> Entry:
        """Return the row written right after the request ended, or else `intent`, which was written before it left.

        A process may stand still between the two, for as long as its machine is suspended.
        """
        following = (e for e in self.entries if e.number > intent.number and e.event in {"sending", "sent"})
        ended = next(following, intent)
        return ended if ended.event == "sent" and "clock" in ended.details else intent

    def _last(self, event: Event) -> Mapping[str, Any] | None:
        return next((e.details for e in reversed(self.entries) if e.event == event), None)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The targets of requests without an outcome."""

    deletes: frozenset[str] = frozenset()
    """Messages that a delete or purge may still reach, in any mailbox and from any login."""
    restores: frozenset[str] = frozenset()
    """Messages that a restore may still reach."""
    retention: bool = False
    """Whether a change of the retention period is among the requests."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Numbers of deleted and purged messages. Unknown outcomes count too."""

    deleted: int = 0
    purged: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of reading the whole chain."""

    entries: int
    head: str
    """The newest hash. A copy kept elsewhere shows later that nothing up to here was cut off or computed again."""
    faults: tuple[str, ...]


class Row(TypedDict):
    """The part of a new entry that does not depend on the journal."""

    operation: str | None
    principal: str
    tool: str
    details: Mapping[str, object]


class Journal(Store):
    """The rows in the state, for all servers and commands that share it. Every method blocks."""

    def append(self, event: Event, **row: Unpack[Row]) -> None:
        """Add a row; it is on disk when this returns."""
        with self.writing() as db:
            add_entry(db, self.now(), event, **row)

    def note(self, event: Event, **row: Unpack[Row]) -> None:
        """Add an entry that changed nothing, or count it next to the row that it repeats (`add_note`)."""
        with self.writing() as db:
            add_note(db, self.now(), event, **row)

    def entries(self, since: datetime | None = None) -> list[Entry]:
        """Return all rows added or repeated since that time, oldest first."""
        with self.reading() as db:
            start = _stamp(since) if since else ""
            return list(_select(db, f"number IN ({_RECENT}) ORDER BY number", start, start))

    def operation(self, operation_id: str) -> Operation | None:
        return next(iter(self._operations("operation = ?", operation_id)), None)

    def operations(self, since: datetime | None = None) -> list[Operation]:
        """Return the whole operations that have rows since that time, in the order they began."""
        return self._operations(f"{_THOSE} at >= ?)", _stamp(since) if since else "")

    def latest(
        self, most: int, since: datetime | None = None, principal: str | None = None
    ) -> tuple[list[Operation], list[Entry], bool]:
        """Return the newest operations, and entries without one; `most` together. Return also whether there are more.

        Args:
            since: only those with rows added or repeated since that time.
            principal: only those of this login.
        """
        start = _stamp(since) if since else ""
        recent, values = (f"number IN ({_RECENT})", [start, start]) if since else ("true", [])
        whose, who = (" AND principal = ?", [principal]) if principal is not None else ("", [])
        keys: dict[str | int, None] = {}
        with self.reading() as db:
            found = f"SELECT number, operation FROM entry WHERE {recent}{whose} ORDER BY number DESC"  # noqa: S608
            for number, operation in db.execute(found, [*values, *who]):
                keys[operation or number] = None
                if len(keys) > most:
                    break
            wanted = list(keys)[:most]
            numbers = sorted(key for key in wanted if isinstance(key, int))
            alone = [e for some in _chunks(numbers) for e in _select(db, f"number IN ({_places(some)})", *some)]
        ids = [key for key in wanted if isinstance(key, str)]
        operations = [o for some in _chunks(ids) for o in self._operations(f"operation IN ({_places(some)})", *some)]
        alone.sort(key=lambda entry: entry.number)
        operations.sort(key=lambda operation: operation.entries[0].number)
        return operations, alone, len(keys) > most

    def unfinished(self, principal: str) -> list[Operation]:
        """Return this principal's operations that have not ended: in progress, or interrupted."""
        return self._operations(f"{_OPEN} WHERE principal = ?)", principal)

    def may_yet_arrive(self, operation: Operation, intent: Entry, settled_after: timedelta) -> bool:
        """Return whether an unanswered request of the operation may still be carried out, by elapsed time.

        A machine's clock starts again at each boot. For a request from before the boot, or from another machine, the
        time counts from when this clock first noticed it, which is journaled.
        """
        since = operation.known_to_have_left(intent).number
        readings = (e.details.get("clock") for e in operation.entries if e.number >= since)
        elapsed_s = [s for reading in readings if (s := self.clock.elapsed_s(reading)) is not None]
        if not elapsed_s:
            who = {"operation": operation.id, "principal": operation.principal, "tool": operation.tool}
            self.append("noticed", **who, details={"clock": self.clock.read()})
        return max(elapsed_s, default=0.0) < settled_after.total_seconds()

    def unanswered(self, settled_after: timedelta) -> Unanswered:
        """Return the targets of all principals' requests that left less than `settled_after` ago without an outcome."""
        deletes, restores, retention = set[str](), set[str](), False
        for operation in self._operations(f"{_OPEN})"):
            known = operation.outcomes
            for intent in operation.intents:
                doubtful = {i for i in intent.details.get("ids", ()) if i not in known}
                is_retention = "retention_period" in intent.details
                if (doubtful or is_retention) and self.may_yet_arrive(operation, intent, settled_after):
                    (restores if intent.details.get("to") == "Alive" else deletes).update(doubtful)
                    retention = retention or is_retention
        return Unanswered(frozenset(deletes), frozenset(restores), retention)

    def touched_within(self, span: timedelta, principal: str, *, by: Channel | None = None) -> Counted:
        """Count the messages that were deleted or purged, or may have been, within this span until now.

        Requests since this machine's start count by elapsed time, earlier ones by the wall clock.

        Args:
            principal: the login that asks. Other logins count too, because a renewed credential is another login. But a
                demo counts only its own, and a real mailbox counts no demo.
            by: count only operations approved by this channel.
        """
        is_demo = principal.startswith(DEMO)
        since = self.now() - span
        # Not by the index of events: the one of times is much shorter.
        by_wall_clock = "SELECT operation FROM entry WHERE at > ? AND event || '' = 'sending'"
        by_elapsed_time = (
            "SELECT operation FROM entry WHERE event = 'sending' AND json_valid(detail) "
            "AND json_extract(detail, '$.clock.name') = ? AND json_extract(detail, '$.clock.seconds') > ?"
        )
        recent = f"operation IN ({by_wall_clock} UNION {by_elapsed_time})"
        earliest_s = self.clock.seconds() - span.total_seconds()
        counts = {"Deleted": 0, "Purged": 0, "Alive": 0}
        for operation in self._operations(recent, _stamp(since), self.clock.name, earliest_s):
            counts_here = operation.principal == principal if is_demo else not operation.is_demo
            if counts_here and by in {None, operation.approved_by}:
                known = operation.outcomes
                for intent in (e for e in operation.intents if self._is_within(span, since, e)):
                    words = [known.get(i, "unknown") for i in intent.details.get("ids", [])]
                    counts[intent.details.get("to", "Alive")] += sum(w in _TOUCHED for w in words)
        return Counted(deleted=counts["Deleted"], purged=counts["Purged"])

    def verify(self) -> Verified:
        """Read the chain from its beginning and report the rows that were changed or are missing."""
        faults: list[str] = []
        former, count, expected = BEGINNING, 0, 1
        with self.reading() as db:
            for entry in _select(db, "true ORDER BY number"):
                if entry.number == expected + 1:
                    faults.append(f"Entry {expected} is missing.")
                elif entry.number != expected:
                    faults.append(f"Entries {expected} to {entry.number - 1} are missing.")
                elif not entry.is_as_written_after(former):
                    faults.append(f"Entry {entry.number} is not the one written after entry {entry.number - 1}.")
                former, count, expected = entry.hash, count + 1, entry.number + 1
        return Verified(count, former, tuple(faults))

    def _is_within(self, span: timedelta, since: datetime, entry: Entry) -> bool:
        elapsed_s = self.clock.elapsed_s(entry.details.get("clock"))
        return entry.at > _stamp(since) if elapsed_s is None else elapsed_s < span.total_seconds()

    def _operations(self, where: str, *values: Value) -> list[Operation]:
        with self.reading() as db:
            found = _select(db, f"{where} ORDER BY operation, number", *values)
            grouped = [(i, tuple(rows)) for i, rows in groupby(found, lambda e: e.operation) if i is not None]
        operations = [Operation(i, rows) for i, rows in grouped]
        return sorted(operations, key=lambda operation: operation.entries[0].number)


@dataclass(frozen=True, slots=True)
class Record:
    """The journal of one operation while it is carried out."""

    journal: Journal
    operation: str
    principal: str
    tool: str

    async def begun(self, account_id: str, extension_id: str, *, undoes: str) -> None:
        """Journal the start of an undo. For a plan, `PlanStore.claim` does this."""
        await self._append("begun", {"account_id": account_id, "extension_id": extension_id, "undoes": undoes})

    async def sending(self, was: Mapping[str, Was], to: Aim) -> None:
        """Journal that a request for these messages is about to leave, with their states now. Then it may leave.

        Raises:
            GuardError: the journal cannot be written, or the lock against other changes was removed.
        """
        await self._sending({"ids": list(was), "to": to, "was": was})

    async def sending_retention(self, days: int, *, before: int | None) -> None:
        """Journal, like `sending`, a request that changes the retention period from `before`."""
        await self._sending({"retention_period": days, "before": before})

    async def sent(self, outcomes: Mapping[str, OutcomeWord]) -> None:
        """Journal the end of the request that was just sent, with the outcomes known now."""
        await self._append("sent", {"outcomes": dict(outcomes), "clock": self.journal.clock.read()})

    async def settled(self, outcomes: Mapping[str, OutcomeWord]) -> None:
        """Journal outcomes of an earlier request that were read since."""
        await self._append("sent", {"outcomes": dict(outcomes)})

    async def done(self, status: Status, outcomes: Mapping[str, OutcomeWord], *, cut_short: bool = False) -> None:
        """Journal the end, with outcomes of unsent ids too. `cut_short`: it was interrupted and settled later."""
        how = {"cut_short": True} if cut_short else {}
        await self._append("done", {"status": status, "outcomes": dict(outcomes), **how})

    async def _sending(self, details: Mapping[str, object]) -> None:
        await self._append("sending", {**details, "clock": self.journal.clock.read()})
        await check_still_locked()

    async def _append(self, event: Event, details: Mapping[str, object]) -> None:
        who = {"operation": self.operation, "principal": self.principal, "tool": self.tool}
        await in_thread(partial(self.journal.append, event, **who, details=details))


def add_entry(db: Transaction, at: datetime, event: Event, **row: Unpack[Row]) -> None:
    """Add a row within an exclusive transaction (`writing`)."""
    last = db.execute("SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1").fetchone()
    number, former = last or (0, BEGINNING)
    written = (number + 1, _stamp(at), event, row["operation"], row["principal"], row["tool"], _canonical(row))
    values = (*written, Entry(*written, hash="").hash_after(former))
    db.execute(f"INSERT INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608


def unused_plans(db: Transaction, principal: str, since: datetime) -> int:
    """Count this principal's plans that were made after that time and not carried out so far."""
    begun = "SELECT 1 FROM entry AS later WHERE later.operation = asked.operation AND later.event = 'begun'"
    asked = f"event = 'asked' AND principal = ? AND at > ? AND NOT EXISTS ({begun})"
    return db.execute(f"SELECT count(*) FROM entry AS asked WHERE {asked}", (principal, _stamp(since))).fetchone()[0]  # noqa: S608


def add_note(db: Transaction, at: datetime, event: Event, **row: Unpack[Row]) -> None:
    """Add a row for an entry that changed nothing, or count it next to an equal row of the last hour.

    After `ROWS_AN_HOUR` new ones are counted as `TOO_MANY`. Call this within an exclusive transaction.
    """
    lately = (event, row["principal"], _stamp(at - REPEATS_WITHIN), _stamp(at))
    if _counted(db, lately, row):
        return
    rows = db.execute(f"SELECT count(*) FROM entry WHERE {_LATELY}", lately).fetchone()[0]  # noqa: S608
    if rows >= ROWS_AN_HOUR:
        row["operation"], row["details"] = None, {"reason": TOO_MANY}
        if _counted(db, lately, row):
            return
    add_entry(db, at, event, **row)


_LATELY = "event = ? AND principal = ? AND at > ? AND at <= ?"
_OPEN = "operation IN (SELECT operation FROM open_operation"
_THOSE = "operation IN (SELECT operation FROM entry WHERE"
_RECENT = "SELECT number FROM entry WHERE at >= ? UNION SELECT entry FROM repeat WHERE last_at >= ?"
_TOUCHED = {"deleted", "purged", "unknown"}


def _chunks(values: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Yield the values in parts that one query takes."""
    return (values[n : n + 500] for n in range(0, len(values), 500))


def _places(values: Sequence[Value]) -> str:
    return ", ".join("?" for _ in values)


def _select(db: Transaction, where: str, *values: Value) -> Iterator[Entry]:
    counted = "coalesce(times, 0), last_at FROM entry LEFT JOIN repeat ON repeat.entry = number"
    rows = db.execute(f"SELECT {_COLUMNS}, {counted} WHERE {where}", values)
    return (Entry(*row) for row in rows)


def _counted(db: Transaction, lately: tuple[str, str, str, str], row: Row) -> bool:
    """Count the entry next to its equal row; return False if there is none."""
    same = db.execute(
        f"SELECT max(number) FROM entry WHERE {_LATELY} AND coalesce(operation, '') = ? AND tool = ? AND detail = ?",  # noqa: S608
        (*lately, row["operation"] or "", row["tool"], _canonical(row)),
    ).fetchone()[0]
    if same is None:
        return False
    db.execute(
        "INSERT INTO repeat (entry, times, last_at) VALUES (?, 1, ?) "
        "ON CONFLICT (entry) DO UPDATE SET times = repeat.times + 1, last_at = excluded.last_at",
        (same, lately[-1]),
    )
    return True


def _canonical(row: Row) -> str:
    return json.dumps(row["details"], sort_keys=True)


def _stamp(moment: datetime) -> str:
    # Of fixed length, so that text sorts by time.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
