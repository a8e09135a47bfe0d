"""Answers to a sync: all messages of a time window, or the messages that are new, changed or removed since."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import BaseModel

from rc_mcp.ringcentral import Message, MessageSync, SyncType
from rc_mcp.views.detail_level import Presentation, Shown
from rc_mcp.views.schema import LOOSE
from rc_mcp.views.summary import Filters, RetentionFacts, Summary, Window, summarize
from rc_mcp.views.tokens import Size, size_of, that_fit, weigh
from rc_mcp.views.untrusted_text import is_id, moment, shown_id, word

T = TypeVar("T")

_OVERLAP = timedelta(seconds=5)
"""RingCentral repeats the last 5 s before each sync, so that no change is missed (its guide, "Message sync")."""
_FOLLOW = "Later, call again with this sync_token for changes since."
KEPT_FILTERS = "A sync_token keeps its original filters."
UNKNOWN_FILTERS = f"{KEPT_FILTERS} This server has no record of this token, so it cannot say which."
NEW_UNKNOWN = "New and changed messages cannot be distinguished here."


class Synced(BaseModel):
    """The result of a sync: `messages` (FSync), or `new`, `changed` and `removed` (ISync)."""

    sync_type: SyncType
    sync_token: str | None = None
    sync_time: str | None = None
    window: Annotated[Window | None, LOOSE] = None
    filters: Annotated[Filters | None, LOOSE] = None
    fell_back: str | None = None
    summary: Annotated[Summary, LOOSE]
    messages: Annotated[Shown | None, LOOSE] = None
    new: Annotated[Shown | None, LOOSE] = None
    changed: Annotated[Shown | None, LOOSE] = None
    not_shown: list[str] | None = None
    removed: Annotated[dict[str, str] | None, LOOSE] = None
    older_records_exist: bool
    next: str


@dataclass(frozen=True, slots=True)
class TokenMemory:
    """Facts about a sync token that the token itself does not show. Empty for an unknown token.

    Attributes:
        last: when RingCentral issued the token.
        filters: the filters that the token keeps.
    """

    last: datetime | None = None
    filters: Filters | None = None


def all_of(
    sync: MessageSync,
    frame: Window,
    filters: Filters,
    fell_back: str | None,
    look: Presentation,
    keeping: RetentionFacts,
) -> Synced:
    """Return the answer to a full sync."""
    answer = _answer("FSync", sync.records, sync, filters, look, keeping)
    answer.window, answer.fell_back = frame, fell_back
    answer.next = f"{_about_frame(sync, frame)}{_unreadable(sync)}{_FOLLOW}"
    answer.messages, shown = look.at(sync.records, used=_tokens(answer))
    if left := len(sync.records) - shown:
        oldest_shown = sync.records[shown - 1].creation_time if shown else None
        last = moment(oldest_shown, look.zone) or frame.date_to
        answer.next = (
            f"{left} more are counted but not shown, to keep the answer short: for those call list_messages with "
            f"date_from={frame.date_from} and date_to={last}; some may appear twice. {_unreadable(sync)}{_FOLLOW}"
        )
    return answer


def changes_since(
    since: TokenMemory,
    sync: MessageSync,
    frame: Window | None,
    asked: Filters,
    look: Presentation,
    keeping: RetentionFacts,
) -> Synced:
    """Return the answer to an incremental sync.

    Args:
        frame: the time window, if this call gave one.
        asked: the filters of this call, which were not sent to RingCentral.
    """
    last = since.last
    alive = [m for m in sync.records if not _is_removed(m)]
    removed = {m.id: word(m.availability) or "unknown" for m in sync.records if _is_removed(m)}
    new = [m for m in alive if _is_new(m, last)]
    changed = [m for m in alive if not _is_new(m, last)]
    answer = _answer("ISync", alive, sync, since.filters or {}, look, keeping)
    answer.window = frame
    answer.next = f"{_not_applied(asked, since)}{_about_changes(sync, alive, last)}{_unreadable(sync)}{_FOLLOW}"
    items = [(shown_id(id_), availability) for id_, availability in removed.items()]
    rows = replace(look, budget=look.budget.part(0.75))
    answer.removed = dict(that_fit(_sized(items), look.budget.part(0.4), used=_tokens(answer))) or None
    answer.new, shown_new = rows.at(new, used=_tokens(answer)) if new else (None, 0)
    answer.changed, shown_changed = rows.at(changed, used=_tokens(answer)) if changed else (None, 0)
    left = [*new[shown_new:], *changed[shown_changed:]]
    ids = [m.id for m in left if is_id(m.id)]
    answer.not_shown = that_fit(_sized(ids), look.budget, used=_tokens(answer)) or None
    unnamed = len(left) - len(answer.not_shown or ()) + len(removed) - len(answer.removed or ())
    if unnamed:
        answer.next = f"{unnamed} more do not fit even as ids; list_messages shows the current state. {answer.next}"
    if answer.not_shown:
        answer.next = f"Call read_message for the messages in not_shown. {answer.next}"
    return answer


def _sized(things: Iterable[T]) -> Iterator[tuple[T, Size]]:
    return ((thing, size_of(thing)) for thing in things)


def _answer(
    sync_type: SyncType,
    shown: Sequence[Message],
    sync: MessageSync,
    filters: Filters,
    look: Presentation,
    keeping: RetentionFacts,
) -> Synced:
    return Synced(
        sync_type=sync_type,
        sync_token=sync.sync_info.sync_token,
        sync_time=moment(sync.sync_info.sync_time, look.zone),
        filters=filters or None,
        summary=summarize(shown, look.now, look.zone, most=look.most_named, keeping=keeping),
        older_records_exist=bool(sync.sync_info.older_records_exist),
        next="",
    )


def _about_frame(sync: MessageSync, frame: Window) -> str:
    if sync.sync_info.older_records_exist:
        return "Older messages of this window were left out: raise record_count, or call list_messages. "
    if not sync.records and frame.is_default:
        return "No messages in the default window of 24 hours; for older ones, set date_from. "
    return ""


def _not_applied(asked: Filters, since: TokenMemory) -> str:
    if since.filters is None:
        return f"{UNKNOWN_FILTERS} "
    others = [name for name, value in asked.items() if since.filters.get(name) != value]
    return f"Not applied: {', '.join(others)}. {KEPT_FILTERS} " if others else ""


def _about_changes(sync: MessageSync, alive: Sequence[Message], last: datetime | None) -> str:
    if not sync.records:
        return "Nothing changed since this token was issued. "
    unsure = "" if last or not alive else f"{NEW_UNKNOWN} "
    return f"{unsure}Some changes may be repeated from the previous sync; match them by id. "


def _unreadable(sync: MessageSync) -> str:
    return f"{sync.unreadable} more could not be read and are missing. " if sync.unreadable else ""


def _tokens(answer: Synced) -> int:
    return weigh(answer.model_dump(exclude_none=True))


def _is_new(message: Message, last: datetime | None) -> bool:
    return last is not None and message.creation_time is not None and message.creation_time >= last - _OVERLAP


def _is_removed(message: Message) -> bool:
    return message.availability in {"Deleted", "Purged"}
