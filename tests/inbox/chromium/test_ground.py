"""The ground of these tests: does the chat keep to the specification, and would a window notice a page's faults?"""

import base64
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.server.apps import Apps
from mcp.types import CallToolResult
from playwright.async_api import Browser

import rc_mcp.emulator.mailbox.media_files as recordings
from tests.desk import Era
from tests.inbox.chromium.app_host import DEFAULT_POLICY, NO_MEDIA, AppHost, app_host
from tests.inbox.chromium.visits import Visit, visiting
from tests.inbox.doors import ShowsApps

pytestmark = pytest.mark.anyio

URI = "ui://tiny/view.html"
SECRET = "only-for-the-view"
SOUND = Path(recordings.__file__).parent / "media/carmen-spanish.mp3"
VIEW = """<!doctype html><title>Tiny</title><p>waiting</p><audio></audio><script>
let lastId = 0;
const waiting = new Map();
const send = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
const ask = (method, params) => new Promise((resolve) => {
  waiting.set(++lastId, resolve);
  send({ id: lastId, method, params });
});
addEventListener("message", ({ data }) => {
  if (data.method === "ui/notifications/tool-result") window.result = data.params;
  else if (data.method === "ui/notifications/host-context-changed") window.changed = data.params;
  else if (data.method === undefined) waiting.get(data.id)(data.result ?? data.error);
  else if (data.id !== undefined) send({ id: data.id, result: {} });
});
const app = { appInfo: { name: "tiny", version: "1" }, appCapabilities: {}, protocolVersion: "2026-01-26" };
ask("ui/initialize", app).then((answer) => {
  window.agreed = answer;
  send({ method: "ui/notifications/initialized" });
});
</script>"""


def opened() -> CallToolResult:
    """A tool for the model and for views."""
    return CallToolResult(content=[], structured_content={"n": 1}, _meta={"secret": SECRET})


def for_views(n: int) -> int:
    """A tool for views only."""
    return n + 1


def for_models() -> int:
    """A tool for the model only."""
    return 0


def tiny_server() -> MCPServer[Any]:
    """A server with a view and these tools."""
    apps = Apps()
    apps.tool(resource_uri=URI)(opened)
    apps.tool(resource_uri=URI, visibility=["app"])(for_views)
    apps.tool(resource_uri=URI, visibility=["model"])(for_models)
    apps.add_html_resource(URI, VIEW)
    return MCPServer("tiny", extensions=[apps])


@pytest.fixture
async def tiny(era: Era) -> AsyncGenerator[Client]:
    """A client of the tiny server."""
    async with Client(tiny_server(), mode=era, extensions=[ShowsApps()]) as client:
        yield client


@pytest.fixture
async def chat(visit: Visit, tiny: Client) -> AsyncGenerator[AppHost]:
    """A chat with the tiny server."""
    async with app_host(visit, tiny) as host:
        yield host


async def test_the_view_gets_the_result_with_its_meta_and_the_model_without(chat: AppHost) -> None:
    view = await chat.open("opened")
    result = await (await view.wait_for_function("window.result")).json_value()
    assert result["_meta"]["secret"] == SECRET
    assert result["structuredContent"] == {"n": 1}
    assert SECRET not in "".join(chat.model_saw)
    assert await view.evaluate("agreed.protocolVersion") == "2026-01-26"


async def test_the_model_is_offered_no_tool_that_is_for_views_only(chat: AppHost) -> None:
    assert chat.offered_to_model() == ["opened", "for_models"]


async def test_a_host_that_shows_its_model_all_tools_offers_them(visit: Visit, tiny: Client) -> None:
    async with app_host(visit, tiny, shows_app_tools=True) as host:
        assert host.offered_to_model() == ["opened", "for_views", "for_models"]


async def test_a_view_calls_the_tools_that_are_for_views_and_no_others(chat: AppHost) -> None:
    view = await chat.open("opened")
    await view.wait_for_function("window.result")
    call = "(call) => ask('tools/call', call)"
    answer = await view.evaluate(call, {"name": "for_views", "arguments": {"n": 4}})
    assert answer["structuredContent"] == {"result": 5}
    answer = await view.evaluate(call, {"name": "for_models", "arguments": {}})
    assert answer["isError"] is True
    assert [params["name"] for _, params in chat.view_asked] == ["for_views", "for_models"]


async def test_a_view_hears_of_another_theme(chat: AppHost) -> None:
    view = await chat.open("opened")
    await view.wait_for_function("window.result")
    await chat.change(theme="dark")
    assert await (await view.wait_for_function("window.changed")).json_value() == {"theme": "dark"}


@pytest.mark.parametrize(("policy", "plays"), [(DEFAULT_POLICY, True), (NO_MEDIA, False)])
async def test_sound_in_a_data_address_plays_where_the_policy_allows_it(
    visit: Visit, tiny: Client, policy: str, plays: bool
) -> None:
    if not plays:
        visit.expects("Content Security Policy")
    async with app_host(visit, tiny, policy=policy) as host:
        view = await host.open("opened")
        sound = f"data:audio/mpeg;base64,{base64.b64encode(SOUND.read_bytes()).decode()}"
        played = await view.evaluate(
            """(sound) => new Promise((resolve) => {
              const audio = document.querySelector("audio");
              audio.addEventListener("error", () => resolve(false));
              audio.addEventListener("timeupdate", () => audio.currentTime > 0.2 && resolve(true));
              audio.src = sound;
              audio.play().catch(() => {});
            })""",
            sound,
        )
        assert played is plays


async def test_a_view_cannot_ask_the_network(chat: AppHost, visit: Visit) -> None:
    visit.expects("Content Security Policy|Failed to load resource")
    view = await chat.open("opened")
    reached = await view.evaluate("fetch('https://evil.example/').then(() => true, () => false)")
    assert reached is False
    assert visit.origins == {"https://chat.example", "https://views.example"}


async def test_a_window_notices_exceptions_console_errors_and_requests(browser: Browser) -> None:
    async def fail(script: str) -> list[str]:
        async with visiting(browser) as visit:
            await visit.page.goto("about:blank")
            await visit.page.evaluate(f"setTimeout(() => {{ {script} }})")
            with anyio.fail_after(60):
                while script and not (visit.unexpected or visit.requests):
                    await visit.page.evaluate("0")
            complaints, visit.expected = visit.unexpected, ["."]
        return [*complaints, *visit.requests]

    assert await fail("") == []
    assert "exception" in "".join(await fail("throw new Error('x')"))
    assert "error: said" in "".join(await fail("console.error('said')"))
    assert "http://127.0.0.1:9/x.png" in await fail("new Image().src = 'http://127.0.0.1:9/x.png'")
