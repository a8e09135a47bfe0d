"""The actual history of the mailbox: every state of each message, in order, and its cause.

It comes from the emulator's own store, never from our server. Moments are increasing numbers; each change, answer of a
user and reading takes one, which puts them in order.
"""

from dataclasses import dataclass
from typing import Literal

from rc_mcp.emulator import Draft
from rc_mcp.emulator.mailbox.lifecycle import pass_time, retention_days, set_retention_days
from rc_mcp.emulator.mailbox.records import MessageRecord
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.mailbox.store import Store

By = Literal["start", "arrival", "another app", "benign call", "guarded call", "time"]


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one message. `availability` is None if the message does not exist."""

    moment: int
    by: By
    availability: str | None
    modified_ms: int
    read_status: str | None


_ABSENT = Version(0, "start", None, 0, None)


class MailboxModel:
    """The mailbox and its history since `begin`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.moment = 0
        self.retention: list[tuple[int, By, int]] = []
        """Moment, cause, and the period in force from then on."""
        self._history: dict[str, list[Version]] = {}

    def begin(self, drafts: list[Draft]) -> None:
        """Empty the mailbox, add these messages, and begin its history."""
        for message in self.store.select(Selection()):
            self.store.move(message, "Purged")  # keeps the store's counts correct
        self.store.forget("TRUE")
        set_retention_days(self.store, 30)
        for draft in drafts:
            self.store.add(draft)
        self.moment, self._history, self.retention = 0, {}, []
        self.note("start")

    def next_moment(self) -> int:
        """Return a moment later than all before."""
        self.moment += 1
        return self.moment

    def note(self, by: By) -> list[str]:
        """Record the changes since the last call, with their cause. Return the ids that changed."""
        moment = self.next_moment()
        held = {str(m.id): m for m in self.store.select(Selection())}
        changed: list[str] = []
        for id_ in {**self._history, **held}:
            version = _version(moment, by, held.get(id_))
            if not _same(version, self.now(id_)):
                self._history.setdefault(id_, []).append(version)
                changed.append(id_)
        if not self.retention or retention_days(self.store) != self.retention[-1][2]:
            self.retention.append((moment, by, retention_days(self.store)))
        return changed

    def pass_time(self) -> None:
        """Apply changes that are due by the clock first, so that no other cause is recorded for them."""
        pass_time(self.store)
        self.note("time")

    @property
    def ids(self) -> list[str]:
        """Return every id that ever existed, oldest first."""
        return list(self._history)

    def now(self, id_: str) -> Version:
        """Return the current state of a message."""
        return self._history[id_][-1] if id_ in self._history else _ABSENT

    def at(self, id_: str, moment: int) -> Version:
        """Return the state of a message at a moment."""
        return next((v for v in reversed(self._history.get(id_, [])) if v.moment <= moment), _ABSENT)

    def since(self, id_: str, moment: int) -> list[Version]:
        """Return the state of a message at a moment, and all later states."""
        return [self.at(id_, moment), *self.changes(id_, moment)]

    def changes(self, id_: str, moment: int) -> list[Version]:
        """Return the states of a message after a moment."""
        return [v for v in self._history.get(id_, []) if v.moment > moment]

    def arrived(self, id_: str) -> int:
        """Return the moment at which a message first existed."""
        return self._history[id_][0].moment


def _version(moment: int, by: By, message: MessageRecord | None) -> Version:
    if message is None:
        return Version(moment, by, None, 0, None)
    return Version(moment, by, message.availability, message.modified_ms, message.read_status)


def _same(one: Version, other: Version) -> bool:
    return (one.availability, one.modified_ms, one.read_status) == (
        other.availability,
        other.modified_ms,
        other.read_status,
    )
