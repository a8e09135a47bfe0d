"""The hosts of `hosts.toml`: what each says at its first contact, and what it is known to do."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Literal

from mcp.server.apps import EXTENSION_ID
from pydantic import BaseModel, ConfigDict, Field

Answer = tuple[str, str]
"""yes, no, ? or a protocol version; and the key of its source, "-" where none was found."""
MODERN = "2026-07-28"
Generation = Literal["initialize", "server/discover"]
"""The two ways in which a client begins."""


class Handshake(BaseModel):
    """The first message of a client, without what names its user or machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    protocol: str
    capabilities: dict[str, Any]

    @property
    def generation(self) -> Generation:
        """How this client begins."""
        return "server/discover" if self.protocol == MODERN else "initialize"

    @property
    def offers_a_form(self) -> bool:
        """Whether the client says that it can show a form: `{}` means form."""
        elicitation = self.capabilities.get("elicitation")
        return elicitation is not None and (elicitation == {} or "form" in elicitation)

    @property
    def shows_apps(self) -> bool:
        """Whether the client says that it can show the inbox page."""
        return EXTENSION_ID in self.capabilities.get("extensions", {})


class Host(BaseModel):
    """A host, with a row of the table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    version: str
    know: Literal["recorded", "documented", "assumed"]
    protocol: Answer
    form: Answer
    url: Answer
    apps: Answer
    resources: Answer
    prompts: Answer
    images: Answer
    handshakes: list[Handshake] = Field(alias="handshake")

    def answers(self) -> dict[str, Answer]:
        """The cells of its row."""
        names = ("protocol", "form", "url", "apps", "resources", "prompts", "images")
        return {name: getattr(self, name) for name in names}


class Table(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: date
    sources: dict[str, str]
    hosts: list[Host] = Field(alias="host")


TABLE = Table.model_validate(tomllib.loads((Path(__file__).parent / "hosts.toml").read_text("utf-8")))
