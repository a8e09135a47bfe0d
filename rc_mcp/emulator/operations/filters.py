"""The query filters that listing, syncing and deleting share."""

from dataclasses import dataclass
from urllib.parse import urlencode

from rc_mcp.emulator.dates import DAY_MS, FIRST_MS, to_wire, whole_minutes
from rc_mcp.emulator.errors import invalid_parameter
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.operations import query
from rc_mcp.emulator.operations.operation import Call
from rc_mcp.emulator.vocabulary import DIRECTIONS, EXTENSION_TYPES, MESSAGE_TYPES, OWNERS

_DEFAULT_WINDOW_MS = DAY_MS


@dataclass(frozen=True)
class Window:
    """A range of creation times. `to_ms` is None if the client gave no end."""

    from_ms: int
    to_ms: int | None


def mailbox_filter(call: Call) -> Selection:
    return Selection(
        types=_types(call),
        directions=query.members(call.query, "direction", DIRECTIONS),
        conversations=tuple(query.identifiers(call.query, "conversationId")[:1]),
        nothing=not owns(call, "owner"),
    )


def window(call: Call, now_ms: int) -> Window:
    """Return the requested range; by default it starts 24 hours before its end.

    The guide says a week, the specification 24 hours. With the shorter one, a client that forgets the range sees less.
    The default start is cut to the minute, as in the guide's samples.
    """
    from_ms, to_ms = query.date(call.query, "dateFrom"), query.date(call.query, "dateTo")
    if from_ms is None:
        from_ms = whole_minutes((now_ms if to_ms is None else to_ms) - _DEFAULT_WINDOW_MS)
        if from_ms < FIRST_MS:
            raise invalid_parameter("dateTo")
    return Window(from_ms, to_ms)


def owns(call: Call, parameter: str) -> bool:
    """Whether an owner filter includes the mailbox's own messages. The emulator has no shared messages."""
    values = call.query.getlist(parameter)
    if any(value not in OWNERS and not value.isdecimal() for value in values):
        raise invalid_parameter(parameter)
    return not values or not {"Any", "Personal", call.store.addresses.extension_id}.isdisjoint(values)


def uri(call: Call, collection: str, names: str, frame: Window, availabilities: tuple[str, ...] = ()) -> str:
    """Return an answer's `uri`: the requested filters among `names`, unchanged, and the defaults in effect."""
    pairs = [(name, value) for name in names.split() for value in call.query.getlist(name)]
    pairs += [("availability", value) for value in availabilities]
    pairs.append(("dateFrom", to_wire(frame.from_ms)))
    if frame.to_ms is not None:
        pairs.append(("dateTo", to_wire(frame.to_ms)))
    return f"{call.store.addresses.mailbox}/{collection}?{urlencode(pairs, safe=':')}"


def _types(call: Call) -> tuple[str, ...]:
    query.members(call.query, "ownerExtensionType", EXTENSION_TYPES)
    types = query.members(call.query, "messageType", MESSAGE_TYPES)
    if owns(call, "voicemailOwner"):
        return types
    # The filter is for voicemails only. An empty tuple would mean every type, so "none" is used to match nothing.
    return tuple(kind for kind in types or MESSAGE_TYPES if kind != "VoiceMail") or ("none",)
