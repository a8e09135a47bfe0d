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


def by_partner(messages: Sequence[Message]) -> list[list[Message]]:
    """Group the messages by partner, in the given order. A partner is one number, or one conversation."""
    persons = _persons({number for m in messages for c in m.other_side if (number := _number(c))})
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


def _keys(message: Message, persons: Mapping[Number, Number]) -> list[str]:
    """Return the person and the conversation of a message; the shown names if it has neither."""
    conversation = [f"conversation {message.conversation_id}"] if message.conversation_id else []
    others = {_person(caller, persons) for caller in message.other_side} - {None}
    is_group = len(message.to) > 1 and bool(conversation)
    person = [f"person {other}" for other in others] if len(others) == 1 and not is_group else []
    return person + conversation or [f"name {who(message)}"]


def _person(caller: Caller, persons: Mapping[Number, Number]) -> str | None:
    if number := _number(caller):
        person = persons[number]
        return person.number if person.extension is None else f"{person.number} extension {person.extension}"
    return f"extension {caller.extension_number}" if caller.extension_number else None


def _number(caller: Caller) -> Number | None:
    """Return the number of a caller with the extension behind it; None if it is hidden or not given."""
    if not caller.phone_number:
        return None
    found = dialed(caller.phone_number)
    if found.number in _WITHHELD:
        return None
    return found if caller.extension_number is None else Number(found.number, caller.extension_number.strip())


def _persons(numbers: Iterable[Number]) -> dict[Number, Number]:
    """Return the number and extension that each of these means.

    A number without a country code means the only other number that ends with it. A number without an extension means
    the only extension known behind it; two extensions of one number are two persons.
    """
    given = list(numbers)
    whole = with_country_codes({number for number, _ in given})
    extensions: dict[str, set[str]] = defaultdict(set)
    for number, extension in given:
        if extension is not None:
            extensions[whole[number]].add(extension)

    def meant(number: str, extension: str | None) -> Number:
        behind = extensions[whole[number]]
        return Number(whole[number], next(iter(behind)) if extension is None and len(behind) == 1 else extension)

    return {one: meant(*one) for one in given}
