"""The emulator on real sockets."""

import socket

import anyio
import httpx2 as httpx
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.emulator.service.serving import bound_sockets
from tests.emulator.conftest import log_in

pytestmark = pytest.mark.anyio


async def test_it_serves_platform_and_media_on_two_ports() -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        emulator.store.add(Draft(type="SMS", sender=Party(phone_number="+15035550111"), text="Hi"))
        async with emulator.serve() as served, httpx.AsyncClient() as client:
            assert served is emulator
            assert emulator.server_url != emulator.media_url
            await log_in(client, emulator)
            url = f"{emulator.server_url}/restapi/v1.0/account/~/extension/~/message-store"
            record = (await client.get(url)).json()["records"][0]
            uri = record["attachments"][0]["uri"]
            assert uri.startswith(emulator.media_url)
            assert (await client.get(uri)).text == "Hi"
            assert (await client.get(f"{emulator.media_url}/restapi/oauth/token")).status_code == 404


def test_answers_are_sent_without_waiting_for_acknowledgments() -> None:
    with bound_sockets("127.0.0.1", 0, 0) as bound:
        assert all(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in bound)


async def test_requests_are_not_read_by_the_slow_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    slow: list[bytes] = []

    def read(_: H11Protocol, data: bytes) -> None:
        slow.append(data)

    monkeypatch.setattr(H11Protocol, "data_received", read)
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        async with emulator.serve(), httpx.AsyncClient() as client:
            await log_in(client, emulator)
    assert slow == []


async def test_head_and_errors_are_well_formed_on_the_wire() -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        record = emulator.store.add(Draft(type="SMS", sender=Party(phone_number="+15035550111"), text="Hi"))
        async with emulator.serve() as emulator, httpx.AsyncClient() as client:
            await log_in(client, emulator)
            message = emulator.store.message(record["id"])
            assert message is not None
            answer = await client.head(message["attachments"][0]["uri"])
            assert (answer.headers["content-length"], answer.content) == ("2", b"")
            url = f"{emulator.server_url}/restapi/v1.0/account/~/extension/~/message-store/{record['id']}"
            assert (await client.delete(url)).status_code == 204
            assert (await client.get(f"{emulator.server_url}/nowhere")).status_code == 404


async def test_afterwards_the_ports_are_free_and_the_addresses_are_restored() -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        before = emulator.server_url
        async with emulator.serve() as emulator:
            port = int(emulator.server_url.rpartition(":")[2])
        assert emulator.server_url == before
        async with emulator.serve(port=port) as emulator:
            assert emulator.server_url == f"http://127.0.0.1:{port}"


async def test_cancelling_ends_it_cleanly() -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            ready = anyio.Event()

            async def serve() -> None:
                async with emulator.serve() as served, httpx.AsyncClient() as client:
                    await log_in(client, served)
                    ready.set()
                    await anyio.sleep_forever()

            tasks.start_soon(serve)
            await ready.wait()
            tasks.cancel_scope.cancel()


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open() -> None:
    with Emulator(scenario="empty") as emulator, socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match="in use"):
            async with emulator.serve(media_port=taken.getsockname()[1]):
                pass
        assert emulator.server_url == "http://platform.rc-emulator.test"


async def test_an_error_inside_the_block_is_raised_unchanged() -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10), pytest.raises(KeyError):
        async with emulator.serve():
            raise KeyError("mine")


async def test_a_client_that_disconnects_mid_request_does_not_stop_the_service() -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(10):
        async with emulator.serve() as emulator, httpx.AsyncClient() as client:
            port = int(emulator.server_url.rpartition(":")[2])
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"POST /restapi/oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\ngrant")
            await log_in(client, emulator)
        assert [seen.status for seen in emulator.requests] == [200]
