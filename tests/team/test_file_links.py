"""A file reaches a person by a link that works once, for a few minutes, and leaves nothing behind."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx2 as httpx
import pytest
from mcp import Client
from starlette.types import Message

from rc_mcp import time_limits
from rc_mcp.team.database import Database
from rc_mcp.team.file_links import GONE, LASTS
from rc_mcp.team.mailboxes import NOT_KNOWN
from tests.desk import Era, call
from tests.team.replicas import Team, team

HEADERS = [(b"host", b"team.test")]

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def link_to_voicemail(client: Client) -> tuple[str, str]:
    """Return a link to a voicemail's recording, and the voicemail's id."""
    listed = await call(client, "list_messages", date_from="90d", detail="full", message_type=["VoiceMail"])
    message_id = listed["messages"]["VoiceMail"][0]["id"]
    answer = await call(client, "read_message_content", message_id=message_id, form="file")
    assert answer["form"] == "file"
    assert "path" not in answer
    return answer["link"], message_id


async def opened(office: Team, link: str, replica: int = 1, method: str = "GET") -> httpx.Response:
    """Open a link at this replica."""
    assert link.startswith("https://team.test/files/")
    async with httpx.AsyncClient() as http:
        address = f"{office.addresses[replica]}{urlsplit(link).path}"
        return await http.request(method, address, headers={"Host": "team.test"})


async def test_a_link_gives_the_file_once_on_any_replica(
    database: Database, database_url: str, era: Era, tmp_path: Path
) -> None:
    async with team(database, database_url, RC_MCP_DOWNLOAD_DIR=str(tmp_path)) as office:
        async with office.client(1, 0, era) as client:
            link, message_id = await link_to_voicemail(client)
        looked = await opened(office, link, method="HEAD")
        first, second = await opened(office, link), await opened(office, link)

    assert looked.status_code == 405
    assert first.status_code == 200
    assert first.headers["content-type"] == "audio/mpeg"
    assert first.headers["content-disposition"].startswith(f'attachment; filename="{message_id}-')
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["cache-control"] == "no-store"
    assert len(first.content) == int(first.headers["content-length"]) > 1_000
    assert (second.status_code, second.text) == (404, GONE)
    assert not [*tmp_path.iterdir()]  # noqa: ASYNC240  an empty folder


async def test_a_link_expires_and_the_database_never_has_it(database: Database, database_url: str) -> None:
    async with team(database, database_url, 2) as office:
        async with office.client(1, 0) as client:
            link, message_id = await link_to_voicemail(client)
        async with database.transaction() as db:
            row = await (await db.execute("SELECT digest, sealed FROM file_link")).fetchone()
            assert row
            assert row[0] not in link
            assert message_id.encode() not in bytes(row[1])
            await db.execute("UPDATE file_link SET expires = expires - %s", (LASTS + timedelta(seconds=1),))

        assert (await opened(office, link)).text == GONE


async def test_a_link_does_not_open_with_the_file_of_another_key(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office:
        async with office.client(1, 0) as client:
            link, _ = await link_to_voicemail(client)
        async with office.replica(RC_MCP_SECRET_KEYS="another-key-of-the-tests-with-32-characters"):
            assert (await opened(office, link)).text == GONE


async def test_a_browser_that_stops_reading_does_not_keep_a_connection_to_ringcentral(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limits, "DOWNLOAD_S", 0.2)
    async with team(database, database_url, 1) as office:
        async with office.client(1) as client:
            link, _ = await link_to_voicemail(client)
        sent: list[str] = []
        asked: list[Message] = [{"type": "http.request", "body": b""}]

        async def receive() -> Message:
            if not asked:
                await anyio.sleep_forever()
            return asked.pop()

        async def stuck(message: Message) -> None:
            sent.append(message["type"])
            if message["type"] == "http.response.body":
                await anyio.sleep_forever()

        scope = {"type": "http", "method": "GET", "path": urlsplit(link).path, "query_string": b"", "headers": HEADERS}
        with anyio.fail_after(30):
            await office.replicas[0].app(scope, receive, stuck)

        assert sent == ["http.response.start", "http.response.body"]


async def test_a_link_does_not_open_once_its_account_is_not_allowed_any_more(
    database: Database, database_url: str
) -> None:
    async with team(database, database_url, 1) as office:
        async with office.client(1, 0) as client:
            link, _ = await link_to_voicemail(client)
        async with office.replica(RC_MCP_ACCOUNTS="1"):
            answer = await opened(office, link)

    assert (answer.status_code, answer.text) == (503, f"{NOT_KNOWN}\n")


async def test_a_message_that_is_gone_gives_a_sentence(database: Database, database_url: str) -> None:
    async with team(database, database_url, 2) as office:
        async with office.client(1, 0) as client:
            link, message_id = await link_to_voicemail(client)
        mailbox = office.mailbox(1)
        message = mailbox.find(message_id)
        assert message
        mailbox.move(message, "Purged")

        answer = await opened(office, link)

    assert answer.status_code == 502
    assert "NotFound" not in answer.text
    assert message_id not in answer.text
