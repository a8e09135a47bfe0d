"""The emulator's clock: faster than real time, stopped, moved ahead, and kept across a restart."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rc_mcp.emulator import Clock, Draft, Emulator
from tests.emulator.conftest import ANA, log_in, mailbox_of

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


def test_it_runs_at_its_scale_from_the_time_it_started() -> None:
    moments = iter([NOON, NOON + timedelta(seconds=2), NOON + timedelta(minutes=1)])
    clock = Clock(lambda: next(moments), scale=60)
    assert clock() == NOON + timedelta(minutes=2)
    assert clock() == NOON + timedelta(hours=1)


def test_at_scale_zero_it_moves_only_on_request() -> None:
    moments = iter([NOON + timedelta(seconds=at) for at in range(5)])
    clock = Clock(lambda: next(moments), scale=0)
    assert clock() == NOON
    assert clock.advance(days=1, hours=2, minutes=3, seconds=4.5) == clock()
    assert clock() == NOON + timedelta(days=1, hours=2, minutes=3, seconds=4.5)


@pytest.mark.parametrize("span", [{"hours": -1}, {"days": 4_000_000}, {"days": 1e300}])
def test_it_goes_neither_back_nor_past_the_last_year(span: dict[str, float]) -> None:
    clock = Clock(lambda: NOON)
    with pytest.raises(ValueError):  # noqa: PT011  the type is the whole contract
        clock.advance(**span)
    assert clock() == NOON


def test_it_has_no_negative_scale() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Clock(scale=-1)


async def test_rate_limits_tokens_and_retention_follow_it() -> None:
    with Emulator(scenario="empty", now=lambda: NOON) as emulator:
        voicemail = emulator.store.add(Draft(type="VoiceMail", sender=ANA))
        async with mailbox_of(emulator) as client:
            answers = [await client.get("message-store/1") for _ in range(51)]
            assert answers[-1].status_code == 429
            emulator.clock.advance(minutes=1)
            assert (await client.get("message-store/1")).status_code == 404
            emulator.clock.advance(hours=1)
            assert (await client.get("message-store")).json()["errors"][0]["errorCode"] == "OAU-128"
            emulator.clock.advance(days=30)
            await log_in(client, emulator)
            await client.get("message-store")
        record = emulator.store.message(voicemail["id"])
        assert record is None or record["availability"] != "Alive"


def test_a_new_message_has_its_time() -> None:
    with Emulator(scenario="empty", now=lambda: NOON) as emulator:
        emulator.clock.advance(hours=3)
        assert emulator.store.add(Draft(type="SMS", sender=ANA))["creationTime"] == "2026-03-05T15:00:00.000Z"


def test_a_database_file_keeps_how_far_it_is_ahead(tmp_path: Path) -> None:
    path = tmp_path / "mailbox.db"
    with Emulator(db=path, now=lambda: NOON) as emulator:
        emulator.clock.advance(days=2)
    with Emulator(db=path, now=lambda: NOON + timedelta(hours=1)) as emulator:
        assert emulator.clock() == NOON + timedelta(days=2, hours=1)
        emulator.close()
