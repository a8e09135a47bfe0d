"""Random secrets that open something to whoever has one. Only their digests are held."""

import hashlib
import secrets


def new_secret() -> str:
    """Return a secret of 256 random bits, as 43 characters that an address may have."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return the digest to look a secret up by: how long a comparison takes then says nothing about the secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()  # JSON can have half a character
