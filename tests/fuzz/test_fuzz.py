"""Thousands of calls with arguments made from the schemas, on a mailbox that means harm: `make fuzz`.

Whatever is asked, in either generation of the protocol, with any answer of the user and any fault of RingCentral:
the server does not crash, answers as its schema promises, and sends nothing for arguments that it refuses.
"""

import asyncio
import json
import logging
import os
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import anyio
import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp.types import CallToolResult, Tool

from rc_mcp.emulator import Emulator
from rc_mcp.tools.strict_tool import CRASHED
from tests.desk import CANCEL, DECLINE, EMPTY, NO, YES, Answer, Clock, Desk, Era, Faults, text_of
from tests.fuzz.arguments import LAST_PLAN, LAST_SYNC_TOKEN, Call, calls

CALLS = int(os.environ.get("RC_FUZZ_CALLS", "5000"))
FROM = int(os.environ.get("RC_FUZZ_FROM", "0"))
"""Where the seeds start. The same number means the same calls only in the same run of pytest: Hypothesis also draws the
constants of the modules that are loaded by then."""
PARTS = 4
"""The number of concurrent calls."""
EXPECTED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
TOGETHER = 50
"""Calls of one session on one mailbox."""
MAX_CHARS = 45_000
PATIENCE_S = 300
NOTHING_SENT = "Nothing was sent to RingCentral."

Fault = Callable[[httpx.Request], httpx.Response | None]


def drops(request: httpx.Request) -> httpx.Response | None:
    raise httpx.ConnectError("the connection broke", request=request)


def is_silent(request: httpx.Request) -> httpx.Response | None:
    raise httpx.ReadTimeout("no answer came", request=request)


def answers(status: int, content: bytes = b"", content_type: str = "application/json") -> Fault:
    return lambda request: httpx.Response(status, content=content, headers={"Content-Type": content_type})


