"""Canaries: words, numbers and secrets that belong to one user, and must never reach another one.

Everything that a replica says is cut into runs of letters and digits, and each run is looked up: that finds a canary in
any header, body, event, error or log line, whatever is around it. What is Base64, as pictures and recordings are in an
answer, is decoded first.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Iterator

LEAST = 10
"""The shortest canary. Shorter runs, such as years and counts, belong to nobody."""
_RUN = re.compile(rb"[0-9A-Za-z]{10,}")
_NATIONAL = re.compile(rb"\(([0-9]{3})\) ?([0-9]{3})-([0-9]{4})")
_BASE64 = re.compile(rb"[0-9A-Za-z+/]{48,}={0,2}")


class Canaries:
    """Whose each canary is, by number of the user."""

    def __init__(self) -> None:
        self._owner: dict[bytes, int] = {}

    def plant(self, owner: int, *texts: str) -> None:
        """Make each run of these texts a canary of this user. One that somebody else has is nobody's."""
        for text in texts:
            for run in _RUN.findall(text.encode()):
                if self._owner.setdefault(run, owner) != owner:
                    self._owner[run] = -1

    def runs(self, text: str) -> Iterator[bytes]:
        """Yield the canaries in a text."""
        return (run for run in _RUN.findall(text.encode()) if self._owner.get(run, -1) >= 0)

    def others(self, said: bytes, reader: int, carried: Iterable[bytes] = ()) -> list[tuple[int, str]]:
        """Return the canaries of others in what was said to a reader, with their owners.

        Args:
            reader: the user it was said to; a number that nobody has finds everyone's.
            carried: what the reader sent itself, which an answer may repeat.
        """
        found: list[tuple[int, str]] = []
        for run in self._runs_in(said):
            owner = self._owner.get(run, -1)
            if owner not in {-1, reader} and run not in carried:
                found.append((owner, run.decode()))
        return found

    def _runs_in(self, said: bytes) -> Iterator[bytes]:
        yield from _RUN.findall(said)
        for parts in _NATIONAL.findall(said):
            yield b"1" + b"".join(parts)
        for encoded in _BASE64.findall(said):
            for start in range(4 if len(encoded) > 400 else 1):  # a longer run may have swallowed what is before it
                yield from _RUN.findall(_decoded(encoded[start:]))


def _decoded(encoded: bytes) -> bytes:
    bare = encoded.rstrip(b"=")
    try:
        return b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + b"=" * (-len(bare) % 4))
    except (Error, ValueError):
        return b""
