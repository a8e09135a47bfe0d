"""sync_messages: new, changed and removed messages since the last call, by RingCentral's own sync token."""

from functools import partial
from typing import Annotated

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from rc_mcp.ringcentral import MessageSync, SyncTokenRejected, SyncType
from rc_mcp.ringcentral.parameters import SyncFilters
from rc_mcp.session import Ctx, MailboxSession, mailbox_changed, session_of
from rc_mcp.tools.arguments import (
    DEFAULT_WINDOW,
    AccountId,
    AnySpelling,
    Directions,
    ExtensionId,
    ExtensionTypes,
    Id,
    MessageTypes,
    Owners,
    SyncToken,
    VoicemailOwners,
    When,
    span,
)
from rc_mcp.views.detail_level import DetailLevel, Presentation
from rc_mcp.views.other_stores import note_on_queue_texts
from rc_mcp.views.summary import Filters, in_force, window
from rc_mcp.views.syncs import Synced, TokenMemory, all_of, changes_since
from rc_mcp.views.tokens import LARGE, USUAL

_USUAL_RECORDS = 100


async def sync_messages(
    ctx: Ctx,
    sync_token: SyncToken | None = None,
    sync_type: Annotated[
        SyncType | None, Field(description="ISync (default with sync_token): only changes. FSync: all.")
    ] = None,
    record_count: Annotated[
        int | None, Field(ge=1, le=1000, description="About how many messages."), AnySpelling
    ] = None,
    date_from: Annotated[When | None, Field(description="Same as in list_messages.")] = None,
    date_to: Annotated[When | None, Field(description="Same as in list_messages.")] = None,
    message_type: MessageTypes | None = None,
    direction: Directions | None = None,
    distinct_conversations: Annotated[
        bool, AnySpelling, Field(description="Only the newest per conversation.")
    ] = False,
    conversation_id: Annotated[Id | None, Field(description="Messages of one conversation.")] = None,
    detail: Annotated[DetailLevel, Field(description="Same as in list_messages.")] = "rows",
    owner: Owners | None = None,
    owner_extension_type: ExtensionTypes | None = None,
    voicemail_owner: VoicemailOwners | None = None,
    account_id: AccountId = "~",
    extension_id: ExtensionId = "~",
) -> Synced:
    """Follow the mailbox. The first call returns messages (without date_from, of the last 24 hours) and a sync_token.
    Each later call with the latest token returns only messages that are new, changed or removed since. The token keeps
    the filters of the first call."""
    if sync_type == "ISync" and not sync_token:
        raise ToolError(
            "sync_token: ISync needs one; omit sync_type for a first, full sync. Nothing was sent to RingCentral."
        )
    if sync_type == "FSync" and sync_token:
        raise ToolError(
            "sync_token: a full sync (FSync) takes none; omit sync_token or sync_type. Nothing was sent to RingCentral."
        )
    app = session_of(ctx)
    now = app.now
    since, until = span(date_from, date_to, now, app.zone)
    sync = partial(
        app.client.sync_messages, record_count=record_count, account_id=account_id, extension_id=extension_id
    )
    is_long = detail == "full" or (record_count or 0) > _USUAL_RECORDS
    look = Presentation(now, app.zone, detail, LARGE if is_long else USUAL, account_id, extension_id)
    keeping = await app.retention(account_id, extension_id)
    given = SyncFilters(
        direction=direction,
        message_type=message_type,
        distinct_conversations=distinct_conversations or None,
        conversation_id=conversation_id,
        owner=owner,
        owner_extension_type=owner_extension_type,
        voicemail_owner=voicemail_owner,
    )
    filters = in_force(given)
    fell_back = None
    if sync_token:
        try:
            # A token carries its own filters; RingCentral accepts no others with it.
            changes = await sync(sync_type="ISync", sync_token=sync_token, date_from=since, date_to=until)
            if changes.records:
                await mailbox_changed(ctx, account_id, extension_id)
            frame = window(since, until or now, app.zone, is_default=False) if since else None
            known = await app.synced.recall(sync_token)
            await _remember(app, changes, known.filters)
            answer = changes_since(known, changes, frame, filters, look, keeping)
            return _with_note(answer, known.filters or {}, changes)
        except SyncTokenRejected:
            await mailbox_changed(ctx, account_id, extension_id)  # it may have changed
            fell_back = (
                "RingCentral no longer accepts this sync_token. This is a full sync with the filters of this call: "
                "it does not show messages that were removed in the meantime."
            )
    since = since or (until or now) - DEFAULT_WINDOW
    everything = await sync(sync_type="FSync", date_from=since, date_to=until, **given)
    frame = window(since, until or now, app.zone, is_default=date_from is None)
    await _remember(app, everything, filters)
    return _with_note(all_of(everything, frame, filters, fell_back, look, keeping), filters, everything)


def _with_note(answer: Synced, filters: Filters, sync: MessageSync) -> Synced:
    if note := note_on_queue_texts(filters, sync.records):
        answer.next = f"{answer.next} {note}"
    return answer


async def _remember(app: MailboxSession, sync: MessageSync, filters: Filters | None) -> None:
    """Remember the time and the filters of the new token for the next sync."""
    if sync.sync_info.sync_token and sync.sync_info.sync_time:
        await app.synced.remember(sync.sync_info.sync_token, TokenMemory(sync.sync_info.sync_time, filters))
