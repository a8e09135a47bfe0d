"""A feed that is killed (kill -9) or canceled in the middle of a page: nothing is lost, doubled or fetched in vain."""

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import from_thread

from rc_mcp.emulator import Emulator
from rc_mcp.mirror import feed as feed_module
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import progress_of
from tests.mirror.feeding import copied, feeding, in_the_mailbox

ROOT = Path(__file__).parents[2]
KILLS = 12

FEED = """
import json, sys, anyio
from dataclasses import replace
from pathlib import Path
from rc_mcp.mirror import feed
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient
login = json.loads(sys.argv[2])
feed.LIMITS = replace(feed.LIMITS, records_per_page=20)
async def main():
    auth = JWTAuth(login["server_url"], login["client_id"], login["client_secret"], login["jwt"])
    async with MessageStoreClient(auth, server_url=login["server_url"], media_url=login["media_url"]) as client:
        with Mirror(Path(sys.argv[1])) as mirror:
            fed = feed.Feed(client, mirror)
            await fed.sync()
            await fed.texts(most=40)
anyio.run(main)
"""


@pytest.mark.process
@pytest.mark.anyio
async def test_after_kills_at_random_points_the_copy_is_whole(tmp_path: Path) -> None:
    chance = random.Random(4)  # noqa: S311
    with Emulator(scenario="empty", messages=400, rate_limits=False) as emulator:
        async with emulator.serve():
            login = json.dumps(
                {
                    name: getattr(emulator, name)
                    for name in ("server_url", "media_url", "client_id", "client_secret", "jwt")
                }
            )
            kills = 0
            ended = False
            while not ended:
                seen, until = len(emulator.requests), chance.randrange(2, 12)
                with subprocess.Popen([sys.executable, "-c", FEED, str(tmp_path), login], cwd=ROOT) as feed:
                    with anyio.fail_after(120):
                        while feed.poll() is None and (kills >= KILLS or len(emulator.requests) < seen + until):
                            await anyio.lowlevel.checkpoint()
                    ended = feed.poll() is not None
                    assert not ended or feed.returncode == 0
                    feed.kill()
                kills += not ended
                with Mirror(tmp_path) as mirror:
                    assert not mirror.was_damaged
                    assert set(copied(mirror)) <= set(in_the_mailbox(emulator))
            with Mirror(tmp_path) as mirror:
                assert copied(mirror) == in_the_mailbox(emulator)
        fetched = Counter(r.path for r in emulator.requests if "/content/" in r.path)
        assert len(fetched) >= 40
        assert sum(fetched.values()) - len(fetched) <= kills
        pages = sum(r.path.endswith("/message-store") for r in emulator.requests)
        assert pages <= 400 / 19 + 2 + kills


@pytest.mark.anyio
async def test_a_page_that_is_being_stored_when_the_feed_is_canceled_is_stored_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "LIMITS", replace(feed_module.LIMITS, records_per_page=20))
    put = Mirror.put
    pages = 0

    def cancel_and_put(mirror: Mirror, mailbox: int, records: Any, progress: Any = None) -> None:
        nonlocal pages
        pages += bool(records)
        if pages == 3:
            from_thread.run_sync(scope.cancel)
        put(mirror, mailbox, records, progress)

    monkeypatch.setattr(Mirror, "put", cancel_and_put)
    with Emulator(scenario="empty", messages=100, rate_limits=False) as emulator:
        async with feeding(emulator, tmp_path) as (feed, mirror, wire):
            with anyio.CancelScope() as scope:
                await feed.sync()
            listing = progress_of(mirror, 1).listing
            assert scope.cancelled_caught
            assert listing is not None
            assert listing.done == mirror.status(1).messages == len(copied(mirror)) > 40
            pages = 4
            await feed.sync()
            assert copied(mirror) == in_the_mailbox(emulator)
            assert len(wire.pages()) <= 7
