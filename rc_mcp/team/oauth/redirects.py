"""Redirect URIs: which may be registered, when two are the same, and how an answer is added to one."""

import re
from urllib.parse import urlencode, urlsplit

from pydantic import AnyUrl, ValidationError

MOST_CHARS = 2_048
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_RUN_OR_READ = {
    "about",
    "blob",
    "chrome",
    "data",
    "file",
    "filesystem",
    "ftp",
    "javascript",
    "vbscript",
    "view-source",
    "ws",
    "wss",
}
"""Schemes that no app of its own handles. A browser would run them, or read files for them."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)
_CHARS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)
"""Those of RFC 3986. Browsers read a backslash as a slash, and so would see another host than Python does."""


def fault_of(uri: str) -> str | None:
    """Return why this cannot be a redirect URI, or None."""
    if len(uri) > MOST_CHARS or not _CHARS.fullmatch(uri):
        return "is too long, or has characters that an address cannot have"
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018  it is checked when it is read
        AnyUrl(uri)
    except (ValueError, ValidationError):
        return "is not an address"
    if "#" in uri:
        return "has a fragment"
    if parts.username is not None or parts.password is not None:
        return "has a user name"
    if not _SCHEME.fullmatch(parts.scheme) or parts.scheme in _RUN_OR_READ:
        return "has a scheme that is not allowed"
    if parts.scheme == "http" and not is_loopback(uri):
        return "must be https, except on this computer"
    if parts.scheme in {"http", "https"} and not parts.hostname:
        return "names no host"
    return None


def same(asked: str, registered: str) -> bool:
    """Return whether the two are the same. A native app listens on any free port (RFC 8252, 7.3)."""
    return asked == registered or (
        fault_of(asked) is None
        and is_loopback(registered)
        and is_loopback(asked)
        and _without_port(asked) == _without_port(registered)
    )


def is_loopback(uri: str) -> bool:
    """Return whether this is plain http to the browser's own machine."""
    parts = urlsplit(uri)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def scheme_of(uri: str) -> str:
    return urlsplit(uri).scheme


def host_of(uri: str) -> str:
    """Return the host in the form that DNS has it, so that letters that look alike do not pass for others."""
    return urlsplit(uri).hostname or ""


def with_parameters(uri: str, **parameters: str | None) -> str:
    """Return the address with these added to its query, and otherwise letter by letter; None is left out."""
    added = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{uri}{'&' if '?' in uri else '?'}{added}"


def _without_port(uri: str) -> tuple[str | None, str, str]:
    parts = urlsplit(uri)
    return parts.hostname, parts.path, parts.query
