"""No answer is longer than hosts take, whatever is attached, except the bytes of an `original`, which are asked for.

Claude Code refuses a result of more than 25,000 tokens, and Claude Desktop one of more than 150,000 characters. Lists,
syncs and single messages have stricter limits of their own: tests/tools/test_token_budgets.py.
"""

import base64
import io
import json
from pathlib import Path
from random import Random

import pytest
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image

from rc_mcp.attachments import forms
from tests import documents
from tests.desk import Desk
from tests.tokens import tokens
from tests.tools.test_content import fax_of, sends

pytestmark = [pytest.mark.anyio, pytest.mark.process]

MOST_TOKENS, MOST_CHARS = 25_000, 150_000
PIXELS_A_TOKEN = 750
"""What a picture costs a model: https://platform.claude.com/docs/en/build-with-claude/vision"""


def words(n: int) -> str:
    chance = Random(7)  # noqa: S311
    return " ".join("".join(chance.choices("bcdfghjklmnpqrstvwxz", k=7)) for _ in range(n))


DOCUMENTS = {
    "100 pages of text": (lambda: documents.pdf([words(200)] * 100), "application/pdf"),
    "a long text": (lambda: words(200_000).encode(), "text/plain"),
    "a long text in Chinese": (lambda: ("电话留言传真" * 200_000).encode(), "text/plain"),
    "signs that JSON escapes": (lambda: ('"\\\t' * 300_000).encode(), "text/plain"),
    "5 pages of dots": (lambda: documents.tiff([documents.halftone()] * 5), "image/tiff"),
    "9 scanned pages": (lambda: documents.scan([documents.page(words(40))] * 9), "application/pdf"),
    "bytes": (lambda: bytes(range(256)) * 4_000, "application/octet-stream"),
}


@pytest.mark.usefixtures("a_patient_reader")
@pytest.mark.parametrize("form", ["auto", "text", "pages"])
@pytest.mark.parametrize("name", DOCUMENTS)
async def test_no_form_of_a_large_document_is_longer_than_a_host_takes(
    name: str, form: str, desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(forms, "has_ocr", lambda: False)
    data, content_type = DOCUMENTS[name]
    sends(desk, data(), content_type)
    async with desk.client(RC_MCP_DOWNLOAD_DIR=str(tmp_path / "saved")) as client:
        fax = fax_of(desk, "velmont-order.pdf")
        result = await client.call_tool("read_message_content", {"message_id": fax, "form": form})
    said = [block.text for block in result.content if isinstance(block, TextContent)]
    assert len(said) + len(pictures(result)) == len(result.content)
    for text in ("\n".join(said), json.dumps(result.structured_content, ensure_ascii=False)):
        assert len(text) <= MOST_CHARS
        assert tokens(text) + sum(picture.width * picture.height for picture in pictures(result)) / PIXELS_A_TOKEN <= (
            MOST_TOKENS
        )


def pictures(result: CallToolResult) -> list[Image.Image]:
    blocks = [block for block in result.content if isinstance(block, ImageContent)]
    return [Image.open(io.BytesIO(base64.b64decode(block.data))) for block in blocks]
