"""Sealing what the database keeps secret, with a ring of keys: the first seals, all open.

To change the key, add a new one at the end and start each replica again, so that all can open what it seals. Then put
it in front, and start each again; take the old one away once nothing that it sealed is needed. What a missing key
sealed cannot be opened, and counts as lost.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class NotOpened(Exception):  # noqa: N818  a state
    """What was sealed cannot be opened: it was changed, made for something else, or its key is not in the ring."""


class KeyRing:
    """Seals and opens bytes. Each purpose has keys of its own, so that nothing sealed for one opens for another."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._by_purpose: dict[str, MultiFernet] = {}

    def __repr__(self) -> str:
        return f"KeyRing({len(self._keys)} keys)"

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """Encrypt and authenticate."""
        return self._for(purpose).encrypt(plain)

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Return what was sealed for this purpose.

        Raises:
            NotOpened: that is not possible.
        """
        try:
            return self._for(purpose).decrypt(sealed)
        except InvalidToken:
            raise NotOpened from None

    def derived(self, purpose: str) -> list[bytes]:
        """Return a key of 32 bytes for each of the ring, for a library that seals by itself."""
        return [_derived(key, purpose) for key in self._keys]

    def _for(self, purpose: str) -> MultiFernet:
        if purpose not in self._by_purpose:
            made = [Fernet(urlsafe_b64encode(key)) for key in self.derived(purpose)]
            self._by_purpose[purpose] = MultiFernet(made)
        return self._by_purpose[purpose]


def _derived(key: str, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"rc-mcp/{purpose}".encode()).derive(key.encode())
