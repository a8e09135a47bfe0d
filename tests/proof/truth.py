"""What really happened in the mailbox: every state each message was in, in order, and who brought it about.

It is read from the emulator's own store, never from what our server says. Moments are numbers that only grow; whatever
has to be put in order (a change, an answer of a person, a reading) takes one.
"""

from dataclasses import dataclass
from typing import Literal

from rc_mcp.emulator import Draft
from rc_mcp.emulator.lifecycle import pass_time, retention_days, set_retention_days
from rc_mcp.emulator.selection import Selection
from rc_mcp.emulator.store import Store
from rc_mcp.emulator.wire import Message

By = Literal["start", "arrival", "another app", "benign call", "guarded call", "time"]


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one message. `availability` is None where there is no such message (any more)."""

    moment: int
    by: By
    availability: str | None
    modified_ms: int
    read_status: str | None


_ABSENT = Version(0, "start", None, 0, None)


class Truth:
    """The mailbox and its history since `begin`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.moment = 0
        self.retention: list[tuple[int, By, int]] = []
        """Moment, who, and the period in force from then on."""
        self._history: dict[str, list[Version]] = {}

    def begin(self, drafts: list[Draft]) -> None:
        """An empty mailbox takes these messages in, and its history begins."""
        for message in self.store.select(Selection()):
            self.store.move(message, "Purged")  # so that the store counts right
        self.store.forget("TRUE")
        set_retention_days(self.store, 30)
        for draft in drafts:
            self.store.add(draft)
        self.moment, self._history, self.retention = 0, {}, []
        self.note("start")

    def next_moment(self) -> int:
        """A moment after all that were."""
        self.moment += 1
        return self.moment

    def note(self, by: By) -> list[str]:
        """See what is different now, and write down who did it. Gives the ids that changed."""
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
        """Let what is due by the clock happen before anything else does, so that nobody else is blamed for it."""
        pass_time(self.store)
        self.note("time")

    @property
    def ids(self) -> list[str]:
        """Every id that ever was, oldest first."""
        return list(self._history)

    def now(self, id_: str) -> Version:
        """The state a message is in."""
        return self._history[id_][-1] if id_ in self._history else _ABSENT

    def at(self, id_: str, moment: int) -> Version:
        """The state it was in at a moment."""
        return next((v for v in reversed(self._history.get(id_, [])) if v.moment <= moment), _ABSENT)

    def since(self, id_: str, moment: int) -> list[Version]:
        """The state it was in at that moment, and all that followed."""
        return [self.at(id_, moment), *self.changes(id_, moment)]

    def changes(self, id_: str, moment: int) -> list[Version]:
        """The states it came into after that moment."""
        return [v for v in self._history.get(id_, []) if v.moment > moment]

    def arrived(self, id_: str) -> int:
        """The moment it was first there."""
        return self._history[id_][0].moment


def _version(moment: int, by: By, message: Message | None) -> Version:
    if message is None:
        return Version(moment, by, None, 0, None)
    return Version(moment, by, message.availability, message.modified_ms, message.read_status)


def _same(one: Version, other: Version) -> bool:
    return (one.availability, one.modified_ms, one.read_status) == (
        other.availability,
        other.modified_ms,
        other.read_status,
    )
