"""Alive, Deleted, Purged, gone: the moves a message makes, by request and by the passing of time."""

from rc_mcp.emulator.dates import DAY_MS, SECOND_MS
from rc_mcp.emulator.errors import not_found
from rc_mcp.emulator.store import Store
from rc_mcp.emulator.wire import Message

# RingCentral's guide gives both as defaults; the message itself tells neither.
DELETED_KEPT_MS = 5 * DAY_MS
PURGED_KEPT_MS = 5 * DAY_MS

# How long a fax is being rendered is not documented, only that it cannot be read meanwhile.
FAX_RENDERING_MS = 10 * SECOND_MS

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


def is_rendering(message: Message, now_ms: int) -> bool:
    """Whether a fax has no pages to show yet: one that is queued to be sent, for the first seconds."""
    queued = message.type == "Fax" and message.details["messageStatus"] == "Queued"
    return queued and now_ms < message.created_ms + FAX_RENDERING_MS


def retention_days(store: Store) -> int:
    return store.setting("retention_days", RETENTION_DAYS_DEFAULT)


def set_retention_days(store: Store, days: int) -> None:
    store.set_setting("retention_days", days)
    store.set_setting("retention_set_ms", store.now_ms())


def pass_time(store: Store) -> None:
    """Does what the clock has made due in a mailbox since the last request, as of the moment it was due.

    So it makes no difference how seldom somebody asks: ten days after a deletion nothing is left, even if nobody
    came by on the fifth.
    """
    with store.transaction():
        _expire(store)
        for message in store.matching("availability = 'Deleted' AND removed_ms < ?", store.now_ms() - DELETED_KEPT_MS):
            store.move(message, "Purged", _purge_due_ms(message, store.now_ms()))
        store.forget("availability = 'Purged' AND removed_ms < ?", store.now_ms() - PURGED_KEPT_MS)


def _expire(store: Store) -> None:
    # Retention covers faxes and voicemails only. Whether it deletes or purges is not documented; it purges here,
    # because a client must not take a lowered retention period for something that can be undone.
    kept_ms, set_ms = retention_days(store) * DAY_MS, store.setting("retention_set_ms", 0)
    expired = "type IN ('Fax', 'VoiceMail') AND availability <> 'Purged' AND created_ms < ?"
    for message in store.matching(expired, store.now_ms() - kept_ms):
        # What a lowered period takes, it takes when it is lowered.
        due_ms = max(message.created_ms + kept_ms, set_ms)
        store.move(message, "Purged", min(due_ms, _purge_due_ms(message, due_ms)))


def _purge_due_ms(message: Message, otherwise_ms: int) -> int:
    return otherwise_ms if message.removed_ms is None else message.removed_ms + DELETED_KEPT_MS
