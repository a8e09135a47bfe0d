"""The addresses a client may talk to: one for the API, one for attachments' bytes.

Sources: the hosts are in RingCentral's OpenAPI document (`servers`) and its guide to segregated environments.
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
    """An origin that credentials may be sent to.

    Raises:
        InvalidRequest: not a bare origin, or not https. Plain http is for loopback and for `.test`, which no name
            server answers (RFC 6761) and where an emulator inside this process lives.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        raise InvalidRequest(f"{name} is not a URL") from None
    if not parsed.host or parsed.userinfo or parsed.query or parsed.fragment or parsed.path not in ("", "/"):
        raise InvalidRequest(f"{name} must be an origin such as {PRODUCTION}: scheme, host and port alone")
    if parsed.scheme != "https" and not (parsed.scheme == "http" and _stays_here(parsed.host)):
        raise InvalidRequest(f"{name} must be https; plain http is for localhost and .test hosts only")
    return parsed.copy_with(path="/")


def media_entry_point(server: httpx.URL) -> httpx.URL:
    """Where attachments' bytes come from, when nobody said: RingCentral's media host, or the server itself."""
    return httpx.URL(_MEDIA_HOSTS.get(server.host, server))


def is_ringcentral(server: httpx.URL) -> bool:
    """Whether this is one of RingCentral's own API servers."""
    return server.host in _MEDIA_HOSTS


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: what decides whether a token may go there."""
    return url.scheme, url.host, url.port


def _stays_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".test"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
