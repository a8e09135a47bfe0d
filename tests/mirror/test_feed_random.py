"""Random changes of the mailbox between and during random steps of the feed: in the end the copy equals the mailbox."""

import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from anyio import to_thread

from rc_mcp.emulator import Emulator
from rc_mcp.media.reading import Reading
from rc_mcp.mirror import feed as feed_module
from rc_mcp.mirror import texts
from rc_mcp.ringcentral.limits import LIMITS
from tests.mirror.feeding import Wire, arrive, copied, feeding, in_the_mailbox, inline, move, vanish
from tests.ringcentral.under_budget import virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


async def no_pages(*_: object, in_background: bool) -> Reading:
    """Stand in for the worker, a process that takes real time."""
    return Reading(why="failed")


class Killed(BaseException):
    """The process ends here."""


class Mailbox:
    """Changes a mailbox at random."""

    def __init__(self, emulator: Emulator, chance: random.Random) -> None:
        self._emulator, self._chance = emulator, chance

    def change(self) -> None:
        ids = [*in_the_mailbox(self._emulator)]
        some = self._chance.sample(ids, min(len(ids), self._chance.randrange(1, 8)))
        acts: list[Any] = [self._arrives, self._arrives_late, self._is_read, self._is_removed, self._is_restored]
        act = self._chance.choice(acts)
        for message_id in some:
            act(message_id)

    def vanish(self) -> None:
        texts = [i for i, m in in_the_mailbox(self._emulator).items() if m["type"] in {"SMS", "Pager"}]
        vanish(self._emulator, *self._chance.sample(texts, min(4, len(texts))))

    def _arrives(self, _: str) -> None:
        arrive(self._emulator, "new", type=self._chance.choice(["SMS", "Pager"]))

    def _arrives_late(self, _: str) -> None:
        created = self._emulator.clock() - timedelta(seconds=self._chance.randrange(20 * 86_400))
        arrive(self._emulator, "late", created=created)

    def _is_read(self, message_id: str) -> None:
        record = self._emulator.store.find(message_id)
        assert record is not None
        self._emulator.store.mark(record, self._chance.choice(["Read", "Unread"]))

    def _is_removed(self, message_id: str) -> None:
        move(self._emulator, message_id, self._chance.choice(["Deleted", "Deleted", "Purged"]))

    def _is_restored(self, message_id: str) -> None:
        record = self._emulator.store.message(message_id)
        if record and record["availability"] == "Deleted":
            move(self._emulator, message_id, "Alive")


@pytest.mark.parametrize("seed", range(6))
async def test_after_random_changes_kills_and_pauses_the_copy_equals_the_mailbox(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_thread, "run_sync", inline)
    monkeypatch.setattr(feed_module, "LIMITS", replace(LIMITS, records_per_page=9))
    monkeypatch.setattr(texts, "read_document", no_pages)
    chance = random.Random(seed)  # noqa: S311
    with Emulator(now=virtual_now, scenario="empty", messages=60, seed=seed + 1) as emulator:
        mailbox = Mailbox(emulator, chance)

        def happens(_: httpx.Request) -> None:
            if chance.random() < 0.2:
                mailbox.change()
            if chance.random() < 0.1:
                raise Killed

        for _ in range(40):
            wire = Wire(emulator)
            async with feeding(emulator, tmp_path, wire) as (feed, mirror, _):
                wire.before = happens
                try:
                    if chance.random() < 0.2:
                        mailbox.vanish()
                        await feed.compare()
                    await feed.sync()
                    await feed.texts(most=chance.randrange(3))
                except Killed:
                    await anyio.sleep(15)  # each process logs in, five times a minute at most
                    continue
                finally:
                    wire.before = lambda _: None
                await anyio.sleep(chance.choice([16, 60, 4_000, 90_000, 6 * 86_400]))
                if chance.random() < 0.5:
                    mailbox.change()
        async with feeding(emulator, tmp_path) as (feed, mirror, wire):
            await feed.sync()
            await feed.compare()
            assert copied(mirror) == in_the_mailbox(emulator)
            assert sum(request.status == 429 for request in emulator.requests) == 0
