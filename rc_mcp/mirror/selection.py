"""A query as SQL: a MATCH for the index where that is possible, and conditions on the message's number for the rest.

Every word in a MATCH is between quotation marks and has no character that FTS5 gives a meaning: it comes from
`folding.words` or is a tag. All other values are parameters.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rc_mcp.mirror.database import numbers_of
from rc_mcp.mirror.documents import ANY, DELETED, name_tag
from rc_mcp.mirror.folding import TAG
from rc_mcp.mirror.order import first_since
from rc_mcp.mirror.people import Meant
from rc_mcp.mirror.query import All, And, Created, Node, Not, Or, People, Tagged, Words, leaves

MOST_TAGS = 300
"""For people, in a query. The index finds the messages with one of so many tags faster than a list of the messages
does, but SQLite holds some kilobytes for each tag."""

_EVERY = f'"{TAG}{ANY}"'
"""Matches every message: FTS5 has no expression with only NOT."""
_HIGHEST = 2**62

Values = tuple[str | int | bytes, ...]


@dataclass(frozen=True)
class Selection:
    """Which messages of a mailbox are wanted.

    Attributes:
        match: an expression of FTS5; None selects every message.
        condition: SQL about the column `number`; empty if there is none.
        values: those of the condition.
        low, high: the lowest and the highest number; None without such a limit.
    """

    match: str | None = None
    condition: str = ""
    values: Values = ()
    low: int | None = None
    high: int | None = None

    def sql(self, mailbox: int, columns: str, *, before: int | None = None) -> tuple[str, Values]:
        """Return a query for the messages, newest first, and its values.

        Args:
            before: only those with a lower number.
        """
        first, last = numbers_of(mailbox)
        low = max(first, self.low or first)
        high = min(last, last if self.high is None else self.high, last if before is None else before - 1)
        where = f" WHERE {self.condition}" if self.condition else ""
        hits = "SELECT rowid AS number FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ?"
        values = (self.match or _EVERY, low, high, *self.values)
        return f"SELECT {columns} FROM ({hits}){where} ORDER BY number DESC", values  # noqa: S608

    def as_condition(self) -> "Selection":
        """Return the same selection as a condition only."""
        match = ["+number IN (SELECT rowid FROM words WHERE words MATCH ?)"] if self.match else []
        limits = ["number BETWEEN ? AND ?"] if self.low is not None or self.high is not None else []
        parts = [*match, *limits, *([self.condition] if self.condition else [])]
        values: Values = (
            *([self.match] if self.match else []),
            *([self.low or 0, _HIGHEST if self.high is None else self.high] if limits else []),
            *self.values,
        )
        return Selection(condition=" AND ".join(f"({part})" for part in parts) or "1", values=values)


def selection(db: sqlite3.Connection, mailbox: int, query: Node, parties: Mapping[People, Meant]) -> Selection:
    """Return the messages that a query selects. Deleted ones are hidden unless it asks for them.

    Args:
        parties: those that each sender or recipient in the query means.
    """
    deleted = Tagged((DELETED,))
    asks_for_deleted = any(leaf == deleted and is_wanted for leaf, is_wanted in leaves(query))
    shown = query if asks_for_deleted else And((query, Not(deleted)))
    return _Compiler(db, mailbox, parties).compile(shown)


def quoted(words: Sequence[str], *, prefix: bool = False) -> str:
    """Return words that follow each other as a phrase of FTS5."""
    return f'"{" ".join(words)}"{"*" if prefix else ""}'


class _Compiler:
    def __init__(self, db: sqlite3.Connection, mailbox: int, parties: Mapping[People, Meant]) -> None:
        self._db, self._mailbox, self._parties = db, mailbox, parties
        self._tags_left = MOST_TAGS

    def compile(self, node: Node) -> Selection:
        match node:
            case Words(words, prefix):
                return Selection(quoted(words, prefix=prefix))
            case Tagged(tags):
                return Selection(_any_of(tags))
            case People():
                return self._people(node)
            case Created(since_ms, until_ms):
                return self._created(since_ms, until_ms)
            case All():
                return Selection()
            case And(parts):
                return self._all_of(parts)
            case Or(parts):
                return _either([self.compile(part) for part in parts])
            case Not(part):
                return self._all_of((node,)) if not isinstance(part, Not) else self.compile(part.part)

    def _all_of(self, parts: Iterable[Node]) -> Selection:
        wanted: list[str] = []
        excluded: list[str] = []
        conditions: list[str] = []
        values: Values = ()
        low: list[int] = []
        high: list[int] = []
        for part in _flat(parts):
            found = self.compile(part.part if isinstance(part, Not) else part)
            if not isinstance(part, Not):
                wanted += [found.match] if found.match else []
                conditions += [found.condition] if found.condition else []
                values += found.values
                low += [found.low] if found.low is not None else []
                high += [found.high] if found.high is not None else []
            elif found.match and found == Selection(found.match):
                excluded.append(found.match)
            else:
                other = found.as_condition()
                conditions.append(f"NOT ({other.condition})")
                values += other.values
        match = " AND ".join(f"({expression})" for expression in wanted) or None
        if excluded:
            match = f"({match or _EVERY}) NOT ({' OR '.join(f'({expression})' for expression in excluded)})"
        condition = " AND ".join(f"({condition})" for condition in conditions)
        return Selection(match, condition, values, max(low, default=None), min(high, default=None))

    def _people(self, people: People) -> Selection:
        found = self._parties[people]
        if not found.parties:
            return Selection(condition="0")
        if (wanted := len(found.words) + len(found.others)) <= self._tags_left:
            self._tags_left -= wanted
            of_names = [name_tag(role, word) for word in sorted(found.words) for role in people.roles]
            others = [f"{role}{number}" for number in sorted(found.others) for role in people.roles]
            return Selection(_any_of([*of_names, *others]))
        # + keeps SQLite from searching the index once for each message of the list.
        return Selection(
            condition="+number IN (SELECT number FROM participant WHERE party IN (SELECT value FROM json_each(?)) "
            "AND role IN (SELECT value FROM json_each(?)))",
            values=(json.dumps(sorted(found.parties)), json.dumps(people.roles)),
        )

    def _created(self, since_ms: int | None, until_ms: int | None) -> Selection:
        low = None if since_ms is None else first_since(self._db, self._mailbox, since_ms)
        high = None if until_ms is None else first_since(self._db, self._mailbox, until_ms) - 1
        return Selection(low=low, high=high)


def _either(parts: Sequence[Selection]) -> Selection:
    if all(part.match and part == Selection(part.match) for part in parts):
        return Selection(" OR ".join(f"({part.match})" for part in parts))
    conditions = [part.as_condition() for part in parts]
    return Selection(
        condition=" OR ".join(f"({part.condition})" for part in conditions),
        values=tuple(value for part in conditions for value in part.values),
    )


def _any_of(tags: Iterable[str]) -> str:
    return " OR ".join(quoted([TAG + tag]) for tag in tags)


def _flat(parts: Iterable[Node]) -> Iterable[Node]:
    for part in parts:
        if isinstance(part, And):
            yield from _flat(part.parts)
        else:
            yield part
