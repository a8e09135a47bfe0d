"""Sends out what a replica measures: `/metrics` for Prometheus, and traces and metrics over OTLP where that is wanted.

Spans are made by the MCP SDK and could be made by other packages. They carry what a client wrote: names of tools that
do not exist, addresses with ids of messages, ids of requests, texts of errors. So each span is rewritten before it
leaves the process, with attributes of a fixed list and without any text.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from opentelemetry import metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, Status
from prometheus_client import CollectorRegistry, generate_latest

from rc_mcp import __version__
from rc_mcp.team.measures import OTHER
from rc_mcp.team.measuring import HTTP_VERSIONS, METHODS, TOOLS, TRANSPORT, VERSIONS, form_of, prompt_names

OTLP_ENDPOINT, OTLP_TIMEOUT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TIMEOUT"
_ANSWERS_WITHIN_S = 2.0
"""For a collector. The end of a replica waits for it once."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What measures in this process, as OpenTelemetry has it: once for all replicas that it may run."""

    registry: CollectorRegistry
    meters: MeterProvider
    tracers: TracerProvider | None

    def exposition(self) -> bytes:
        """Return all metrics, as Prometheus reads them."""
        return generate_latest(self.registry)

    def shutdown(self) -> None:
        """Send all that is not sent yet."""
        self.meters.shutdown()
        if self.tracers:
            self.tracers.shutdown()


@cache
def start() -> Telemetry:
    """Begin to measure in this process, and to send it where OTEL_EXPORTER_OTLP_ENDPOINT says."""
    resource = Resource.create({SERVICE_NAME: "rc-mcp", SERVICE_VERSION: __version__})
    registry = CollectorRegistry()
    readers: list[MetricReader] = [PrometheusMetricReader(registry=registry, scope_info_enabled=False)]
    tracers = None
    if os.environ.get(OTLP_ENDPOINT):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # late: few want it
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        timeout = None if os.environ.get(OTLP_TIMEOUT) else _ANSWERS_WITHIN_S
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter(timeout=timeout)))
        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(BatchSpanProcessor(OnlyKnown(OTLPSpanExporter(timeout=timeout))))
        trace.set_tracer_provider(tracers)
    meters = MeterProvider(readers, resource)
    metrics.set_meter_provider(meters)
    return Telemetry(registry, meters, tracers)


class OnlyKnown(SpanExporter):
    """An exporter that passes spans on without anything that a client, a sender or RingCentral wrote."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_only_known(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "mcp.method.name": METHODS.__contains__,
    "mcp.protocol.version": VERSIONS.__contains__,
    "mcp.resource.uri": lambda uri: form_of(uri) == uri,
    "gen_ai.operation.name": {"execute_tool"}.__contains__,
    "gen_ai.tool.name": TOOLS.__contains__,
    "gen_ai.prompt.name": lambda name: name in prompt_names(),
    "jsonrpc.request.id": lambda id_: re.fullmatch(r"[0-9]{1,6}", id_, re.ASCII) is not None,
    "error.type": lambda word: _ERROR.fullmatch(word) is not None,
    "rpc.response.status_code": lambda code: _ERROR.fullmatch(code) is not None,
    "network.transport": {TRANSPORT}.__contains__,
    "network.protocol.name": {"http"}.__contains__,
    "network.protocol.version": HTTP_VERSIONS.__contains__,
}
"""The attributes that leave this process, and which values. A request's id with at most six digits is a client's
counter; ids of RingCentral and phone numbers are longer."""
_ERROR = re.compile(r"-?[0-9]{3,5}|[A-Za-z_][A-Za-z_.]*", re.ASCII)
"""A code of JSON-RPC or HTTP, or the name of a class."""


def _only_known(span: ReadableSpan) -> ReadableSpan:
    attributes = _attributes(span.attributes or {})
    return ReadableSpan(
        name=_name(attributes),
        context=_without_state(span.context),
        parent=_without_state(span.parent),
        resource=span.resource,
        attributes=attributes,
        events=[_event(event) for event in span.events],
        links=[Link(context) for link in span.links if (context := _without_state(link.context))],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _attributes(given: Mapping[str, object]) -> dict[str, str]:
    said = {name: str(given[name]) for name in given.keys() & _CHECKS.keys()}
    return {name: word if _CHECKS[name](word) else OTHER for name, word in said.items()}


def _name(attributes: Mapping[str, str]) -> str:
    words = [attributes.get(name) for name in ("mcp.method.name", "gen_ai.tool.name", "gen_ai.prompt.name")]
    return " ".join(word for word in words if word) or OTHER


def _event(event: Event) -> Event:
    """Return an event with no more than an exception's type."""
    kind = (event.attributes or {}).get("exception.type")
    known = {"exception.type": str(kind)} if kind and _ERROR.fullmatch(str(kind)) else {}
    return Event("exception" if known else OTHER, known, event.timestamp)


def _without_state(context: SpanContext | None) -> SpanContext | None:
    """Return the ids of a span. A client may write any text into the rest (`tracestate`)."""
    return context and SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)
