"""Ids that look like RingCentral's and are the same at each start.

They are not secret, so a seeded generator is enough: the same seed and order give the same ids.
"""

import random

FIRST_ID = 2_406_000_000_008


def next_id(seed: int, last: int) -> int:
    """Return the id after `last`: later messages have greater ids, with uneven gaps as in a shared sequence."""
    return last + 1_000 * random.Random(f"{seed}/{last}").randrange(3, 9_000)  # noqa: S311


def conversation_id(seed: int, key: str) -> int:
    """Return a 19-digit id, too large for a JavaScript number to be exact, as many real conversation ids are."""
    return random.Random(f"{seed}/conversation/{key}").randrange(10**18, 9 * 10**18) | 1  # noqa: S311


def token(seed: int, purpose: str, length: int) -> str:
    """Return a credential of letters and digits, the same each time so that a saved configuration stays valid."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(random.Random(f"{seed}/{purpose}").choices(letters, k=length))  # noqa: S311
