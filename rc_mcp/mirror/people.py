"""Which senders and recipients a name or a number in a query means, and whose a number is.

They are looked up among all distinct parties of the copy: thousands of times fewer than messages, so a scan is as quick
as an index of name fragments over messages, and finds one and two letters too.

A number is somebody's only where that is certain: the same number, or the only one that ends with its digits. The
parties of other mailboxes in the copy do not count: their names are not for the users of this one.
"""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from rc_mcp.mirror.contacts.book import Contacts, end_of
from rc_mcp.mirror.database import numbers_of
from rc_mcp.mirror.documents import Party, party_of
from rc_mcp.mirror.folding import words
from rc_mcp.mirror.query import People
from rc_mcp.ringcentral import Caller, Message
from rc_mcp.views.dialing import Number, dialed, north_american, with_country_codes
from rc_mcp.views.untrusted_text import caller_name

MOST_SHOWN = 5
"""So many of the persons or numbers that a value may mean are named."""
_MOST_COMPARED = 50
"""Parties that are compared to find out whether a value means several."""
_COMPARED_AT_ONCE = 10
"""The first of them often are enough to say so."""

_SHORTEST_END = 3
_SHORTEST_NUMBER = 7
"""Fewer digits may be the end of a number, but not a number without its country code."""
_IS_NUMBER = re.compile(r"\+?[0-9]+")

_KNOWN = """
SELECT number, name, phone, extension, digits FROM party p WHERE (
    number IN (SELECT value FROM json_each(:numbers)) OR extension IN (SELECT value FROM json_each(:extensions))
    OR (digits != '' AND substr(digits, -7) IN (
        SELECT value FROM json_each(:ends)
        UNION SELECT substr(digits, -7) FROM party WHERE number IN (SELECT value FROM json_each(:numbers))
        UNION SELECT substr(digits, -7) FROM party WHERE extension IN (SELECT value FROM json_each(:extensions))
    ))
) AND EXISTS (
    SELECT 1 FROM participant x WHERE x.party = p.number AND x.role IN ('f', 't') AND x.number BETWEEN :first AND :last
)
"""
"""The parties of a mailbox with these row numbers, extensions or ends, and all whose phone numbers end like theirs."""
_NAMED = """
SELECT number, folded, CASE WHEN digits != '' AND EXISTS (
    SELECT 1 FROM party q WHERE substr(q.digits, -7) = substr(p.digits, -7) AND +q.name = ''
) THEN substr(digits, -7) END FROM party p WHERE instr(folded, ?)
"""
"""The parties with a part of a name, and the ends of their numbers if parties without a name have such a number too.
The + keeps SQLite from looking among all parties without a name."""
_NEWEST = """
SELECT party FROM (
    SELECT p.value AS party, (
        SELECT max(number) FROM participant WHERE party = p.value AND role = r.value AND number BETWEEN :first AND :last
    ) AS newest FROM json_each(:parties) p, json_each(:roles) r
) WHERE newest IS NOT NULL GROUP BY party ORDER BY max(newest) DESC LIMIT :most
"""


class Meant(NamedTuple):
    """The parties that a value of a query means.

    Attributes:
        parties: their numbers.
        words: words of names. All parties with one of them are among `parties`.
        others: those of the parties that have none of these words.
    """

    parties: set[int]
    words: set[str]
    others: set[int]


@dataclass(frozen=True)
class Meanings:
    """What a value of from:, to:, with: or number: means, if it means several.

    Attributes:
        untrusted: the persons, or the numbers, each with name and number; those with the newest messages, at most 5.
        is_all: whether there are no others.
    """

    untrusted: list[str]
    is_all: bool


class _Known(NamedTuple):
    """A party, and what is known of it.

    Attributes:
        phone: its number, with a country code if that is certain; empty without one.
        contacts: those whose number this certainly is.
        name: the party's own, otherwise the only one that this mailbox has for its number.
    """

    number: int
    party: Party
    phone: Number
    contacts: frozenset[int]
    name: str


