"""A desk whose server has a local copy, filled before the first question."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from unittest import mock

from mcp import Client

from rc_mcp.mirror.feed import Feed
from rc_mcp.mirror.following import only_feed
from rc_mcp.mirror.logins import mailbox_of
from rc_mcp.mirror.mirror import Mirror
from tests.desk import Desk, Era


@asynccontextmanager
async def feeding(desk: Desk) -> AsyncGenerator[Feed]:
    """Feed the copy of this desk's login, as another process would: the server's own feed waits meanwhile."""
    async with desk.guard() as guard, only_feed(desk.state_dir) as is_ours:
        assert is_ours
        with Mirror(desk.state_dir) as mirror:
            known_as = await mailbox_of(guard.client, mirror, guard.principal)
            with mock.patch("rc_mcp.mirror.texts.has_ocr", return_value=False):  # it takes 5 s a page
                yield Feed(guard.client, mirror, known_as=known_as, now=lambda: desk.clock() + desk.ahead)


@asynccontextmanager
async def searching(
    desk: Desk, era: Era = "auto", *, texts: bool = False, **variables: str
) -> AsyncGenerator[tuple[Client, Feed]]:
    """A client of a server with a copy of all messages, and the feed of that copy.

    With `texts` it also has those of attachments; another process reads them.
    """
    async with feeding(desk) as feed:
        await feed.sync()
        if texts:
            await feed.texts()
        async with desk.client(era, None, RC_MCP_MIRROR="on", **variables) as client:
            yield client, feed
