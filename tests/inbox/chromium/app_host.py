"""A chat application that shows views of MCP Apps: a real MCP client, and the official bridge in a real browser."""

import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.server.apps import APP_MIME_TYPE
from mcp.types import CallToolResult, TextResourceContents, Tool
from playwright.async_api import Frame, Page, Route

from tests.inbox.chromium.visits import Visit
from tests.installed import installed, node_environment, run

PACKAGES = Path(__file__).with_name("host")
CHAT = "https://chat.example"
PROXY = "https://views.example"
DEFAULT_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; connect-src 'none'"
)
"""The content policy that the specification wants for a view that declares no domains."""
NO_MEDIA = DEFAULT_POLICY.replace("media-src 'self' data:", "media-src 'none'")
"""The policy of a host that lets no view play sound."""


def packages() -> Path:
    """Return the folder of the npm packages: the bridge, axe, and the bundler."""
    return node_environment(PACKAGES)


def chat_script() -> str:
    """Return the script of the chat's page, with the bridge in it."""
    source = PACKAGES / "chat.mjs"

    def bundle(folder: Path) -> None:
        copied = shutil.copy(source, packages())  # a module finds its imports from where it is
        esbuild = packages() / "node_modules/.bin/esbuild"
        run(esbuild, copied, "--bundle", "--log-level=error", f"--outfile={folder / 'chat.js'}")

    files = [PACKAGES / "package-lock.json", source]
    return (installed("mcp-app-host", files, bundle) / "chat.js").read_text("utf-8")


@dataclass
class AppHost:
    """A chat with one server. What its model sees is recorded; what its views may call is checked."""

    page: Page
    client: Client
    tools: Mapping[str, Tool]
    policy: str
    shows_app_tools: bool
    capabilities: dict[str, Any] = field(default_factory=lambda: {"serverTools": {}, "serverResources": {}})
    context: dict[str, Any] = field(
        default_factory=lambda: {
            "theme": "light",
            "displayMode": "inline",
            "availableDisplayModes": ["inline", "fullscreen"],
        }
    )
    model_saw: list[str] = field(default_factory=list[str])
    """Everything that reached the model: definitions of tools and their results, without `_meta`."""
    view_asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    """The requests of a view, by method."""

    def offered_to_model(self) -> list[str]:
        """Return the names of the tools that the model may call."""
        return [name for name, tool in self.tools.items() if self.shows_app_tools or "model" in _visible_to(tool)]

    async def model_calls(self, name: str, **arguments: Any) -> CallToolResult:
        """The model calls a tool; it sees the result without `_meta`."""
        assert name in self.offered_to_model(), f"the model does not know {name}"
        result = await self.client.call_tool(name, arguments)
        self.model_saw.append(result.model_dump_json(by_alias=True, exclude={"meta"}))
        return result

    async def open(self, name: str, **arguments: Any) -> Frame:
        """The model calls a tool that has a view, and the chat shows it; return the view's frame."""
        return await self.show(name, await self.model_calls(name, **arguments), **arguments)

    async def show(self, name: str, result: CallToolResult, **arguments: Any) -> Frame:
        """Show the view of a tool, with this result of it; return the view's frame."""
        what = {
            "html": await self._view((self.tools[name].meta or {})["ui"]["resourceUri"]),
            "proxy": f"{PROXY}/",
            "capabilities": self.capabilities,
            "context": self.context,
            "input": arguments,
            "result": result.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        await self.page.goto(CHAT)
        await self.page.evaluate("(what) => show(what)", what)
        [proxy] = self.page.main_frame.child_frames
        [view] = proxy.child_frames
        return view

    async def change(self, **context: Any) -> None:
        """Change the host context, such as the theme, and tell the view."""
        await self.page.evaluate("(context) => change(context)", context)

    async def serve(self) -> None:
        """Serve the chat's page and the proxy from memory, on two origins, and answer the requests of views."""
        script = chat_script()

        async def chat(route: Route) -> None:
            if route.request.url == f"{CHAT}/":
                await route.fulfill(path=PACKAGES / "chat.html")
            elif route.request.url == f"{CHAT}/chat.js":
                await route.fulfill(body=script, content_type="text/javascript; charset=utf-8")
            else:
                await route.fulfill(status=204)  # the browser asks for an icon of its own accord

        async def proxy(route: Route) -> None:
            await route.fulfill(path=PACKAGES / "sandbox.html", headers={"Content-Security-Policy": self.policy})

        async def asked(source: Mapping[str, Any], method: str, params: dict[str, Any]) -> Any:
            assert source["frame"] == self.page.main_frame
            self.view_asked.append((method, params))
            if method == "tools/call":
                return await self._called(params)
            if method == "resources/read":
                contents = await self.client.read_resource(params["uri"])
                return contents.model_dump(mode="json", by_alias=True, exclude_none=True)
            return {}

        await self.page.route(f"{CHAT}/**", chat)
        await self.page.route(f"{PROXY}/**", proxy)
        await self.page.expose_binding("asked", asked)  # pyright: ignore[reportUnknownMemberType]

    async def _called(self, params: dict[str, Any]) -> Any:
        name = params["name"]
        if name not in self.tools or "app" not in _visible_to(self.tools[name]):
            return {"isError": True, "content": [{"type": "text", "text": "This tool is not for views."}]}
        result = await self.client.call_tool(name, params.get("arguments"))
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    async def _view(self, uri: str) -> str:
        [content] = (await self.client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        assert content.mime_type == APP_MIME_TYPE
        declared: dict[str, Any] = (content.meta or {}).get("ui", {})
        assert "csp" not in declared, "this host has only the policies for views that declare no domains"
        return content.text


@asynccontextmanager
async def app_host(
    visit: Visit, client: Client, *, policy: str = DEFAULT_POLICY, shows_app_tools: bool = False
) -> AsyncGenerator[AppHost]:
    """Yield a chat with the server of this client, which announces MCP Apps.

    Args:
        policy: the content policy of views.
        shows_app_tools: the model is offered also the tools that are for views only, as Cursor's was in 2026.
    """
    visit.expects("can escape its sandboxing")  # the specification wants a proxy that Chromium warns of
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    host = AppHost(visit.page, client, tools, policy, shows_app_tools)
    host.model_saw.extend(tools[name].model_dump_json(by_alias=True) for name in host.offered_to_model())
    await host.serve()
    yield host


def _visible_to(tool: Tool) -> list[str]:
    declared: dict[str, Any] = (tool.meta or {}).get("ui", {})
    return declared.get("visibility", ["model", "app"])
