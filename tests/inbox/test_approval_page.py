"""A server that shows plans in the user's own browser. The browser here is a program that writes down its address."""

import stat
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from rc_mcp.inbox import opening
from rc_mcp.inbox.browser import HOST, SESSION_HEADER
from tests.desk import YES, Desk, Era, call

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Return the addresses that the user's browser was opened with."""
    addresses = tmp_path / "addresses"
    program = tmp_path / "browser"
    program.write_text(f"#!{sys.executable}\nimport sys\nopen({str(addresses)!r}, 'a').write(sys.argv[1] + '\\n')\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    return lambda: addresses.read_text("utf-8").splitlines() if addresses.exists() else []


@asynccontextmanager
async def session(address: str) -> AsyncGenerator[httpx.AsyncClient]:
    """Open the page as its script does, and yield what sends its requests."""
    own, _, key = address.partition("/#")
    async with httpx.AsyncClient(base_url=own, headers={"Origin": own, "Content-Type": "application/json"}) as http:
        http.headers[SESSION_HEADER] = (await http.post("/session", json={"key": key})).json()["session"]
        yield http


async def test_a_plan_is_shown_in_the_user_s_browser_and_carried_out_there(
    desk: Desk, era: Era, opened: Callable[[], list[str]]
) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with desk.client(era, RC_MCP_APPROVAL_PAGE="on") as client:
        asked = await call(client, "delete_message", message_id=ids)
        assert (asked["status"], asked["approve_in"]) == ("confirmation_required", "browser")
        (address,) = opened()
        assert address.startswith(f"http://{HOST}:")
        again = await call(client, "delete_message", message_id=ids, plan_id=asked["plan_id"])
        assert (again["status"], again["approve_in"]) == ("refused", "browser")
        async with session(address) as page:
            (plan,) = (await page.post("/api/plans", json={})).json()["plans"]
            yes = {"plan_id": plan["id"], "approve": True, "message_ids": ids}
            assert (await page.post("/api/decide", json=yes)).json()["counted"] is True
        assert [desk.availability(i) for i in ids] == ["Deleted", "Deleted"]
        assert "2 deleted" in (await call(client, "delete_message", message_id=ids, plan_id=asked["plan_id"]))["said"]
        assert len(opened()) == 1


async def test_a_purge_is_shown_there_too(desk: Desk, opened: Callable[[], list[str]]) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client(RC_MCP_APPROVAL_PAGE="on") as client:
        asked = await call(client, "delete_message", message_id=ids, purge=True)
        assert asked["approve_in"] == "browser"
        async with session(*opened()) as page:
            yes = {"plan_id": asked["plan_id"], "approve": True, "message_ids": ids, "phrase": "PURGE 1"}
            assert (await page.post("/api/decide", json=yes)).json()["status"] == "done"
    assert desk.availability(ids[0]) == "Purged"


async def test_the_key_is_in_no_answer(desk: Desk, opened: Callable[[], list[str]]) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client(RC_MCP_APPROVAL_PAGE="on") as client:
        result = await client.call_tool("delete_message", {"message_id": ids})
        key = opened()[0].partition("#")[2]
        assert key
        assert key not in result.model_dump_json()
    assert not [f for f in desk.state_dir.rglob("*") if f.is_file() and key.encode() in f.read_bytes()]


async def test_an_open_page_is_not_opened_again(desk: Desk, opened: Callable[[], list[str]]) -> None:
    ids = desk.ids(availability="Alive")[:3]
    async with desk.client(RC_MCP_APPROVAL_PAGE="on") as client:
        for one in ids:
            assert (await call(client, "delete_message", message_id=[one]))["approve_in"] == "browser"
    assert len(opened()) == 1


async def test_a_client_that_can_ask_is_asked(desk: Desk, opened: Callable[[], list[str]]) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client(answer=YES, RC_MCP_APPROVAL_PAGE="on") as client:
        assert (await call(client, "delete_message", message_id=ids))["status"] == "done"
    assert not opened()


async def test_without_a_browser_the_user_approves_as_before(
    desk: Desk, era: Era, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "has_browser", lambda: False)
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client(era, RC_MCP_APPROVAL_PAGE="on") as client:
        assert (await call(client, "delete_message", message_id=ids))["approve_in"] == "chat"
        assert (await call(client, "delete_message", message_id=ids, purge=True))["approve_in"] == "terminal"


async def test_a_browser_that_fails_is_no_window(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "/nowhere/browser %s")
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client(RC_MCP_APPROVAL_PAGE="on") as client:
        assert (await call(client, "delete_message", message_id=ids))["approve_in"] == "chat"


async def test_the_output_schema_names_the_browser_only_where_it_may_be_used(desk: Desk) -> None:
    for page, windows in (("off", set[str]()), ("on", {"app", "browser"})):
        async with desk.client(RC_MCP_APPROVAL_PAGE=page) as client:
            tools = {t.name: t for t in (await client.list_tools()).tools}
            output = tools["delete_message"].output_schema
            assert output
            assert set(output["properties"]["approve_in"]["enum"]) == {"chat", "terminal", *windows}
