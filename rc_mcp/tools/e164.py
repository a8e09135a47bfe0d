"""The form of a phone number that RingCentral stores: E.164, a plus and at most 15 digits with the country code."""

import re

from rc_mcp.views.dialing import dialed, north_american

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SURELY_WITH_COUNTRY = 11
"""Of a number without a prefix. It does not hold for numbers that begin with a zero."""


def e164(number: str) -> str | None:
    """Return the number in E.164; None if it has no country code that can be known.

    A number of ten digits is taken as North American, where most of RingCentral's numbers are. With the prefix + or the
    prefixes 00 and 011, or with 11 to 15 digits, it begins with its country code. Short codes and names have no E.164.
    """
    digits = dialed(number).number
    if digits.isdecimal():
        if known := north_american(digits):
            return known
        # Other numbers that begin with 1 are those of a country without its code, such as São Paulo's 11.
        has_country = len(digits) >= _SURELY_WITH_COUNTRY and digits[0] not in "01"
        digits = f"+{digits}" if has_country else digits
    return digits if _E164.fullmatch(digits) else None
