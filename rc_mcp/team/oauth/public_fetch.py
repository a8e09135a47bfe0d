"""Fetches a small JSON document from an https address that a stranger named, and from nowhere inside.

The host is resolved here, each of its addresses must be public, and the connection goes to the address that was
checked: a name that answers differently the second time leads nowhere. No redirects, no proxy, no compression.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx2 as httpx

MOST_BYTES = 65_536
WITHIN_S = 5.0
_RESOLVING = anyio.CapacityLimiter(16)
_NAT64 = IPv6Network("64:ff9b::/96")

IpAddress = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class NotFetched(Exception):  # noqa: N818  a state
    """There is no such document, or it may not be asked for. The text says why, without an address."""


def is_public(address: IpAddress) -> bool:
    """Return whether this is an address of the internet, also inside of an IPv6 address that leads to IPv4."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner and not is_public(inner):
            return False
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host.

    It has few threads of its own: a name that takes minutes to resolve does not hold up the rest of the process.
    """
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=_RESOLVING)
    return [str(each[4][0]) for each in found]


async def fetch(
    url: str,
    *,
    may_reach: Callable[[IpAddress], bool] = is_public,
    resolve: Resolve = resolve,
    trust: ssl.SSLContext | None = None,
) -> tuple[bytes, httpx.Headers]:
    """Return the body and the headers of a JSON document.

    Args:
        url: an https address without user name and fragment.
        may_reach: which addresses may be connected to. Tests allow others.
        resolve: returns the addresses of a host. Tests have their own.
        trust: the certificates to trust; default: the system's.

    Raises:
        NotFetched: there is none.
    """
    try:
        with anyio.fail_after(WITHIN_S):
            return await _fetch(url, may_reach, resolve, trust)
    except TimeoutError:
        raise NotFetched(f"its host did not answer within {WITHIN_S:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError, ValueError) as error:
        raise NotFetched(f"its host cannot be reached ({type(error).__name__})") from None


async def _fetch(
    url: str, may_reach: Callable[[IpAddress], bool], resolve: Resolve, trust: ssl.SSLContext | None
) -> tuple[bytes, httpx.Headers]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    addresses = [ip_address(each.partition("%")[0]) for each in await resolve(host, port)]
    if not addresses or not all(map(may_reach, addresses)):
        raise NotFetched("its host is not on the public internet")
    there = f"[{addresses[0]}]" if addresses[0].version == 6 else str(addresses[0])
    asked: dict[str, Any] = {
        "headers": {"Host": parts.netloc, "Accept": "application/json", "Accept-Encoding": "identity"},
        "extensions": {"sni_hostname": host},  # also the name that the certificate must have
    }
    address = f"https://{there}:{port}{parts.path}{f'?{parts.query}' if parts.query else ''}"
    http = httpx.AsyncClient(verify=trust or True, trust_env=False, timeout=WITHIN_S, follow_redirects=False)
    async with http, http.stream("GET", address, **asked) as answer:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status_code != 200:
            raise NotFetched(f"its host answered {answer.status_code}")
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise NotFetched("it is not JSON")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise NotFetched("it is compressed")
        return await _bounded(answer), answer.headers


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > MOST_BYTES:
            raise NotFetched(f"it has more than {MOST_BYTES // 1024} KB")
    return bytes(body)
