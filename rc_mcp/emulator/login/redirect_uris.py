"""Allowed redirect URIs: those registered for the app, and any address of this machine.

All others are refused before any redirect, so the login page cannot send users to other sites.
"""

import re
from collections.abc import Collection
from urllib.parse import urlencode, urlsplit

from rc_mcp.emulator.errors import oauth_error

# RFC 8252: a program on the user's machine listens on any free port, so the port is not compared. The characters are
# restricted, because a browser may read as a host what a lenient pattern reads as a path.
_LOOPBACK = re.compile(
    r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
    r"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!\"$-~]+")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")


def check_registrable(redirect_uris: Collection[str]) -> None:
    """Raise ValueError for a URI that is not absolute or has a fragment, which a redirect would lose."""
    for uri in redirect_uris:
        if not _ABSOLUTE.fullmatch(uri):
            raise ValueError(f"not a redirect URI: {uri!r}; it must be absolute and have no fragment")


def redirect_target(asked: str | None, registered: Collection[str]) -> str:
    """Return the URI to redirect to: the requested one, or by default the only registered one."""
    if asked is None and len(registered) == 1:
        return next(iter(registered))
    if asked is not None and (asked in registered or _LOOPBACK.fullmatch(asked)):
        return asked
    if asked is None and not registered:
        raise oauth_error("invalid_request", "OAU-113", "No redirect uri is registered for the client")
    raise oauth_error("invalid_request", "OAU-109", "Redirect URIs do not match")


def with_parameters(uri: str, parameters: dict[str, str]) -> str:
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"


def form_action_source(uri: str) -> str:
    """Return a form's destination for a Content-Security-Policy, which cannot contain IPv6 addresses."""
    parts = urlsplit(uri)
    if _PLAIN_HOST.fullmatch(parts.netloc):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"
