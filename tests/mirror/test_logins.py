"""Tests of which mailbox of the copy is a login's own."""

from collections.abc import Generator
from pathlib import Path

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.mirror.logins import mailbox_of
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import Unreachable
from tests.mirror.feeding import Wire, client_on

pytestmark = pytest.mark.anyio


@pytest.fixture
def mirror(tmp_path: Path) -> Generator[Mirror]:
    with Mirror(tmp_path) as mirror:
        yield mirror


@pytest.fixture
def emulator() -> Generator[Emulator]:
    with Emulator(rate_limits=False) as service:
        yield service


def own_ids(emulator: Emulator) -> tuple[str, str]:
    return emulator.account_id, emulator.extension_id


async def test_a_login_s_own_mailbox_has_its_ids_and_is_asked_for_once(emulator: Emulator, mirror: Mirror) -> None:
    wire = Wire(emulator)
    async with client_on(emulator, wire) as client:
        for _ in range(2):
            assert await mailbox_of(client, mirror, "login 1") == own_ids(emulator)
        assert len(wire.sent) == 1
        assert list(mirror.mailboxes()) == [own_ids(emulator)]


async def test_another_login_asks_for_its_own_mailbox(emulator: Emulator, mirror: Mirror) -> None:
    wire = Wire(emulator)
    async with client_on(emulator, wire) as client:
        await mailbox_of(client, mirror, "login 1")
        assert await mailbox_of(client, mirror, "login 2") == own_ids(emulator)
        assert len(wire.sent) == 2
        assert len(mirror.mailboxes()) == 1


async def test_ids_that_are_given_are_used_and_need_no_request(emulator: Emulator, mirror: Mirror) -> None:
    wire = Wire(emulator)
    async with client_on(emulator, wire) as client:
        assert await mailbox_of(client, mirror, "login", account_id="1", extension_id="2") == ("1", "2")
        assert wire.sent == []
        assert await mailbox_of(client, mirror, "login", extension_id="2") == (own_ids(emulator)[0], "2")


async def test_without_a_network_a_known_login_still_has_its_mailbox(emulator: Emulator, mirror: Mirror) -> None:
    wire = Wire(emulator)
    async with client_on(emulator, wire) as client:
        await mailbox_of(client, mirror, "known")
        wire.before = unreachable
        assert await mailbox_of(client, mirror, "known") == own_ids(emulator)
        with pytest.raises(Unreachable):
            await mailbox_of(client, mirror, "new")


def unreachable(request: httpx.Request) -> None:
    raise httpx.ConnectError("no network", request=request)


@pytest.mark.parametrize("uri", [None, "https://example.test/~", "/account/~/extension/~/message-store?", 7])
async def test_a_list_that_names_no_ids_is_replaced_by_its_messages_and_these_by_the_login(
    emulator: Emulator, mirror: Mirror, uri: object
) -> None:
    class Changed(Wire):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if not request.url.path.endswith("/message-store"):
                return response
            await response.aread()
            body = response.json()
            body["uri"] = uri
            if self.also_messages:
                body["records"] = [{**record, "uri": uri} for record in body["records"]]
            return httpx.Response(response.status_code, json=body)

        also_messages = False

    wire = Changed(emulator)
    async with client_on(emulator, wire) as client:
        assert await mailbox_of(client, mirror, "1") == own_ids(emulator)
        wire.also_messages = True
        assert await mailbox_of(client, mirror, "2") == ("~", "2")
