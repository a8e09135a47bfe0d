"""A page of messages in the detail that was asked for, cut to what an answer may hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal

from rc_mcp.ringcentral import Message
from rc_mcp.views.listing import MOST_ALONE, MOST_BESIDE_ROWS
from rc_mcp.views.messages import Detail, detail, details_that_fit
from rc_mcp.views.rows import Table, by_type, tables
from rc_mcp.views.weight import Budget

DetailLevel = Literal["summary", "rows", "full"]
Shown = dict[str, Table] | dict[str, list[Detail]]
"""Messages by type: a table of rows each, or whole ones."""


@dataclass(frozen=True, slots=True)
class Look:
    """How messages are to be shown.

    Attributes:
        zone: the user's, for showing times.
        level: `summary` shows none.
    """

    now: datetime
    zone: tzinfo
    level: DetailLevel
    budget: Budget
    account_id: str
    extension_id: str

    @property
    def most_named(self) -> int:
        """People and failures that the summary names."""
        return MOST_ALONE if self.level == "summary" else MOST_BESIDE_ROWS

    def at(self, messages: Sequence[Message], *, used: int) -> tuple[Shown | None, int]:
        """The first of these messages, as many as fit beside what is `used` of the budget; and how many those are."""
        if self.level == "summary":
            return None, len(messages)
        if self.level == "rows":
            return tables(messages, self.now, self.zone, self.budget, used=used)
        where = (self.account_id, self.extension_id, self.zone)
        whole = details_that_fit([detail(m, *where, addressed=False) for m in messages], self.budget, used=used)
        return by_type(messages, whole), len(whole)
