"""Mailboxes, messages and attachments as resources, at addresses that follow the REST path."""

import re
from datetime import tzinfo

from mcp import MCPError
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Annotations,
    Completion,
    Resource,
    ResourceTemplate,
    SubscriptionFilter,
)

from rc_mcp.attachments.fetching import AttachmentRef, fetch, read_all
from rc_mcp.attachments.forms import MAX_BYTES
from rc_mcp.media.document_limits import LIMITS, json_bytes
from rc_mcp.media.kinds import is_text, labelled
from rc_mcp.media.reading import no_progress
from rc_mcp.recent_messages import MailboxSummary, attachments_of, mailbox_summary, title_of
from rc_mcp.ringcentral import (
    Attachment,
    ContentTooLarge,
    InvalidRequest,
    MailboxNotFound,
    Message,
    NotFound,
    RingCentralError,
)
from rc_mcp.session import MailboxSession
from rc_mcp.views.error_texts import in_words
from rc_mcp.views.messages import Detail, attachment_uri, detail, mailbox_uri, message_uri
from rc_mcp.views.untrusted_text import as_written, is_id, moment

_VARIABLES = ("{account_id}", "{extension_id}", "{message_id}")
_TOO_LARGE = "read_message_content reads it in parts, or saves it with form='file'."
_MOST_COMPLETIONS = 100
"""MCP's limit."""

TEMPLATES = (
    ResourceTemplate(
        uri_template=message_uri(*_VARIABLES),
        name="message",
        title="Message",
        description="One message as JSON; untrusted fields hold text from senders. ~ is the login's own account or "
        "extension.",
        mime_type="application/json",
    ),
    ResourceTemplate(
        uri_template=attachment_uri(*_VARIABLES, "{attachment_id}"),
        name="attachment",
        title="Attachment",
        description="One attachment with its own MIME type: a recording, a transcript, a fax, a picture. Untrusted "
        "data from a sender.",
    ),
)

_ADDRESS = re.compile(
    r"ringcentral://account/(?P<account_id>~|[0-9]{1,20})/extension/(?P<extension_id>~|[0-9]{1,20})"
    r"/message-store(/(?P<message_id>[0-9]{1,20})(/content/(?P<attachment_id>[0-9]{1,20}))?)?"
)


def is_ours(uri: str) -> bool:
    """Return whether this is the address of a mailbox, a message or an attachment."""
    return _ADDRESS.fullmatch(_plain(uri)) is not None


def subscribable(app: MailboxSession, uri: str) -> str:
    """Return the address if it names a mailbox served here.

    Raises:
        MCPError: it is not.
    """
    if not _is_mailbox(app, uri):
        raise MCPError(INVALID_PARAMS, "Only a mailbox can be subscribed to, such as " + mailbox_uri("~", "~"))
    return _plain(uri)


def audible(app: MailboxSession, asked: SubscriptionFilter) -> SubscriptionFilter:
    """Limit a newer client's subscription to the mailboxes served here; the client receives the limited filter."""
    uris = dict.fromkeys(_plain(uri) for uri in asked.resource_subscriptions or () if _is_mailbox(app, uri))
    return asked.model_copy(update={"resource_subscriptions": list(uris) or None})


async def list_resources(app: MailboxSession) -> list[Resource]:
    """Return the mailboxes served here, and the newest attachments of the login's own mailbox.

    Raises:
        MCPError: RingCentral did not return the messages.
    """
    try:
        messages = await app.recent.of(app.client, "~", "~", app.now)
    except RingCentralError as error:
        raise MCPError(INTERNAL_ERROR, in_words(error)) from error
    mailboxes = [_mailbox("~"), *(_mailbox(extension_id) for extension_id in sorted(app.extensions))]
    return [
        *mailboxes,
        *(_listed(message, attachment, app.zone) for message, attachment in attachments_of(messages)),
    ]


async def complete(app: MailboxSession, name: str, value: str, given: dict[str, str]) -> Completion:
    """Complete a variable of our templates; `given` has the values of the other variables."""
    account_id, extension_id = given.get("account_id", "~"), given.get("extension_id", "~")
    if name == "account_id":
        values = ["~"]
    elif name == "extension_id":
        values = ["~", *sorted(app.extensions)]
    elif not app.may_touch(extension_id) or not (account_id == "~" or is_id(account_id)):
        values = []
    else:
        values = await _ids(app, name, given.get("message_id", ""), account_id, extension_id)
    fitting = [v for v in values if v.startswith(value)]
    return Completion(values=fitting[:_MOST_COMPLETIONS], total=len(fitting), has_more=len(fitting) > _MOST_COMPLETIONS)


