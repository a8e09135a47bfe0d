#!/usr/bin/env bash
# mcp (the Python SDK) with OpenTelemetry: what a client writes becomes the name and the status of spans, whole.
#
# Expected: nothing that a client wrote, as the SDK keeps arguments out of spans, and the text of pydantic's errors ("carry
# client input"). Or at most in attributes, where OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT cuts it. A span's name has few values.
# Observed: the call of a tool that does not exist is a span with that tool's name in its own. 3,000 letters stay 3,000: the
# limit cuts only the copy in `gen_ai.tool.name`. Each misspelling is a new name for a store that groups traces by name, or
# a collector that counts by it. The address of a resource that does not exist is in the span's status, as the answer's
# text is: here a mailbox, with its phone number. What exports the spans has to compare names with the server's own tools
# and leave out the status' text. We know of no report.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'mcp==2.3.0' 'opentelemetry-sdk==1.45.2' \
    2>errors.txt || { cat errors.txt >&2; exit 1; }

cat > spans.py <<'PY'
import os
import sys
from importlib.metadata import version

os.environ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"] = "20"

import anyio
from mcp import Client, MCPError
from mcp.server import MCPServer
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
server = MCPServer("messages", log_level="CRITICAL")


@server.tool()
def read(message: int) -> str:
    return str(message)


async def calls(mode: str) -> tuple[int, int, str, bool]:
    """Return the length of the span's name, of its attribute, a span's status, and whether a wrong argument is in any."""
    spans.clear()
    async with Client(server, mode=mode) as client:
        await client.call_tool("x" * 3000, {})
        await client.call_tool("read", {"message": "not a number"})
        try:
            await client.read_resource("mailbox://+16505550100")
        except MCPError:
            pass
    seen = {span.attributes["mcp.method.name"] + str(span.attributes.get("gen_ai.tool.name", "")): span
            for span in spans.get_finished_spans() if span.kind is trace.SpanKind.SERVER}
    unknown, resource = seen["tools/call" + "x" * 20], seen["resources/read"]
    argument = any("not a number" in span.to_json() for span in spans.get_finished_spans())
    return len(unknown.name), len(unknown.attributes["gen_ai.tool.name"]), resource.status.description, argument


found = {era: anyio.run(calls, mode) for era, mode in {"2025-11-25": "legacy", "2026-07-28": "2026-07-28"}.items()}
print(f"mcp {version('mcp')}, opentelemetry-sdk {version('opentelemetry-sdk')}, attributes of 20 letters at most")
for era, (name, attribute, status, argument) in found.items():
    print(f"{era}: a name of {name:,} letters, an attribute of {attribute}; status: {status}; argument in it: {argument}")
seen = (len("tools/call ") + 3000, 20, "Unknown resource: mailbox://+16505550100", False)
sys.exit(0 if set(found.values()) == {seen} else 1)
PY
venv/bin/python spans.py 2>errors.txt || { cat errors.txt >&2; exit 1; }
