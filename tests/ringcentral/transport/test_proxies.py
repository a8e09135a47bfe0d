"""Tests of a proxy from the environment: only https uses it, and a request that it refuses was not sent."""

from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient, TokenAuth, Unreachable

pytestmark = pytest.mark.anyio


@pytest.fixture
async def asked(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[bytes]]:
    """Return the first line of each request to a proxy that refuses all."""
    lines: list[bytes] = []

    async def refuse(stream: SocketStream) -> None:
        async with stream:
            lines.append((await stream.receive()).split(b"\r\n")[0])
            await stream.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    (listener,) = (await anyio.create_tcp_listener(local_host="127.0.0.1")).listeners
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        for spelt in (name, name.lower()):
            monkeypatch.setenv(spelt, f"http://127.0.0.1:{port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, refuse)
        yield lines
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # uvicorn, which serves the emulator here, needs it
async def test_plain_http_does_not_use_a_proxy(asked: list[bytes]) -> None:
    with Emulator(rate_limits=False) as emulator:
        async with emulator.serve():
            auth = JWTAuth(emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt)
            async with MessageStoreClient(auth, server_url=emulator.server_url) as store:
                await store.list_messages()
    assert asked == []


async def test_a_request_that_a_proxy_refuses_was_not_sent(asked: list[bytes]) -> None:
    async with MessageStoreClient(TokenAuth("t"), max_wait_s=0) as store:
        with pytest.raises(Unreachable, match="407"):
            await store.delete_message("5")
    assert asked == [b"CONNECT platform.ringcentral.com:443 HTTP/1.1"]
