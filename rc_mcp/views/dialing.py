"""Phone numbers as people and phone systems write them, without the knowledge of the caller's country.

A country code is read only where it is certain. `guard/policy/phone_numbers.py` decides the other way, because in doubt
it protects, and says why the `phonenumbers` library is not used.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

_MAX_CHARS = 100
"""A number from a record may have any length."""
_NUMBER = re.compile(
    r"(?:tel:|sips?:)?(\(?(?:\+ ?)?[0-9][0-9 ().\-/]*)(?:(?:ext|x|[*#,;])(?P<extension>.*)|@.*)?", re.IGNORECASE
)
_SHORTEST_ABROAD = {"0011": 14, "00": 11, "011": 13}
"""Prefixes before a country code, and how many digits such a number has at least: Leeds has numbers with 011 too.
Australia dials 0011: no number after 00 begins with 11."""
_NORTH_AMERICAN = re.compile("1?([2-9][0-9]{2}[2-9][0-9]{6})")
_LOCAL_DIGITS = 7
"""A number of this length or more may lack its country or area code; a shorter one is an extension or a short code."""
COUNTRY_CODE = r"(?>[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9][0-9]{2})"
"""The pattern of ITU country codes: no code is a prefix of another, so the first alternative that fits is the code."""
_MISSING = re.compile(rf"{COUNTRY_CODE}0?|1[2-9][0-9]{{2}}")
"""Digits that a number may lack at its beginning: an ITU country code (Italy keeps the zero after it), or in North
America that and the area code."""
_DOTS = "\u00b7\u2022\u2027"


class Number(NamedTuple):
    """A phone number, or another sender."""

    number: str
    """Digits, with a plus before a country code; another sender as text in small letters."""
    extension: str | None = None


def dialed(text: str) -> Number:
    """Return the number that this text spells, and the extension behind it."""
    return _dialed(text[:_MAX_CHARS])


@lru_cache(1_024)  # reading a number is slow, and a mailbox has few of them
def _dialed(text: str) -> Number:
    plain = "".join(map(_ascii, unicodedata.normalize("NFKC", text))).strip()
    found = _NUMBER.fullmatch(plain)
    if not found:
        return Number(plain.casefold())
    extension = re.search("[0-9]+", found["extension"] or "")
    return Number(_with_plus(found[1]), extension[0] if extension else None)


def north_american(number: str) -> str | None:
    """Return a number of North America in E.164 if these digits can be one, with or without the country code 1."""
    found = _NORTH_AMERICAN.fullmatch(number)
    return f"+1{found[1]}" if found else None


def with_country_codes(numbers: Iterable[str]) -> dict[str, str]:
    """Return each number of `Number` with its country code, if that is certain; otherwise without zeros dialed first.

    A number without a country code means the only other number that ends with it.
    """
    meant: dict[str, str] = {}
    by_end: dict[str, list[str]] = defaultdict(list)
    for number in sorted(numbers, key=lambda number: not number.startswith("+")):
        digits = number.lstrip("0")
        if number.startswith("+"):
            meant[number] = number
            by_end[number[-_LOCAL_DIGITS:]].append(number)
        elif digits.isdecimal() and len(digits) >= _LOCAL_DIGITS:
            found = [whole for whole in by_end[digits[-_LOCAL_DIGITS:]] if _may_lack_its_beginning(digits, whole)]
            meant[number] = found[0] if len(found) == 1 else digits
        else:
            meant[number] = number
    return meant


def _may_lack_its_beginning(local: str, whole: str) -> bool:
    """Return whether these digits without a country code may be the number `whole`, which has one."""
    return whole.endswith(local) and bool(_MISSING.fullmatch(whole, 1, len(whole) - len(local)))


def _with_plus(written: str) -> str:
    is_abroad = "+" in written
    digits = re.sub("[^0-9]", "", written.replace("(0)", "") if is_abroad or written.startswith("00") else written)
    if is_abroad:
        return f"+{digits}"
    for prefix, shortest in _SHORTEST_ABROAD.items():
        if digits.startswith(prefix) and len(digits) >= shortest:
            return f"+{digits.removeprefix(prefix)}"
    return (north_american(digits) if digits.startswith("1") else None) or digits


def _ascii(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    if sign in _DOTS:
        return "."
    category = unicodedata.category(sign)
    return "" if category == "Cf" else "-" if category == "Pd" else " " if category == "Zs" else sign