FAULTS: dict[str, Fault] = {
    "it drops": drops,
    "it is silent": is_silent,
    "it is down": answers(503),
    "it is busy": answers(429, b"{}"),
    "it has lost its mind": answers(200, b"<html>"),
    "it sends half": answers(200, b'{"records": [{"id": 1'),
    "it says nothing": answers(200, b""),
    "it says something else": answers(200, b'{"records": {"id": []}, "id": null}'),
    "it forgets": answers(404, b'{"errorCode": "CMN-102"}'),
    "it forbids": answers(403, b"[]"),
}
Session = tuple[Era, Answer | None, list[tuple[Call, str | None]]]


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_asked_the_server_answers_as_it_promises(part: int) -> None:
    with Emulator(scenario="hostile") as emulator:
        tools = anyio.run(published)
        call = calls(tools, emulator)
    fault = st.sampled_from([None] * 30 + [*FAULTS])
    sessions = st.tuples(
        st.sampled_from(["auto", "legacy"]),
        st.sampled_from([None, None, YES, YES, NO, DECLINE, CANCEL, EMPTY]),
        st.lists(st.tuples(call, fault), min_size=TOGETHER, max_size=TOGETHER),
    )
    seen: Counter[str] = Counter()

    @seed(part + PARTS * FROM)
    @settings(max_examples=-(-CALLS // PARTS // TOGETHER), deadline=None, suppress_health_check=EXPECTED, database=None)
    @given(sessions)
    def whatever(session: Session) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            anyio.run(held, session, tools, seen)

    whatever()
    print(", ".join(f"{count:,} {what}" for what, count in seen.most_common()))  # noqa: T201
    assert seen["calls"] >= CALLS // PARTS
    assert seen["not allowed by the schema"] > seen["calls"] / 20


async def published() -> list[Tool]:
    with TemporaryDirectory() as folder, Emulator() as emulator:
        async with Desk(emulator, Path(folder), Clock(), Faults(emulator)).client() as client:
            return (await client.list_tools()).tools


async def held(session: Session, tools: list[Tool], seen: Counter[str]) -> None:
    """One session: all that must hold of it."""
    era, answer, asked = session
    unhandled: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    validators = {t.name: Draft202012Validator(t.output_schema) for t in tools if t.output_schema}
    schemas = {t.name: t.input_schema for t in tools}
    clock = Clock()
    with TemporaryDirectory() as folder, Emulator(scenario="hostile", rate_limits=False, now=clock) as emulator:
        faults = OneFault(emulator)
        desk = Desk(emulator, Path(folder), clock, faults)
        with anyio.fail_after(PATIENCE_S):
            # Also resources of our own mailbox by its id: otherwise every address would be refused and nothing tried.
            async with desk.client(era, answer, RC_MCP_EXTENSIONS=emulator.extension_id) as client:
                earlier: dict[str, str] = {}
                for call, fault in asked:
                    faults.fault = FAULTS[fault] if fault else None
                    before = faults.requests
                    arguments = told(call.arguments, earlier)
                    result = await client.call_tool(call.tool, arguments)
                    sent = faults.requests - before
                    promises_kept(call, result, validators, sent=sent)
                    if not is_allowed(arguments, schemas[call.tool]):
                        assert (result.is_error, sent) == (True, 0), (call, text_of(result))
                        seen.update(["not allowed by the schema"])
                    remember(result, earlier)
                    seen.update(["calls", outcome(result), *(["with a fault"] if fault else [])])
    assert unhandled == []


def is_allowed(arguments: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether the published schema allows them, as they are or in a spelling that the server may take for them."""
    properties: dict[str, Any] = schema["properties"]
    required = schema.get("required", [])
    read = {name: as_read(value, properties.get(name, {})) for name, value in arguments.items()}
    # null, an empty text and an empty list mean a missing argument (`EMPTIES` in tests/tools/test_arguments.py).
    given = {
        name: value
        for name, value in read.items()
        if value not in (None, "", []) or name in required or name not in properties
    }
    return Draft202012Validator(schema).is_valid(given)  # pyright: ignore[reportUnknownMemberType]


def as_read(value: Any, schema: dict[str, Any]) -> Any:
    """Return the value that the server may read: digits for a number, a list for a single value, a word in quotes."""
    kind = schema.get("type")
    if kind == "array" and isinstance(value, str | int | float):
        value = [value]
    if kind == "array" and isinstance(value, list):
        return [as_read(item, schema["items"]) for item in cast("list[Any]", value)]
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if 0 <= value < 2**53 and value == int(value) else value
    if kind in {"integer", "boolean"} and isinstance(value, str):
        with suppress(ValueError):
            return json.loads(value)
    return value


class OneFault(Faults):
    """A transport that breaks while `fault` is set, and counts."""

    fault: Fault | None = None
    requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self.fault and (answer := self.fault(request)):
            return answer
        return await super().handle_async_request(request)


def told(arguments: dict[str, Any], earlier: dict[str, str]) -> dict[str, Any]:
    """Return the arguments with placeholders replaced by values from earlier answers."""
    return {
        name: earlier.get(value, "1") if isinstance(value, str) and value in {LAST_PLAN, LAST_SYNC_TOKEN} else value
        for name, value in arguments.items()
    }


def remember(result: CallToolResult, earlier: dict[str, str]) -> None:
    said: dict[str, Any] = result.structured_content or {}
    for name, stands_for in (("plan_id", LAST_PLAN), ("sync_token", LAST_SYNC_TOKEN)):
        if isinstance(said.get(name), str):
            earlier[stands_for] = said[name]


def promises_kept(
    call: Call, result: CallToolResult, validators: dict[str, Draft202012Validator], *, sent: int
) -> None:
    text = text_of(result)
    assert CRASHED not in text, (call, text)
    assert len(text) < MAX_CHARS, (call, len(text))
    if NOTHING_SENT in text:
        assert sent == 0, (call, text)
    if result.is_error:
        assert text.strip(), call
        assert "Traceback" not in text
    elif result.structured_content is not None:
        assert json.loads(text) == result.structured_content, call
        if call.tool in validators:
            validators[call.tool].validate(result.structured_content)  # pyright: ignore[reportUnknownMemberType]


def outcome(result: CallToolResult) -> str:
    if not result.is_error:
        return "answered"
    return "refused before anything was sent" if NOTHING_SENT in text_of(result) else "failed or refused in words"


@pytest.fixture(autouse=True)
def no_crash_in_the_log(caplog: pytest.LogCaptureFixture) -> Any:
    """An ERROR in the log is a crash, whatever the answer said."""
    yield
    crashes = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in crashes] == []
