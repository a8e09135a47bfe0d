"""The mailbox of `office.toml`: read, validated, and dated relative to the emulator's start."""

import re
import tomllib
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.mailbox.people import Party
from rc_mcp.emulator.vocabulary import Availability, Direction, MessageType

_ME = "me"


class _Strict(BaseModel):
    """A model that refuses unknown keys, so that a misspelled key in the file is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Person(_Strict):
    name: str | None = None
    phone_number: str | None = None
    extension_number: str | None = None
    location: str | None = None
    username: str | None = None
    permissions: list[str] | None = None

    def party(self) -> Party:
        return Party(**self.model_dump(exclude={"username", "permissions"}))


class _Entry(_Strict):
    type: MessageType
    direction: Direction
    age: str
    from_: str = Field(_ME, alias="from")
    to: list[str] | str = _ME
    read: bool = False
    availability: Availability = "Alive"
    deleted_age: str | None = None
    text: str = ""
    conversation: str | None = None
    media: list[str] = []
    file_names: list[str] = []
    seconds: int = 0
    transcript: str | None = None
    transcript_status: str | None = None
    pages: int = 1
    resolution: Literal["High", "Low"] = "High"
    status: str | None = None
    error: str | None = None
    cover_text: str | None = None
    cover_index: int | None = None
    priority: Literal["Normal", "High"] = "Normal"


class Office(_Strict):
    """The whole file."""

    owner: _Person
    people: dict[str, _Person] = {}
    message: list[_Entry] = []

    def colleagues(self) -> list[str]:
        """Return the keys of the colleagues with an extension, sorted by its number."""
        numbers = {key: person.extension_number for key, person in self.people.items() if person.extension_number}
        return sorted(numbers, key=lambda key: numbers[key])

    def drafts(self, start: datetime) -> list[Draft]:
        """Return every message of the file. Ages are relative to `start`."""
        return [self._draft(entry, start) for entry in self.message]

    def pager_messages(self, key: str, start: datetime) -> list[Draft]:
        """Return the owner's pager messages with a colleague, as they appear in the colleague's mailbox."""
        shared = [entry for entry in self.message if entry.type == "Pager" and key in {entry.from_, *entry.to}]
        return [self._pager_draft(key, entry, start) for entry in shared]

    def _pager_draft(self, key: str, entry: _Entry, start: datetime) -> Draft:
        parties = {_ME: self.owner.party(), **{name: person.party() for name, person in self.people.items()}, key: None}
        sent = entry.from_ == key
        return Draft(
            type="Pager",
            direction="Outbound" if sent else "Inbound",
            created=start - age(entry.age),
            sender=parties[entry.from_],
            recipients=tuple(parties[name] for name in entry.to),
            read=True,
            text=entry.text,
            conversation=entry.conversation,
            status="Sent" if sent else "Received",
            priority=entry.priority,
        )

    def _draft(self, entry: _Entry, start: datetime) -> Draft:
        to = [entry.to] if isinstance(entry.to, str) else entry.to
        copied = entry.model_dump(exclude={"age", "from_", "to", "deleted_age", "media", "file_names"})
        return Draft(
            **copied,
            created=start - age(entry.age),
            removed=None if entry.deleted_age is None else start - age(entry.deleted_age),
            sender=self._party(entry.from_),
            recipients=tuple(self._party(key) for key in to),
            media=tuple(entry.media),
            file_names=tuple(entry.file_names),
        )

    def _party(self, key: str) -> Party | None:
        """Return the party; None means the owner."""
        return None if key == _ME else self.people[key].party()


@cache
def load_office(file: str = "office.toml") -> Office:
    text = files("rc_mcp.emulator.scenarios").joinpath(file).read_text("utf-8")
    return Office.model_validate(tomllib.loads(text))


_AGE = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?", re.ASCII)


def age(text: str) -> timedelta:
    """Parse an age such as `2d4h` or `40m`."""
    match = _AGE.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"not an age: {text!r}")
    return timedelta(**{unit: int(number or 0) for unit, number in match.groupdict().items()})
