"""Nobody's documents take a whole replica."""

import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import anyio
import pytest

from rc_mcp.media import reading
from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import Done, Way
from rc_mcp.media.selection import EVERYTHING
from rc_mcp.team.database import Database
from tests.desk import call
from tests.team.replicas import team

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@dataclass
class AtOnce:
    """How many blocks are entered, and the most that ever were."""

    now: int = 0
    most: int = 0

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[None]:
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.wait_all_tasks_blocked()
        yield
        self.now -= 1


async def test_only_so_many_documents_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = AtOnce()

    async def done(_: object) -> AsyncGenerator[Done]:
        yield Done()

    def counted(*_: object) -> Any:
        return at_once.one()

    monkeypatch.setattr(reading, "worker", counted)
    monkeypatch.setattr(reading, "_messages", done)

    async with anyio.create_task_group() as tasks:
        for _ in range(3 * LIMITS.at_once):
            ways: list[Way] = ["text"]
            tasks.start_soon(
                reading.read_document, io.BytesIO(), "application/pdf", ways, EVERYTHING, reading.no_progress
            )

    assert at_once.most == LIMITS.at_once


async def test_one_person_reads_two_attachments_at_a_time(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = import_module("rc_mcp.tools.read_message_content")
    at_once, read = AtOnce(), tool.read_attachment

    async def counted(asked: Any) -> Any:
        async with at_once.one():
            return await read(asked)

    monkeypatch.setattr(tool, "read_attachment", counted)
    async with team(database, database_url, 1) as office, office.client(1) as client:
        listed = await call(client, "list_messages", date_from="90d", detail="full", message_type=["VoiceMail"])
        message_id = listed["messages"]["VoiceMail"][0]["id"]
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(_file_of, client, message_id)

    assert at_once.most == 2


async def _file_of(client: Any, message_id: str) -> None:
    await call(client, "read_message_content", message_id=message_id, form="file")
