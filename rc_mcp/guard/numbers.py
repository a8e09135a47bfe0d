"""Telephone numbers compared as numbers, however they are written.

RingCentral sends E.164 as a rule, now and then something else, and people write what they dial. Own code, because a
parser of numbering plans has to know the country, and where it is wrong a protected person is not protected. Here a
doubt counts as the same number: one that ends in the other is that one without its country or area code.
"""

import re
import unicodedata

_WRITTEN = re.compile(r"\+?[0-9(][0-9 ().\-/\u2010-\u2015]{0,30}")
_EXTENSION = re.compile(r"[*#,;x]|ext", re.IGNORECASE)
_WHOLE_DIGITS = 7
"""From here on a number can be one that misses its first digits; a shorter one is an extension or a short code."""


def is_number(text: str) -> bool:
    """Whether this is written as a number, of the outside world or of an extension."""
    return bool(_WRITTEN.fullmatch(text)) and len(number_of(text)) in range(1, 16)


def number_of(text: str) -> str:
    """Its digits, without prefixes of zeros and without an extension behind it. Empty when it has none."""
    # A stranger's text has no bound.
    main = _EXTENSION.split(unicodedata.normalize("NFKC", text[:100]), maxsplit=1)[0]
    return "".join(str(unicodedata.decimal(c)) for c in main if c.isdecimal()).lstrip("0")


def same_number(one: str, other: str) -> bool:
    """Whether two results of `number_of` may be one number."""
    short, long = sorted((one, other), key=len)
    return short == long if len(short) < _WHOLE_DIGITS else long.endswith(short)