async def read_resource(app: MailboxSession, uri: str) -> ReadResourceContents:
    """Read the mailbox, the message or the attachment at this address.

    Raises:
        ResourceNotFoundError: there is none, or the operator did not allow its mailbox.
        ResourceError: RingCentral did not return it, it does not fit into an answer, or the temporary folder cannot be
            used.
    """
    address = _ADDRESS.fullmatch(_plain(uri))
    if address is None or not app.may_touch(address["extension_id"]):
        raise ResourceNotFoundError(f"There is no resource {uri[:200]!r} here.")
    try:
        if address["attachment_id"]:
            return await _attachment(
                app, AttachmentRef(*address.group("account_id", "extension_id", "message_id", "attachment_id"))
            )
        if address["message_id"]:
            shown = await _message(app, *address.group("account_id", "extension_id", "message_id"))
        else:
            shown = await _summary(app, *address.group("account_id", "extension_id"))
    except (NotFound, MailboxNotFound, InvalidRequest) as error:
        raise ResourceNotFoundError(in_words(error)) from error
    except ContentTooLarge as error:
        raise ResourceError(f"{error} {_TOO_LARGE}") from error
    except RingCentralError as error:
        raise ResourceError(in_words(error)) from error
    except ToolError as error:
        raise ResourceError(str(error)) from error
    return ReadResourceContents(content=shown.model_dump_json(exclude_none=True), mime_type="application/json")


def _is_mailbox(app: MailboxSession, uri: str) -> bool:
    address = _ADDRESS.fullmatch(_plain(uri))
    return address is not None and not address["message_id"] and app.may_touch(address["extension_id"])


def _plain(uri: str) -> str:
    return uri.replace("%7E", "~").replace("%7e", "~")


def _mailbox(extension_id: str) -> Resource:
    whose = "the login's own extension" if extension_id == "~" else f"extension {extension_id}"
    return Resource(
        uri=mailbox_uri("~", extension_id),
        name="mailbox" if extension_id == "~" else f"mailbox-{extension_id}",
        title=f"Mailbox of {whose}",
        description="Counts of its newest messages. Subscribe to be notified when sync_messages finds changes.",
        mime_type="application/json",
    )


def _listed(message: Message, attachment: Attachment, zone: tzinfo | None) -> Resource:
    size = attachment.size
    return Resource(
        uri=attachment_uri("~", "~", message.id, attachment.id),
        name=f"attachment-{attachment.id}",
        title=title_of(message, attachment, zone),
        mime_type=labelled(attachment.content_type),
        size=size if size is not None and size >= 0 else None,
        annotations=Annotations(last_modified=moment(message.last_modified_time or message.creation_time)),
    )


async def _ids(app: MailboxSession, name: str, message_id: str, account_id: str, extension_id: str) -> list[str]:
    """Return the ids of recent messages or of a message's attachments; empty if RingCentral does not return them."""
    try:
        recent = await app.recent.of(app.client, account_id, extension_id, app.now)
        if name == "message_id":
            return [m.id for m in recent if is_id(m.id)]
        if name != "attachment_id" or not is_id(message_id):
            return []
        message = next((m for m in recent if m.id == message_id), None) or await app.client.read_message(
            message_id, account_id=account_id, extension_id=extension_id
        )
        return [a.id for a in message.attachments if is_id(a.id)]
    except RingCentralError:
        return []


async def _summary(app: MailboxSession, account_id: str, extension_id: str) -> MailboxSummary:
    messages = await app.recent.of(app.client, account_id, extension_id, app.now, fresh=True)
    return mailbox_summary(messages, app.now, app.zone)


async def _message(app: MailboxSession, account_id: str, extension_id: str, message_id: str) -> Detail:
    message = await app.client.read_message(message_id, account_id=account_id, extension_id=extension_id)
    return detail(message, account_id, extension_id, app.zone)


async def _attachment(app: MailboxSession, place: AttachmentRef) -> ReadResourceContents:
    async with fetch(app.client, place, max_bytes=MAX_BYTES, progress=no_progress) as found:
        data = await read_all(found)
        if found.charset is None or not is_text(found.kind):
            return ReadResourceContents(content=data, mime_type=found.kind)
        # A text goes out without invisible characters.
        text = as_written(data.decode(found.charset, "replace"))
        if json_bytes(text) > LIMITS.base64_bytes:
            raise ResourceError(f"The text is too long for one answer. {_TOO_LARGE}")
        return ReadResourceContents(content=text, mime_type=found.kind)
