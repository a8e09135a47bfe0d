"""`Selection`: the messages that a request is about, and its SQL condition."""

from collections.abc import Sequence
from typing import NamedTuple

from rc_mcp.emulator.vocabulary import AVAILABILITIES, DIRECTIONS, MESSAGE_TYPES, READ_STATUSES

PERSONAL, SHARED = "Personal", "Shared"


class Selection(NamedTuple):
    """A filter over the mailbox. An empty tuple or None does not filter.

    With `per_conversation`, only so many of the latest messages of each conversation are selected, and all messages
    without a conversation; with `distinct_conversations`, only the latest of each conversation.

    `owners` are PERSONAL, SHARED and ids of extensions. `voicemail_owners` takes its place for voicemails, unless it
    is None. `owner_types` filters shared messages only.
    """

    types: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    read_statuses: tuple[str, ...] = ()
    availabilities: tuple[str, ...] = ()
    conversations: tuple[int, ...] = ()
    created_from_ms: int | None = None
    created_to_ms: int | None = None
    created_before_ms: int | None = None
    modified_from_ms: int | None = None
    phone_number: str | None = None
    per_conversation: int | None = None
    distinct_conversations: bool = False
    owners: tuple[str, ...] = ()
    voicemail_owners: tuple[str, ...] | None = None
    owner_types: tuple[str, ...] = ()

    @property
    def is_narrow(self) -> bool:
        """Whether it filters on a column that few messages share, other than their mailbox and time."""
        return bool(self.conversations) or self.modified_from_ms is not None or self.phone_number is not None

    @property
    def is_tallied(self) -> bool:
        """Whether it filters only on the kind of a message and its time: the database has the numbers of those."""
        return not (self.is_narrow or self.is_ranked or self._filters_owner_types)

    @property
    def is_ranked(self) -> bool:
        """Whether a message is selected or not by its place in its conversation."""
        return self.per_conversation is not None or self.distinct_conversations

    @property
    def only_shared(self) -> bool:
        """Whether it can select shared messages only, which are few."""
        return all(owners and PERSONAL not in owners for owners in self._owner_filters)

    @property
    def created_until_ms(self) -> int | None:
        """The last time that it includes; None without an end."""
        before_ms = None if self.created_before_ms is None else self.created_before_ms - 1
        return min((ms for ms in (self.created_to_ms, before_ms) if ms is not None), default=None)

    def between(self, from_ms: int | None, to_ms: int | None) -> "Selection":
        """Return the selection with other times, both included; None is without limit."""
        return self._replace(created_from_ms=from_ms, created_to_ms=to_ms, created_before_ms=None)

    def of_kind(self) -> tuple[str, list[str | int]]:
        """Return the condition on the kind and owner of a message, and its parameters."""
        return _joined(self._of_kind())

    def where(self) -> tuple[str, list[str | int]]:
        """Return a condition for WHERE and its parameters."""
        bounds = {
            "created_ms >= ?": self.created_from_ms,
            "created_ms <= ?": self.created_to_ms,
            "created_ms < ?": self.created_before_ms,
            # As a subquery it uses its own index; otherwise SQLite would scan all messages in order of time.
            "id IN (SELECT id FROM message WHERE modified_ms >= ?)": self.modified_from_ms,
            "id IN (SELECT message_id FROM phone_number WHERE digits = ?)": (
                None if self.phone_number is None else digits(self.phone_number)
            ),
        }
        chosen = self._of_kind()
        if self.conversations:
            chosen[_among("conversation_id", self.conversations)] = self.conversations
        chosen |= {condition: (bound,) for condition, bound in bounds.items() if bound is not None}
        return _joined(chosen)

    @property
    def _owner_filters(self) -> list[tuple[str, ...]]:
        return [self.owners] if self.voicemail_owners is None else [self.owners, self.voicemail_owners]

    @property
    def _filters_owner_types(self) -> bool:
        return bool(self.owner_types) and any(owners != (PERSONAL,) for owners in self._owner_filters)

    def _of_kind(self) -> dict[str, Sequence[str | int]]:
        # What is not filtered has all its words: only so can SQLite use each column of `message_by_kind`.
        named = {
            "availability": self.availabilities or AVAILABILITIES,
            "type": self.types or MESSAGE_TYPES,
            "direction": self.directions or DIRECTIONS,
            "read_status": self.read_statuses or READ_STATUSES,
        }
        chosen: dict[str, Sequence[str | int]] = {_among(column, of): of for column, of in named.items()}
        return chosen | self._owned()

    def _owned(self) -> dict[str, Sequence[str | int]]:
        """Return the conditions on the owner, with their parameters."""
        conditions: dict[str, Sequence[str | int]] = {}
        if self.voicemail_owners is not None:
            (voicemails, theirs), (others, rest) = _owned_by(self.voicemail_owners), _owned_by(self.owners)
            conditions[f"CASE type WHEN 'VoiceMail' THEN {voicemails} ELSE {others} END"] = [*theirs, *rest]
        elif self.owners:
            condition, parameters = _owned_by(self.owners)
            conditions[condition] = parameters
        if self._filters_owner_types:
            of_type = _among("json_extract(details, '$.owner.extensionType')", self.owner_types)
            conditions[f"(owner IS NULL OR {of_type})"] = self.owner_types
        return conditions


def _owned_by(owners: tuple[str, ...]) -> tuple[str, list[int]]:
    extensions = [int(owner) for owner in owners if owner not in {PERSONAL, SHARED}]
    words = {PERSONAL: "owner IS NULL", SHARED: "owner IS NOT NULL"}
    conditions = [condition for word, condition in words.items() if word in owners]
    if extensions:
        conditions.append(_among("owner", extensions))
    return f"({' OR '.join(conditions)})" if conditions else "TRUE", extensions


def _among(column: str, values: Sequence[str | int]) -> str:
    return f"{column} IN ({', '.join('?' * len(values))})"


def _joined(chosen: dict[str, Sequence[str | int]]) -> tuple[str, list[str | int]]:
    """Return conditions as one, and their parameters."""
    return " AND ".join(chosen) or "TRUE", [value for values in chosen.values() for value in values]


def digits(phone_number: str) -> str:
    """Return only the digits, to compare numbers: records have both `+1650...` and `(650) ...`.

    A sender's name, such as `BANKPL`, is compared as it is.
    """
    if any(character.isalpha() for character in phone_number):
        return phone_number
    return "".join(character for character in phone_number if character in "0123456789")
