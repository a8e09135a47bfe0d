"""The content of one attachment: fetched whole within a limit, with its true MIME type and its address."""

import re
from dataclasses import dataclass

from rc_mcp.ringcentral import ContentDisposition, MessageStoreClient
from rc_mcp.views.messages import message_uri

MAX_BYTES = 10 * 1024 * 1024
"""The largest attachment that is put into one answer. RingCentral's own limit for a fax is 50 MB."""

_MIME_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,80}")


@dataclass(frozen=True, slots=True)
class AttachmentContent:
    """Bytes as RingCentral has them, and what they are."""

    uri: str
    mime_type: str
    data: bytes
    file_name: str | None

    @property
    def text(self) -> str | None:
        """The text, where it is one: a transcript, the body of a message."""
        return self.data.decode("utf-8", "replace") if self.mime_type.startswith("text/") else None


async def fetch_attachment(
    client: MessageStoreClient,
    account_id: str,
    extension_id: str,
    message_id: str,
    attachment_id: str,
    *,
    content_disposition: ContentDisposition | None = None,
    content_disposition_filename: str | None = None,
) -> AttachmentContent:
    """Fetch one attachment.

    Raises:
        ContentTooLarge: it has more than `MAX_BYTES`.
        RingCentralError: RingCentral did not give it.
    """
    async with client.read_message_content(
        message_id,
        attachment_id,
        content_disposition=content_disposition,
        content_disposition_filename=content_disposition_filename,
        account_id=account_id,
        extension_id=extension_id,
    ) as content:
        data = await content.read(MAX_BYTES)
        return AttachmentContent(
            uri=f"{message_uri(account_id, extension_id, message_id)}/content/{attachment_id}",
            mime_type=_mime_type(content.content_type),
            data=data,
            file_name=content.file_name,
        )


def _mime_type(content_type: str | None) -> str:
    essence = (content_type or "").partition(";")[0].strip().lower()
    return essence if _MIME_TYPE.fullmatch(essence) else "application/octet-stream"
