"""A message's life cycle: Alive, Deleted, Purged, removed; by request and over time."""

from rc_mcp.emulator.dates import DAY_MS, SECOND_MS
from rc_mcp.emulator.errors import not_found
from rc_mcp.emulator.mailbox.records import MessageRecord
from rc_mcp.emulator.mailbox.store import Store

# RingCentral's guide gives both as defaults; no field of a message shows them.
DELETED_KEPT_MS = 5 * DAY_MS
PURGED_KEPT_MS = 5 * DAY_MS

# The documentation says that a fax cannot be read while it is rendered, but not how long that takes.
FAX_RENDERING_MS = 10 * SECOND_MS

_RETAINED = "type IN ('Fax', 'VoiceMail') AND availability <> 'Purged'"
RETENTION_DAYS_DEFAULT = 30
RETENTION_DAYS_RANGE = range(7, 91)


def delete(store: Store, message: MessageRecord, *, purge: bool) -> None:
    """Delete an Alive message and purge a Deleted one; with `purge`, purge both. A Purged message stays Purged."""
    if message.availability != "Purged":
        already_deleted = message.availability == "Deleted"
        store.move(message, "Purged" if purge or already_deleted else "Deleted")


def require_content(message: MessageRecord) -> MessageRecord:
    """Refuse a purged message. Its metadata stays readable; whether it can be changed is not documented."""
    if message.availability == "Purged":
        raise not_found("messageId")
    return message


def is_rendering(message: MessageRecord, now_ms: int) -> bool:
    """Whether a fax has no pages to show yet: it is queued for sending, and was created seconds ago."""
    queued = message.type == "Fax" and message.details["messageStatus"] == "Queued"
    return queued and now_ms < message.created_ms + FAX_RENDERING_MS


def retention_days(store: Store) -> int:
    return store.setting("retention_days", RETENTION_DAYS_DEFAULT)


def set_retention_days(store: Store, days: int) -> None:
    store.set_setting("retention_days", days)
    store.set_setting("retention_set_ms", store.now_ms())


def pass_time(store: Store) -> None:
    """Carry out every removal that is due in a mailbox, dated at the moment when it was due.

    So the result does not depend on how often requests arrive: a deleted message is gone after ten days even if no
    request arrived on the fifth.
    """
    due_ms = store.until_changed("due", lambda: _next_due_ms(store))
    if due_ms is None or store.now_ms() <= due_ms:
        return
    with store.transaction():
        _expire(store)
        for message in store.matching("availability = 'Deleted' AND removed_ms < ?", store.now_ms() - DELETED_KEPT_MS):
            store.move(message, "Purged", _purge_due_ms(message, store.now_ms()))
        store.forget("availability = 'Purged' AND removed_ms < ?", store.now_ms() - PURGED_KEPT_MS)


def _next_due_ms(store: Store) -> int | None:
    """Return the last moment at which no removal is due; None if none will ever be due as the mailbox is."""
    removed_ms = store.earliest("removed_ms", "message_removed", "removed_ms IS NOT NULL")
    kept_ms = store.earliest("created_ms", "message_retained", _RETAINED)
    moments = [
        None if removed_ms is None else removed_ms + min(DELETED_KEPT_MS, PURGED_KEPT_MS),
        None if kept_ms is None else kept_ms + retention_days(store) * DAY_MS,
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def _expire(store: Store) -> None:
    # Retention covers faxes and voicemails only. It is not documented whether it deletes or purges. It purges here,
    # because a client must not assume that lowering the retention period can be undone.
    kept_ms, set_ms = retention_days(store) * DAY_MS, store.setting("retention_set_ms", 0)
    for message in store.matching(f"{_RETAINED} AND created_ms < ?", store.now_ms() - kept_ms):
        # A lowered period purges old messages at the moment when it is lowered.
        due_ms = max(message.created_ms + kept_ms, set_ms)
        store.move(message, "Purged", min(due_ms, _purge_due_ms(message, due_ms)))


def _purge_due_ms(message: MessageRecord, otherwise_ms: int) -> int:
    return otherwise_ms if message.removed_ms is None else message.removed_ms + DELETED_KEPT_MS
