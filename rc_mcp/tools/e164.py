"""The form of a phone number that RingCentral stores: E.164, a plus and at most 15 digits with the country code."""

import re

_TRUNK_ZERO = re.compile(r"\(0\)")
"""A zero that is only dialed within the country, as in +44 (0)20 7946 0000."""
_ABROAD = re.compile("00|011")
_NORTH_AMERICAN = re.compile("[2-9][0-9]{2}[2-9][0-9]{6}")
_WITH_COUNTRY = re.compile("[1-9][0-9]{6,14}")
_SURELY_WITH_COUNTRY = 11


def e164(number: str) -> str | None:
    """Return the number in E.164; None if it has no country code that can be known.

    A number of ten digits is taken as North American, where most of RingCentral's numbers are. With the prefix + or the
    prefixes 00 and 011, or with 11 to 15 digits, it begins with its country code. Short codes and names have no E.164.
    """
    digits = re.sub("[^0-9]", "", _TRUNK_ZERO.sub("", number))
    if re.search("[A-Za-z]", number):
        return None
    has_country = number.lstrip("(").startswith("+") or len(digits) >= _SURELY_WITH_COUNTRY
    if not has_country and _NORTH_AMERICAN.fullmatch(digits):
        return f"+1{digits}"
    if "+" not in number and (abroad := _ABROAD.match(digits)):
        digits, has_country = digits[abroad.end() :], True
    return f"+{digits}" if has_country and _WITH_COUNTRY.fullmatch(digits) else None
