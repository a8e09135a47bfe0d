"""A mailbox of the emulator, a copy, and its feed, on a clock that jumps."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx2 as httpx

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.mirror.feed import Feed
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import progress_of
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient
from tests.ringcentral.under_budget import virtual_now

T = TypeVar("T")
CALLER = Party(phone_number="+16505550199", name="Ada Park")


async def inline(act: Callable[..., T], *arguments: Any, **_: Any) -> T:
    """Stand in for `anyio.to_thread.run_sync`: while a thread works, the clock of these tests would jump."""
    await anyio.lowlevel.checkpoint()
    return act(*arguments)


class Wire(httpx.AsyncBaseTransport):
    """The way to the emulator. `before` is called before each request for messages, and may raise."""

    def __init__(self, emulator: Emulator) -> None:
        self._inner = httpx.ASGITransport(app=emulator.app)
        self.before: Callable[[httpx.Request], None] = lambda _: None
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "/message-" in request.url.path:
            self.before(request)
            self.sent.append(request)
        return await self._inner.handle_async_request(request)

    def pages(self) -> list[str]:
        """Return which pages of lists were fetched, by the end of their span."""
        return [r.url.params.get("dateTo", "") for r in self.sent if r.url.path.endswith("/message-store")]

    def contents(self) -> list[str]:
        return [r.url.path for r in self.sent if "/content/" in r.url.path]


@asynccontextmanager
async def client_on(emulator: Emulator, wire: Wire) -> AsyncGenerator[MessageStoreClient]:
    auth = JWTAuth(
        emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt, clock=anyio.current_time
    )
    async with MessageStoreClient(
        auth, server_url=emulator.server_url, media_url=emulator.media_url, transport=wire, assume_limits=True
    ) as client:
        yield client


@asynccontextmanager
async def feeding(
    emulator: Emulator, folder: Path, wire: Wire | None = None
) -> AsyncGenerator[tuple[Feed, Mirror, Wire]]:
    wire = wire or Wire(emulator)
    async with client_on(emulator, wire) as client:
        with Mirror(folder) as mirror:
            yield Feed(client, mirror, now=virtual_now), mirror, wire


def copied(mirror: Mirror) -> dict[str, dict[str, Any]]:
    """Return all records of the copy by id, without those that RingCentral no longer has."""
    mailbox = mirror.mailbox("~", "~")
    kept = progress_of(mirror, mailbox).kept
    with mirror.reading() as db:
        ids = [str(found) for (found,) in db.execute("SELECT id FROM message WHERE mailbox = ?", (mailbox,))]
    records = {message_id: mirror.message(mailbox, message_id) for message_id in ids if message_id not in kept}
    return {message_id: dict(record.sent) for message_id, record in records.items() if record}


def in_the_mailbox(emulator: Emulator) -> dict[str, dict[str, Any]]:
    """Return the messages that the copy must have: all that are not purged."""
    return {str(m["id"]): m for m in emulator.store.messages() if m["availability"] != "Purged"}


def arrive(emulator: Emulator, text: str = "hello", **fields: Any) -> str:
    draft = Draft(type="SMS", sender=CALLER, text=text)
    return str(emulator.store.add(replace(draft, **fields))["id"])


def move(emulator: Emulator, message_id: str, availability: Any) -> None:
    record = emulator.store.find(message_id)
    assert record is not None
    emulator.store.move(record, availability)


def vanish(emulator: Emulator, *message_ids: str) -> None:
    """Remove messages without any record of it."""
    for message_id in message_ids:
        emulator.store.forget("id = ?", int(message_id))


def ago(emulator: Emulator, **span: float) -> datetime:
    return emulator.clock().astimezone(UTC) - timedelta(**span)


def is_on_disk(canary: bytes, folder: Path) -> bool:
    return any(canary in file.read_bytes() for file in folder.iterdir())
