"""The query language, as mail programs have it.

    referral "lower back" -invoice from:quillmere (type:fax OR type:voicemail) after:2026-11-01

Words that stand side by side must all be there; OR between two terms needs one of them, and binds closer, as in Gmail.
A query is read completely, with its dates and names of operators checked, before anything is searched.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from difflib import get_close_matches

from rc_mcp.mirror.dates import period, span_start
from rc_mcp.mirror.documents import DELETED, FROM, TO, type_tag
from rc_mcp.mirror.errors import QueryError
from rc_mcp.mirror.folding import words

MAX_CHARS = 1_000
MAX_TERMS = 60
MAX_DEPTH = 8


@dataclass(frozen=True)
class Words:
    """Words that follow each other in a text or a name. With `prefix` the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True)
class Tagged:
    """A property of the message, such as its type: one of these."""

    tags: tuple[str, ...]


@dataclass(frozen=True)
class People:
    """A sender or recipient: a part of a name, a number in any written form, its last digits, or an extension."""

    roles: tuple[str, ...]
    value: str
    numbers_only: bool = False


@dataclass(frozen=True)
class Created:
    """Created at `since_ms` or later, and before `until_ms`."""

    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True)
class All:
    """Every message."""


@dataclass(frozen=True)
class And:
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Or:
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    part: "Node"


Node = Words | Tagged | People | Created | All | And | Or | Not

_TAGS: dict[str, dict[str, Node]] = {
    "type": {
        "voicemail": Tagged((type_tag("VoiceMail"),)),
        "fax": Tagged((type_tag("Fax"),)),
        "sms": Tagged((type_tag("SMS"),)),
        "mms": Tagged(("mms",)),
        "text": Tagged((type_tag("SMS"), type_tag("Text"))),
        "pager": Tagged((type_tag("Pager"),)),
    },
    "in": {"inbox": Tagged(("inbound",)), "sent": Tagged(("outbound",)), "anywhere": All()},
    "is": {name: Tagged((name,)) for name in ("unread", "read", DELETED)},
    "has": {name: Tagged((name,)) for name in ("attachment", "transcript", "pages", "picture")},
}
_PEOPLE = {"from": (FROM,), "to": (TO,), "with": (FROM, TO), "number": (FROM, TO)}
_DATES = ("before", "after", "newer_than", "older_than", "date", "during")
OPERATORS = (*_PEOPLE, *_TAGS, *_DATES)

_OPERATOR = re.compile(r"([A-Za-z][A-Za-z_]*):")
_QUOTED = re.compile(r'["\u201c\u201d\u201e](.*?)(?:["\u201c\u201d]|$)', re.DOTALL)
_PHONE = re.compile(
    r"(?:(?:\+?1[ .-]?)?\(\d{3}\) ?\d{3}[ .-]?\d{4}|\+1[ .-]?\d{3}[ .-]?\d{3}[ .-]?\d{4}"
    r"|(?:1[ .-])?\d{3}[ .-]\d{3}[ .-]\d{4}|\+(?!1)\d[\d ().\-/]{5,24}\d)(?:,? ?(?:ext\.?|x) ?\d{1,6})?(?=[\s)]|$)",
    re.ASCII | re.IGNORECASE,
)
"""A number that is written with spaces or brackets, which otherwise would end a word. Only that of North America has a
known length, so digits after another one seem to belong to it."""
_DIGITS_WANTED = 3
_DIGITS_OF_A_NUMBER = 7


def parse(query: str, now: datetime, zone: tzinfo) -> Node:
    """Return the meaning of a query.

    Raises:
        QueryError: it has an unknown operator, a value that an operator does not take, or nothing to search for.
    """
    if len(query) > MAX_CHARS:
        raise QueryError(f"The query has {len(query):,} characters; at most {MAX_CHARS:,} are searched.")
    found = _Parser(query, now, zone).all_of()
    if found is None:
        raise QueryError(
            "The query has no word and no operator. in:anywhere finds every message; type:fax, for example, every fax."
        )
    return found


