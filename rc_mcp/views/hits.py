"""The rows of a search: those of a list, with the text around a hit in place of the first words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import NamedTuple

from rc_mcp.ringcentral import Message
from rc_mcp.views.messages import ONLY_IN_COPY
from rc_mcp.views.rows import Row, Table, row, tables_of
from rc_mcp.views.tokens import TokenBudget, clip
from rc_mcp.views.untrusted_text import clean

_SNIPPET_CHARS, _SNIPPET_TOKENS = 160, 44


class Hit(NamedTuple):
    """A message that was found.

    Attributes:
        snippet: the text around the hit, as the sender wrote it.
        is_kept: RingCentral no longer has the message.
    """

    message: Message
    snippet: str | None
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class SearchPresentation:
    """How a search shows its hits.

    Attributes:
        zone: the time zone of displayed times.
        is_ranked: the order is that of relevance, which a table for each type would hide: rows have their rank.
    """

    now: datetime
    zone: tzinfo
    budget: TokenBudget
    extension_id: str
    is_ranked: bool

    def at(self, hits: Sequence[Hit], *, used: int) -> tuple[dict[str, Table], int]:
        """Return tables of the first hits that fit into the budget after `used` tokens, and how many they are."""
        return tables_of([hit.message for hit in hits], self._rows(hits), self.budget, used=used)

    def _rows(self, hits: Sequence[Hit]) -> Iterator[Row]:
        for rank, hit in enumerate(hits, 1):
            cells = row(hit.message, self.now, self.zone, self.extension_id)
            del cells["untrusted_text"]
            snippet = clip(clean(hit.snippet or "", _SNIPPET_CHARS), _SNIPPET_TOKENS)
            gone = {"availability": ONLY_IN_COPY} if hit.is_kept else {}
            yield {**cells, **gone, "untrusted_snippet": snippet or None, "rank": rank if self.is_ranked else None}
