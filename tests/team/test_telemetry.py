"""Logs, traces and metrics of a replica: they have what the conventions want, and nobody's data.

The replica is a process of its own, and the collector is a real one for OTLP, as small as can be.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import anyio
import httpx2 as httpx
import pytest
from mcp import MCPError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from rc_mcp.emulator import Draft, Emulator, File, Party
from rc_mcp.team.database import Database
from rc_mcp.team.measures import OTHER
from rc_mcp.views.messages import attachment_uri, message_uri
from tests.serving import RC_MCP
from tests.team.replicas import PUBLIC_URL, Team

pytestmark = [pytest.mark.anyio, pytest.mark.process]

OPERATOR = "an-operators-token-of-24-or-more"
NAME, WORDS, FILE = "Ludmila Kanarek", "the canary sings at noon", "kanarek-letter.png"
NUMBER = "+14155550199"
CLIENTS = "a-canary-of-a-client"
"""What a client writes where a server could take it for a word of its own."""


@dataclass
class Collector:
    """What arrived over OTLP."""

    address: str
    bodies: list[bytes] = field(default_factory=list[bytes])
    traces: list[ExportTraceServiceRequest] = field(default_factory=list[ExportTraceServiceRequest])
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list[ExportMetricsServiceRequest])

    @property
    def spans(self) -> list[Any]:
        scopes = [s for sent in self.traces for resource in sent.resource_spans for s in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def points(self, name: str) -> list[dict[str, str]]:
        """Return the attributes of each point of a metric, as it was sent last."""
        scopes = [s for sent in self.metrics[-1:] for resource in sent.resource_metrics for s in resource.scope_metrics]
        found = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        return [words(p.attributes) for m in found for p in (*m.histogram.data_points, *m.sum.data_points)]


def words(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in attributes}


@dataclass
class Observed:
    """A replica that is running, and what it has said."""

    address: str
    lines: list[str]


@asynccontextmanager
async def collector() -> AsyncGenerator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.bodies.append(body)
            if self.path == "/v1/traces":
                heard.traces.append(ExportTraceServiceRequest.FromString(body))
            else:
                heard.metrics.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard = Collector(f"http://127.0.0.1:{server.server_port}")
    serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield heard
    finally:
        await anyio.to_thread.run_sync(server.shutdown)
        serving.join()
        server.server_close()


@asynccontextmanager
async def observed(variables: dict[str, str]) -> AsyncGenerator[Observed]:
    """Run `rc-mcp serve --http --team` until the end of the block, and then until it has ended."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("RC_", "OTEL_"))} | variables
    command = [*RC_MCP, "serve", "--http", "--team", "--port", "0"]
    lines: list[str] = []
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        reading = Thread(target=lines.extend, args=(process.stderr,))
        try:
            for line in process.stderr:
                lines.append(line)
                if running := re.search(r"running on (http://[^/\s]+)", line):
                    break
            else:
                raise AssertionError(f"it did not start: {lines}")
            reading.start()
            yield Observed(running[1], lines)
        finally:
            process.terminate()
            await anyio.to_thread.run_sync(process.wait)
            if reading.ident:
                reading.join()
    assert process.returncode == 0, lines


async def test_nothing_of_anybody_leaves_and_the_conventions_are_met(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    emulator = Emulator(redirect_uris=[f"{PUBLIC_URL}/login/ringcentral"])
    with emulator:
        async with emulator.serve(), collector() as heard:
            office = Team(emulator, database, database_url)
            mailbox = office.mailbox(1)
            caller = Party(phone_number=NUMBER, name=NAME)
            received = [
                mailbox.add(Draft(type="SMS", sender=caller, text=WORDS)),
                mailbox.add(Draft(type="SMS", sender=caller, text=WORDS, media=(File(FILE, b"a picture"),))),
            ]
            variables = office.variables(
                RC_MCP_HTTP_TOKEN=OPERATOR, RC_MCP_STATE_DIR=str(tmp_path), OTEL_EXPORTER_OTLP_ENDPOINT=heard.address
            )
            async with office.replica(), observed(variables) as replica:
                office.addresses[0] = replica.address
                await use_everything(office, [str(message["id"]) for message in received])
                told = await ask_as_operator(replica.address)

        people = [str(v) for user in emulator.users for v in (user.extension_id, user.username, user.password)]
        tokens = [*office.tokens.values(), OPERATOR, *variables["RC_MCP_SECRET_KEYS"].split(",")]
        canaries = {
            NAME, WORDS, FILE, NUMBER, CLIENTS, NUMBER.lstrip("+"), emulator.account_id, database_url,
            *people, *tokens, *(str(message["id"]) for message in mailbox.messages()),
            emulator.client_secret,
        }  # fmt: skip
        out = b"\n".join([*heard.bodies, told.encode(), *(line.encode() for line in replica.lines)])
        assert [canary for canary in sorted(canaries) if canary.encode() in out] == []

    check_lines(replica.lines)
    check_spans(heard)
    check_metrics(heard, told)


async def use_everything(office: Team, received: list[str]) -> None:
    """Call tools, prompts and resources as clients do: rightly, wrongly, and with words of their own everywhere."""
    first, second = received
    meta = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": f"x={CLIENTS}",
        "baggage": f"x={CLIENTS}",
    }
    for era in ("auto", "legacy"):
        async with office.client(1, 0, era) as client:
            await client.list_tools()
            await client.call_tool("list_messages", {"date_from": "7d"}, meta=cast("Any", meta))
            await client.call_tool("list_messages", {"date_from": CLIENTS})
            await client.call_tool("list_messages", {"phone_number": NUMBER, CLIENTS: CLIENTS})
            await client.call_tool("read_message", {"message_id": first})
            await client.call_tool("read_message", {"message_id": "999999999999"})
            await client.call_tool("read_message_content", {"message_id": second, "form": "file"})
            await client.call_tool("update_message", {"message_id": [first], "read_status": "Read"})
            await client.call_tool("delete_message", {"message_id": [first]})
            await client.list_prompts()
            await client.get_prompt("triage_inbox")
            await client.list_resources()
            await client.read_resource(message_uri("~", "~", first))
            for failing in (
                client.call_tool(CLIENTS, {}),
                client.get_prompt(CLIENTS),
                client.get_prompt("triage_inbox", {CLIENTS: CLIENTS}),
                client.read_resource(f"ringcentral://{CLIENTS}"),
                client.read_resource(attachment_uri("~", "~", first, "4711")),
                client.read_resource(message_uri("~", office.emulator.users[2].extension_id, first)),
            ):
                with suppress(MCPError):
                    await failing
    async with httpx.AsyncClient() as http:
        for token in ("", f"Bearer {CLIENTS}", f"Bearer {office.tokens[1]}"):
            headers = {"Authorization": token, "Host": "team.test", "Accept": "application/json, text/event-stream"}
            for content in (CLIENTS, json.dumps({"jsonrpc": "2.0", "id": CLIENTS, "method": CLIENTS, "params": {}})):
                address = f"{office.addresses[0]}/mcp"
                await http.post(address, content=content, headers={**headers, "Mcp-Session-Id": CLIENTS})
        for path in (f"/login/ringcentral?code={CLIENTS}&state={CLIENTS}", f"/authorize?client_id={CLIENTS}", "/token"):
            await http.get(f"{office.addresses[0]}{path}", headers={"Host": "team.test"})
    office.emulator.faults.inject("server_error", times=None)
    async with office.client(1) as client:
        await client.call_tool("list_messages", {"phone_number": NUMBER})
    office.emulator.faults.clear()


