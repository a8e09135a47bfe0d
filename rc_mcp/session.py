"""The parts of a running server that tools, resources and prompts use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from anyio import CancelScope, Event, Semaphore
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, InputRequiredResult, Tool

from rc_mcp.attachments.ladder import LinksToFiles
from rc_mcp.guard.guard import Guard
from rc_mcp.guard.results import Window
from rc_mcp.guard.state.plans import Plan
from rc_mcp.media.document_limits import LIMITS
from rc_mcp.recent_messages import RecentMessages
from rc_mcp.ringcentral import MessageStoreClient
from rc_mcp.subscribers import Subscribers
from rc_mcp.views.messages import mailbox_uri
from rc_mcp.views.summary import RetentionFacts
from rc_mcp.views.syncs import TokenMemory

if TYPE_CHECKING:  # most servers have no local copy, and transcribe nothing
    from rc_mcp.media.transcription import Transcriber
    from rc_mcp.mirror.local_copy import LocalCopy


_TOKENS_REMEMBERED = 100


class Windows(Protocol):
    """The windows in which a user can look at a plan and decide."""

    async def show(self, ctx: "Ctx", plan: Plan) -> Window | None:
        """Show the plan to the user; return where, or None if there is no window that is enough for it."""
        ...


class AppPage(Protocol):
    """The inbox page inside an assistant's app, with the tools that only clients which show it have."""

    def tools(self) -> list[Tool]:
        """Return these tools."""
        ...

    async def call(self, name: str, arguments: Mapping[str, object], ctx: "Ctx") -> CallToolResult | None:
        """Answer a call of one of these tools; None if it is another tool."""
        ...

    def with_secret(self, result: CallToolResult | InputRequiredResult) -> CallToolResult | InputRequiredResult:
        """Return a guarded tool's answer with the secret that makes a button in the page count."""
        ...


class SyncTokens(Protocol):
    """What is remembered about sync tokens."""

    async def recall(self, token: str) -> TokenMemory:
        """Return what is known of a token."""
        ...

    async def remember(self, token: str, memory: TokenMemory) -> None:
        """Note what is known of a token."""
        ...


class TokensInMemory:
    """Remembers the newest tokens as long as the server runs."""

    def __init__(self) -> None:
        self._tokens: dict[str, TokenMemory] = {}

    async def recall(self, token: str) -> TokenMemory:
        """Return what is known of a token."""
        return self._tokens.get(token, TokenMemory())

    async def remember(self, token: str, memory: TokenMemory) -> None:
        """Note what is known of a token."""
        self._tokens[token] = memory
        while len(self._tokens) > _TOKENS_REMEMBERED:
            del self._tokens[next(iter(self._tokens))]


class GivenUp:
    """Says when a call ended without an answer: what it left unfinished can then be settled."""

    def __init__(self) -> None:
        self._next: Event | None = None

    def expect(self) -> Event:
        """Return an event that the next such call sets."""
        self._next = Event()
        return self._next

    def note(self) -> None:
        """Note such a call."""
        if self._next:
            self._next.set()


@dataclass(frozen=True, slots=True)
class MailboxSession:
    """One login: the client, the guard for its deletes, and the mailboxes it may access."""

    client: MessageStoreClient
    guard: Guard
    extensions: frozenset[str]
    """Extensions that it may access in addition to `~`, the login's own."""
    files: Path | LinksToFiles
    """Where attachments are saved: in a folder on this machine, or nowhere: users get links."""
    copy: "LocalCopy | None" = None
    """The local copy, if the operator wants one."""
    transcriber: "Transcriber | None" = None
    """Makes transcripts on this machine, if the operator wants them."""
    retention_days: dict[str, int] = field(default_factory=dict[str, int])
    """The retention period of faxes and voicemails, by account, if a call has read it since the server started."""
    synced: SyncTokens = field(default_factory=TokensInMemory)
    """What is remembered about each sync token that was issued: when, and with which filters."""
    recent: RecentMessages = field(default_factory=RecentMessages)
    subscribers: Subscribers = field(default_factory=Subscribers)
    attachments: Semaphore = field(default_factory=lambda: Semaphore(LIMITS.at_once))
    """Limits the attachments that are read at a time."""
    given_up: GivenUp = field(default_factory=GivenUp)
    windows: Windows | None = None
    """None where users decide only in the client, in the chat or in a terminal."""
    app_page: AppPage | None = None
    """None where no app shows the inbox page."""

    @property
    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self.guard.plans.now()

    @property
    def zone(self) -> tzinfo:
        """Return the user's time zone, for showing times and reading those without an offset; not for calculations."""
        return self.guard.zone

    async def retention(self, account_id: str, extension_id: str, received: int | None = None) -> RetentionFacts:
        """Return what is known of RingCentral's limits on faxes and voicemails, without a request.

        Args:
            received: how many received ones the mailbox has, if a list has just said so.
        """
        days = self.retention_days.get(account_id)
        if self.copy and (days is None or received is None):
            known = await self.copy.retention(account_id, extension_id)
            days, received = days or known.days, known.received if received is None else received
        return RetentionFacts(days, received)

    async def remember_retention(self, account_id: str, days: int) -> None:
        """Note the retention period of an account, for later calls and for the next start."""
        self.retention_days[account_id] = days
        if self.copy:
            await self.copy.remember_retention(account_id, days)

    async def forget_retention(self) -> None:
        """Forget all retention periods: one may have changed, and an account has more than one name."""
        self.retention_days.clear()
        if self.copy:
            with CancelScope(shield=True):
                await self.copy.remember_retention("~", None)

    def may_touch(self, extension_id: str) -> bool:
        """Return whether the operator allowed this extension."""
        return extension_id == "~" or extension_id in self.extensions


Ctx = Context[MailboxSession]


def session_of(ctx: Ctx) -> MailboxSession:
    """Return the parts of the running server."""
    return ctx.request_context.lifespan_context


async def mailbox_changed(ctx: Ctx, account_id: str, extension_id: str) -> None:
    """Notify subscribers, in both protocol eras, that this mailbox changed."""
    app, uri = session_of(ctx), mailbox_uri(account_id, extension_id)
    app.recent.forget(account_id, extension_id)
    if app.copy:
        app.copy.was_changed()
    await ctx.notify_resource_updated(uri)
    await app.subscribers.notify(uri)
