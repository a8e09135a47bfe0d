"""Messages grouped by the person or group on the other side, however the number is spelled.

RingCentral sends the same number as `(650) 555-0118` and as `+16505550118`. Two spellings are one person only where
that is certain; otherwise a sender who waits would count as answered.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rc_mcp.ringcentral import Caller, Message
from rc_mcp.views.dialing import Number, dialed, with_country_codes
from rc_mcp.views.untrusted_text import who

_WITHHELD = frozenset({"anonymous", "blocked", "private", "restricted", "unavailable", "unknown", "withheld"})
"""Words that stand for a number which the caller hides: the next such caller is another person."""

_Given = tuple[str | None, str | None]
"""The number and the extension of a caller as RingCentral spells them. Callers repeat, and reading a number is slow."""


def by_partner(messages: Sequence[Message]) -> list[list[Message]]:
    """Group the messages by partner, in the given order. A partner is one number, or one conversation."""
    persons = _persons({_given(caller) for message in messages for caller in message.other_side})
    keys = [_keys(message, persons) for message in messages]
    same_as: dict[str, str] = {}

    def first(key: str) -> str:
        while key in same_as:
            key = same_as[key]
        return key

    for key, *others in keys:
        for other in others:
            if first(other) != first(key):
                same_as[first(other)] = first(key)
    found: dict[str, list[Message]] = {}
    for message, (key, *_) in zip(messages, keys, strict=True):
        found.setdefault(first(key), []).append(message)
    return list(found.values())


def likeness(message: Message) -> tuple[object, ...]:
    """Return a value that is the same only for messages which `by_partner` puts into one group, whatever else is there.

    A caller with a million messages groups one of each likeness instead of all. Differences that mean nothing remain.
    """
    others = ((c.name, c.phone_number, c.extension_number, c.extension_id, c.location) for c in message.other_side)
    return (message.conversation_id, len(message.to) > 1, *others)


def _keys(message: Message, persons: Mapping[_Given, str | None]) -> list[str]:
    """Return the person and the conversation of a message; the shown names if it has neither."""
    conversation = [f"conversation {message.conversation_id}"] if message.conversation_id else []
    others = {persons[_given(caller)] for caller in message.other_side} - {None}
    is_group = len(message.to) > 1 and bool(conversation)
    person = [f"person {other}" for other in others] if len(others) == 1 and not is_group else []
    return person + conversation or [f"name {who(message)}"]


def _given(caller: Caller) -> _Given:
    return caller.phone_number, caller.extension_number


def _persons(callers: Iterable[_Given]) -> dict[_Given, str | None]:
    """Return the person that each of these means, as number and extension; None if both are hidden or not given.

    A number without a country code means the only other number that ends with it. A number without an extension means
    the only extension known behind it; two extensions of one number are two persons.
    """
    numbers = {given: _number(*given) for given in callers}
    known = [number for number in numbers.values() if number]
    whole = with_country_codes({number for number, _ in known})
    extensions: dict[str, set[str]] = defaultdict(set)
    for number, extension in known:
        if extension is not None:
            extensions[whole[number]].add(extension)

    def person(number: str, extension: str | None) -> str:
        behind = extensions[whole[number]]
        meant = next(iter(behind)) if extension is None and len(behind) == 1 else extension
        return whole[number] if meant is None else f"{whole[number]} extension {meant}"

    return {
        (text, extension): person(*number) if number else f"extension {extension}" if extension else None
        for (text, extension), number in numbers.items()
    }


def _number(text: str | None, extension: str | None) -> Number | None:
    """Return a number with the extension behind it; None if it is hidden or not given."""
    found = dialed(text) if text else None
    if found is None or found.number in _WITHHELD:
        return None
    return found if extension is None else Number(found.number, extension.strip())
