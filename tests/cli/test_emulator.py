"""`rc-mcp emulator`: one line with its addresses and login, and an orderly end."""

import base64
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from click.testing import CliRunner
from PIL import Image

from rc_mcp.cli import main
from rc_mcp.cli.emulator import draw_pages
from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.anyio


@contextmanager
def serving(*options: str, end: signal.Signals = signal.SIGTERM, err: str = "") -> Generator[dict[str, Any]]:
    """Run the command and yield its first line; at the end check its exit code and output."""
    command = [sys.executable, "-m", "rc_mcp", "emulator", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:  # end the process in any case, or Popen would wait for it
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(end)
            rest = process.communicate(timeout=20)
    assert (process.returncode, rest[0], rest[1][: len(err)]) == (0, "", err)
    assert rest[1].count("\n") == bool(err)


def mailbox(login: dict[str, Any]) -> MessageStoreClient:
    auth = JWTAuth(login["server_url"], login["client_id"], login["client_secret"], login["jwt"])
    return MessageStoreClient(auth, server_url=login["server_url"], media_url=login["media_url"])


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_line_has_everything_a_client_needs(end: signal.Signals) -> None:
    with serving("--messages", "5", end=end) as login, anyio.fail_after(30):
        async with mailbox(login) as store:
            page = await store.list_messages(per_page=1)
            attachment = page.records[0].attachments[0]
            async with store.read_message_content(page.records[0].id, attachment.id) as content:
                assert await content.read(1_000_000)
    assert set(login) == {
        "server_url", "media_url", "client_id", "client_secret", "jwt", "account_id", "extension_id"
    }  # fmt: skip


@pytest.mark.process
async def test_the_page_of_a_message_shows_its_pages_and_pictures() -> None:
    with Emulator(draw_pages=draw_pages) as emulator, anyio.fail_after(60):
        kinds = {a["contentType"]: m["id"] for m in emulator.store.messages() for a in m["attachments"]}
        assert {"application/pdf", "image/tiff", "image/jpeg", "audio/mpeg"} <= kinds.keys()
        browser = httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=emulator.server_url)
        async with browser:
            for kind in ("application/pdf", "image/tiff", "image/jpeg"):
                text = (await browser.get(f"/messages/{kinds[kind]}", timeout=60)).text
                shown = re.findall(r'<img [^>]*src="data:image/(?:png|jpeg);base64,([^"]+)"', text)
                pages = (emulator.store.message(kinds[kind]) or {}).get("faxPageCount", 1)
                assert len(shown) == pages, kind
                assert all(Image.open(io.BytesIO(base64.b64decode(picture))).size > (100, 100) for picture in shown)


@pytest.mark.process
@pytest.mark.parametrize("data", [b"", b"<svg onload='alert(1)'/>", b"<html>", b"%PDF-1.4\n broken", b"GIF89a broken"])
async def test_a_file_without_pages_is_not_drawn(data: bytes) -> None:
    with anyio.fail_after(60):
        assert await draw_pages(data) == []


async def test_a_database_file_keeps_changes_over_a_restart(tmp_path: Path) -> None:
    options = ("--db", str(tmp_path / "mailbox.db"), "--scenario", "full")
    with serving(*options) as login, anyio.fail_after(30):
        async with mailbox(login) as store:
            [newest] = (await store.list_messages(date_from=LONG_AGO, per_page=1)).records
            await store.delete_message([newest.id])
    with serving(*options) as login, anyio.fail_after(30):
        async with mailbox(login) as store:
            again = await store.read_message(newest.id)
            assert again.availability == "Deleted"
            page = await store.list_messages(date_from=LONG_AGO, per_page=1000)
            assert len(page.records) == 199


async def test_a_database_file_keeps_its_scenario(tmp_path: Path) -> None:
    path = str(tmp_path / "mailbox.db")
    with serving("--db", path, "--scenario", "empty"):
        pass
    with serving("--db", path, "--admin") as login:
        assert httpx.get(login["admin_url"]).json()["scenario"] == "empty"
    with serving("--db", path, "--scenario", "busy", "--admin", err=f"rc-mcp: {path} holds 'empty'") as login:
        assert httpx.get(login["admin_url"]).json()["messages"] == 0


async def test_the_admin_address_sets_clock_and_faults_and_is_off_by_default() -> None:
    with serving() as login:
        assert "admin_url" not in login
    with serving("--scenario", "empty", "--time-scale", "0", "--admin") as login:
        admin = httpx.Client(base_url=login["admin_url"])
        with admin:
            before = admin.get("/").json()
            assert (before["scenario"], before["time_scale"], before["messages"]) == ("empty", 0, 0)
            admin.post("/messages", json={"type": "SMS", "text": "Hi", "sender": {"phone_number": "+15035550111"}})
            moved = admin.post("/clock", json={"days": 2}).json()
            assert moved["time"][:10] > before["time"][:10]
            admin.post("/faults", json={"kind": "stall", "operation": "token"})
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{login['server_url']}/restapi/oauth/token", data={"grant_type": "x"}, timeout=0.05)


async def test_a_browser_gets_a_status_page() -> None:
    with serving("--scenario", "hostile") as login:
        answer = httpx.get(login["server_url"])
        assert answer.headers["content-type"].startswith("text/html")
        assert "hostile" in answer.text


def test_an_error_at_startup_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no mailbox\n" * 200)
    for options in (
        ("--db", str(tmp_path / "nowhere" / "mailbox.db")),
        ("--db", str(tmp_path / "text")),
        ("--host", "192.0.2.1"),
    ):
        ended = CliRunner().invoke(main, ["emulator", *options])
        assert (ended.exit_code, ended.stdout) == (1, "")
        assert ended.stderr.startswith("rc-mcp: ")
        assert ended.stderr.count("\n") == 1
