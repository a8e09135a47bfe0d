"""Attachments: as an embedded resource with the true type, and the same bytes under their address."""

import base64
from importlib.resources import files
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    TextResourceContents,
)

from tests.desk import Desk, Era, call, refused

pytestmark = pytest.mark.anyio

MEDIA = files("rc_mcp.emulator") / "media"


def attachment(desk: Desk, kind: str, content_type: str) -> tuple[str, dict[str, Any]]:
    """A message of the mailbox with such an attachment: its id, and the attachment."""
    return next(
        (str(m["id"]), a)
        for m in desk.emulator.store.messages()
        for a in m.get("attachments", [])
        if a["type"] == kind and a["contentType"] == content_type and m["availability"] == "Alive"
    )


async def read(client: Client, message_id: str, attachment_id: str) -> CallToolResult:
    """The whole result of read_message_content."""
    result = await client.call_tool("read_message_content", {"message_id": message_id, "attachment_id": attachment_id})
    assert not result.is_error
    return result


def embedded(result: CallToolResult) -> BlobResourceContents | TextResourceContents:
    """The embedded resource of a result."""
    return next(block.resource for block in result.content if isinstance(block, EmbeddedResource))


@pytest.mark.parametrize(
    ("kind", "content_type", "magic"),
    [
        ("AudioRecording", "audio/mpeg", b"\xff"),
        ("RenderedDocument", "application/pdf", b"%PDF"),
        ("RenderedDocument", "image/tiff", b"II*\0"),
        ("MmsAttachment", "image/jpeg", b"\xff\xd8\xff"),
    ],
)
async def test_an_attachment_is_embedded_with_its_true_type_and_readable_at_its_address(
    desk: Desk, era: Era, kind: str, content_type: str, magic: bytes
) -> None:
    message_id, found = attachment(desk, kind, content_type)
    async with desk.client(era) as client:
        result = await read(client, message_id, str(found["id"]))
        blob = embedded(result)
        again = (await client.read_resource(blob.uri)).contents[0]
    assert isinstance(blob, BlobResourceContents)
    data = base64.b64decode(blob.blob)
    assert data.startswith(magic)
    assert len(data) == found["size"]
    assert blob.mime_type == content_type
    assert isinstance(again, BlobResourceContents)
    assert (again.blob, again.mime_type) == (blob.blob, content_type)
    assert result.structured_content is not None
    assert result.structured_content["bytes"] == len(data)
    pictures = [block for block in result.content if isinstance(block, ImageContent)]
    assert [p.mime_type for p in pictures] == (["image/jpeg"] if content_type == "image/jpeg" else [])


async def test_a_transcript_is_read_as_text(desk: Desk, era: Era) -> None:
    message_id, found = attachment(desk, "AudioTranscription", "text/plain")
    async with desk.client(era) as client:
        result = await read(client, message_id, str(found["id"]))
        resource = embedded(result)
        again = (await client.read_resource(resource.uri)).contents[0]
    assert isinstance(resource, TextResourceContents)
    assert isinstance(again, TextResourceContents)
    assert resource.text == again.text
    assert result.structured_content is not None
    assert result.structured_content["untrusted"]["text"] == resource.text


async def test_a_message_is_a_resource_too(desk: Desk, era: Era) -> None:
    message_id = desk.ids(type="Fax", availability="Alive")[0]
    async with desk.client(era) as client:
        detail = (await call(client, "read_message", message_id=message_id))["messages"][0]
        resource = (await client.read_resource(detail["uri"])).contents[0]
    assert isinstance(resource, TextResourceContents)
    assert resource.mime_type == "application/json"
    assert message_id in resource.text


@pytest.mark.parametrize(
    "uri",
    [
        "ringcentral://account/~/extension/~/message-store/404",
        "ringcentral://account/~/extension/~/message-store/404/content/1",
        "ringcentral://account/~/extension/12345/message-store/404",
        "ringcentral://account/~/extension/~/message-store/../1",
        "ringcentral://account/~/extension/~/message-store/*",
    ],
)
async def test_a_resource_that_is_not_there_is_invalid_params(desk: Desk, era: Era, uri: str) -> None:
    async with desk.client(era) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
    assert caught.value.error.code == INVALID_PARAMS


async def test_an_attachment_over_the_limit_is_not_returned(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_mcp.views.attachments.MAX_BYTES", 100)
    message_id, found = attachment(desk, "AudioRecording", "audio/mpeg")
    async with desk.client() as client:
        said = await refused(client, "read_message_content", message_id=message_id, attachment_id=str(found["id"]))
    assert "100" in said


async def test_a_missing_attachment_is_told_with_the_next_step(desk: Desk) -> None:
    async with desk.client() as client:
        said = await refused(client, "read_message_content", message_id="404", attachment_id="1")
    assert "list_messages" in said


async def test_both_templates_are_listed(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        templates = (await client.list_resource_templates()).resource_templates
    assert [t.name for t in templates] == ["message", "attachment"]
