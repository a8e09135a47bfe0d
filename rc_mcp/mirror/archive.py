"""Puts the messages of RingCentral's own export archives into the copy: the zip files of a Message Store Export.

An archive is old, and a copy must say what the mailbox has. So its messages come as if from a page of a list that was
fetched some time ago, and the next listing of the feed compares them with the mailbox (`progress.noted_import`):

- A message of the copy stays if the archive's is not newer by `lastModifiedTime`. In an archive RingCentral may have
  masked the last digits of numbers (API changelog 1.0.41): if both are of the same time, the copy's is the better one.
- A message that was purged in the meantime comes back, and is erased again by the next listing: the copy remembers
  nothing of a purged message. A message that is Purged in the archive erases the copy's: that is final.
- A message that RingCentral no longer has stays only if the feed's rule keeps it: its own limits took it.

Only messages of the mailboxes that the caller names are taken. An archive has those of all extensions of the account,
and no feed would keep the others equal to their mailboxes: what their users purge would stay here.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from anyio import to_thread

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.mirror.archive_file import ArchiveFile, Content, Owner
from rc_mcp.mirror.documents import wanted
from rc_mcp.mirror.errors import NotAnArchive
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import noted_import, progress_of
from rc_mcp.mirror.texts import Found, text_of
from rc_mcp.private_files import write_all
from rc_mcp.ringcentral import Attachment, Message
from rc_mcp.ringcentral.bulk import in_chunks

_MESSAGES_AT_ONCE = 1_000
_TEXTS_AT_ONCE = 50
_PIECE_BYTES = 1024 * 1024
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s"';]+)""", re.IGNORECASE)


class Step(NamedTuple):
    """How far an import is: `done` of `total` messages checked, messages stored, or attachments read.

    The files are checked to learn how many messages they have, so `total` is None in the meantime.
    """

    phase: Literal["checking", "messages", "texts"]
    done: int
    total: int | None


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        added: messages that the copy did not have.
        updated: messages that were older in the copy.
        unchanged: messages that the copy has already, as new or newer.
        purged: messages that are Purged in the archive: they were not added, and erased in the copy.
        unreadable: records that are no messages.
        of_others: messages of other mailboxes, which were left out.
        texts: attachments whose text was added.
        without_text: attachments without a text that we can read, such as scans.
        damaged: attachments that are damaged or larger than we open. They count as not fetched yet.
        files_left_out: other files: recordings, pictures, attachments whose message is not in the copy or whose text
            it has already, and files that are not of the Message Store.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    purged: int = 0
    unreadable: int = 0
    of_others: int = 0
    texts: int = 0
    without_text: int = 0
    damaged: int = 0
    files_left_out: int = 0


async def import_archive(
    mirror: Mirror,
    files: Sequence[Path],
    mailboxes: Collection[Owner],
    on_step: Callable[[Step], None] = lambda _: None,
) -> Imported:
    """Put the messages of export archives, and the texts of their attachments, into the copy.

    All files are checked before anything is stored. Then messages are stored by the thousand: after a crash, or if the
    call is canceled, import the same files again, which goes on from there. To import a file twice changes nothing.

    Args:
        files: the zip files as RingCentral made them, in any order: archive 0 of an export with its messages, and those
            from 1 on with the attachments, or only some of these.
        mailboxes: the account and extension ids of the mailboxes to take, by which the copy knows them too.
        on_step: is called in the event loop.

    Raises:
        NotAnArchive: a file is something else, damaged, encrypted, or made to fill the disk. Nothing was stored.
        MirrorError: the copy cannot be written.
        OSError: a file cannot be read, or the temporary folder cannot be used.
    """
    run = _Import(mirror, frozenset(mailboxes), on_step)
    with ExitStack() as opened:
        archives = [opened.enter_context(await to_thread.run_sync(ArchiveFile, path)) for path in files]
        for archive in archives:
            await run.check(archive)
        for archive in archives:
            await run.take_messages(archive)
        for archive in archives:
            await run.take_texts(archive)
    return run.outcome()


class _Wanted(NamedTuple):
    """An attachment in an archive whose text the copy does not have."""

    content: Content
    message: Message
    attachment: Attachment


