"""What is counted besides MCP messages, as operators see it at /metrics."""

import re
from contextlib import suppress

import httpx2 as httpx
import pytest

from rc_mcp.team import measures
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.measuring import MeasuredTransport
from rc_mcp.team.telemetry import start

pytestmark = pytest.mark.anyio


def counted(metric: str, **labels: str) -> float:
    """Return the value of a metric with these labels, in the text that Prometheus reads; 0 if there is none."""
    lines = start().exposition().decode().splitlines()
    found = [re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line) for line in lines]
    wanted = {f'{name}="{value}"' for name, value in labels.items()}
    return sum(float(f[3]) for f in found if f and f[1] == metric and wanted <= set(f[2].split(",")))


async def test_logins_are_counted_by_their_outcome() -> None:
    start()
    before = [counted("rc_mcp_logins_total", rc_mcp_login_outcome=outcome) for outcome in ("done", "failed")]

    with measures.login():
        pass
    with suppress(ValueError), measures.login():
        raise ValueError

    after = [counted("rc_mcp_logins_total", rc_mcp_login_outcome=outcome) for outcome in ("done", "failed")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]


@pytest.mark.process
async def test_a_transaction_that_failed_is_counted_by_the_kind_of_its_error(database: Database) -> None:
    start()
    before = counted("rc_mcp_database_errors_total", error_type="DivisionByZero")

    with suppress(DatabaseAway):
        async with database.transaction() as db:
            await db.execute("SELECT 1/0")

    assert counted("rc_mcp_database_errors_total", error_type="DivisionByZero") - before == 1


async def test_requests_to_ringcentral_are_measured_without_their_addresses() -> None:
    start()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/lost":
            raise httpx.ReadError("a text with an id: 16505550123", request=request)
        return httpx.Response(429, headers={"X-Rate-Limit-Group": "heavy"})

    transport = MeasuredTransport(httpx.MockTransport(answer))
    async with httpx.AsyncClient(transport=transport, base_url="https://measured.test") as client:
        await client.get("/restapi/v1.0/account/16505550123")
        with suppress(httpx.ReadError):
            await client.get("/lost")

    metric, host = "http_client_request_duration_seconds_count", "measured.test"
    assert counted(metric, server_address=host, error_type="429", rc_mcp_rate_limit_group="heavy") == 1
    assert counted(metric, server_address=host, error_type="ReadError") == 1
    assert b"16505550123" not in start().exposition()


async def test_waits_for_a_rate_limit_are_measured_by_group() -> None:
    start()
    metric = "rc_mcp_rate_limit_wait_duration_seconds_sum"
    before = counted(metric, rc_mcp_rate_limit_group="auth"), counted(metric, rc_mcp_rate_limit_group=measures.OTHER)

    measures.waited("auth", 2.5)
    measures.waited("a-group-of-nobody", 1.5)

    after = counted(metric, rc_mcp_rate_limit_group="auth"), counted(metric, rc_mcp_rate_limit_group=measures.OTHER)
    assert (after[0] - before[0], after[1] - before[1]) == (2.5, 1.5)
