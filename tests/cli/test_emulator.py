"""`rc-mcp emulator`: one line that says how to reach it, and an orderly end."""

import json
import signal
import subprocess
import sys

import pytest

from rc_mcp.ringcentral import JWTAuth, MessageStoreClient

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_line_is_all_a_client_needs(end: signal.Signals) -> None:
    command = [sys.executable, "-m", "rc_mcp", "emulator", "--messages", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        login = json.loads(process.stdout.readline())
        auth = JWTAuth(login["server_url"], login["client_id"], login["client_secret"], login["jwt"])
        async with MessageStoreClient(auth, server_url=login["server_url"], media_url=login["media_url"]) as store:
            page = await store.list_messages(per_page=1)
            attachment = page.records[0].attachments[0]
            async with store.read_message_content(page.records[0].id, attachment.id) as content:
                assert await content.read(1_000_000)
        process.send_signal(end)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    assert set(login) == {
        "server_url", "media_url", "client_id", "client_secret", "jwt", "account_id", "extension_id"
    }  # fmt: skip
