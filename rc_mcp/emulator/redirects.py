"""Where a login may lead: the redirect URIs registered for the app, and any address of this very machine.

Everything else is refused before anybody is sent there, so the login page cannot be used to lead people elsewhere.
"""

import re
from collections.abc import Collection
from urllib.parse import urlencode, urlsplit

from rc_mcp.emulator.errors import oauth_error

# RFC 8252: a program on the user's machine listens on whatever port is free, so the port is not compared. Strict in
# its characters, because what a lenient pattern takes for a path may be a host to a browser.
_LOOPBACK = re.compile(
    r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
    r"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!\"$-~]+")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")


def check_registrable(redirect_uris: Collection[str]) -> None:
    """Raises ValueError for what is no absolute URI, or has a fragment, which a redirect would lose."""
    for uri in redirect_uris:
        if not _ABSOLUTE.fullmatch(uri):
            raise ValueError(f"not a redirect URI: {uri!r}")


def redirect_target(asked: str | None, registered: Collection[str]) -> str:
    """The URI to go back to. Left out, it is the registered one, if there is just one."""
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
    """How a Content-Security-Policy names the place a form may lead to. It knows no IPv6 addresses."""
    parts = urlsplit(uri)
    if _PLAIN_HOST.fullmatch(parts.netloc):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"
