"""Ids that look like RingCentral's and come out the same at each start.

Nothing here is secret, so a seeded generator is what is wanted: the same seed and the same order give the
same ids.
"""

import random

FIRST_ID = 2_406_000_000_008


def next_id(seed: int, last: int) -> int:
    """The id after `last`: later messages have greater ids, with uneven gaps as in a shared sequence."""
    return last + 1_000 * random.Random(f"{seed}/{last}").randrange(3, 9_000)  # noqa: S311


def conversation_id(seed: int, key: str) -> int:
    """Nineteen digits, beyond what a JavaScript number holds exactly, as many real conversation ids are."""
    return random.Random(f"{seed}/conversation/{key}").randrange(10**18, 9 * 10**18) | 1  # noqa: S311


def token(seed: int, purpose: str, length: int) -> str:
    """Letters and digits for a credential, the same each time so that a saved configuration stays good."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(random.Random(f"{seed}/{purpose}").choices(letters, k=length))  # noqa: S311
