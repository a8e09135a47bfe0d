"""Messages grouped by the person or group on the other side, however the number is spelled.

RingCentral sends the same number as `(650) 555-0118` and as `+16505550118`. Two spellings are one person only where
that is certain; otherwise a sender who waits would count as answered. `guard/policy/phone_numbers.py` decides the other
way, because in doubt it protects, and says why the `phonenumbers` library is not used.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from rc_mcp.ringcentral import Message
from rc_mcp.views.untrusted_text import who

_MAX_CHARS = 100
"""A number from a record may have any length."""
_LOCAL_DIGITS = 7
"""A number of this length or more may lack its country or area code; a shorter one is an extension or a short code."""
_NUMBER = re.compile(r"(?:tel:)?(\(?\+?[0-9][0-9 ().\-/]*)(?:(?:ext|x|[*#,;@]).*)?", re.IGNORECASE)
_SHORTEST_ABROAD = {"00": 11, "011": 13}
"""Prefixes before a country code, and how many digits such a number has at least: Leeds has numbers with 011 too."""


def by_partner(messages: Sequence[Message]) -> list[list[Message]]:
    """Group the messages by partner, in the given order. A partner is one number, or one conversation."""
    persons = _persons({_spelling(c.phone_number) for m in messages for c in m.other_side if c.phone_number})
    keys = [_keys(message, persons) for message in messages]
    same_as: dict[str, str] = {}

    def first(key: str) -> str:
        while key in same_as:
            key = same_as[key]
        return key

    for key, *others in keys:
        for other in others:
            if first(other) != first(key):
                same_as[first(other)] = first(key)
    found: dict[str, list[Message]] = {}
    for message, (key, *_) in zip(messages, keys, strict=True):
        found.setdefault(first(key), []).append(message)
    return list(found.values())


def _keys(message: Message, persons: Mapping[str, str]) -> list[str]:
    """Return the person and the conversation of a message; the shown names if it has neither."""
    conversation = [f"conversation {message.conversation_id}"] if message.conversation_id else []
    others = {
        persons[_spelling(c.phone_number)] if c.phone_number else c.extension_number for c in message.other_side
    } - {None}
    is_group = len(message.to) > 1 and bool(conversation)
    person = [f"person {other}" for other in others] if len(others) == 1 and not is_group else []
    return person + conversation or [f"name {who(message)}"]


def _persons(spellings: Iterable[str]) -> dict[str, str]:
    """Return the digits that each spelling means.

    A number without a country code means the only other number that ends with it.
    """
    meant: dict[str, str] = {}
    for spelling in sorted(spellings, key=lambda s: (not s.startswith("+"), -len(s))):
        digits = spelling.removeprefix("+")
        longer: set[str] = set()
        if not spelling.startswith("+") and digits.isdecimal() and len(digits) >= _LOCAL_DIGITS:
            longer = {known for known in meant.values() if known.endswith(digits)}
        meant[spelling] = digits if digits in longer or len(longer) != 1 else longer.pop()
    return meant


def _spelling(number: str) -> str:
    """Return a number as digits, with a plus before a country code; another sender as text in small letters."""
    plain = "".join(map(_ascii, unicodedata.normalize("NFKC", number[:_MAX_CHARS]))).strip()
    found = _NUMBER.fullmatch(plain)
    if not found:
        return plain.casefold()
    is_abroad = "+" in found[1]
    digits = re.sub("[^0-9]", "", found[1].replace("(0)", "") if is_abroad else found[1])
    if is_abroad:
        return f"+{digits}"
    for prefix, shortest in _SHORTEST_ABROAD.items():
        if digits.startswith(prefix) and len(digits) >= shortest:
            return f"+{digits.removeprefix(prefix)}"
    return digits.lstrip("0") or digits


def _ascii(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    category = unicodedata.category(sign)
    return "" if category == "Cf" else "-" if category == "Pd" else " " if category == "Zs" else sign
