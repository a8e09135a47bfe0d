"""Message Store Exports: the messages and attachments of all extensions of the account, as zip files.

The names of the zip files' entries are those of RingCentral's guide ("Message Store Exports") and its pictures: one
`message-store.json` for each extension in the first file, then files of up to 1 GB with attachments. No source shows a
`message-store.json`, names the attachments of texts and transcripts, or says what is exported of deleted messages.
Assumed: it has the records of the API's lists as `records`; the name of each attachment is its id; transcripts are
exported, as they are attachments of a voicemail, and the texts of SMS are not, as they are in the record; Deleted
messages are exported and Purged ones are not.
"""

import io
import json
import uuid
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from rc_mcp.emulator.dates import SECOND_MS
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.mailbox import media_files
from rc_mcp.emulator.mailbox.records import MessageRecord, full_record
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.mailbox.store import Store

AT_ONCE = 2
"""How many exports an account can have in progress (specification)."""
TAKES_MS = 10 * SECOND_MS
"""How long an export takes. The one in the guide took 13 seconds; the guide says that it may take minutes."""
MAX_ARCHIVE_BYTES = 10**9
"""The size of a file of attachments (guide), after which another begins."""
_EXPORTS_KEPT = 10
"""The emulator keeps the files in memory. How long RingCentral keeps them is not documented."""


@dataclass(frozen=True)
class Export:
    """An export: the messages of the account at the moment when it was asked for. It is ready some seconds later.

    Times are milliseconds since the epoch. `extension_id` is that of the user who asked for it.
    """

    id: str
    extension_id: str
    created_ms: int
    selection: Selection
    archives: list[bytes]

    @property
    def finished_ms(self) -> int:
        return self.created_ms + TAKES_MS


class Exports:
    """The exports of an account, by id. They do not outlive the emulator."""

    def __init__(self, mailboxes: Mapping[str, Store], now_ms: Callable[[], int]) -> None:
        self._mailboxes = mailboxes
        self._now_ms = now_ms
        self._exports: dict[str, Export] = {}

    def find(self, export_id: str) -> Export | None:
        return self._exports.get(export_id)

    def is_finished(self, export: Export) -> bool:
        return export.finished_ms <= self._now_ms()

    def is_full(self) -> bool:
        """Whether as many are in progress as there can be."""
        return sum(not self.is_finished(export) for export in self._exports.values()) >= AT_ONCE

    def create(self, account_id: str, extension_id: str, selection: Selection) -> Export:
        archives = [_records(self._mailboxes.values(), selection), *_contents(self._mailboxes.values(), selection)]
        export_id = f"{account_id}-{extension_id}-{uuid.uuid4().hex}"
        export = Export(export_id, extension_id, self._now_ms(), selection, archives)
        self._exports[export_id] = export
        for old in list(self._exports)[:-_EXPORTS_KEPT]:
            del self._exports[old]
        return export


def _records(mailboxes: Iterable[Store], selection: Selection) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as file:
        for store in mailboxes:
            records = [full_record(message, store.addresses) for message in store.select(selection)]
            file.writestr(_entry(f"{_folder(store)}/message-store.json"), json.dumps({"records": records}))
    return packed.getvalue()


def _contents(mailboxes: Iterable[Store], selection: Selection) -> Generator[bytes]:
    packed, file = io.BytesIO(), None
    for name, data in _attachments(mailboxes, selection):
        if file and packed.tell() + len(data) > MAX_ARCHIVE_BYTES:
            file.close()
            yield packed.getvalue()
            packed, file = io.BytesIO(), None
        file = file or ZipFile(packed, "w", ZIP_DEFLATED)
        file.writestr(_entry(name), data)
    if file:
        file.close()
        yield packed.getvalue()


def _attachments(mailboxes: Iterable[Store], selection: Selection) -> Generator[tuple[str, bytes]]:
    for store in mailboxes:
        for message in store.select(selection):
            for attachment in _exported(message):
                name = f"{attachment['id']}{media_files.suffix(attachment['contentType'])}"
                folder = f"{_folder(store)}/message-store/{message.id}/content"
                yield f"{folder}/{name}", store.bytes_of(message, attachment)


def _exported(message: MessageRecord) -> list[Json]:
    return [attachment for attachment in message.details["attachments"] if attachment["type"] != "Text"]


def _folder(store: Store) -> str:
    return f"account/{store.addresses.account_id}/extension/{store.addresses.extension_id}"


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name)  # of 1980: the same export has the same bytes
    entry.compress_type = ZIP_DEFLATED
    return entry
