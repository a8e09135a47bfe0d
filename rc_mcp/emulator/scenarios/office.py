"""The mailbox of `office.toml`: read, validated, and dated relative to the emulator's start."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.mailbox.people import Party

ME = "me"
"""The owner's key."""
FIRST_STAFF = 1_000
"""The extension numbers of `with_staff` begin after this one."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """A user's login. The default permissions are those of staff."""

    username: str
    permissions: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class _Entry(Draft):
    """A message of the file: a draft with ages for its times, and keys for its parties."""

    age: str
    deleted_age: str | None = None
    from_: Annotated[str, Field(alias="from")] = ME
    to: tuple[str, ...] = (ME,)


class Office(BaseModel):
    """The whole file. Unknown keys are refused everywhere, so that a misspelled key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    owner: Party
    people: dict[str, Party] = {}
    logins: dict[str, Login] = {}
    message: tuple[_Entry, ...] = ()

    def party(self, key: str) -> Party:
        return self.owner if key == ME else self.people[key]

    def with_staff(self, number: int) -> "Office":
        """Return the office with this many more colleagues, each with a login and an empty mailbox."""
        parties = {
            f"staff{at}": Party(name=f"Colleague {at}", extension_number=str(FIRST_STAFF + at))
            for at in range(1, number + 1)
        }
        logins = {key: Login(username=f"{key}@pellworth.example") for key in parties}
        return self.model_copy(update={"people": {**self.people, **parties}, "logins": {**self.logins, **logins}})

    def colleagues(self) -> list[str]:
        """Return the keys of all users except the owner."""
        return [key for key in self.logins if key != ME]

    def drafts(self, start: datetime) -> list[Draft]:
        """Return every message of the file. Ages are relative to `start`."""
        return [self._draft(entry, start, ME) for entry in self.message]

    def pager_messages(self, key: str, start: datetime) -> Iterator[Draft]:
        """Yield the owner's pager messages with a colleague, as they appear in the colleague's mailbox."""
        for entry in self.message:
            if entry.type == "Pager" and key in {entry.from_, *entry.to}:
                direction = "Outbound" if entry.from_ == key else "Inbound"
                draft = self._draft(entry, start, key)
                yield replace(draft, direction=direction, read=True, availability="Alive", removed=None)

    def _draft(self, entry: _Entry, start: datetime, mailbox: str) -> Draft:
        """Return the message in this party's mailbox, where None stands for the party."""
        parties = {key: None if key == mailbox else self.party(key) for key in (entry.from_, *entry.to)}
        return replace(
            entry,
            created=start - age(entry.age),
            removed=None if entry.deleted_age is None else start - age(entry.deleted_age),
            sender=parties[entry.from_],
            recipients=tuple(parties[key] for key in entry.to),
        )


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
