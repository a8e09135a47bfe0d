"""The mailbox of `hostile.toml`, with its notation for special characters spelled out."""

import re
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from typing import Any

from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.scenarios.office import load_office

_CODE_UNIT = re.compile(r"\{\{U\+([0-9A-F]{4})\}\}")
_TAGS = re.compile(r"\{\{tags (.*?)\}\}", re.DOTALL)
_REPETITION = re.compile(r"\{\{([0-9]+) \* (.*?)\}\}", re.DOTALL)
_TAG_BLOCK = 0xE0000


def hostile_drafts(start: datetime) -> list[Draft]:
    return [_spelled_out(draft) for draft in load_office("hostile.toml").drafts(start)]


def spell_out(text: str) -> str:
    text = _REPETITION.sub(lambda match: match[2] * int(match[1]), text)
    text = _TAGS.sub(lambda match: "".join(chr(_TAG_BLOCK + ord(letter)) for letter in match[1]), text)
    # Code units are last, because their characters may look like the notation.
    return _CODE_UNIT.sub(lambda match: chr(int(match[1], 16)), text)


def _spelled_out(value: Any) -> Any:
    if isinstance(value, str):
        return spell_out(value)
    if isinstance(value, tuple):
        return tuple(_spelled_out(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _spelled_out(getattr(value, field.name)) for field in fields(value)})
    return value
