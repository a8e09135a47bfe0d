"""What a running server holds, and tools, resources and prompts reach through their context."""

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path

from mcp.server.mcpserver import Context

from rc_mcp.guard.guard import Guard
from rc_mcp.recent_messages import RecentMessages
from rc_mcp.ringcentral import MessageStoreClient
from rc_mcp.subscribers import Subscribers
from rc_mcp.views.messages import mailbox_uri
from rc_mcp.views.syncs import TokenMemory


@dataclass(frozen=True, slots=True)
class MailboxSession:
    """One mailbox login: the client, the guard in front of its deletes, and whose mailboxes it may touch."""

    client: MessageStoreClient
    guard: Guard
    extensions: frozenset[str]
    """Extension ids that may be touched beside `~`, the login's own."""
    download_dir: Path
    """Where attachments are saved."""
    retention_days: dict[str, int] = field(default_factory=dict[str, int])
    """By account: how long faxes and voicemails are kept, where somebody asked while this server runs."""
    synced: dict[str, TokenMemory] = field(default_factory=dict[str, TokenMemory])
    """By sync token that this server handed out: what that does not tell itself."""
    recent: RecentMessages = field(default_factory=RecentMessages)
    subscribers: Subscribers = field(default_factory=Subscribers)

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return self.guard.now()

    @property
    def zone(self) -> tzinfo:
        """The user's time zone: for showing times, and for reading those that name none. Nothing is counted in it."""
        return self.guard.zone

    def may_touch(self, extension_id: str) -> bool:
        """Whether the operator allowed this extension."""
        return extension_id == "~" or extension_id in self.extensions


Ctx = Context[MailboxSession]


def session_of(ctx: Ctx) -> MailboxSession:
    """The running server's parts."""
    return ctx.request_context.lifespan_context


async def mailbox_changed(ctx: Ctx, account_id: str, extension_id: str) -> None:
    """A sync saw changes: clients of either protocol that want to hear of this address do."""
    app, uri = session_of(ctx), mailbox_uri(account_id, extension_id)
    app.recent.forget(account_id, extension_id)
    await ctx.notify_resource_updated(uri)
    await app.subscribers.tell(uri)
