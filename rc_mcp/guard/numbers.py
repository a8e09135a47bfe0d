"""Telephone numbers compared as numbers, however they are written.

RingCentral sends E.164 as a rule, now and then something else, and people write what is printed on a card. A text may
therefore be read in several ways, and a doubt counts as the same number: it protects one message too many, never one
too few.

Own code, because the `phonenumbers` library (9.0, 48 MB installed) has to be told a country for any number without a
plus, which nobody knows here; it says "no match" where it cannot decide, and that would protect nobody.
"""

import re
import unicodedata
from functools import lru_cache

_WHOLE_DIGITS = 7
"""From here on a number can be one that misses its first digits; a shorter one is an extension or a short code."""
_MAX_DIGITS, _MAX_NATIONAL_DIGITS = 15, 13
_NANP_DIGITS = 11
_NANP = re.compile(r"\(?(?:\+|00) ?1(?!1)")
_COUNTRY = r"(?>[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9][0-9]{2})"
"""ITU country codes: no code is the beginning of another one, so the first alternative that fits is the code."""
_ONLY_INLAND = re.compile(rf"(36)06([0-9]{{7,}})|(52)1([0-9]{{10}})|(54)9([0-9]{{10}})|({_COUNTRY})0([0-9]{{5,}})")
"""A country code and what is not dialled from abroad: a trunk zero (Hungary's is 06), and what Mexico and Argentina
put before mobile numbers."""
_IN_BRACKETS = re.compile(r"([0-9][^0-9]*)\((?:[0-9]|06)\)")
"""One digit in brackets within a number, as in +44 (0)20: dialled only inland, as a rule."""
_ABROAD = re.compile(r"\(?\+|00|011")
"""How a number with its country code begins."""
_BEFORE = re.compile(r"^[^+0-9]*")
_BEHIND = re.compile(r"[^\W\d_]|[*#,;@]")
"""With a letter or one of these begins what is no part of the number: an extension, a host."""
_EXTENSION = re.compile(r"[0-9].*([*#x]|ext|;)", re.IGNORECASE)
_TWO = "two numbers take two entries"


def number_fault(text: str) -> str | None:
    """Why this text cannot be one number, in words for whoever wrote it; None if it can."""
    number = re.sub(r"^tel:", "", _plain(text), flags=re.IGNORECASE)
    if _EXTENSION.search(number):
        return "a number and its extension take an entry each"
    if re.search(r"[^\W\d_]", number):
        return "it has letters"
    if number.rfind("+") > 1 or re.search(r"[0-9].*[,&|].*[0-9]", number):
        return _TWO
    if not re.fullmatch(r"\(?\+?[0-9 ().\-/]*[0-9][ ).]*", number):
        return "it has signs that no number has"
    return _slash_fault(number) or _digits_fault(number)


def readings(text: str) -> frozenset[str]:
    """Every number that this text may mean: digits without prefixes of zeros, without an extension behind them."""
    return _readings(text[:100])  # a stranger's text has no bound


def may_be_same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two results of `readings` may be one number: one may lack its first digits."""
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
            found.add(digits[1:])  # Russia's 8, dialled inland in place of +7
    return frozenset(found - {""})


def _plain(text: str) -> str:
    """The same in ASCII where a sign has a likeness there, whatever script, width, dash or space it is written in."""
    return re.sub(r"\s+", " ", "".join(map(_ascii, unicodedata.normalize("NFKC", text)))).strip()


def _ascii(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    category = unicodedata.category(sign)
    if category in {"Cf", "Mn"}:
        return ""  # not seen
    if category == "Pd":
        return "-"
    return {"\u2212": "-", "\u2044": "/", "\u2215": "/", "[": "(", "]": ")"}.get(sign, sign)


def _digits(number: str) -> str:
    return re.sub(r"[^0-9]", "", number).lstrip("0")


def _slash_fault(number: str) -> str | None:
    """A slash may stand behind an area code, as in 030/1234567. Anywhere else it stands between two numbers.

    So does a hyphen before a last group that is shorter than the one before, once the number is long enough.
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
        return "it is too short; an extension number is digits alone"
    if shortest > (_MAX_DIGITS if _ABROAD.match(number) else _MAX_NATIONAL_DIGITS):
        return "it is longer than any number"
    if _NANP.match(number) and _NANP_DIGITS not in lengths:
        return "behind +1 there are ten digits"
    return None
