"""Tests of the total time for a call with many requests: a read ends with it, and no change is sent near its end."""

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.ringcentral import AnswerLost, MessageStoreClient, NoTimeLeft, TokenAuth
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.deadlines import Allowance
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class Silent(httpx.AsyncBaseTransport):
    """Takes every request and never answers."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.methods.append(request.method)
        await anyio.sleep_forever()
        raise AssertionError


async def test_a_read_is_stopped_when_the_time_runs_out() -> None:
    async with MessageStoreClient(TokenAuth("t"), transport=Silent()) as store:
        began = anyio.current_time()
        with Allowance(10).spent(), pytest.raises(AnswerLost):
            await store.list_messages()
        assert anyio.current_time() - began == pytest.approx(10)


async def test_a_change_is_stopped_while_there_is_time_to_read_the_result() -> None:
    service, allowance = Silent(), Allowance(40)
    async with MessageStoreClient(TokenAuth("t"), transport=service) as store:
        with allowance.spent():
            (outcome,) = await store.delete_message("5")
    assert isinstance(outcome.error, AnswerLost)
    assert service.methods == ["DELETE"]
    assert allowance.left_s == pytest.approx(LIMITS.read_back_s)


async def test_a_change_is_not_sent_without_time_to_wait_for_its_answer() -> None:
    service = Silent()
    async with MessageStoreClient(TokenAuth("t"), transport=service) as store:
        with Allowance(LIMITS.change_begins_s - 1).spent(), pytest.raises(NoTimeLeft):
            await store.delete_message("5")
    assert service.methods == []
