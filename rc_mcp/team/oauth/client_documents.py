"""Client ID metadata documents: the id of a client is the https address of what it says about itself.

A document is kept in memory as long as its `Cache-Control` says, within bounds: documents that a stranger invents do
not push out those in use. A failure is not kept: the next login asks again.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import cast

import anyio

from rc_mcp.team.oauth.client import Client, ClientRefused, client_of
from rc_mcp.team.oauth.public_fetch import WITHIN_S, NotFetched, fetch

KEPT_AT_LEAST_S, KEPT_AT_MOST_S = 300.0, 86_400.0
KEPT_S = 3_600.0
"""For a document whose headers do not say how long."""
MOST_KEPT = 500
_MOST_AT_ONCE = 32
_MAX_AGE = re.compile(r'max-age="?([0-9]{1,10})"?', re.ASCII)

Fetch = Callable[[str], Awaitable[tuple[bytes, Mapping[str, str]]]]


class ClientDocuments:
    """The clients that have a document.

    Args:
        fetch: returns body and headers. Tests pass one that may reach this machine.
        clock: returns monotonic seconds.
    """

    def __init__(self, fetch: Fetch = fetch, clock: Callable[[], float] = monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Client]] = OrderedDict()
        self._at_once = anyio.Semaphore(_MOST_AT_ONCE)

    @property
    def kept(self) -> int:
        """How many documents are in memory."""
        return len(self._kept)

    async def read(self, url: str) -> Client:
        """Return the client with this id.

        Raises:
            ClientRefused: its document cannot be used.
        """
        kept = self._kept.get(url)
        if kept and self._clock() < kept[0]:
            self._kept.move_to_end(url)
            return kept[1]
        try:
            with anyio.fail_after(2 * WITHIN_S):
                async with self._at_once:
                    body, headers = await self._fetch(url)
        except TimeoutError:
            raise ClientRefused("Too many apps log in at the same time. Try again in a minute.") from None
        except NotFetched as why:
            raise ClientRefused(f"The app's document, which is its client_id, cannot be read: {why}.") from None
        client = client_of(_parsed(body, url), url)
        self._kept[url] = self._clock() + _good_for_s(headers.get("cache-control", "")), client
        self._kept.move_to_end(url)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return client


def _parsed(body: bytes, url: str) -> Mapping[str, object]:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ClientRefused("The app's document, which is its client_id, is not a JSON object.")
    metadata = cast("dict[str, object]", found)
    if metadata.get("client_id") != url:
        raise ClientRefused("The app's document names another client_id than its own address.")
    return metadata


def _good_for_s(cache_control: str) -> float:
    words = [word.strip().lower() for word in cache_control.split(",")]
    if "no-store" in words or "no-cache" in words:
        return KEPT_AT_LEAST_S
    said = next(filter(None, map(_MAX_AGE.fullmatch, words)), None)
    return min(max(float(said[1]), KEPT_AT_LEAST_S), KEPT_AT_MOST_S) if said else KEPT_S
