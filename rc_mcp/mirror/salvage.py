"""Reads messages and texts back from a damaged copy that was set aside, as far as they can be read.

A fault is usually in one page of the file, often in the index, which is most of it. RingCentral may no longer have
some of the messages.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rc_mcp.mirror.database import SET_ASIDE, remove_damaged
from rc_mcp.mirror.documents import decoded
from rc_mcp.mirror.encryption import errors
from rc_mcp.mirror.errors import Replaced
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import noted_import, noted_kept_before, progress_of
from rc_mcp.mirror.rows import Source, State
from rc_mcp.ringcentral import Message

_AT_ONCE = 500
"""Messages in one transaction."""


class Salvaged(NamedTuple):
    """What was read back.

    `is_whole`: everything could be read, and the damaged file was removed.
    """

    messages: int
    texts: int
    is_whole: bool


class _Text(NamedTuple):
    attachment_id: str
    state: State
    source: Source | None
    text: str | None
    content_hash: str | None


class _Found(NamedTuple):
    message: Message
    texts: list[_Text]


class _DamagedCopy:
    """A damaged file. `is_whole` is false after a part could not be read."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.is_whole = True

    def close(self) -> None:
        self._db.close()

    def mailboxes(self) -> list[tuple[int, str, str]]:
        return list(self._rows("SELECT number, account, extension FROM mailbox"))

    def progress(self, mailbox: int) -> dict[str, str]:
        return dict(self._rows("SELECT name, value FROM progress WHERE mailbox = ?", mailbox))

    def messages(self, mailbox: int) -> Iterator[_Found]:
        """Yield messages from the first on up to a fault, then from the last on down to a fault."""
        for order in ("ASC", "DESC"):
            query = f"SELECT key, record FROM message NOT INDEXED WHERE mailbox = ? ORDER BY key {order}"  # noqa: S608
            for key, record in self._rows(query, mailbox):
                if message := self._message(record):
                    yield _Found(message, self._texts(key))
            if self.is_whole:
                return

    def _message(self, record: bytes) -> Message | None:
        try:
            return Message.model_validate(decoded(record).sent)
        except (ValueError, TypeError, AttributeError):
            self.is_whole = False
            return None

    def _texts(self, key: int) -> list[_Text]:
        found = self._rows(
            "SELECT a.id, a.state, c.source, c.text, a.hash FROM attachment a LEFT JOIN content c ON c.hash = a.hash "
            "WHERE a.message = ? AND a.state <> 'missing'",
            key,
        )
        return [_Text(*text) for text in found]

    def _rows(self, query: str, *values: int) -> Iterator[Any]:
        try:
            yield from self._db.execute(query, values)
        except errors():
            self.is_whole = False


def salvage(mirror: Mirror, state_dir: Path) -> Salvaged | None:
    """Add what a damaged copy has, and `mirror` does not. Return None if no damaged copy was set aside.

    The messages come as from an archive: the next sync compares them with the mailbox, and what was purged in the
    meantime goes again.

    Raises:
        Replaced: the damaged file was erased meanwhile.
        MirrorError: the copy cannot be written. The damaged file is left.
    """
    if not (state_dir / SET_ASIDE).exists():
        return None
    messages = texts = 0
    with closing(_DamagedCopy(mirror.open_set_aside())) as damaged:
        for number, account, extension in damaged.mailboxes():
            with mirror.at_once():
                mailbox = mirror.mailbox(account, extension)
                mirror.put(mailbox, [], noted_kept_before(progress_of(mirror, mailbox), damaged.progress(number)))
            for some in _batched(damaged.messages(number)):
                with mirror.at_once():
                    if not (state_dir / SET_ASIDE).exists():
                        raise Replaced("The local copy was erased meanwhile. Nothing more was read back.")
                    mailbox = mirror.mailbox(account, extension)  # its number may be another's since the last time
                    added = [_add(mirror, mailbox, found) for found in some]
                    mirror.put(mailbox, [], noted_import(progress_of(mirror, mailbox)))
                messages += sum(is_new for is_new, _ in added)
                texts += sum(count for _, count in added)
    if damaged.is_whole:
        remove_damaged(state_dir)
    return Salvaged(messages, texts, damaged.is_whole)


def _add(mirror: Mirror, mailbox: int, found: _Found) -> tuple[bool, int]:
    """Add a message, unless the feed has it in another form. Return whether it is new, and how many texts are."""
    message = found.message
    there = mirror.message(mailbox, message.id)
    if there is not None and there.sent != message.sent:
        return False, 0
    mirror.put(mailbox, [message])
    new = [text for text in found.texts if mirror.text(mailbox, message.id, text.attachment_id)[0] == "missing"]
    for text in new:
        mirror.put_text(
            mailbox,
            message.id,
            text.attachment_id,
            text.text,
            source=text.source or "document",
            content_hash=text.content_hash or "",
            state="none" if text.state == "none" else "failed",
        )
    return there is None, len(new)


def _batched(found: Iterator[_Found]) -> Iterator[list[_Found]]:
    while some := list(islice(found, _AT_ONCE)):
        yield some
