"""What models are told of tools, prompts and resources, kept in `tests/snapshots/` and reviewed like code.

A change of a word there is a change of how models behave. Renewed by running this file.
"""

import difflib
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from mcp import Client

from rc_mcp.emulator import Emulator
from tests.desk import Clock, Desk, Faults
from tests.inbox.doors import app_client

SNAPSHOTS = Path(__file__).parent / "snapshots"
RENEW = "if that is meant, renew the snapshots with: make snapshots"

Texts = dict[str, str]


async def shown() -> Texts:
    """Everything as a client gets it, by the file it is kept in.

    `with_copy/` has what a local copy changes, `in_app/` what a client gets that shows MCP Apps.
    """
    usual = await shown_to(Desk.client)
    others = {"with_copy": await shown_to(Desk.client, RC_MCP_MIRROR="on"), "in_app": await shown_to(app_client)}
    changed = {f"{of}/{name}": t for of, texts in others.items() for name, t in texts.items() if usual.get(name) != t}
    return usual | changed


async def shown_to(client_of: Callable[..., AbstractAsyncContextManager[Client]], **variables: str) -> Texts:
    """Everything as such a client of a server with these settings gets it."""
    with TemporaryDirectory() as folder, Emulator() as emulator:
        desk = Desk(emulator, Path(folder), Clock(), Faults(emulator))
        async with client_of(desk, "auto", **variables) as client:
            tools = (await client.list_tools()).tools
            prompts = (await client.list_prompts()).prompts
            templates = (await client.list_resource_templates()).resource_templates
            parts = {"tools": tools, "prompts": prompts, "resource_templates": templates}
            return {
                "instructions.txt": client.instructions or "",
                **{f"{part}/{item.name}.json": pretty(item) for part, items in parts.items() for item in items},
            }


def pretty(item: Any) -> str:
    fields = item.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def kept() -> Texts:
    files = [file for file in SNAPSHOTS.rglob("*") if file.is_file()]
    return {file.relative_to(SNAPSHOTS).as_posix(): file.read_text("utf-8") for file in files}


def renew() -> None:
    """Write what is shown now."""
    texts = anyio.run(shown)
    shutil.rmtree(SNAPSHOTS, ignore_errors=True)
    for name, text in texts.items():
        file = SNAPSHOTS / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def difference(name: str, before: Texts, now: Texts) -> str:
    """The changed lines of one file."""
    old, new = (texts.get(name, "").splitlines() for texts in (before, now))
    return "\n".join(difflib.unified_diff(old, new, f"kept/{name}", f"shown/{name}", lineterm="", n=1))


@pytest.mark.anyio
async def test_models_are_told_what_was_reviewed() -> None:
    before, now = kept(), await shown()
    differences = [difference(name, before, now) for name in sorted(before.keys() | now.keys())]
    assert not any(differences), "\n".join([*filter(None, differences), RENEW])


if __name__ == "__main__":
    sys.exit(renew())
