"""How far the tools of a server may go. Each level has the tools of those before it."""

from typing import Literal, get_args

Level = Literal["read", "triage", "delete", "purge", "admin"]
"""`purge` adds no tool to `delete`: it lets the deletes do what is final."""
LEVELS: tuple[Level, ...] = get_args(Level)
