"""Damaged attachments through the server as users start it: `make fuzz` sends a thousand.

Every file of `tests/media/cases` is sent as it is, then with bytes flipped, cut out or doubled. A server over HTTP, a
process of its own, opens each without OCR, which sees only pictures that were already drawn. Each attachment gets a
clear answer that fits into an event, the server's memory stays as it was, and the server lives.
"""

import json
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.types import CallToolResult, EmbeddedResource, ImageContent, ResourceLink

from rc_mcp.attachments.forms import REASONS
from rc_mcp.cli.emulator import login_to
from rc_mcp.emulator import Draft, Emulator, File, Party
from rc_mcp.media.document_limits import LIMITS
from rc_mcp.tools.strict_tool import CRASHED
from tests.desk import Era, text_of
from tests.media.damage import cut, doubled, flipped
from tests.serving import Served, served

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")]

CASES = sorted((Path(__file__).parents[1] / "media/cases").iterdir())
DAMAGED = int(os.environ.get("RC_FUZZ_FILES", "50"))
FROM = int(os.environ.get("RC_FUZZ_FROM", "0"))
"""The seed: the same number, the same damage."""
TOGETHER = 4
"""Attachments that are opened at the same time."""
EACH_S = 40
MAY_GROW_MB = 100
ERAS: tuple[Era, Era] = ("auto", "legacy")
FORMS = ["auto", "auto", "pages", "text", "original", "embedded", "file"]
WITHOUT_OCR = "from rc_mcp.attachments import forms; forms.has_ocr = lambda: False; from rc_mcp.cli import main; main()"
SENDER = Party(name="Ana", phone_number="+16505550118")


@dataclass
class Seen:
    """What came of the attachments."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    unclear: list[str] = field(default_factory=list[str])
    """The names of attachments whose answers are unclear or too large, with the answers."""


def attachments() -> list[tuple[str, bytes]]:
    """Return the name and bytes of each file, and of the damaged ones."""
    by = random.Random(FROM)  # noqa: S311  the same damage in each run
    sound = [(case.name, case.read_bytes()) for case in CASES]
    damaged = [(by.choice([flipped, cut, doubled]), *by.choice(sound)) for _ in range(DAMAGED)]
    return [*sound, *((f"{number}-{name}", damage(data, by)) for number, (damage, name, data) in enumerate(damaged))]


async def test_damaged_attachments_get_clear_answers_from_a_server_that_lives_and_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = attachments()
    with anyio.fail_after(EACH_S * len(files) / TOGETHER), Emulator(scenario="empty", rate_limits=False) as emulator:
        async with emulator.serve():
            state = {"RC_MCP_STATE_DIR": str(tmp_path / "state"), "RC_MCP_DOWNLOAD_DIR": str(tmp_path / "files")}
            for name, value in {**login_to(emulator), **state}.items():
                monkeypatch.setenv(name, value)
            with served(sys.executable, "-c", WITHOUT_OCR, "serve", "--http", "--port", "0") as server:
                seen, before_mb, after_mb, most_mb = await opened(server, emulator, files)
        log = "".join(server.log)
    figures = ", ".join(f"{count:,} {what}" for what, count in seen.outcomes.most_common())
    memory = f"the server had {before_mb:.0f} MB before, {after_mb:.0f} MB after, {most_mb:.0f} MB at most"
    print(f"{len(files):,} attachments: {figures}; {memory}")  # noqa: T201
    assert seen.unclear == []
    assert "Traceback" not in log, log
    assert seen.outcomes.total() == len(files)
    assert seen.outcomes["shown"] > len(files) / 4
    assert most_mb - before_mb < MAY_GROW_MB


async def opened(
    server: Served, emulator: Emulator, files: list[tuple[str, bytes]]
) -> tuple[Seen, float, float, float]:
    """Have the server open them; what came, and its memory in MB before, after and at most."""
    seen, waiting = Seen(), iter(files)
    by = random.Random(FROM)  # noqa: S311  chooses forms, not secrets

    async def open_some(era: Era) -> None:
        async with Client(server.address, mode=era) as client:
            for name, data in waiting:
                record = emulator.store.add(Draft(type="SMS", sender=SENDER, media=(File(name, data),)))
                form = by.choice(FORMS)
                arguments = {"message_id": str(record["id"]), **({} if form == "auto" else {"form": form})}
                result = await client.call_tool("read_message_content", arguments)
                note(seen, name, result)

    async with Client(server.address) as client:
        await client.list_tools()
        before_mb = memory_mb(server, "VmRSS")
    async with anyio.create_task_group() as tasks:
        for number in range(TOGETHER):
            tasks.start_soon(open_some, ERAS[number % 2])
    async with Client(server.address) as client:  # it lives
        await client.call_tool("list_messages", {"per_page": 1})
    return seen, before_mb, memory_mb(server, "VmRSS"), memory_mb(server, "VmHWM")


def note(seen: Seen, name: str, result: CallToolResult) -> None:
    """Count the outcome: shown in a form, not shown for a reason, or unclear."""
    text = text_of(result)
    size = len(result.model_dump_json(by_alias=True, exclude_none=True).encode())
    if result.is_error or CRASHED in text or size > LIMITS.answer_bytes:
        unclear(seen, name, f"{size} bytes: {text[:500]}")
        return
    answer = json.loads(text)
    media = [block for block in result.content if isinstance(block, ImageContent | EmbeddedResource)]
    reasons = [reason for reason, said in REASONS.items() if said in answer["said"]]
    if media or answer["untrusted"].get("text") or answer.get("path"):
        seen.outcomes["shown"] += 1
    elif any(isinstance(block, ResourceLink) for block in result.content):
        seen.outcomes["linked"] += 1
    elif reasons:
        seen.outcomes[f"not shown: {', '.join(reasons)}"] += 1
    elif answer["said"] and not answer.get("form"):
        seen.outcomes["has no such form"] += 1
    else:
        unclear(seen, name, text[:500])


def unclear(seen: Seen, name: str, answer: str) -> None:
    seen.outcomes["unclear"] += 1
    seen.unclear.append(f"{name}: {answer}")


def memory_mb(server: Served, which: str) -> float:
    """Return the server's resident memory, now (VmRSS) or at most (VmHWM)."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition(f"{which}:")[2].split()[0]) / 1024
