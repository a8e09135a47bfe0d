"""The emulator's time: run faster, held still, moved ahead, and kept over a restart."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Clock, Draft, Emulator, Party

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
ANA = Party(phone_number="+15035550111")
LogIn = Callable[[httpx.AsyncClient, Emulator], Awaitable[None]]


def mailbox(emulator: Emulator) -> httpx.AsyncClient:
    base = f"{emulator.server_url}/restapi/v1.0/account/~/extension/~/"
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=base)


def test_it_runs_as_many_times_faster_as_told_from_where_it_started() -> None:
    moments = iter([NOON, NOON + timedelta(seconds=2), NOON + timedelta(minutes=1)])
    clock = Clock(lambda: next(moments), scale=60)
    assert clock() == NOON + timedelta(minutes=2)
    assert clock() == NOON + timedelta(hours=1)


def test_at_a_scale_of_nought_it_moves_only_when_told() -> None:
    moments = iter([NOON + timedelta(seconds=at) for at in range(5)])
    clock = Clock(lambda: next(moments), scale=0)
    assert clock() == NOON
    assert clock.advance(days=1, hours=2, minutes=3, seconds=4.5) == clock()
    assert clock() == NOON + timedelta(days=1, hours=2, minutes=3, seconds=4.5)


def test_it_never_runs_backwards() -> None:
    clock = Clock(lambda: NOON)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(hours=-1)
    with pytest.raises(ValueError, match="backwards"):
        Clock(scale=-1)
    assert clock() == NOON


@pytest.mark.parametrize("span", [{"days": 4_000_000}, {"days": 1e300}])
def test_it_does_not_leave_the_calendar(span: dict[str, float]) -> None:
    clock = Clock(lambda: NOON)
    with pytest.raises(ValueError, match="9999"):
        clock.advance(**span)
    assert clock() == NOON


async def test_windows_tokens_and_retention_follow_it(log_in: LogIn) -> None:
    with Emulator(scenario="empty", now=lambda: NOON) as emulator:
        voicemail = emulator.store.add(Draft(type="VoiceMail", sender=ANA))
        async with mailbox(emulator) as client:
            await log_in(client, emulator)
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


def test_what_arrives_is_dated_by_it() -> None:
    with Emulator(scenario="empty", now=lambda: NOON) as emulator:
        emulator.clock.advance(hours=3)
        assert emulator.store.add(Draft(type="SMS", sender=ANA))["creationTime"] == "2026-03-05T15:00:00.000Z"


def test_a_database_file_remembers_how_far_it_had_run_ahead(tmp_path: Path) -> None:
    path = tmp_path / "mailbox.db"
    with Emulator(db=path, now=lambda: NOON) as emulator:
        emulator.clock.advance(days=2)
    with Emulator(db=path, now=lambda: NOON + timedelta(hours=1)) as emulator:
        assert emulator.clock() == NOON + timedelta(days=2, hours=1)
        emulator.close()
