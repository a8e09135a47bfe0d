"""delete_message_by_filter: delete or purge whole conversations up to a time, through the guard."""

from typing import Annotated

from mcp.server.mcpserver import Resolve
from pydantic import Field

from rc_mcp.guard.actions.conversations import ConversationDeletion
from rc_mcp.guard.guard import Request
from rc_mcp.ringcentral import DeletableType
from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.approval import Approval, approval_of
from rc_mcp.tools.arguments import AccountId, ExtensionId, Id, OneOrMore, PlanId, When, instant
from rc_mcp.views.changes import ChangeResult

MAX_CONVERSATIONS = 20
"""Each is read three times (plan, re-read, verify); 20 stay within a minute's Light budget of 50 requests."""


async def _request(
    ctx: Ctx,
    conversation_id: list[str],
    date_to: str | None,
    purge: bool,
    type: DeletableType,
    account_id: str,
    extension_id: str,
    plan_id: str | None,
) -> Request:
    session = session_of(ctx)
    now = session.now
    until = instant(date_to, now, session.zone) or now
    action = ConversationDeletion(tuple(conversation_id), until, date_to, purge, type)
    return Request(action, account_id, extension_id, plan_id)


async def delete_message_by_filter(
    conversation_id: Annotated[
        list[Id],
        OneOrMore,
        Field(
            min_length=1,
            max_length=MAX_CONVERSATIONS,
            description="Up to 20 conversation ids, from rows of list_messages.",
        ),
    ],
    approval: Annotated[Approval, Resolve(approval_of(_request))],
    date_to: Annotated[
        When | None,
        Field(
            description="Only messages before this: ISO 8601 (a date: its first moment), or how far back, e.g. 7d. "
            "Default: now."
        ),
    ] = None,
    type: Annotated[
        DeletableType, Field(description="Only this type: Fax, SMS, VoiceMail, Pager, Text or All.")
    ] = "All",
    purge: Annotated[bool, Field(description="Permanently erase the messages and their attachments instead.")] = False,
    account_id: AccountId = "~",
    extension_id: ExtensionId = "~",
    plan_id: PlanId | None = None,
) -> ChangeResult:
    """Delete conversations (texts, pager messages) up to a time; later messages stay. Voicemails and faxes have no
    conversation: delete_message deletes them. The deleted ones move to Deleted and can be restored with patch_message.
    The user is asked before anything happens, or the answer is confirmation_required with a preview and a plan_id.
    purge cannot be undone; a yes in the chat is not enough."""
    return await approval.settle()
