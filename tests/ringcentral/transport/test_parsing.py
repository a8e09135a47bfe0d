"""JSON is parsed without a search for garbage; the program around the client decides about all others."""

import gc
import json
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral.transport.responses import parsed


@contextmanager
def collections() -> Generator[list[str]]:
    """Yield a list that gets an entry for each search for garbage in the block."""
    found: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        found.append(phase)

    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)


def test_a_large_page_is_parsed_without_a_search_for_garbage_among_it():
    with Emulator(messages=1_000) as emulator:
        page = json.dumps({"records": emulator.store.messages()}).encode()
    gc.collect()
    with collections() as found:
        kept = parsed(page)
    assert len(kept["records"]) >= 1_000  # pyright: ignore[reportIndexIssue, reportUnknownArgumentType, reportArgumentType]
    assert len(found) <= 2, "one may begin when parsing has ended"


@pytest.mark.parametrize("body", [b'{"id": 1}', b"<html>", b""])
@pytest.mark.parametrize("is_enabled", [True, False])
def test_parsing_leaves_the_search_for_garbage_as_the_program_set_it(body: bytes, is_enabled: bool):
    try:
        if not is_enabled:
            gc.disable()
        parsed(body)
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()
