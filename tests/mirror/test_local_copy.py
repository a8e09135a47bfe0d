"""Tests of the copy as a server uses it: which mailboxes it feeds, when, and what a fault stops. In virtual time."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from functools import partial
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from anyio import to_thread

from rc_mcp.emulator import Emulator
from rc_mcp.mirror import feed as feed_module
from rc_mcp.mirror.contacts.book import NO_CONTACTS
from rc_mcp.mirror.database import FILE
from rc_mcp.mirror.errors import MirrorError
from rc_mcp.mirror.feed import AFTER_A_FAULT_S
from rc_mcp.mirror.following import EVERY_S
from rc_mcp.mirror.listing import Window
from rc_mcp.mirror.local_copy import LocalCopy, Searched
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import noted_changes, noted_kept
from rc_mcp.ringcentral import Message, RingCentralError
from tests.mirror.feeding import Wire, arrive, client_on, inline
from tests.mirror.messages import text_message
from tests.mirror.test_feed import no_text
from tests.ringcentral.under_budget import virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
def without_threads_and_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_thread, "run_sync", inline)
    monkeypatch.setattr(feed_module, "fetch_text", no_text)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(now=virtual_now, scenario="empty") as service:
        yield service


@asynccontextmanager
async def served(
    emulator: Emulator, folder: Path, wire: Wire | None = None, extensions: tuple[str, ...] = ()
) -> AsyncGenerator[LocalCopy]:
    """A server's copy, which is fed meanwhile."""
    async with client_on(emulator, wire or Wire(emulator)) as client, anyio.create_task_group() as tasks:
        copy = LocalCopy(client, folder, partial(Mirror, folder), "login", extensions, virtual_now, lambda: NO_CONTACTS)
        tasks.start_soon(copy.follow)
        try:
            yield copy
        finally:
            tasks.cancel_scope.cancel()
            copy.close()


async def searched(copy: LocalCopy, query: str, extension_id: str = "~") -> Searched:
    return await copy.search(
        query, UTC, sort="newest", limit=20, cursor=None, account_id="~", extension_id=extension_id
    )


