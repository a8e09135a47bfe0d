"""A query as SQL: a MATCH for the index where that is possible, and conditions on the message's number for the rest.

Every word in a MATCH is between quotation marks and has no character that FTS5 gives a meaning: it comes from
`folding.words` or is a tag. All other values are parameters.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rc_mcp.mirror.database import numbers_of
from rc_mcp.mirror.documents import DELETED
from rc_mcp.mirror.folding import TAG
from rc_mcp.mirror.order import first_since
from rc_mcp.mirror.people import Contacts, parties_of
from rc_mcp.mirror.query import All, And, Created, Node, Not, Or, People, Tagged, Words, leaves

_FEW_PARTIES = 40
"""The index finds the messages of so many parties at once faster than a list of the messages does."""

Values = tuple[str | int | bytes, ...]


@dataclass(frozen=True)
class Selection:
    """Which messages of a mailbox are wanted.

    Attributes:
        match: an expression of FTS5; None selects every message.
        condition: SQL about the column `number`; empty if there is none.
    """

    match: str | None = None
    condition: str = ""
    values: Values = ()

    def sql(self, mailbox: int, columns: str, *, before: int | None = None) -> tuple[str, Values]:
        """Return a query for the messages, newest first, and its values.

        Args:
            before: only those with a lower number.
        """
        first, last = numbers_of(mailbox)
        bounds = (first, last if before is None else before - 1)
        and_so = f" AND {self.condition}" if self.condition else ""
        if self.match is None:
            where = f"number BETWEEN ? AND ?{and_so}"
            return f"SELECT {columns} FROM message WHERE {where} ORDER BY number DESC", (*bounds, *self.values)  # noqa: S608
        inner = "SELECT rowid AS number FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ?"
        return (
            f"SELECT {columns} FROM ({inner}){and_so.replace(' AND', ' WHERE', 1)} ORDER BY number DESC",  # noqa: S608
            (self.match, *bounds, *self.values),
        )


def selection(db: sqlite3.Connection, mailbox: int, query: Node, contacts: Contacts) -> Selection:
    """Return the messages that a query selects. Deleted ones are hidden unless it asks for them."""
    deleted = Tagged((DELETED,))
    asks_for_deleted = any(leaf == deleted and is_wanted for leaf, is_wanted in leaves(query))
    shown = query if asks_for_deleted else And((query, Not(deleted)))
    return _Compiler(db, mailbox, contacts).compile(shown)


def quoted(words: Sequence[str], *, prefix: bool = False) -> str:
    """Return words that follow each other as a phrase of FTS5."""
    return f'"{" ".join(words)}"{"*" if prefix else ""}'


class _Compiler:
    def __init__(self, db: sqlite3.Connection, mailbox: int, contacts: Contacts) -> None:
        self._db, self._mailbox, self._contacts = db, mailbox, contacts

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
        for part in _flat(parts):
            is_excluded = isinstance(part, Not)
            found = self.compile(part.part if isinstance(part, Not) else part)
            if found.match and not found.condition:
                (excluded if is_excluded else wanted).append(found.match)
                continue
            if is_excluded:
                found = _condition(found)
                conditions.append(f"NOT ({found.condition})")
            else:
                wanted += [found.match] if found.match else []
                conditions += [found.condition] if found.condition else []
            values += found.values
        match = " AND ".join(f"({expression})" for expression in wanted) or None
        without = " OR ".join(f"({expression})" for expression in excluded)
        if match and without:
            match = f"({match}) NOT ({without})"
        elif without:
            conditions.append("number NOT IN (SELECT rowid FROM words WHERE words MATCH ?)")
            values += (without,)
        return Selection(match, " AND ".join(f"({condition})" for condition in conditions), values)

    def _people(self, people: People) -> Selection:
        found = parties_of(self._db, people.value, self._contacts, numbers_only=people.numbers_only)
        if not found:
            return Selection(condition="0")
        if len(found) <= _FEW_PARTIES:
            return Selection(_any_of(f"{role}{number}" for number in sorted(found) for role in people.roles))
        # + keeps SQLite from searching the index once for each message of the list.
        return Selection(
            condition="+number IN (SELECT number FROM participant WHERE party IN (SELECT value FROM json_each(?)) "
            "AND role IN (SELECT value FROM json_each(?)))",
            values=(json.dumps(sorted(found)), json.dumps(people.roles)),
        )

    def _created(self, since_ms: int | None, until_ms: int | None) -> Selection:
        first, last = numbers_of(self._mailbox)
        low = first if since_ms is None else first_since(self._db, self._mailbox, since_ms)
        high = last + 1 if until_ms is None else first_since(self._db, self._mailbox, until_ms)
        return Selection(condition="number BETWEEN ? AND ?", values=(low, high - 1))


def _either(parts: Sequence[Selection]) -> Selection:
    if all(part.match and not part.condition for part in parts):
        return Selection(" OR ".join(f"({part.match})" for part in parts))
    conditions = [_condition(part) for part in parts]
    return Selection(
        condition=" OR ".join(f"({part.condition})" for part in conditions),
        values=tuple(value for part in conditions for value in part.values),
    )


def _condition(part: Selection) -> Selection:
    """Return the same selection without a MATCH of its own."""
    if part.match is None:
        return Selection(condition=part.condition or "1", values=part.values)
    within = "+number IN (SELECT rowid FROM words WHERE words MATCH ?)"
    both = f"{within} AND ({part.condition})" if part.condition else within
    return Selection(condition=both, values=(part.match, *part.values))


def _any_of(tags: Iterable[str]) -> str:
    return " OR ".join(quoted([TAG + tag]) for tag in tags)


def _flat(parts: Iterable[Node]) -> Iterable[Node]:
    for part in parts:
        if isinstance(part, And):
            yield from _flat(part.parts)
        else:
            yield part
