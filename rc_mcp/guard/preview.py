"""The preview and the question before messages are deleted: counts, times, senders, samples, warnings.

The question fits on a phone: usually a dozen lines of at most 40 columns, and never many more. Text from senders
appears only in quotation marks, one quotation per line, so that it cannot look like a line of the server.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from rc_mcp.guard.policy.rules import Policy
from rc_mcp.guard.state.plans import MAX_MESSAGES
from rc_mcp.ringcentral import Caller, Message
from rc_mcp.views.attached import attached
from rc_mcp.views.changes import Preview, UntrustedPreview
from rc_mcp.views.transcripts import recording_seconds
from rc_mcp.views.untrusted_text import first_words, fitting, moment, quoted, who, word

COLUMNS = 40
_SENDERS = 5
_SAMPLES = 3
_SENDER_LINES = 3
_SAMPLES_ASKED_ABOUT = 2
_RECENT = timedelta(days=1)
_NEVER = datetime.min.replace(tzinfo=UTC)
_NUMBER_COLUMNS = 16
_KINDS = 4
CONFIRM = "Yes, do it"
"""The title of the box that a user ticks to approve a plan without a phrase."""
CANNOT_BE_UNDONE = "This cannot be undone."
WARNINGS = {
    "unheard": ("unheard voicemail{}", "unheard"),
    "unread": ("unread message{}", ""),  # the question already counts them
    "recent": ("message{} newer than a day", "newer than a day"),
    "unsure": ("message{} whose sender is unknown", "of an unknown sender"),
    "protected": ("protected message{} left out", "protected left out"),
    "unseen": ("unreadable message{} left out", "unreadable left out"),
}
"""The words after the number of messages: in full (`{}` is the plural's s), and in the question."""


def phrase_line(phrase: str) -> str:
    """Return the last line of a question that needs a typed phrase."""
    return f"To approve, type: {phrase}"


@dataclass(frozen=True, slots=True)
class Warnings:
    """Warnings for the user before approval: in full, and shorter for the question."""

    whole: list[str]
    short: list[str]


def warnings_about(
    messages: Sequence[Message], now: datetime, policy: Policy, *, protected: int = 0, unseen: int = 0
) -> Warnings:
    """Return the warnings about these messages.

    Args:
        now: the time from which a message's age is counted.
        policy: defines which unknown senders may be protected.
        protected: how many protected messages were left out.
        unseen: how many messages cannot be read and were left out.
    """
    counts = {
        "unheard": sum(m.type == "VoiceMail" and m.read_status == "Unread" for m in messages),
        "unread": sum(
            m.type != "VoiceMail" and m.read_status == "Unread" and m.direction == "Inbound" for m in messages
        ),
        "recent": sum(m.creation_time is not None and m.creation_time > now - _RECENT for m in messages),
        "unsure": sum(policy.is_unsure_of(m) for m in messages),
        "protected": protected,
        "unseen": unseen,
    }
    found = [(n, *WARNINGS[kind]) for kind, n in counts.items() if n]
    return Warnings(
        whole=[f"{n} {words.format('' if n == 1 else 's')}" for n, words, _ in found],
        short=[f"{n} {short}" for n, _, short in found if short],
    )


def preview_of(action: str, messages: Sequence[Message], warnings: Warnings, zone: tzinfo | None) -> Preview:
    times = sorted(m.creation_time for m in messages if m.creation_time)
    senders = Counter(who(m) for m in messages)
    return Preview(
        action=action,
        messages=len(messages),
        by_type=dict(Counter(word(m.type) or "unknown" for m in messages).most_common()),
        by_read_status=dict(Counter(word(m.read_status) or "unknown" for m in messages).most_common()),
        oldest=moment(times[0], zone) if times else None,
        newest=moment(times[-1], zone) if times else None,
        warnings=warnings.whole,
        untrusted=UntrustedPreview(
            senders=dict(senders.most_common(_SENDERS)), samples=[_sample(m, zone) for m in _newest(messages, _SAMPLES)]
        ),
    )


def question(
    headline: Sequence[str], messages: Sequence[Message], warnings: Warnings, consequence: Sequence[str], zone: tzinfo
) -> str:
    """Return the question as plain text, with times in this zone. It is the same whenever it is shown."""
    types = _counted(Counter(word(m.type) or "unknown" for m in messages))
    read = _counted(Counter((word(m.read_status) or "unknown").lower() for m in messages))
    note = [f"Note: {', '.join(warnings.short)}."] if warnings.short else []
    return "\n".join(
        [
            *fitted(*headline, f"{types}; {read}"),
            *_span(messages, zone),
            *_senders(messages),
            *(_dated(m, zone) for m in _newest(messages, _SAMPLES_ASKED_ABOUT)),
            *fitted(*note, *consequence),
        ]
    )


def fitted(*lines: str) -> list[str]:
    """Wrap the server's own lines to the width of a phone."""
    return [part for line in lines for part in textwrap.wrap(line, COLUMNS)]


def _span(messages: Sequence[Message], zone: tzinfo) -> Iterator[str]:
    """Yield `2026-11-23 06:05 to 2026-11-24 09:30 PST`, in two lines if the zones differ or the text is too long."""
    times = sorted(m.creation_time for m in messages if m.creation_time)
    if not times:
        return
    (first, its_zone), (last, zone_then) = (
        (f"{at.astimezone(zone):%Y-%m-%d %H:%M}", f"{at.astimezone(zone):%Z}") for at in (times[0], times[-1])
    )
    whole = f"{last} {zone_then}" if first == last else f"{first} to {last} {zone_then}"
    if its_zone == zone_then and len(whole) <= COLUMNS:
        yield whole
    else:
        yield f"{first} {its_zone} to"
        yield f"{last} {zone_then}"


def _senders(messages: Sequence[Message]) -> Iterator[str]:
    found = Counter(_other_side(m) for m in messages)
    shown = _SENDER_LINES if len(found) <= _SENDER_LINES else _SENDER_LINES - 1
    yield from (f"{n} {sender}" for sender, n in found.most_common(shown))
    if len(found) > shown:
        yield f"and {len(found) - shown} others"


def _other_side(message: Message) -> str:
    """Return `from “Maria Costa +16505550100”` or `to “ext. 102” +2`, to follow a count of three digits."""
    parties = message.other_side
    more = f" +{min(len(parties) - 1, 99)}" if len(parties) > 1 else ""
    way = "to" if message.direction == "Outbound" else "from"
    columns = COLUMNS - len(f"{MAX_MESSAGES} {way} {more}")
    return f"{way} {_party(parties[0], columns) if parties else 'unknown'}{more}"


def _party(party: Caller, columns: int) -> str:
    """Return the name and the number, with a long name cut so that the number fits."""
    extension = f"ext. {party.extension_number}" if party.extension_number else ""
    number = fitting(party.phone_number or extension, _NUMBER_COLUMNS)
    name = fitting(party.name or ("" if number else party.location) or "", columns - 3 - len(number))
    known = " ".join(part for part in (name, number) if part)
    return quoted(known, columns) if known else "unknown"


def _dated(message: Message, zone: tzinfo) -> str:
    day = f"{message.creation_time.astimezone(zone):%Y-%m-%d}" if message.creation_time else "undated"
    columns = COLUMNS - len(day) - 1
    if text := first_words(message):
        return f"{day} {quoted(text, columns)}"
    seconds = recording_seconds(message)
    pages = f", {message.fax_page_count} page{'' if message.fax_page_count == 1 else 's'}"
    size = f", {seconds} s" if seconds else pages if message.fax_page_count else ""
    return f"{day} {fitting(f'{word(message.type)}{size}', columns)}"


def _newest(messages: Sequence[Message], n: int) -> list[Message]:
    return sorted(messages, key=lambda m: m.creation_time or _NEVER, reverse=True)[:n]


def _sample(message: Message, zone: tzinfo | None) -> str:
    text = first_words(message)
    at = moment(message.creation_time, zone)
    files = f", {found}" if (found := attached(message)) else ""
    return f"{word(message.type)} {at} {who(message)}{files}" + (f": {text}" if text else "")


def _counted(numbers: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in numbers.most_common(_KINDS))
