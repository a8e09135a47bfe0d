"""Telephone numbers compared as numbers, however they are written.

RingCentral usually sends E.164, but sometimes other forms, and operators write numbers in any form. A text can
therefore have several readings, and in doubt two numbers count as equal: this protects one message too many, never
one too few.

The `phonenumbers` library (9.0, 48 MB installed) is not used: it needs a country for any number without a plus, which
is not known here, and it answers "no match" when it cannot decide, which would not protect the number.
"""

import re
import unicodedata
from functools import lru_cache

from rc_mcp.views.dialing import COUNTRY_CODE

_WHOLE_DIGITS = 7
"""A number of this length or more may lack its first digits; a shorter one is an extension or a short code."""
_MAX_DIGITS, _MAX_NATIONAL_DIGITS = 15, 13
_NANP_DIGITS = 11
_NANP = re.compile(r"\(?(?:\+|00) ?1(?!1)")
_ONLY_INLAND = re.compile(rf"(36)06([0-9]{{7,}})|(52)1([0-9]{{10}})|(54)9([0-9]{{10}})|({COUNTRY_CODE})0([0-9]{{5,}})")
"""A country code and digits that are only dialed inland: a trunk zero (Hungary's is 06), and the prefixes of mobile
numbers in Mexico and Argentina."""
_IN_BRACKETS = re.compile(r"([0-9][^0-9]*)\((?:[0-9]|06)\)")
"""One digit in brackets within a number, as in +44 (0)20: usually dialed only inland."""
_ABROAD = re.compile(r"\(?\+|00|011")
"""The prefix of a number with a country code."""
_BEFORE = re.compile(r"^[^+0-9]*")
_BEHIND = re.compile(r"[^\W\d_]|[*#,;@]")
"""A letter or sign that ends the number: an extension or a host follows."""
_EXTENSION = re.compile(r"[0-9].*([*#x]|ext|;)", re.IGNORECASE)
_TWO = "write two numbers as two entries"


def number_fault(text: str) -> str | None:
    """Return why this text cannot be one number, for the operator who wrote it; None if it can."""
    number = re.sub(r"^tel:", "", _plain(text), flags=re.IGNORECASE)
    if _EXTENSION.search(number):
        return "write a number and its extension as two entries"
    if re.search(r"[^\W\d_]", number):
        return "it contains letters"
    if number.rfind("+") > 1 or re.search(r"[0-9].*[,&|].*[0-9]", number):
        return _TWO
    if not re.fullmatch(r"\(?\+?[0-9 ().\-/]*[0-9][ ).]*", number):
        return "it contains characters that no phone number has"
    return _slash_fault(number) or _digits_fault(number)


def readings(text: str) -> frozenset[str]:
    """Return every number that this text may mean, as digits without leading zeros and without an extension."""
    return _readings(text[:100])  # text from a sender may have any length


def may_be_same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether two results of `readings` may be the same number. Either may lack its first digits."""
    return any(_same(a, b) for a in one for b in other)


def _same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long if len(short) < _WHOLE_DIGITS else long.endswith(short)


@lru_cache(maxsize=4096)
def _readings(text: str) -> frozenset[str]:
    plain = _plain(text)
    number = _BEHIND.split(_BEFORE.sub("", plain, count=1), maxsplit=1)[0]
    found = {_digits(number), _digits(_IN_BRACKETS.sub(r"\1", number))}
    if "+" not in number:  # it may begin with the prefix 011, or Australia's 0011
        found |= {digits[2:] for digits in found if digits.startswith("11") and len(digits) > _NANP_DIGITS}
    for digits in tuple(found):
        shortened = _ONLY_INLAND.fullmatch(digits)
        if shortened and (_ABROAD.match(number) or len(digits) >= _NANP_DIGITS):
            found.add("".join(part for part in shortened.groups() if part))
        if re.fullmatch("8[0-9]{10}", digits):
            found.add(digits[1:])  # Russia's 8, dialed inland instead of +7
    return frozenset(found - {""})


def _plain(text: str) -> str:
    """Return the text with digits, dashes, brackets and spaces of all scripts as ASCII."""
    return re.sub(r"\s+", " ", "".join(map(_ascii, unicodedata.normalize("NFKC", text)))).strip()


def _ascii(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    category = unicodedata.category(sign)
    if category in {"Cf", "Mn"}:
        return ""  # invisible
    if category == "Pd":
        return "-"
    return {"\u2212": "-", "\u2044": "/", "\u2215": "/", "[": "(", "]": ")"}.get(sign, sign)


def _digits(number: str) -> str:
    return re.sub(r"[^0-9]", "", number).lstrip("0")


def _slash_fault(number: str) -> str | None:
    """Return a fault if a slash or hyphen separates two numbers.

    A slash may follow an area code, as in 030/1234567; elsewhere it separates two numbers. So does a hyphen before a
    last group that is shorter than the group before, if the number is long enough.
    """
    *before, last = number.split("/")
    written = _digits(_IN_BRACKETS.sub(r"\1", "".join(before)))
    longest_code = 8 if _ABROAD.match(number) else 6
    if before and (len(written) > longest_code or len(_digits(last)) < 3):
        return _TWO
    groups = re.fullmatch(r"(.*?([0-9]+)[ ).]*)-+ *([0-9]+)", number)
    if groups and len(_digits(groups[1])) >= 10 and len(groups[3]) < len(groups[2]):
        return _TWO
    return None


def _digits_fault(number: str) -> str | None:
    lengths = {len(digits) for digits in _readings(number)}
    shortest = min(lengths, default=0)
    if shortest < _WHOLE_DIGITS and not re.fullmatch(r"[1-9][0-9]*", number):
        return "it is too short; an extension number has only digits"
    if shortest > (_MAX_DIGITS if _ABROAD.match(number) else _MAX_NATIONAL_DIGITS):
        return "it is longer than any phone number"
    if _NANP.match(number) and _NANP_DIGITS not in lengths:
        return "a number after +1 has ten digits"
    return None
