"""The reading tools over the mailbox `recorded`: every form of message there is listed, read and synced."""

from collections.abc import Generator
from pathlib import Path

import pytest

from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Emulator
from tests.desk import Clock, Desk, Era, Faults, call

pytestmark = pytest.mark.anyio


@pytest.fixture
def recorded(tmp_path: Path) -> Generator[Desk]:
    clock = Clock()
    with Emulator(scenario="recorded", rate_limits=False, now=clock) as emulator:
        yield Desk(emulator, tmp_path, clock, Faults(emulator))


async def test_each_owner_filter_shows_the_messages_of_its_owners(recorded: Desk, era: Era) -> None:
    records = recorded.emulator.store.messages()
    shared = {str(record["id"]) for record in records if "owner" in record}
    everything = {str(record["id"]) for record in records}
    expected = {"Any": everything, "Shared": shared, "Personal": everything - shared, None: everything - shared}
    async with recorded.client(era) as client:
        for owner, ids in expected.items():
            given = {} if owner is None else {"owner": [owner]}
            listing = await call(client, "list_messages", date_from="1d", **given)
            assert {row["id"] for row in rows(listing["messages"])} == ids
            synced = await call(client, "sync_messages", date_from="1d", **given)
            assert {row["id"] for row in rows(synced["messages"])} == ids


async def test_every_message_can_be_read_with_what_is_attached(recorded: Desk, era: Era) -> None:
    async with recorded.client(era) as client:
        for record in recorded.emulator.store.messages():
            answer = await call(client, "read_message", message_id=[str(record["id"])])
            assert [message["id"] for message in answer["messages"]] == [str(record["id"])]
            assert not answer.get("not_found")


async def test_removals_that_are_whole_records_are_removals(tmp_path: Path, era: Era) -> None:
    clock = Clock()
    with Emulator(scenario="recorded", rate_limits=False, full_removals=True, now=clock) as emulator:
        desk = Desk(emulator, tmp_path, clock, Faults(emulator))
        async with desk.client(era) as client:
            first = await call(client, "sync_messages", date_from="1d")
            gone = emulator.store.find(rows(first["messages"])[0]["id"])
            assert gone is not None
            emulator.store.move(gone, "Deleted")
            then = await call(client, "sync_messages", sync_token=first["sync_token"])
    assert str(gone.id) in str(then["removed"])
    assert str(gone.id) not in {row["id"] for row in rows(then.get("messages", {}))}
