"""Rows: a line per message, newest first, in one table per type.

A table names its columns once and leaves out empty columns; it takes half the tokens of a list of objects. Columns
named `untrusted_...` hold untrusted text. The rows as a whole are called `untrusted_rows`, so that a client that reads
the answer by its keys sees the warning too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, TypeVar

from pydantic import BaseModel

from rc_mcp.ringcentral import Message
from rc_mcp.views.attached import attached
from rc_mcp.views.delivery_failures import undelivered
from rc_mcp.views.owners import foreign_owner, owner_name
from rc_mcp.views.tokens import Size, TokenBudget, clip, size_of, that_fit
from rc_mcp.views.transcripts import WHOLE, recording_seconds, transcription
from rc_mcp.views.untrusted_text import caller_name, first_words, short_moment, shown_id, who, word

T = TypeVar("T")

WHO_TOKENS = 26
_OWNER_TOKENS = 16

Cell = str | int | None
Row = dict[str, Cell]
"""The cells of a message, by column name."""
_MOST_KEPT = 500
_ROWS: dict[tuple[str, str, str | None], tuple[Mapping[str, Any], Row, Size]] = {}
"""The rows shown last, each with the record that it was made of. A row is half of the cost of a list."""


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
    kept = (_kept(message, now, zone, extension_id) for message in messages)
    return _tables(messages, kept, budget, used)


def tables_of(
    messages: Sequence[Message], rows: Iterable[Row], budget: TokenBudget, *, used: int = 0
) -> tuple[dict[str, Table], int]:
    """Return tables of these rows, one for each message, and how many fit the budget."""
    return _tables(messages, ((cells, size_of([*_filled(cells).values()])) for cells in rows), budget, used)


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


def _tables(
    messages: Sequence[Message], rows: Iterable[tuple[Row, Size]], budget: TokenBudget, used: int
) -> tuple[dict[str, Table], int]:
    fitting = that_fit(_headed(messages, rows), budget, used=used)
    return {kind: _table(shown) for kind, shown in by_type(messages, fitting).items()}, len(fitting)


def _headed(messages: Iterable[Message], rows: Iterable[tuple[Row, Size]]) -> Iterator[tuple[Row, Size]]:
    """Yield each row and the size of its filled cells; of the first row of a type with its type and column names."""
    headed: set[str | None] = set()
    for message, (cells, size) in zip(messages, rows, strict=False):
        if (kind := word(message.type)) not in headed:
            size = size_of([kind, *_filled(cells), *_filled(cells).values()])
        headed.add(kind)
        yield cells, size


def _kept(message: Message, now: datetime, zone: tzinfo, extension_id: str) -> tuple[Row, Size]:
    """Return the row and its size, as made before if nothing in the record has changed: lists show the same again."""
    key = (message.id, extension_id, short_moment(message.creation_time, now, zone))
    known = _ROWS.pop(key, None)
    if known is None or known[0] != message.sent:
        cells = row(message, now, zone, extension_id)
        known = message.sent, cells, size_of([*_filled(cells).values()])
    _ROWS[key] = known
    if len(_ROWS) > _MOST_KEPT:
        del _ROWS[next(iter(_ROWS))]
    return known[1:]


def _filled(cells: Row) -> Row:
    return {name: cell for name, cell in cells.items() if cell is not None}


def _table(rows: Sequence[Row]) -> Table:
    columns = [name for name in rows[0] if any(r[name] is not None for r in rows)]
    return Table(columns=columns, untrusted_rows=[_trimmed([r[name] for name in columns]) for r in rows])


def _trimmed(cells: list[Cell]) -> list[Cell]:
    while cells and cells[-1] is None:
        cells.pop()
    return cells
