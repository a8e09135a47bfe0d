"""Large faxes over HTTP: no answer is larger, as it travels, than clients take, and every page can be reached."""

import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field

import anyio
import httpx2 as httpx
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ImageContent

from rc_mcp.media.document_limits import LIMITS
from tests import documents
from tests.desk import Era, text_of
from tests.protocol.wire import PATIENCE_S
from tests.serving import RC_MCP, served

pytestmark = pytest.mark.anyio

FAXES = {
    "one page in 1.3 MB": (1, documents.tiff([documents.page("Approved")]).ljust(1_300_000, b"\0")),
    "five pages in dots": (5, documents.tiff([documents.halftone()] * 5)),
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, dict[str, str]]]:
    """The address of our server, over HTTP, and the ids of the messages with these faxes."""
    without_ocr = tmp_path_factory.mktemp("without-ocr")
    (without_ocr / "rapidocr.py").write_text("raise ImportError('x: cannot open it')")
    patch = pytest.MonkeyPatch()
    command = [sys.executable, "-m", "rc_mcp", "emulator", "--scenario", "empty", "--no-rate-limits", "--admin"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator:
        try:
            assert emulator.stdout is not None
            login = json.loads(emulator.stdout.readline())
            ids = dict[str, str]()
            for name, (_, data) in FAXES.items():
                file = {"name": "fax.tif", "data": base64.b64encode(data).decode()}
                fax = {"type": "Fax", "sender": {"phone_number": "+15005550006"}, "media": [file]}
                added = httpx.post(f"{login['admin_url']}/messages", json=fax, timeout=PATIENCE_S)
                ids[name] = str(added.raise_for_status().json()["id"])
            variables = {
                "RC_SERVER_URL": login["server_url"],
                "RC_MEDIA_URL": login["media_url"],
                "RC_APP_CLIENT_ID": login["client_id"],
                "RC_APP_CLIENT_SECRET": login["client_secret"],
                "RC_USER_JWT": login["jwt"],
                "RC_MCP_STATE_DIR": str(tmp_path_factory.mktemp("state")),
                "RC_MCP_DOWNLOAD_DIR": str(tmp_path_factory.mktemp("downloads")),
                "PYTHONPATH": str(without_ocr),
            }
            for name, value in variables.items():
                patch.setenv(name, value)
            with served(*RC_MCP, "serve", "--http", "--port", "0") as running:
                patch.undo()
                yield running.address, ids
        finally:
            patch.undo()
            emulator.terminate()


@dataclass
class Travelled(httpx.AsyncByteStream):
    """The body of an answer, kept as it travels."""

    stream: httpx.AsyncByteStream
    body: bytearray = field(default_factory=bytearray)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self.stream:
            self.body += piece
            yield piece

    async def aclose(self) -> None:
        await self.stream.aclose()


class Listening(httpx.AsyncHTTPTransport):
    """A connection that keeps the bodies of all answers."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Travelled] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self.answers.append(Travelled(response.stream))
        response.stream = self.answers[-1]
        return response

    def largest(self) -> int:
        """The bytes of the largest event; an answer in JSON is one."""
        return max(len(event) for answer in self.answers for event in bytes(answer.body).split(b"\r\n\r\n"))


@pytest.mark.process
@pytest.mark.parametrize("name", FAXES)
async def test_no_form_of_a_large_fax_is_larger_than_clients_take_and_each_page_can_be_reached(
    name: str, era: Era, office: tuple[str, dict[str, str]]
) -> None:
    (pages, data), (address, ids) = FAXES[name], office
    assert len(data) >= 1_300_000
    wire = Listening()
    async with (
        httpx.AsyncClient(transport=wire, timeout=PATIENCE_S) as http,
        Client(streamable_http_client(address, http_client=http), mode=era) as client,
    ):
        with anyio.fail_after(PATIENCE_S):
            message_id = ids[name]
            for form in ("auto", "pages"):
                assert await pictures(client, message_id, form) == pages
            original = await client.call_tool("read_message_content", {"message_id": message_id, "form": "original"})
            assert "form='file'" in text_of(original)
            embedded = await client.call_tool("read_message_content", {"message_id": message_id, "form": "embedded"})
            assert len(embedded.content) == 1
            assert "form='file'" in text_of(embedded)
            saved = json.loads(
                text_of(await client.call_tool("read_message_content", {"message_id": message_id, "form": "file"}))
            )
            assert saved["bytes"] == len(data)
            with pytest.raises(MCPError, match="form='file'"):
                await client.read_resource(json.loads(text_of(original))["uri"])
    assert wire.largest() <= LIMITS.answer_bytes


async def pictures(client: Client, message_id: str, form: str) -> int:
    """Return how many pictures come, in as many answers as that takes."""
    count, left = 0, "1-"
    while left:
        arguments = {"message_id": message_id, "form": form, "pages": left}
        answer = await client.call_tool("read_message_content", arguments)
        assert not answer.is_error, text_of(answer)
        came = sum(isinstance(block, ImageContent) for block in answer.content)
        assert came
        count += came
        left = json.loads(text_of(answer))["said"].partition("pages='")[2].partition("'")[0]
    return count
