"""The summary above a list of rows: which window was asked, how many of what, and with whom."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import BaseModel

from rc_mcp.ringcentral import Message
from rc_mcp.views.text import moment, who, word

_TOP = 5


class Window(BaseModel):
    """The creation times that were searched; nothing outside of them is in the answer."""

    date_from: str | None
    date_to: str | None
    is_default: bool


class Correspondent(BaseModel):
    """Somebody the rows are with. The name is a stranger's own."""

    untrusted_who: str
    messages: int
    unread: int


class Summary(BaseModel):
    """The rows below, counted."""

    rows: int
    by_type: dict[str, int]
    by_read_status: dict[str, int]
    by_direction: dict[str, int]
    top_correspondents: list[Correspondent]


def summarize(messages: Sequence[Message]) -> Summary:
    """Counts over these messages, most frequent first."""
    return Summary(
        rows=len(messages),
        by_type=_counts(m.type for m in messages),
        by_read_status=_counts(m.read_status for m in messages),
        by_direction=_counts(m.direction for m in messages),
        top_correspondents=_top_correspondents(messages),
    )


def window(date_from: datetime | None, date_to: datetime | None, *, is_default: bool) -> Window:
    """The window in force, as shown."""
    return Window(date_from=moment(date_from), date_to=moment(date_to), is_default=is_default)


def _counts(values: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(word(value) or "unknown" for value in values).most_common())


def _top_correspondents(messages: Sequence[Message]) -> list[Correspondent]:
    everyone = Counter(who(m) for m in messages)
    unread = Counter(who(m) for m in messages if m.read_status == "Unread" and m.direction == "Inbound")
    return [
        Correspondent(untrusted_who=name, messages=n, unread=unread[name]) for name, n in everyone.most_common(_TOP)
    ]
