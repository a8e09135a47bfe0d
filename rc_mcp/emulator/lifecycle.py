"""Alive, Deleted, Purged, gone: the moves a message makes, by request and by the passing of time."""

from rc_mcp.emulator.dates import DAY_MS
from rc_mcp.emulator.errors import not_found
from rc_mcp.emulator.store import Store
from rc_mcp.emulator.wire import Message

# RingCentral's guide gives both as defaults; the message itself tells neither.
DELETED_KEPT_MS = 5 * DAY_MS
PURGED_KEPT_MS = 5 * DAY_MS

RETENTION_DAYS_DEFAULT = 30
RETENTION_DAYS_RANGE = range(7, 91)


def delete(store: Store, message: Message, *, purge: bool) -> None:
    """Alive becomes Deleted, Deleted becomes Purged; with `purge` either becomes Purged. Purged stays."""
    if message.availability != "Purged":
        already_deleted = message.availability == "Deleted"
        store.move(message, "Purged" if purge or already_deleted else "Deleted")


def require_content(message: Message) -> Message:
    """Refuses a purged message. Not documented for changes; only the metadata is known to stay readable."""
    if message.availability == "Purged":
        raise not_found("messageId")
    return message


def retention_days(store: Store) -> int:
    return store.setting("retention_days", RETENTION_DAYS_DEFAULT)


def set_retention_days(store: Store, days: int) -> None:
    store.set_setting("retention_days", days)


def pass_time(store: Store) -> None:
    """Does what the clock has made due since the last request."""
    now_ms = store.now_ms()
    expired = now_ms - retention_days(store) * DAY_MS
    with store.transaction():
        # Retention covers faxes and voicemails only. Whether it deletes or purges is not documented; it
        # purges here, because a client must not take a lowered retention period for something that can be
        # undone.
        for message in store.matching(
            "type IN ('Fax', 'VoiceMail') AND availability <> 'Purged' AND created_ms < ?", expired
        ):
            store.move(message, "Purged")
        for message in store.matching("availability = 'Deleted' AND removed_ms < ?", now_ms - DELETED_KEPT_MS):
            store.move(message, "Purged")
        store.forget("availability = 'Purged' AND removed_ms < ?", now_ms - PURGED_KEPT_MS)
