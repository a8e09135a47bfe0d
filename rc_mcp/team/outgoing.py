"""One pool of connections to RingCentral for all people of a replica.

Each HTTP client makes an SSL context and a pool of its own, which take a megabyte and some time. The clients of people
share one instead. It knows proxies and certificates from the environment, and keeps no cookie.
"""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self

import httpx2 as httpx

from rc_mcp.ringcentral.transport.connection import PLAIN_HTTP_DIRECTLY, environment_named

_LIMITS = httpx.Limits(max_connections=1_000, max_keepalive_connections=100)


class Outgoing(httpx.AsyncBaseTransport):
    """A transport for many clients. Closing one of them does not close it: use it as `async with Outgoing() as ...`.

    Raises:
        BadEnvironment: proxies or certificates from the environment cannot be used.
    """

    def __init__(self) -> None:
        with environment_named():
            self._http = httpx.AsyncClient(
                mounts=PLAIN_HTTP_DIRECTLY, limits=_LIMITS, cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[]))
            )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        # A client and not its transport, because only a client chooses the proxy for an address.
        return await self._http.send(request, stream=True, auth=None, follow_redirects=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def aclose(self) -> None:
        """Do nothing: another client may use the pool."""
