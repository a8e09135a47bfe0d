"""The pytest fixture `ringcentral`: a RingCentral of the test's own, to be reached over HTTP by any client.

Other projects enable it with one line in their topmost `conftest.py`:

    pytest_plugins = ["rc_mcp.emulator.pytest_plugin"]

It is no entry point on purpose: pytest would load it, and the emulator with it, in every project of everyone who has
rc-mcp installed.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from rc_mcp.emulator.app import SeenRequest
from rc_mcp.emulator.drafts import Draft
from rc_mcp.emulator.emulator import Emulator

_Result = TypeVar("_Result")


class RingCentral:
    """An emulator at work in a thread of its own: where it is, how to log in, and a safe way to its mailbox.

    Its methods can be called from any thread, and from sync and async tests alike.
    """

    def __init__(self, emulator: Emulator, portal: BlockingPortal) -> None:
        self._emulator = emulator
        self._portal = portal
        self.server_url = emulator.server_url
        self.media_url = emulator.media_url
        self.client_id = emulator.client_id
        self.client_secret = emulator.client_secret
        self.jwt = emulator.jwt
        self.account_id = emulator.account_id
        self.extension_id = emulator.extension_id

    def do(self, act: Callable[[Emulator], _Result]) -> _Result:
        """Calls `act` with the emulator, in the emulator's thread and between two requests, and gives its result.

        The emulator itself, and above all its store, may be used nowhere else.
        """
        return self._portal.call(act, self._emulator)

    def add(self, draft: Draft) -> dict[str, Any]:
        """Lets a message arrive. Gives its record."""
        return self.do(lambda emulator: emulator.store.add(draft))

    def message(self, message_id: str | int) -> dict[str, Any] | None:
        """The message as it is now, whatever its state. None when it never was or is gone for good."""
        return self.do(lambda emulator: emulator.store.message(message_id))

    def messages(self) -> list[dict[str, Any]]:
        """Every message as it is now, newest first, the deleted and purged ones too."""
        return self.do(lambda emulator: emulator.store.messages())

    @property
    def requests(self) -> list[SeenRequest]:
        """What has reached it so far, newest last."""
        return self.do(lambda emulator: emulator.requests)


@pytest.fixture
def ringcentral(request: pytest.FixtureRequest) -> Generator[RingCentral]:
    """An emulated RingCentral on this machine, with an office's mailbox, for this test alone.

    `@pytest.mark.ringcentral(scenario="empty", rate_limits=False)` hands these on to `Emulator`.
    """
    marker = request.node.get_closest_marker("ringcentral")
    options: dict[str, Any] = {} if marker is None else marker.kwargs
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_served(options)) as emulator:
        yield RingCentral(emulator, portal)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "ringcentral(**options): what the emulator of this test is to be like")


@asynccontextmanager
async def _served(options: dict[str, Any]) -> AsyncGenerator[Emulator]:
    # Made in the thread that serves it, because the database may be used in no other.
    with Emulator(**options) as emulator:
        async with emulator.serve():
            yield emulator
