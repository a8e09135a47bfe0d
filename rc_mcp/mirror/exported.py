"""All that the copy has of a mailbox, message by message, for an export. Memory does not grow with the mailbox."""

from collections.abc import Generator
from typing import NamedTuple

from rc_mcp.mirror.database import numbers_of
from rc_mcp.mirror.documents import decoded
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import progress_of
from rc_mcp.mirror.rows import Source, State
from rc_mcp.ringcentral import Message


class ExportedText(NamedTuple):
    """An attachment as the copy has it: its state, and its text if that was read."""

    attachment_id: str
    state: State
    source: Source | None
    text: str | None


class ExportedMessage(NamedTuple):
    """A message with the texts of its attachments.

    `is_kept`: RingCentral no longer has it.
    """

    message: Message
    is_kept: bool
    texts: list[ExportedText]


def exported(mirror: Mirror, mailbox: int) -> Generator[ExportedMessage]:
    """Yield all messages of a mailbox, deleted ones included, the oldest first, as they are at one moment.

    Until the generator ends, no other thread can use `mirror`, and erased text stays in the file's log.

    Raises:
        MirrorError: the copy cannot be read.
    """
    kept = progress_of(mirror, mailbox).kept
    with mirror.reading() as db:
        # In the order of the index on `number`: sorting would take all messages into the memory.
        found = db.execute(
            "SELECT key, record FROM message WHERE number BETWEEN ? AND ? ORDER BY number", numbers_of(mailbox)
        )
        for key, record in found:
            texts = db.execute(
                "SELECT a.id, a.state, c.source, c.text FROM attachment a LEFT JOIN content c ON c.hash = a.hash "
                "WHERE a.message = ? ORDER BY a.id",
                (key,),
            )
            message = decoded(record)
            yield ExportedMessage(message, message.id in kept, [ExportedText(*text) for text in texts])
