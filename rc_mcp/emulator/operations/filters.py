"""The query filters that listing, syncing and deleting share."""

import re
from dataclasses import dataclass
from urllib.parse import quote_plus

from rc_mcp.emulator.dates import DAY_MS, FIRST_MS, next_whole_minute, to_wire
from rc_mcp.emulator.errors import invalid_parameter
from rc_mcp.emulator.mailbox.selection import PERSONAL, Selection
from rc_mcp.emulator.operations import query
from rc_mcp.emulator.operations.operation import Call
from rc_mcp.emulator.vocabulary import DIRECTIONS, EXTENSION_TYPES, MESSAGE_TYPES, OWNERS

_DEFAULT_WINDOW_MS = DAY_MS
_EXTENSION_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class Window:
    """A range of creation times. `to_ms` is None if the client gave no end."""

    from_ms: int
    to_ms: int | None


def mailbox_filter(call: Call) -> Selection:
    return Selection(
        types=query.members(call.query, "messageType", MESSAGE_TYPES),
        directions=query.members(call.query, "direction", DIRECTIONS),
        conversations=tuple(query.identifiers(call.query, "conversationId")[:1]),
        owners=owners(call, "owner"),
        voicemail_owners=owners(call, "voicemailOwner") if "voicemailOwner" in call.query else None,
        owner_types=query.members(call.query, "ownerExtensionType", EXTENSION_TYPES),
    )


def window(call: Call, now_ms: int) -> Window:
    """Return the requested range; by default it starts 24 hours before its end.

    The guide says a week, the specification 24 hours. With the shorter one, a client that forgets the range sees less.
    The default start is a whole minute, as in the guide's samples: the next one, in the only record with its time.
    """
    from_ms, to_ms = query.date(call.query, "dateFrom"), query.date(call.query, "dateTo")
    if from_ms is None:
        from_ms = next_whole_minute((now_ms if to_ms is None else to_ms) - _DEFAULT_WINDOW_MS)
        if from_ms < FIRST_MS:
            raise invalid_parameter("dateTo")
    return Window(from_ms, to_ms)


def owners(call: Call, parameter: str) -> tuple[str, ...]:
    """Return an owner filter, without the word Any and with the user's own id as Personal; empty means all owners."""
    values = tuple(dict.fromkeys(call.query.getlist(parameter))) or (PERSONAL,)
    if any(value not in OWNERS and not _EXTENSION_ID.fullmatch(value) for value in values):
        raise invalid_parameter(parameter)
    own = call.store.addresses.extension_id
    return () if "Any" in values else tuple(PERSONAL if value == own else value for value in values)


def uri(call: Call, collection: str, names: str, frame: Window, availabilities: tuple[str, ...] = ()) -> str:
    """Return an answer's `uri`: the requested filters among `names`, unchanged, and the defaults in effect."""
    pairs = [(name, value) for name in names.split() for value in call.query.getlist(name)]
    pairs += [("availability", value) for value in availabilities]
    pairs.append(("dateFrom", to_wire(frame.from_ms)))
    if frame.to_ms is not None:
        pairs.append(("dateTo", to_wire(frame.to_ms)))
    query = "&".join([f"{name}={quote_plus(value, safe=':')}" for name, value in pairs])
    return f"{call.store.addresses.mailbox}/{collection}?{query}"