class Directory:
    """The parties of a mailbox in the copy, with the names and numbers of an address book."""

    def __init__(self, db: sqlite3.Connection, mailbox: int, contacts: Contacts) -> None:
        self._db, self._contacts = db, contacts
        self._first, self._last = numbers_of(mailbox)

    def parties_of(self, people: People) -> Meant:
        """Return the parties that a value of a query means.

        A name means those whose name, or whose contact's name, has it as a part. A number means the same number however
        it is written, numbers that end with its digits if they are at least three, and the extension of these digits.
        """
        others = set(self._with_number(people.value))
        if people.numbers_only:
            return Meant(others, set(), others)
        folded = " ".join(words(people.value))
        found = self._db.execute(_NAMED, (folded,)).fetchall()
        named = {number for number, *_ in found}
        # A part with a space is in no word.
        known = {word for _, name, _ in found for word in name.split() if folded in word}
        ends = {end for *_, end in found if end is not None}
        others.update(self._with_that_name(folded, ends, is_number=_is_number(dialed(people.value))))
        others = others - named if known else others | named
        return Meant(named | others, known, others)

    def meanings(self, people: People, parties: Iterable[int]) -> Meanings | None:
        """Return the persons or numbers that a value means, if they are several.

        Args:
            parties: those that `parties_of` found.
        """
        found = self._db.execute(
            _NEWEST,
            {
                **self._range,
                "parties": json.dumps(list(parties)),
                "roles": json.dumps(people.roles),
                "most": _MOST_COMPARED,
            },
        )
        newest = [party for (party,) in found]
        asked = dialed(people.value)
        by_number = people.numbers_only or _is_number(asked)
        shown: dict[object, str] = {}
        for start in range(0, len(newest), _COMPARED_AT_ONCE):
            some = newest[start : start + _COMPARED_AT_ONCE]
            known = {each.number: each for each in self._known(numbers=some, also=_whole(asked))}
            for party in some:
                identity = _number_meant(known[party], asked) if by_number else self._person(known[party])
                shown.setdefault(identity, self._label(known[party]))
            if len(shown) > MOST_SHOWN:
                break
        if len(shown) <= 1:
            return None
        return Meanings([*shown.values()][:MOST_SHOWN], len(shown) <= MOST_SHOWN and len(newest) < _MOST_COMPARED)

    def with_names(self, messages: Sequence[Message]) -> list[Message]:
        """Return the messages with the names that are known for senders and recipients; a contact's comes first."""
        # Mostly each has a name, and without contacts no other is looked for.
        sent = (each for message in messages for each in _sent_callers(message))
        callers = [Caller(each) for each in sent if len(self._contacts) or not _is_named(each)]
        parties = {party_of(caller) for caller in callers if len(self._contacts) or not caller.name}
        ends = {end_of(party.digits) for party in parties if party.digits}
        extensions = {party.extension for party in parties if party.extension}
        if not ends and not extensions:
            return list(messages)
        names = {each.party: self._name(each) for each in self._known(ends=ends, extensions=extensions)}
        return [_renamed(message, names) for message in messages]

    def _with_number(self, value: str) -> Iterator[int]:
        asked = dialed(value)
        if not _is_number(asked):
            return
        digits = asked.number.lstrip("+")
        end = digits[-_SHORTEST_NUMBER:].lstrip("0") or digits
        candidates = self._db.execute(
            "SELECT number, phone, extension FROM party WHERE extension = ? OR (digits LIKE ? AND digits != '')",
            (digits, f"%{end[-_SHORTEST_NUMBER:]}"),
        ).fetchall()
        dialed_there = [(number, dialed(phone), extension) for number, phone, extension in candidates]
        whole = with_country_codes({*_whole(asked), *(there.number for _, there, _ in dialed_there)})
        for number, there, extension in dialed_there:
            if (extension == digits and asked.extension is None) or _is_meant(asked, there, extension, whole):
                yield number

    def _with_that_name(self, folded: str, ends: set[str], *, is_number: bool) -> Iterator[int]:
        """Return the parties whose name is known to have this part from other parties or from contacts.

        Args:
            ends: those of numbers that parties with and without a name have.
        """
        contacts = set[int]() if is_number else self._contacts.named(folded)
        numbers = {number.number for number in self._contacts.numbers(contacts) if _is_number(number)}
        if ends or numbers:
            short = [number for number in numbers if len(number) < _SHORTEST_NUMBER]
            for each in self._known(ends=ends | {end_of(number) for number in numbers}, extensions=short):
                if each.contacts & contacts or folded in " ".join(words(each.name)):
                    yield each.number

    def _known(
        self,
        *,
        ends: Iterable[str] = (),
        extensions: Iterable[str] = (),
        numbers: Iterable[int] = (),
        also: Iterable[str] = (),
    ) -> Iterator[_Known]:
        """Return the parties of `_KNOWN`.

        Args:
            also: phone numbers that parties may have, though no record spells them so.
        """
        rows = self._db.execute(
            _KNOWN,
            {
                **self._range,
                "ends": json.dumps(list(ends)),
                "extensions": json.dumps(list(extensions)),
                "numbers": json.dumps(list(numbers)),
            },
        )
        by_end: dict[str, list[tuple[int, Party, str]]] = defaultdict(list)
        for number, name, phone, extension, digits in rows:
            by_end[end_of(digits)].append((number, Party(name, phone, extension), digits))
        for found in by_end.values():
            yield from self._of_one_end(found, also)

    def _of_one_end(self, found: Sequence[tuple[int, Party, str]], also: Iterable[str]) -> Iterator[_Known]:
        """Return what is known of parties whose numbers end with the same digits."""
        owners = self._contacts.with_end(end_of(found[0][2]))
        whole = with_country_codes({*(digits for *_, digits in found), *(owned.number for owned, _ in owners), *also})
        lines: dict[str, _Line] = defaultdict(_Line)
        for owned, contact in owners:
            lines[whole[owned.number]].add_contact(owned, contact)
        for _, party, digits in found:
            lines[whole[digits]].add_party(party)
        for number, party, digits in found:
            line, extension = lines[whole[digits]], _extension(party)
            contacts = line.contacts_of(extension)
            if extension and not contacts:
                contacts = frozenset(n for owned, n in self._contacts.with_end(extension) if owned == (extension, None))
            name = party.name or (line.name_of(extension) if digits else "")
            yield _Known(number, party, Number(whole[digits], extension), contacts, name)

    def _person(self, known: _Known) -> object:
        """Return what persons differ in, as far as is known."""
        if self._contact_name(known):
            return known.contacts
        return known.phone if known.phone != ("", None) else " ".join(words(known.name))

    def _label(self, known: _Known) -> str:
        fields = {"phoneNumber": known.party.phone, "extensionNumber": known.party.extension}
        return caller_name(Caller({"name": self._name(known), **fields}))

    def _name(self, known: _Known) -> str:
        return self._contact_name(known) or known.name

    def _contact_name(self, known: _Known) -> str:
        """Return the name of the contact; empty if there is none, or several with different names."""
        names = {" ".join(words(name)): name for name in map(self._contacts.name, sorted(known.contacts))}
        return next(iter(names.values())) if len(names) == 1 else ""

    @property
    def _range(self) -> dict[str, int]:
        return {"first": self._first, "last": self._last}


