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
from rc_mcp.views.tokens import TokenBudget, clip, that_fit
from rc_mcp.views.untrusted_text import first_words, short_moment, shown_id, who, word

T = TypeVar("T")

WHO_TOKENS = 20

Cell = str | int | None
Row = dict[str, Cell]
"""The cells of a message, by column name."""


class Table(BaseModel):
    """Messages of one type. Trailing empty cells of a row are left out; other empty cells are null."""

    columns: list[str]
    untrusted_rows: list[list[Cell]]


def tables(
    messages: Sequence[Message], now: datetime, zone: tzinfo, budget: TokenBudget, *, used: int = 0
) -> tuple[dict[str, Table], int]:
    """Return tables of the messages by type, with times in this zone, and how many messages fit the budget."""
    rows = [row(message, now, zone) for message in messages]
    fitting = that_fit(rows, _as_shown(messages, rows), budget, used=used)
    return {kind: _table(shown) for kind, shown in by_type(messages, fitting).items()}, len(fitting)


def by_type(messages: Sequence[Message], shown: Iterable[T]) -> dict[str, list[T]]:
    """Group the `shown` forms of the first messages by message type."""
    found: dict[str, list[T]] = {}
    for message, thing in zip(messages, shown, strict=False):
        found.setdefault(word(message.type) or "unknown", []).append(thing)
    return found


def row(message: Message, now: datetime, zone: tzinfo) -> Row:
    """Return the cells of a message, in column order."""
    return {
        "id": shown_id(message.id),
        "at": short_moment(message.creation_time, now, zone),
        "state": state(message),
        "availability": word(message.availability) if message.availability != "Alive" else None,
        "seconds": next((a.vm_duration for a in message.attachments if a.vm_duration is not None), None),
        "pages": message.fax_page_count,
        "transcription": word(message.vm_transcription_status) if is_untranscribed(message) else None,
        "conversation_id": word(message.conversation_id),
        "untrusted_who": clip(who(message), WHO_TOKENS) or None,
        "untrusted_text": first_words(message),
    }


def state(message: Message) -> str:
    """Return the read status of a received message, or the delivery status of a sent one."""
    is_sent = message.direction == "Outbound"
    return word(message.message_status if is_sent else message.read_status) or word(message.direction) or "unknown"


def is_untranscribed(message: Message) -> bool:
    """Return whether the message is a voicemail without a finished transcript."""
    return message.type == "VoiceMail" and message.vm_transcription_status != "Completed"


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
