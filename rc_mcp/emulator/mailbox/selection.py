"""`Selection`: the messages that a request is about, and its SQL condition."""

from collections.abc import Sequence
from dataclasses import dataclass

PERSONAL, SHARED = "Personal", "Shared"


@dataclass(frozen=True, kw_only=True)
class Selection:
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

    def where(self) -> tuple[str, list[str | int]]:
        """Return a condition for WHERE and its parameters."""
        memberships: dict[str, Sequence[str | int]] = {
            "type": self.types,
            "direction": self.directions,
            "read_status": self.read_statuses,
            "availability": self.availabilities,
            "conversation_id": self.conversations,
        }
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
        chosen = {f"{column} IN ({', '.join('?' * len(of))})": of for column, of in memberships.items() if of}
        chosen |= {condition: (bound,) for condition, bound in bounds.items() if bound is not None}
        chosen |= self._owned()
        return " AND ".join(chosen) or "TRUE", [value for values in chosen.values() for value in values]

    def _owned(self) -> dict[str, Sequence[str | int]]:
        """Return the conditions on the owner, with their parameters."""
        conditions: dict[str, Sequence[str | int]] = {}
        if self.voicemail_owners is not None:
            (voicemails, theirs), (others, rest) = _owned_by(self.voicemail_owners), _owned_by(self.owners)
            conditions[f"CASE type WHEN 'VoiceMail' THEN {voicemails} ELSE {others} END"] = [*theirs, *rest]
        elif self.owners:
            condition, parameters = _owned_by(self.owners)
            conditions[condition] = parameters
        if self.owner_types:
            marks = ", ".join("?" * len(self.owner_types))
            of_type = f"json_extract(details, '$.owner.extensionType') IN ({marks})"
            conditions[f"(owner IS NULL OR {of_type})"] = self.owner_types
        return conditions


def _owned_by(owners: tuple[str, ...]) -> tuple[str, list[int]]:
    extensions = [int(owner) for owner in owners if owner not in {PERSONAL, SHARED}]
    words = {PERSONAL: "owner IS NULL", SHARED: "owner IS NOT NULL"}
    conditions = [condition for word, condition in words.items() if word in owners]
    if extensions:
        conditions.append(f"owner IN ({', '.join('?' * len(extensions))})")
    return f"({' OR '.join(conditions)})" if conditions else "TRUE", extensions


def digits(phone_number: str) -> str:
    """Return only the digits, to compare numbers: records have both `+1650...` and `(650) ...`.

    A sender's name, such as `BANKPL`, is compared as it is.
    """
    if any(character.isalpha() for character in phone_number):
        return phone_number
    return "".join(character for character in phone_number if character in "0123456789")
