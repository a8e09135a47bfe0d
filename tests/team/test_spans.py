"""Spans that leave the process: the words of the conventions, and none of a client's or a sender's."""

from collections.abc import Generator
from contextlib import suppress

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)

from rc_mcp.team.measures import OTHER
from rc_mcp.team.measuring import form_of
from rc_mcp.team.telemetry import OnlyKnown
from rc_mcp.views.messages import attachment_uri, mailbox_uri

NAME = "Ludmila Kanarek"


class Exported:
    def __init__(self) -> None:
        self.memory = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({}))
        provider.add_span_processor(SimpleSpanProcessor(OnlyKnown(self.memory)))
        self.tracer: Tracer = provider.get_tracer("mcp-python-sdk")

    @property
    def last(self) -> ReadableSpan:
        return self.memory.get_finished_spans()[-1]


@pytest.fixture
def exported() -> Generator[Exported]:
    exported = Exported()
    yield exported
    assert [span for span in exported.memory.get_finished_spans() if NAME in str(span.to_json())] == []


def test_known_words_stay(exported: Exported) -> None:
    said = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "list_messages", "jsonrpc.request.id": "17"}

    exported.tracer.start_span("tools/call list_messages", attributes=said).end()

    assert (exported.last.name, exported.last.attributes) == ("tools/call list_messages", said)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("mcp.method.name", NAME),
        ("gen_ai.tool.name", NAME),
        ("gen_ai.prompt.name", NAME),
        ("mcp.protocol.version", NAME),
        ("mcp.resource.uri", attachment_uri("~", "~", "8201", "1")),
        ("jsonrpc.request.id", NAME),
        ("jsonrpc.request.id", "16505550123"),
        ("error.type", NAME),
        ("rpc.response.status_code", "16505550123"),
    ],
)
def test_a_word_of_the_client_is_other(attribute: str, value: str, exported: Exported) -> None:
    exported.tracer.start_span(f"a span about {NAME}", attributes={attribute: value}).end()

    assert exported.last.attributes == {attribute: OTHER}


def test_unknown_attributes_texts_of_errors_and_the_trace_state_do_not_leave(exported: Exported) -> None:
    state = TraceState([("a", "Ludmila-Kanarek")])
    parent = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    context = set_span_in_context(NonRecordingSpan(parent))

    with (
        suppress(ValueError),
        exported.tracer.start_as_current_span(
            "x", context, attributes={"a.name": NAME}, links=[Link(parent, {"a.name": NAME})]
        ) as span,
    ):
        span.add_event(NAME, {"text": NAME})
        span.set_status(Status(StatusCode.ERROR, NAME))
        raise ValueError(NAME)

    sent = exported.last
    assert sent.attributes == {}
    assert sent.status.description is None
    assert [(event.name, dict(event.attributes or {})) for event in sent.events] == [
        (OTHER, {}),
        ("exception", {"exception.type": "ValueError"}),
    ]
    assert sent.parent is not None
    assert (sent.parent.trace_id, sent.parent.trace_state) == (1, TraceState())
    assert "Kanarek" not in sent.to_json()


@pytest.mark.parametrize(
    ("uri", "form"),
    [
        (mailbox_uri("~", "~"), mailbox_uri("{account_id}", "{extension_id}")),
        (
            attachment_uri("1", "2", "3", "4"),
            attachment_uri("{account_id}", "{extension_id}", "{message_id}", "{attachment_id}"),
        ),
        (f"ringcentral://account/~/people/{NAME}", OTHER),
        ("https://example.com/8201", OTHER),
    ],
)
def test_a_resource_is_named_by_its_form(uri: str, form: str) -> None:
    assert form_of(uri) == form
    assert form_of(form) == form
