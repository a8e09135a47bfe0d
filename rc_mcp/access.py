"""The access levels of a server. Each level includes the tools of the levels before it."""

from typing import Literal, get_args

Level = Literal["read", "triage", "delete", "purge", "admin"]
"""`purge` adds no tool to `delete`; it allows permanent deletes."""
LEVELS: tuple[Level, ...] = get_args(Level)
