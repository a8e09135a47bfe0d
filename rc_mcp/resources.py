"""Messages and attachments as resources, at addresses that follow the REST path."""

import re

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import ResourceTemplate

from rc_mcp.app import App
from rc_mcp.ringcentral import InvalidRequest, NotFound, RingCentralError
from rc_mcp.views.attachments import MAX_BYTES, Place, as_resource, fetched, whole
from rc_mcp.views.errors import in_words
from rc_mcp.views.messages import detail

_MESSAGE = "ringcentral://account/{account_id}/extension/{extension_id}/message-store/{message_id}"

TEMPLATES = (
    ResourceTemplate(
        uri_template=_MESSAGE,
        name="message",
        title="Message",
        description="One message as JSON; untrusted fields hold strangers' words. ~ is the login's own account or "
        "extension.",
        mime_type="application/json",
    ),
    ResourceTemplate(
        uri_template=f"{_MESSAGE}/content/{{attachment_id}}",
        name="attachment",
        title="Attachment",
        description="The bytes of one attachment, with its own MIME type: a recording, a transcript, a fax, a picture.",
    ),
)

_ADDRESS = re.compile(
    r"ringcentral://account/(?P<account_id>~|[0-9]{1,20})/extension/(?P<extension_id>~|[0-9]{1,20})"
    r"/message-store/(?P<message_id>[0-9]{1,20})(/content/(?P<attachment_id>[0-9]{1,20}))?"
)


def is_ours(uri: str) -> bool:
    """Whether this is the address of a message or an attachment."""
    return _ADDRESS.fullmatch(uri.replace("%7E", "~")) is not None


async def read_resource(app: App, uri: str) -> ReadResourceContents:
    """The message or the attachment at this address.

    Raises:
        ResourceNotFoundError: there is none.
        ResourceError: RingCentral, or the operator, did not allow it.
    """
    address = _ADDRESS.fullmatch(uri.replace("%7E", "~"))
    if address is None or not app.may_touch(address["extension_id"]):
        raise ResourceNotFoundError(f"There is no resource {uri[:200]!r} here.")
    try:
        if address["attachment_id"]:
            return await _attachment(
                app, Place(*address.group("account_id", "extension_id", "message_id", "attachment_id"))
            )
        return await _message(app, *address.group("account_id", "extension_id", "message_id"))
    except (NotFound, InvalidRequest) as error:
        raise ResourceNotFoundError(in_words(error)) from error
    except RingCentralError as error:
        raise ResourceError(in_words(error)) from error


async def _attachment(app: App, place: Place) -> ReadResourceContents:
    async with fetched(app.client, place, max_bytes=MAX_BYTES, progress=_untold) as found:
        return ReadResourceContents(content=as_resource(await whole(found), found), mime_type=found.kind)


async def _untold(done: float, total: float | None, what: str) -> None:
    pass


async def _message(app: App, account_id: str, extension_id: str, message_id: str) -> ReadResourceContents:
    message = await app.client.read_message(message_id, account_id=account_id, extension_id=extension_id)
    shown = detail(message, account_id, extension_id).model_dump_json(exclude_none=True)
    return ReadResourceContents(content=shown, mime_type="application/json")
