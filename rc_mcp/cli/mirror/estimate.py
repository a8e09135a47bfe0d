"""How long the feed takes at RingCentral's published limits. Other programs with its login use them too."""

from math import ceil

from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.budgets import ASSUMED

LISTS_A_MINUTE, TEXTS_A_MINUTE = ASSUMED["light"], ASSUMED["medium"]


def listing_s(messages: int) -> float:
    """Return the seconds to list so many messages."""
    return ceil(messages / LIMITS.records_per_page) * 60 / LISTS_A_MINUTE


def texts_s(attachments: int) -> float:
    """Return the seconds to fetch so many attachments, one with each request."""
    return attachments * 60 / TEXTS_A_MINUTE


def duration(seconds: float) -> str:
    """Return a time in words: `about 8 h 20 min`, `about 3 min`, `less than a minute`."""
    minutes = ceil(seconds / 60)
    if seconds < 60:
        return "less than a minute"
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours:,} h"] if hours else []
    return " ".join(["about", *parts, *([f"{rest} min"] if rest else [])])


def many(n: int, noun: str) -> str:
    """Return `1 message`, `12,000 messages`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
