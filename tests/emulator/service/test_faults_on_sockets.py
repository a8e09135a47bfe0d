"""Faults on real sockets: connections are really lost, and waiting requests do not delay the end of the service."""

import logging

import anyio
import anyio.lowlevel
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from tests.emulator.conftest import HELLO, MAILBOX, log_in, states

pytestmark = pytest.mark.anyio


def mailbox(emulator: Emulator) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"{emulator.server_url}{MAILBOX}")


async def everything_sent_back(emulator: Emulator, request: str) -> bytes:
    """Send a request over a plain connection and return all bytes until the server closes it."""
    received = b""
    async with await anyio.connect_tcp("127.0.0.1", int(emulator.server_url.rpartition(":")[2])) as stream:
        await stream.send(request.encode())
        while True:
            try:
                received += await stream.receive()
            except anyio.EndOfStream:
                return received


@pytest.mark.parametrize(("acted", "expected"), [(False, "Alive"), (True, "Deleted")])
async def test_a_drop_closes_the_connection_without_a_byte(acted: bool, expected: str) -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        message_id = emulator.store.add(HELLO)["id"]
        async with emulator.serve(), mailbox(emulator) as client:
            await log_in(client, emulator)
            emulator.faults.inject("drop", operation="deleteMessage", acted=acted, times=2)
            with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
                await client.delete(f"message-store/{message_id}")
            assert states(emulator) == [expected]
            token = client.headers["authorization"]
            request = f"DELETE {MAILBOX}message-store/1 HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
            assert await everything_sent_back(emulator, request) == b""
            assert (await client.get(f"message-store/{message_id}")).status_code == 200


async def test_a_truncated_answer_is_shorter_than_its_content_length() -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        emulator.store.add(HELLO)
        async with emulator.serve(), mailbox(emulator) as client:
            await log_in(client, emulator)
            whole = await client.get("message-store")
            emulator.faults.inject("truncate")
            async with client.stream("GET", "message-store") as answer:
                assert answer.status_code == 200
                assert int(answer.headers["content-length"]) > len(whole.content) // 2
                with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
                    await answer.aread()
            assert (await client.get("message-store")).status_code == 200


async def test_a_stalled_request_ends_when_the_client_gives_up() -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        async with emulator.serve(), mailbox(emulator) as client:
            await log_in(client, emulator)
            emulator.faults.inject("stall")
            with pytest.raises(httpx.ReadTimeout):
                await client.get("message-store", timeout=0.05)
            assert emulator.requests[-1].fault == "stall"
            assert (await client.get("message-store")).status_code == 200


async def test_a_late_request_is_carried_out_after_the_client_gave_up() -> None:
    with Emulator(scenario="empty", time_scale=0) as emulator, anyio.fail_after(10):
        message_id = emulator.store.add(HELLO)["id"]
        async with emulator.serve(), mailbox(emulator) as client:
            await log_in(client, emulator)
            emulator.faults.inject("latency", seconds=60)
            with pytest.raises(httpx.ReadTimeout):
                await client.delete(f"message-store/{message_id}", timeout=0.05)
            assert states(emulator) == ["Alive"]
            emulator.clock.advance(minutes=1)
            while states(emulator) == ["Alive"]:
                await anyio.lowlevel.checkpoint()
        assert states(emulator) == ["Deleted"]


@pytest.mark.parametrize("kind", ["stall", "latency"])
async def test_waiting_requests_do_not_delay_the_end(caplog: pytest.LogCaptureFixture, kind: str) -> None:
    caplog.set_level(logging.WARNING)
    with Emulator(scenario="empty", time_scale=0) as emulator, anyio.fail_after(10):
        message_id = emulator.store.add(HELLO)["id"]

        async def delete() -> None:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.delete(f"message-store/{message_id}")

        async with mailbox(emulator) as client, anyio.create_task_group() as tasks, emulator.serve():
            client.base_url = f"{emulator.server_url}{MAILBOX}"
            await log_in(client, emulator)
            emulator.faults.inject("stall" if kind == "stall" else "latency")
            tasks.start_soon(delete)
            while emulator.faults.active:
                await anyio.lowlevel.checkpoint()
        assert states(emulator) == ["Alive"]
    assert caplog.records == []
