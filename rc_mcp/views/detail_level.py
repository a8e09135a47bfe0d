"""A page of messages at the requested level of detail, cut to the size limit of an answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal

from rc_mcp.ringcentral import Message
from rc_mcp.views.messages import Detail, detail, details_that_fit
from rc_mcp.views.rows import Table, by_type, tables
from rc_mcp.views.summary import MOST_WITH_ROWS, MOST_WITHOUT_ROWS
from rc_mcp.views.tokens import TokenBudget

DetailLevel = Literal["summary", "rows", "full"]
Shown = dict[str, Table] | dict[str, list[Detail]]
"""Messages by type: either a table of rows per type, or whole messages."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a call shows messages.

    Attributes:
        zone: the time zone of displayed times.
        level: `summary` shows no messages.
    """

    now: datetime
    zone: tzinfo
    level: DetailLevel
    budget: TokenBudget
    account_id: str
    extension_id: str

    @property
    def most_named(self) -> int:
        """How many senders of open messages, and how many failures, the summary lists."""
        return MOST_WITHOUT_ROWS if self.level == "summary" else MOST_WITH_ROWS

    def at(self, messages: Sequence[Message], *, used: int) -> tuple[Shown | None, int]:
        """Return the first messages that fit into the budget after `used` tokens, and how many they are."""
        if self.level == "summary":
            return None, len(messages)
        if self.level == "rows":
            return tables(messages, self.now, self.zone, self.budget, extension_id=self.extension_id, used=used)
        where = (self.account_id, self.extension_id, self.zone)
        whole = details_that_fit((detail(m, *where, addressed=False) for m in messages), self.budget, used=used)
        return by_type(messages, whole), len(whole)