async def ask_as_operator(address: str) -> str:
    """Return the metrics; first, ask as somebody who is no operator."""
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{address}/metrics", headers={"Authorization": f"Bearer {CLIENTS}"})).status_code == 401
        answer = await http.get(f"{address}/metrics", headers={"Authorization": f"Bearer {OPERATOR}"})
    return answer.text


def check_lines(lines: list[str]) -> None:
    for line in map(json.loads, lines):
        assert line.keys() >= {"time", "level", "logger", "message"}


def check_spans(heard: Collector) -> None:
    spans = {span.name: words(span.attributes) for span in heard.spans}
    assert spans.keys() >= {
        "tools/call list_messages",
        f"tools/call {OTHER}",
        "resources/read",
        "prompts/get triage_inbox",
    }
    assert (
        spans["tools/call read_message"].items()
        >= {
            "mcp.method.name": "tools/call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "read_message",
            "network.transport": "tcp",
            "network.protocol.name": "http",
            "network.protocol.version": "1.1",
        }.items()
    )
    read = [words(span.attributes)["mcp.resource.uri"] for span in heard.spans if span.name == "resources/read"]
    assert set(read) == {
        message_uri("{account_id}", "{extension_id}", "{message_id}"),
        attachment_uri("{account_id}", "{extension_id}", "{message_id}", "{attachment_id}"),
        OTHER,
    }
    assert {words(span.attributes)["mcp.protocol.version"] for span in heard.spans} >= {"2025-11-25", "2026-07-28"}
    assert "0af7651916cd43dd8448eb211c80319c" in {span.trace_id.hex() for span in heard.spans}


def check_metrics(heard: Collector, told: str) -> None:
    operations = heard.points("mcp.server.operation.duration")
    by_tool = [point for point in operations if point.get("gen_ai.tool.name") == "list_messages"]
    always = {"mcp.method.name", "mcp.protocol.version", "network.transport", "network.protocol.name"}
    assert all(point.keys() >= always for point in operations)
    assert all(("gen_ai.tool.name" in point) == (point["mcp.method.name"] == "tools/call") for point in operations)
    assert all(("gen_ai.prompt.name" in point) == (point["mcp.method.name"] == "prompts/get") for point in operations)
    assert {point.get("error.type") for point in by_tool} == {None, "tool_error"}
    codes = {p["rpc.response.status_code"]: p["error.type"] for p in operations if "rpc.response.status_code" in p}
    assert codes
    assert all(code == kind for code, kind in codes.items())
    groups = {point.get("rc_mcp.rate_limit.group") for point in heard.points("http.client.request.duration")}
    assert groups >= {"light", "medium"}
    assert {point["rc_mcp.change.status"] for point in heard.points("rc_mcp.changes")} >= {
        "done",
        "confirmation_required",
    }
    assert heard.points("rc_mcp.rate_limit.wait.duration")
    for name in ("mcp_server_operation_duration_seconds_bucket", "rc_mcp_changes_total"):
        assert f"\n{name}{{" in told


def test_single_use_imports_none_of_it() -> None:
    program = "import sys, rc_mcp.cli.serve, rc_mcp.server; print([m for m in sys.modules if m.startswith((%s))])"
    names = "'rc_mcp.team', 'opentelemetry.sdk', 'opentelemetry.metrics', 'psycopg', 'prometheus_client'"
    done = subprocess.run([sys.executable, "-c", program % names], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
