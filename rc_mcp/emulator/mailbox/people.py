"""The parties of messages: the mailbox's owner, colleagues with an extension, and external callers."""

import random
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

    def by_extension(self) -> Json:
        """Return the party as it appears in a pager message, which goes from extension to extension."""
        return _present(extensionNumber=self.extension_number, extensionId=self.extension_id, name=self.name)


def extension_id_of(extension_number: str) -> str:
    """Return the internal id for an extension number. The two always differ, so that confusing them is noticed."""
    return f"{random.Random(f'extension {extension_number}').randrange(10**7, 10**8)}008"  # noqa: S311


def _present(**fields: str | None) -> Json:
    return {key: value for key, value in fields.items() if value is not None}
