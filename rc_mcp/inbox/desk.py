"""What the operations of the page share: the running server, the window they answer in, and what was read for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Annotated

import anyio
from pydantic import BaseModel, ConfigDict, Field

from rc_mcp.access import LEVELS, Level
from rc_mcp.attachments.fetching import AttachmentRef, Fetched
from rc_mcp.guard.results import Window
from rc_mcp.inbox.records import PlannedMessage
from rc_mcp.ringcentral import Message
from rc_mcp.session import MailboxSession

MessageId = Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


Reading = tuple[Sequence[Message], int]
"""Messages, newest first, and how many others could not be read."""


class InboxError(Exception):
    """A request of the page cannot be carried out. Its text is a sentence for the user, and says what was not done."""


class Arguments(BaseModel):
    """What an operation is given. Unknown and mistyped fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Nothing(Arguments):
    """For operations without arguments."""


@dataclass
class Desk:
    """The running server as one window of the page sees it."""

    app: MailboxSession
    access: Level
    window: Window
    page_url: str | None = None
    """Where the page is, on a server for a team: people have no terminal there, and only operators stop and resume
    deletes, because that is for everyone. None where a user opens the page with `rc-mcp inbox`."""
    read: dict[int, tuple[datetime, Reading]] = field(default_factory=dict[int, tuple[datetime, Reading]])
    """The messages of the window in days that is shown, and when they were read."""
    members: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The messages of the conversations that were opened, by the key: the message that is the key may be deleted."""
    planned: dict[str, list[PlannedMessage]] = field(default_factory=dict[str, list[PlannedMessage]])
    """The messages of the plans that wait, by plan."""
    keeps_bytes: float = inf
    """The largest document that stays open while its pages are turned. A server for a team has many desks."""
    document: tuple[AttachmentRef, Fetched] | None = None
    """The document whose pages are turned, so that it is downloaded once."""
    turning: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def is_demo(self) -> bool:
        """Whether the mailbox is a made-up one."""
        return self.app.guard.is_demo

    def elsewhere(self, otherwise: str) -> str:
        """Return what a user does to decide outside of this window. `otherwise`: where they have a terminal."""
        return f"Open {self.page_url} in a browser." if self.page_url else otherwise

    def may(self, level: Level) -> bool:
        """Return whether the operator's access level includes this one."""
        return LEVELS.index(self.access) >= LEVELS.index(level)

    def changed(self) -> None:
        """Forget what was read: a mailbox changed, or may have."""
        self.read.clear()
        self.app.recent.forget("~", "~")
        if self.app.copy:
            self.app.copy.was_changed()

    def close(self) -> None:
        """Close the document that is held open."""
        if self.document:
            self.document[1].file.close()
            self.document = None
