"""What a person is shown before messages are deleted: counts, times, senders, samples, warnings, one question."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from rc_mcp.ringcentral import Message
from rc_mcp.views.changes import Preview, UntrustedPreview
from rc_mcp.views.rows import first_words
from rc_mcp.views.text import moment, who, word

_SENDERS = 5
_SAMPLES = 3
_RECENT = timedelta(days=1)


def preview_of(action: str, messages: Sequence[Message], now: datetime) -> Preview:
    """The preview of `action` on these messages, in the zone of `now`, which decides what is newer than a day."""
    times = sorted(m.creation_time for m in messages if m.creation_time)
    senders = Counter(who(m) for m in messages)
    newest_first = sorted(messages, key=lambda m: m.creation_time or now, reverse=True)
    return Preview(
        action=action,
        messages=len(messages),
        by_type=dict(Counter(word(m.type) or "unknown" for m in messages).most_common()),
        by_read_status=dict(Counter(word(m.read_status) or "unknown" for m in messages).most_common()),
        oldest=moment(times[0], now.tzinfo) if times else None,
        newest=moment(times[-1], now.tzinfo) if times else None,
        warnings=_warnings(messages, now),
        untrusted=UntrustedPreview(
            senders=dict(senders.most_common(_SENDERS)), samples=[_sample(m, now) for m in newest_first[:_SAMPLES]]
        ),
    )


def question(headline: str, preview: Preview, consequence: str) -> str:
    """The question as plain text that fits on a phone screen. Nothing in it depends on when it is shown."""
    unread = preview.by_read_status.get("Unread", 0)
    senders = [f"{name or 'unknown'} ({n})" for name, n in preview.untrusted.senders.items()]
    lines = [
        headline,
        f"{_counted(preview.by_type)}; {unread} unread" if preview.messages else None,
        f"From {preview.oldest} to {preview.newest}" if preview.oldest else None,
        "With: " + ", ".join(senders) if senders else None,
        *(f"- {sample}" for sample in preview.untrusted.samples),
        *(f"Note: {warning}." for warning in preview.warnings),
        consequence,
    ]
    return "\n".join(line for line in lines if line)


def _warnings(messages: Sequence[Message], now: datetime) -> list[str]:
    unheard = sum(m.type == "VoiceMail" and m.read_status == "Unread" for m in messages)
    unread = sum(m.type != "VoiceMail" and m.read_status == "Unread" and m.direction == "Inbound" for m in messages)
    recent = sum(m.creation_time is not None and m.creation_time > now - _RECENT for m in messages)
    found = (
        (unheard, "unheard voicemail"),
        (unread, "unread message"),
        (recent, "message newer than a day"),
    )
    return [f"{n} {what.replace('message', 'messages') if n > 1 else what}" for n, what in found if n]


def _sample(message: Message, now: datetime) -> str:
    text = first_words(message)
    at = moment(message.creation_time, now.tzinfo)
    return f"{word(message.type)} {at} {who(message)}" + (f": {text}" if text else "")


def _counted(by_type: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in by_type.items())
