"""Entry points that a client may use: one for the API, one for the content of attachments.

Sources of the hosts: RingCentral's OpenAPI document (`servers`) and its guide to segregated environments.
"""

from ipaddress import ip_address

import httpx2 as httpx

from rc_mcp.ringcentral.errors import InvalidRequest

PRODUCTION = "https://platform.ringcentral.com"

_MEDIA_HOSTS = {
    "platform.ringcentral.com": "https://media.ringcentral.com",
    "platform.ringcentral.biz": "https://media.ringcentral.biz",
}


def entry_point(name: str, url: str) -> httpx.URL:
    """Return an origin that credentials may be sent to.

    Raises:
        InvalidRequest: it is not an origin, or not https. Plain http is only for loopback and for `.test`, which is
            never resolved (RFC 6761) and is used by an emulator in this process.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        raise InvalidRequest(f"{name} is not a URL") from None
    if not parsed.host or parsed.userinfo or parsed.query or parsed.fragment or parsed.path not in ("", "/"):
        raise InvalidRequest(f"{name} must be an origin such as {PRODUCTION}: only scheme, host and port")
    if parsed.scheme != "https" and not (parsed.scheme == "http" and _stays_here(parsed.host)):
        raise InvalidRequest(f"{name} must use https; plain http is only for localhost and .test hosts")
    return parsed.copy_with(path="/")


def media_entry_point(server: httpx.URL) -> httpx.URL:
    """Return the default entry point for attachments: RingCentral's media host, or `server` if it is another's."""
    return httpx.URL(_MEDIA_HOSTS.get(server.host, server))


def is_ringcentral(server: httpx.URL) -> bool:
    """Return whether this is one of RingCentral's own API servers."""
    return server.host in _MEDIA_HOSTS


def _stays_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".test"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
