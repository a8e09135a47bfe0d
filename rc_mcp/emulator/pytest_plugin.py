"""The pytest fixture `ringcentral`: one emulator per test, which any client can reach over HTTP.

Other projects enable it with one line in their topmost `conftest.py`:

    pytest_plugins = ["rc_mcp.emulator.pytest_plugin"]

It is not an entry point, because pytest would then load it and the emulator wherever rc-mcp is installed.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from inspect import signature
from typing import Any, TypeVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from rc_mcp.emulator.emulator import Emulator
from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.service.app import SeenRequest

_Result = TypeVar("_Result")


class RingCentral:
    """An emulator that runs in its own thread: its addresses, its login, and thread-safe access to its mailbox.

    Both sync and async tests may call its methods, from any thread.
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
        """Call `act` with the emulator, in its thread and between two requests, and return the result.

        Use the emulator, and especially its store, nowhere else.
        """
        return self._portal.call(act, self._emulator)

    def add(self, draft: Draft) -> dict[str, Any]:
        """Add an arriving message and return its record."""
        return self.do(lambda emulator: emulator.store.add(draft))

    def message(self, message_id: str | int) -> dict[str, Any] | None:
        """Return the message as it is now, whatever its availability; None if it does not exist (any more)."""
        return self.do(lambda emulator: emulator.store.message(message_id))

    def messages(self) -> list[dict[str, Any]]:
        """Return every message as it is now, newest first, including deleted and purged ones."""
        return self.do(lambda emulator: emulator.store.messages())

    @property
    def requests(self) -> list[SeenRequest]:
        """The requests so far, newest last."""
        return self.do(lambda emulator: emulator.requests)


@pytest.fixture
def ringcentral(request: pytest.FixtureRequest) -> Generator[RingCentral]:
    """Serve an emulated RingCentral with an office's mailbox on this machine, for this test only.

    `@pytest.mark.ringcentral(scenario="empty", rate_limits=False)` passes these options to `Emulator`.
    """
    marker = request.node.get_closest_marker("ringcentral")
    options = {} if marker is None else _options(marker)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_served(options)) as emulator:
        yield RingCentral(emulator, portal)


def _options(marker: pytest.Mark) -> dict[str, Any]:
    """Return the options of a mark; `pytest.UsageError` names those that `Emulator` does not have."""
    known = [name for name, one in signature(Emulator).parameters.items() if one.kind is one.KEYWORD_ONLY]
    if marker.args:
        raise pytest.UsageError(
            f'pytest.mark.ringcentral takes options by name, such as scenario="empty", not {marker.args[0]!r}.'
        )
    if unknown := [name for name in marker.kwargs if name not in known]:
        raise pytest.UsageError(
            f"pytest.mark.ringcentral has no option {unknown[0]!r}. Its options: {', '.join(known)}."
        )
    return dict(marker.kwargs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "ringcentral(**options): options for this test's emulator")


@asynccontextmanager
async def _served(options: dict[str, Any]) -> AsyncGenerator[Emulator]:
    # Created in the thread that serves it, because SQLite allows the database in no other.
    with Emulator(**options) as emulator:
        async with emulator.serve():
            yield emulator