class _Import:
    """One call of `import_archive`."""

    def __init__(self, mirror: Mirror, mailboxes: frozenset[Owner], on_step: Callable[[Step], None]) -> None:
        self._mirror = mirror
        self._mailboxes = mailboxes
        self._on_step = on_step
        self._counts: Counter[str] = Counter()
        self._purged: set[tuple[Owner, str]] = set()
        self._done: Counter[str] = Counter()
        self._total: Counter[str] = Counter()

    def outcome(self) -> Imported:
        return Imported(**self._counts)

    async def check(self, archive: ArchiveFile) -> None:
        """Read all messages of a file, without storing any, and count them."""
        self._counts["files_left_out"] += archive.unknown
        self._total["texts"] += len(archive.contents)
        for records in archive.records:
            found = archive.messages(records)
            while messages := await to_thread.run_sync(_some, found):
                if records.owner in self._mailboxes:
                    self._total["messages"] += len(messages)
                else:
                    self._counts["of_others"] += len(messages)
                self._step("checking", len(messages))

    async def take_messages(self, archive: ArchiveFile) -> None:
        for records in archive.records:
            if records.owner in self._mailboxes:
                found = archive.messages(records)
                while messages := await to_thread.run_sync(_some_again, archive, found):
                    await to_thread.run_sync(self._store, records.owner, messages)
                    self._step("messages", len(messages))

    async def take_texts(self, archive: ArchiveFile) -> None:
        for contents in in_chunks(archive.contents, _TEXTS_AT_ONCE):
            found = [
                (wanted, await self._text(archive, wanted))
                for wanted in await to_thread.run_sync(self._wanted, contents)
            ]
            await to_thread.run_sync(self._store_texts, found)
            self._counts["files_left_out"] += len(contents) - len(found)
            self._step("texts", len(contents))

    def _step(self, phase: Literal["checking", "messages", "texts"], done: int) -> None:
        self._done[phase] += done
        self._on_step(Step(phase, self._done[phase], self._total.get(phase)))

    def _store(self, owner: Owner, records: Sequence[object]) -> None:
        """Store records of a mailbox that are newer than those of the copy, with a sign for the feed."""
        counts: Counter[str] = Counter()
        newest: dict[str, Message] = {}
        with self._mirror.at_once():
            mailbox = self._mirror.mailbox(*owner)
            for record in records:
                message = _message(record)
                if message is None:
                    counts["unreadable"] += 1
                    continue
                known = newest.get(message.id) or self._mirror.message(mailbox, message.id)
                if message.availability == "Purged":
                    counts["purged"] += 1
                    self._purged.add((owner, message.id))
                elif (owner, message.id) in self._purged or not _is_newer(message, known):
                    counts["unchanged"] += 1
                    continue
                else:
                    counts["updated" if known else "added"] += 1
                newest[message.id] = message
            self._mirror.put(mailbox, newest.values(), noted_import(progress_of(self._mirror, mailbox)))
        self._counts += counts

    def _wanted(self, contents: Iterable[Content]) -> list[_Wanted]:
        """Return the attachments whose text is missing. One that was read without success is not read again."""
        found: list[_Wanted] = []
        for content in contents:
            if content.owner not in self._mailboxes:
                continue
            mailbox = self._mirror.mailbox(*content.owner)
            message = self._mirror.message(mailbox, content.message_id)
            attachments = {a.id: a for a, _ in wanted(message)} if message else {}
            attachment = attachments.get(content.attachment_id)
            if message and attachment:
                state, _, _ = self._mirror.text(mailbox, message.id, attachment.id)
                if state == "missing":
                    found.append(_Wanted(content, message, attachment))
        return found

    async def _text(self, archive: ArchiveFile, wanted: _Wanted) -> Found | None:
        """Return the text of an attachment; None if it is damaged or too large."""
        with tempfile.TemporaryFile(buffering=0) as file:
            if not await to_thread.run_sync(_unpack, archive, wanted.content, file):
                return None
            content_type = wanted.attachment.content_type
            return await text_of(file, wanted.message, wanted.attachment, content_type, _charset(content_type))

    def _store_texts(self, texts: Iterable[tuple[_Wanted, Found | None]]) -> None:
        counts: Counter[str] = Counter()
        with self._mirror.at_once():
            for (content, message, attachment), found in texts:
                if found is None:
                    counts["damaged"] += 1
                    continue
                self._mirror.put_text(
                    self._mirror.mailbox(*content.owner),
                    message.id,
                    attachment.id,
                    found.text,
                    source=found.source,
                    content_hash=found.content_hash,
                    state=found.state,
                )
                counts["without_text" if found.text is None else "texts"] += 1
        self._counts += counts


def _some(records: Generator[object]) -> list[object]:
    """Return the next records; none at the end."""
    return list(islice(records, _MESSAGES_AT_ONCE))


def _some_again(archive: ArchiveFile, records: Generator[object]) -> list[object]:
    """Return the next records of a file that was checked."""
    try:
        return _some(records)
    except NotAnArchive as error:
        raise NotAnArchive(
            "The file was changed while it was imported, so only a part of it was. Import it again.", archive.path
        ) from error


def _message(record: object) -> Message | None:
    """Return a record as a message; None if it is none, or says nothing but an id."""
    message = Message.read(record)
    is_whole = message and (message.type or message.creation_time or message.availability == "Purged")
    return message if is_whole else None


def _is_newer(message: Message, known: Message | None) -> bool:
    if known is None:
        return True
    changed, changed_in_copy = message.last_modified_time, known.last_modified_time
    return changed is not None and changed_in_copy is not None and changed > changed_in_copy


def _unpack(archive: ArchiveFile, content: Content, file: BinaryIO) -> bool:
    """Write an attachment to a file. Return False if it is damaged or too large."""
    if content.info.file_size > LIMITS.document_bytes:
        return False
    try:
        with archive.content(content) as entry:
            while piece := entry.read(_PIECE_BYTES):
                write_all(file, piece)
    except NotAnArchive:
        return False
    return True


def _charset(content_type: str | None) -> str | None:
    """Return the charset that a content type names."""
    found = _CHARSET.search((content_type or "")[:1000])
    return found[1] if found else None
