"""The rows of a search: those of a list, with the text around a hit in place of the first words."""

from collections.abc import Sequence
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


def hit_tables(
    hits: Sequence[Hit],
    now: datetime,
    zone: tzinfo,
    budget: TokenBudget,
    *,
    extension_id: str,
    used: int,
    first_rank: int | None,
) -> tuple[dict[str, Table], int]:
    """Return tables of the first hits that fit into the budget after `used` tokens, and how many they are.

    Args:
        zone: the time zone of displayed times.
        first_rank: the rank of the first hit, if the order is that of relevance: a table for each type would hide it.
    """

    def cells(place: int, hit: Hit) -> Row:
        shown = row(hit.message, now, zone, extension_id)
        del shown["untrusted_text"]
        snippet = clip(clean(hit.snippet or "", _SNIPPET_CHARS), _SNIPPET_TOKENS)
        gone = {"availability": ONLY_IN_COPY} if hit.is_kept else {}
        rank = None if first_rank is None else first_rank + place
        return {**shown, **gone, "untrusted_snippet": snippet or None, "rank": rank}

    rows = (cells(place, hit) for place, hit in enumerate(hits))
    return tables_of([hit.message for hit in hits], rows, budget, used=used)