async def test_a_message_is_found_after_the_next_sync_and_at_once_after_a_change_from_here(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with served(emulator, tmp_path) as copy:
        await anyio.sleep(EVERY_S / 2)
        arrive(emulator, "pelican")
        assert (await searched(copy, "pelican")).found.total == 0
        copy.was_changed()
        await anyio.sleep(EVERY_S / 6)
        assert (await searched(copy, "pelican")).found.total == 1
        arrive(emulator, "heron")
        await anyio.sleep(EVERY_S * 1.1)
        assert (await searched(copy, "heron")).found.total == 1


async def test_a_server_that_nobody_asks_sends_one_request_an_interval(emulator: Emulator, tmp_path: Path) -> None:
    wire = Wire(emulator)
    async with served(emulator, tmp_path, wire):
        await anyio.sleep(EVERY_S * 2.5)
        before = len(wire.sent)
        await anyio.sleep(EVERY_S * 10)
        assert len(wire.sent) - before == 10


async def test_the_mailboxes_of_allowed_extensions_are_fed_too_and_a_refused_one_stops_no_other(
    emulator: Emulator, tmp_path: Path
) -> None:
    arrive(emulator, "pelican")
    async with served(emulator, tmp_path, extensions=("999",)) as copy:
        await anyio.sleep(EVERY_S)
        assert (await searched(copy, "pelican")).found.total == 1
        with pytest.raises(RingCentralError):
            await searched(copy, "pelican", "999")
        assert (await searched(copy, "pelican")).fault is None


async def test_a_second_server_on_the_folder_searches_what_the_first_one_feeds(
    emulator: Emulator, tmp_path: Path
) -> None:
    wire = Wire(emulator)
    async with served(emulator, tmp_path):
        await anyio.sleep(1)
        async with served(emulator, tmp_path, wire) as second:
            arrive(emulator, "pelican")
            await anyio.sleep(EVERY_S * 1.5)
            assert (await searched(second, "pelican")).found.total == 1
            assert wire.sent == []


async def test_without_a_network_at_the_start_the_copy_is_fed_once_there_is_one(
    emulator: Emulator, tmp_path: Path
) -> None:
    def unreachable(request: httpx.Request) -> None:
        raise httpx.ConnectError("no network", request=request)

    wire = Wire(emulator)
    wire.before = unreachable
    arrive(emulator, "pelican")
    async with served(emulator, tmp_path, wire) as copy:
        await anyio.sleep(1)
        with pytest.raises(RingCentralError):
            await searched(copy, "pelican")
        wire.before = lambda _: None
        await anyio.sleep(AFTER_A_FAULT_S + EVERY_S)
        assert (await searched(copy, "pelican")).found.total == 1


async def test_a_copy_that_cannot_be_opened_is_opened_once_it_can_be(emulator: Emulator, tmp_path: Path) -> None:
    arrive(emulator, "pelican")
    (tmp_path / FILE).mkdir()
    async with served(emulator, tmp_path) as copy:
        await anyio.sleep(1)
        with pytest.raises(MirrorError):
            await searched(copy, "pelican")
        (tmp_path / FILE).rmdir()
        await anyio.sleep(AFTER_A_FAULT_S + EVERY_S)
        assert (await searched(copy, "pelican")).found.total == 1


async def test_only_a_kept_message_is_given_in_place_of_ringcentral_s(emulator: Emulator, tmp_path: Path) -> None:
    there = arrive(emulator, "pelican")
    async with served(emulator, tmp_path) as copy:
        await anyio.sleep(1)
        assert await copy.kept([there, "1"], "~", "~") == {}


class Shared(Wire):
    """The way to an account in which extension 999 lets this login read its mailbox while `is_open`."""

    is_open = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_open:
            request.url = request.url.copy_with(raw_path=request.url.raw_path.replace(b"/999/", b"/~/"))
        return await super().handle_async_request(request)


async def all_of(copy: LocalCopy, extension_id: str) -> int:
    searched, _ = await copy.search_all("pelican", UTC, list, account_id="~", extension_id=extension_id)
    return searched.found.total


async def counted(copy: LocalCopy, extension_id: str) -> int | None:
    window = Window(virtual_now() - timedelta(days=9), None, {})
    found = await copy.listed(window, lambda some: len(list(some)), account_id="~", extension_id=extension_id)
    return found and found[0]


def of_another_login(emulator: Emulator, folder: Path) -> Message:
    """Put a message, which RingCentral has lost, into the mailbox of extension 999, as another login's server does."""
    with Mirror(folder) as mirror:
        mailbox = mirror.mailbox(emulator.account_id, "999")
        message = text_message(1, "pelican")
        noted = {**noted_changes("token", virtual_now() + timedelta(seconds=1)), **noted_kept(["1"])}
        mirror.put(mailbox, [message], noted)
    return message


async def test_the_copy_of_another_login_s_mailbox_is_for_those_whom_ringcentral_lets_read_it(
    emulator: Emulator, tmp_path: Path
) -> None:
    message = of_another_login(emulator, tmp_path)
    async with served(emulator, tmp_path):  # feeds in the place of the second
        await anyio.sleep(1)
        wire = Shared(emulator)
        async with served(emulator, tmp_path, wire, ("999",)) as copy:
            await anyio.sleep(1)
            for act in (searched(copy, "pelican", "999"), all_of(copy, "999")):
                with pytest.raises(RingCentralError):
                    await act
            assert await counted(copy, "999") is None
            assert await copy.kept([message.id], "~", "999") == {}
            assert await copy.kept([message.id], emulator.account_id, "999") == {}
            wire.is_open = True
            sent = len(wire.sent)
            assert (await searched(copy, "pelican", "999")).found.total == await all_of(copy, "999") == 1
            assert (await copy.kept([message.id], "~", "999")).keys() == {message.id}
            assert len(wire.sent) == sent + 1
            wire.is_open = False
            await anyio.sleep(3600)
            with pytest.raises(RingCentralError):
                await searched(copy, "pelican", "999")


async def test_a_mailbox_that_ringcentral_no_longer_lets_this_login_read_is_not_read_from_the_copy(
    emulator: Emulator, tmp_path: Path
) -> None:
    arrive(emulator, "pelican")
    wire = Shared(emulator)
    wire.is_open = True
    async with served(emulator, tmp_path, wire, ("999",)) as copy:
        await anyio.sleep(EVERY_S * 1.1)
        sent = len(wire.sent)
        assert (await searched(copy, "pelican", "999")).found.total == await counted(copy, "999") == 1
        assert len(wire.sent) == sent
        wire.is_open = False
        await anyio.sleep(EVERY_S * 1.1)
        with pytest.raises(RingCentralError):
            await searched(copy, "pelican", "999")
        assert await counted(copy, "999") is None
        assert (await searched(copy, "pelican")).found.total == 1
