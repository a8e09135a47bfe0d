"""Read-only tests against a real RingCentral account: set RC_LIVE_TESTS=1 and the credentials to run them."""

import os

import pytest

from rc_mcp.ringcentral import JWTAuth, MessageStoreClient
from rc_mcp.ringcentral.transport.entry_points import PRODUCTION

# Read at import: the tests' own fixtures hide these variables from every test.
LOGIN = {name: os.environ.get(name, "") for name in ("RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT")}
SERVER = os.environ.get("RC_SERVER_URL", PRODUCTION)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not (os.environ.get("RC_LIVE_TESTS") and LOGIN["RC_USER_JWT"]), reason="no real account: RC_LIVE_TESTS not set"
    ),
]


def client() -> MessageStoreClient:
    """Return a client for the account."""
    return MessageStoreClient(JWTAuth(SERVER, *LOGIN.values()), server_url=SERVER)


async def test_listed_messages_can_be_read_together() -> None:
    async with client() as store:
        page = await store.list_messages(per_page=5)
        assert page.unreadable == 0
        outcomes = await store.read_messages([m.id for m in page.records]) if page.records else []
    assert [o.id for o in outcomes if o.ok] == [m.id for m in page.records]


async def test_a_sync_gives_a_token_that_can_be_used() -> None:
    async with client() as store:
        first = await store.sync_messages(sync_type="FSync", record_count=5)
        again = await store.sync_messages(sync_type="ISync", sync_token=first.sync_info.sync_token)
    assert again.sync_info.sync_token


async def test_the_first_attachment_has_its_announced_size() -> None:
    async with client() as store:
        page = await store.list_messages(per_page=5)
        found = next(((m, a) for m in page.records for a in m.attachments if a.size), None)
        if found is None:
            pytest.skip("no attachment in the last 24 hours")
        message, attachment = found
        async with store.read_message_content(message.id, attachment.id) as content:
            assert len(await content.read(50_000_000)) == attachment.size