class _Line:
    """A phone number: the names that the mailbox has for it, and the contacts whose it is."""

    def __init__(self) -> None:
        self._names: dict[str | None, dict[str, str]] = defaultdict(dict)
        self._contacts: dict[bool, list[tuple[str | None, int]]] = defaultdict(list)
        self._extensions: set[str] = set()

    def add_party(self, party: Party) -> None:
        extension = _extension(party)
        self._extensions |= {extension} if extension else set()
        if party.name:
            self._names[extension][" ".join(words(party.name))] = party.name

    def add_contact(self, number: Number, contact: int) -> None:
        self._extensions |= {number.extension} if number.extension else set()
        self._contacts[number.number.startswith("+")].append((number.extension, contact))

    def contacts_of(self, extension: str | None) -> frozenset[int]:
        """Return the contacts with this number. One that has it with its country code is surer than others."""
        owners = self._contacts.get(True) or self._contacts.get(False, [])
        return frozenset(contact for other, contact in owners if self._is_same(other, extension))

    def name_of(self, extension: str | None) -> str:
        """Return the only name of this number; empty if there is none, or several."""
        names = {
            k: v for other, some in self._names.items() if self._is_same(other, extension) for k, v in some.items()
        }
        return next(iter(names.values())) if len(names) == 1 else ""

    def _is_same(self, one: str | None, other: str | None) -> bool:
        """Return whether these are one person's: without an extension it is the only one known behind a number."""
        return one == other or (None in {one, other} and len(self._extensions) == 1)


def _sent_callers(message: Message) -> Iterator[dict[str, Any]]:
    """Yield the senders and recipients as they were sent: to read each as a `Caller` takes longer."""
    for role in ("from", "to"):
        value: Any = message.sent.get(role)
        for each in cast("list[Any]", value if isinstance(value, list) else [value]):
            if Caller.can_read(each):
                yield each


def _is_named(sent: Mapping[str, Any]) -> bool:
    name = sent.get("name")
    return isinstance(name, str) and name != ""


def _renamed(message: Message, names: Mapping[Party, str]) -> Message:
    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(each) for each in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        caller = cast("dict[str, Any]", value)
        name = names.get(party_of(Caller(caller)))
        return {**caller, "name": name} if name else caller

    changed = {role: named(message.sent[role]) for role in ("from", "to") if role in message.sent}
    return Message({**message.sent, **changed})


def _extension(party: Party) -> str | None:
    return party.extension.strip() or dialed(party.phone).extension


def _is_number(number: Number) -> bool:
    return bool(_IS_NUMBER.fullmatch(number.number))


def _whole(asked: Number) -> set[str]:
    """Return the number with its country code, if it can have one only."""
    whole = asked.number if asked.number.startswith("+") else north_american(asked.number)
    return {whole} if whole else set()


def _number_meant(known: _Known, asked: Number) -> str:
    """Return the number through which a party was found: its phone number or its extension."""
    digits = asked.number.lstrip("+")
    by_phone = known.phone.number in _whole(asked) or known.phone.number.endswith(digits.lstrip("0"))
    return known.phone.number if by_phone or known.party.extension != digits else f"extension {digits}"


def _is_meant(asked: Number, known: Number, extension: str, whole: Mapping[str, str]) -> bool:
    """Return whether the known number is the asked one, or ends with its digits."""
    if not _is_number(known):
        return False
    if asked.extension is not None and asked.extension not in {known.extension, extension}:
        return False
    if whole[known.number] in _whole(asked):
        return True
    if asked.number.startswith("+"):
        return False
    digits, there = asked.number, known.number.lstrip("+")
    local = digits.lstrip("0")  # without the zero dialed before an area code
    return (len(digits) >= _SHORTEST_END and there.endswith(digits)) or (
        len(local) >= _SHORTEST_NUMBER and there.endswith(local)
    )