def leaves(node: Node) -> Iterable[tuple[Node, bool]]:
    """Return the terms of a query, and whether each is wanted (otherwise it is excluded)."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from ((leaf, not wanted) for leaf, wanted in leaves(part))
        case _:
            yield node, True


class _Parser:
    """Reads a query from left to right. A term without a letter, digit or symbol is None, and is ignored."""

    def __init__(self, query: str, now: datetime, zone: tzinfo) -> None:
        self._text, self._at, self._depth, self._terms = query, 0, 0, 0
        self._now, self._zone = now, zone

    def all_of(self, operator: str | None = None) -> Node | None:
        """Read up to the end of the query or of this group. In a group after an operator, all are its values."""
        parts: list[Node | None] = []
        while self._skip_spaces() and not (self._depth and self._looking_at(")")):
            if self._word_is("AND"):
                self._at += len("AND")
                continue
            parts.append(self._any_of(operator))
        return _joined(And, parts)

    def _any_of(self, operator: str | None) -> Node | None:
        if self._word_is("OR"):
            raise QueryError("OR needs a term on both sides.")
        parts = [self._term(operator)]
        while self._skip_spaces() and self._word_is("OR"):
            self._at += len("OR")
            if not self._skip_spaces() or self._looking_at(")") or self._word_is("OR") or self._word_is("AND"):
                raise QueryError("OR needs a term on both sides.")
            parts.append(self._term(operator))
        return _joined(Or, parts)

    def _term(self, operator: str | None) -> Node | None:
        if self._word_is("NOT"):
            self._at += len("NOT")
            self._skip_spaces()
            excluded = self._term(operator) if self._at < len(self._text) else None
            return Not(excluded) if excluded else None
        if self._looking_at("-"):
            self._at += 1
            excluded = self._positive(operator)
            return Not(excluded) if excluded else None
        return self._positive(operator)

    def _positive(self, operator: str | None) -> Node | None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise QueryError(f"The query has more than {MAX_TERMS} terms.")
        if operator:
            return self._group(operator) if self._looking_at("(") else self._field(operator)
        if (phone := _PHONE.match(self._text, self._at)) is None and self._looking_at("("):
            return self._group(None)
        if phone:
            self._at = phone.end()
            return _text(phone[0])
        if quoted := _QUOTED.match(self._text, self._at):
            self._at = quoted.end()
            return _text(quoted[1])
        if name := self._operator():
            if not _PHONE.match(self._text, self._at) and self._looking_at("("):
                return self._group(name)
            return self._field(name)
        return _word(self._rest_of_word())

    def _group(self, operator: str | None) -> Node | None:
        if self._depth == MAX_DEPTH:
            raise QueryError(f"The query has more than {MAX_DEPTH} brackets inside each other.")
        self._at += 1
        self._depth += 1
        found = self.all_of(operator)
        self._depth -= 1
        self._at += 1  # the closing bracket; at the end of the query it may be missing
        return found

    def _operator(self) -> str | None:
        """Read the name of an operator. A colon before a space, a slash or a colon is none: `note: 10:30, https://x`."""
        found = _OPERATOR.match(self._text, self._at)
        if not found:
            return None
        name, after = found[1].lower(), self._text[found.end() : found.end() + 1]
        if name in OPERATORS:
            if not after or after.isspace():
                raise QueryError(
                    f'{name}: needs a value right after the colon, in quotes if it has spaces: {name}:"..."'
                )
            self._at = found.end()
            return name
        if not after or after.isspace() or after in "/\\:)":
            return None
        nearest = get_close_matches(name, OPERATORS, n=1, cutoff=0)[0]
        raise QueryError(
            f'"{name[:40]}:" is not an operator; the nearest is {nearest}:. Operators are {_listed(OPERATORS, ":")}. '
            "To search for text with a colon, put it in quotes."
        )

    def _field(self, operator: str) -> Node | None:
        value = self._value(operator)
        if not value.strip():
            raise QueryError(f"{operator}: needs a value.")
        if values := _TAGS.get(operator):
            if (found := values.get(value.strip().lower())) is None:
                raise QueryError(f"{operator}: takes {_listed(values)}.")
            return found
        if roles := _PEOPLE.get(operator):
            return _people(operator, roles, value)
        return self._created(operator, value.strip())

    def _value(self, operator: str) -> str:
        found = _PHONE.match(self._text, self._at) if operator in _PEOPLE else None
        if found:
            self._at = found.end()
            return found[0]
        if quoted := _QUOTED.match(self._text, self._at):
            self._at = quoted.end()
            return quoted[1]
        return self._rest_of_word()

    def _created(self, operator: str, value: str) -> Node:
        match operator:
            case "newer_than":
                return Created(since_ms=span_start(operator, value, self._now))
            case "older_than":
                return Created(until_ms=span_start(operator, value, self._now))
            case "after":
                return Created(since_ms=self._period(operator, value)[0])
            case "before":
                return Created(until_ms=self._period(operator, value)[0])
            case _:
                first, _, last = value.partition("..")
                since = self._period(operator, first)[0] if first or not last else None
                until = self._period(operator, last or first)[1] if last or ".." not in value else None
                return Created(since, until)

    def _period(self, operator: str, value: str) -> tuple[int, int]:
        return period(operator, value, self._now, self._zone)

    def _rest_of_word(self) -> str:
        end = self._at
        while end < len(self._text) and not self._text[end].isspace() and not (self._depth and self._text[end] == ")"):
            end += 1
        word, self._at = self._text[self._at : end], end
        return word

    def _skip_spaces(self) -> bool:
        """Return whether anything follows."""
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at < len(self._text)

    def _looking_at(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _word_is(self, word: str) -> bool:
        after = self._text[self._at + len(word) : self._at + len(word) + 1]
        return self._looking_at(word) and (not after or after.isspace() or after in "()")


def _joined(kind: Callable[[tuple[Node, ...]], Node], parts: Iterable[Node | None]) -> Node | None:
    terms = tuple(part for part in parts if part is not None)
    return kind(terms) if len(terms) > 1 else next(iter(terms), None)


def _word(text: str) -> Node | None:
    begins, star, after = text.partition("*")
    if not star:
        return _text(text)
    if after.strip("*") or not words(begins):
        raise QueryError(
            "A * can only end a word, as in refer*. in:anywhere finds every message; in quotes a * is ignored."
        )
    return Words(tuple(words(begins)), prefix=True)


def _text(text: str) -> Node | None:
    found = tuple(words(text))
    if not found:
        return None
    digits = sum(sign.isdecimal() for sign in text)
    if digits >= _DIGITS_OF_A_NUMBER and not any(sign.isalpha() for sign in text):
        return Or((Words(found), People((FROM, TO), text, numbers_only=True)))
    return Words(found)


def _people(operator: str, roles: tuple[str, ...], value: str) -> Node:
    if operator == "number":
        if sum(sign.isdecimal() for sign in value) < _DIGITS_WANTED:
            raise QueryError(f"number: needs a phone number, or at least its last {_DIGITS_WANTED} digits.")
        return People(roles, value, numbers_only=True)
    if value.strip().lower() == "me" and operator in {"from", "to"}:
        return Tagged(("outbound" if operator == "from" else "inbound",))
    if not words(value):
        raise QueryError(f"{operator}: needs a name, a part of a name, or a phone number.")
    return People(roles, value)


def _listed(names: Iterable[str], end: str = "") -> str:
    *most, last = (name + end for name in names)
    return f"{', '.join(most)} or {last}"
