"""The parties of messages: the mailbox's owner, colleagues with an extension, and external callers."""

import random
import re
from dataclasses import dataclass

from rc_mcp.emulator.errors import Json


@dataclass(frozen=True, kw_only=True)
class Party:
    name: str | None = None
    phone_number: str | None = None
    extension_number: str | None = None
    location: str | None = None

    @property
    def extension_id(self) -> str | None:
        return None if self.extension_number is None else extension_id_of(self.extension_number)

    def by_phone(self) -> Json:
        """Return the party as it appears in a text, a fax or a voicemail: with its phone number."""
        return _present(phoneNumber=self.phone_number, name=self.name, location=self.location)

    def calling(self) -> Json:
        """Return the party as the caller of a voicemail: a colleague calls from an extension, without any number."""
        if self.phone_number is None:
            return _present(extensionNumber=self.extension_number, name=self.name)
        return self.by_phone()

    def called(self) -> Json:
        """Return the party as the recipient of a voicemail.

        Most samples have a name only. The one recording of an extension behind a number has both numbers, and repeats
        them in the name: `(650) 555-0142 * 3610 (Ada Example)`.
        """
        if self.phone_number is None or self.extension_number is None:
            return _present(name=self.name or "")
        line = f"{_national(self.phone_number)} * {self.extension_number}"
        return _present(
            phoneNumber=self.phone_number,
            extensionNumber=self.extension_number,
            name=line if self.name is None else f"{line} ({self.name})",
            location=self.location,
        )

    def by_extension(self) -> Json:
        """Return the party as it appears in a pager message, which goes from extension to extension."""
        return _present(extensionNumber=self.extension_number, extensionId=self.extension_id, name=self.name)


def extension_id_of(extension_number: str) -> str:
    """Return the internal id for an extension number. The two always differ, so that confusing them is noticed."""
    return f"{random.Random(f'extension {extension_number}').randrange(10**7, 10**8)}008"  # noqa: S311


def _national(phone_number: str) -> str:
    """Return a number of North America as it is written there; any other unchanged."""
    match = re.fullmatch(r"\+1([0-9]{3})([0-9]{3})([0-9]{4})", phone_number, re.ASCII)
    return "({}) {}-{}".format(*match.groups()) if match else phone_number


def _present(**fields: str | None) -> Json:
    return {key: value for key, value in fields.items() if value is not None}
