"""Rows: a line per message, newest first, in one table per type.

A table names its columns once and leaves out empty columns; it takes half the tokens of a list of objects. Columns
named `untrusted_...` hold untrusted text. The rows as a whole are called `untrusted_rows`, so that a client that reads
the answer by its keys sees the warning too.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from typing import TypeVar

from pydantic import BaseModel

from rc_mcp.ringcentral import Message
from rc_mcp.views.attached import attached
from rc_mcp.views.delivery_failures import undelivered
from rc_mcp.views.owners import foreign_owner, owner_name
from rc_mcp.views.tokens import TokenBudget, clip, that_fit
from rc_mcp.views.transcripts import WHOLE, recording_seconds, transcription
from rc_mcp.views.untrusted_text import caller_name, first_words, short_moment, shown_id, who, word

T = TypeVar("T")

WHO_TOKENS = 26
_OWNER_TOKENS = 16

Cell = str | int | None
Row = dict[str, Cell]
"""The cells of a message, by column name."""


class Table(BaseModel):
    """Messages of one type. Trailing empty cells of a row are left out; other empty cells are null."""

    columns: list[str]
    untrusted_rows: list[list[Cell]]


def tables(
    messages: Sequence[Message],
    now: datetime,
    zone: tzinfo,
    budget: TokenBudget,
    *,
    extension_id: str = "~",
    used: int = 0,
) -> tuple[dict[str, Table], int]:
    """Return tables of this mailbox's messages by type, with times in this zone, and how many fit the budget."""
    rows = [row(message, now, zone, extension_id) for message in messages]
    fitting = that_fit(rows, _as_shown(messages, rows), budget, used=used)
    return {kind: _table(shown) for kind, shown in by_type(messages, fitting).items()}, len(fitting)


def by_type(messages: Sequence[Message], shown: Iterable[T]) -> dict[str, list[T]]:
    """Group the `shown` forms of the first messages by message type."""
    found: dict[str, list[T]] = {}
    for message, thing in zip(messages, shown, strict=False):
        found.setdefault(word(message.type) or "unknown", []).append(thing)
    return found


def row(message: Message, now: datetime, zone: tzinfo, extension_id: str = "~") -> Row:
    """Return the cells of a message of this mailbox, in column order.

    The last columns are for few messages: empty cells at the end of a row are left out.
    """
    failed = len(undelivered(message))
    owner = foreign_owner(message, extension_id)
    origin = message.forwarding.original_sender if message.forwarding else None
    return {
        "id": shown_id(message.id),
        "at": short_moment(message.creation_time, now, zone),
        "state": state(message),
        "availability": word(message.availability) if message.availability != "Alive" else None,
        "seconds": recording_seconds(message),
        "pages": message.fax_page_count,
        "transcription": transcription(message) if is_untranscribed(message) else None,
        "conversation_id": word(message.conversation_id),
        "untrusted_who": clip(who(message), WHO_TOKENS) or None,
        "untrusted_text": first_words(message),
        "attached": attached(message),
        "undelivered": f"{failed} of {len(message.to)}" if failed else None,
        "untrusted_owner": clip(owner_name(owner), _OWNER_TOKENS) if owner else None,
        "untrusted_original_sender": clip(caller_name(origin), WHO_TOKENS) if origin else None,
    }


def state(message: Message) -> str:
    """Return the read status of a received message, or the delivery status of a sent one."""
    is_sent = message.direction == "Outbound"
    return word(message.message_status if is_sent else message.read_status) or word(message.direction) or "unknown"


def is_untranscribed(message: Message) -> bool:
    """Return whether the message is a voicemail without a whole transcript."""
    return message.type == "VoiceMail" and transcription(message) != WHOLE


def _as_shown(messages: Sequence[Message], rows: Sequence[Row]) -> Iterator[list[Cell]]:
    """Yield the filled cells of each row; before the first row of a type also its type and column names."""
    headed: set[str | None] = set()
    for message, cells in zip(messages, rows, strict=True):
        filled = {name: cell for name, cell in cells.items() if cell is not None}
        kind = word(message.type)
        yield [*filled.values()] if kind in headed else [kind, *filled, *filled.values()]
        headed.add(kind)


def _table(rows: Sequence[Row]) -> Table:
    columns = [name for name in rows[0] if any(r[name] is not None for r in rows)]
    return Table(columns=columns, untrusted_rows=[_trimmed([r[name] for name in columns]) for r in rows])


def _trimmed(cells: list[Cell]) -> list[Cell]:
    while cells and cells[-1] is None:
        cells.pop()
    return cells
