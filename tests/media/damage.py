"""Ways to damage a file, each with a generator of random numbers, so that the same seed gives the same damage."""

import random


def flipped(data: bytes, by: random.Random) -> bytes:
    """Put random bytes in place of some."""
    out = bytearray(data)
    for _ in range(by.choice([1, 5, 50])):
        out[by.randrange(len(out))] = by.randrange(256)
    return bytes(out)


def cut(data: bytes, by: random.Random) -> bytes:
    """Leave out the end, or something within."""
    start, end = sorted(by.sample(range(len(data)), 2))
    return data[:start] if by.random() < 0.5 else data[:start] + data[end:]


def doubled(data: bytes, by: random.Random) -> bytes:
    """Repeat a part, once or three times."""
    start, end = sorted(by.sample(range(len(data)), 2))
    return data[:end] + data[start:end] * by.choice([1, 3]) + data[end:]
