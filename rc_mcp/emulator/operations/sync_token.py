"""The opaque sync token: the time and the frame of the last sync, signed against changes.

It is self-contained, so it needs no storage and stays valid after a restart on the same database. As in RingCentral's
guide, it does not include the record count.
"""

import hashlib
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from rc_mcp.emulator.errors import full_sync_required, invalid_parameter
from rc_mcp.emulator.mailbox.lifecycle import PURGED_KEPT_MS
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.operations.filters import Window
from rc_mcp.emulator.vocabulary import DIRECTIONS, EXTENSION_TYPES, MESSAGE_TYPES

# The lifetime is not documented. After this time a purged message may be removed, and a sync could not report it.
LIFETIME_MS = PURGED_KEPT_MS

_LAYOUT = struct.Struct(">BQqqqqBB?I")
_VERSION = 3
_SIGNATURE_BYTES = 12
_OPEN = 2**63 - 1


class Frame(NamedTuple):
    """The window and filters that a chain of syncs shares, and the time of the last sync."""

    synced_ms: int
    window: Window
    selection: Selection


def seal(frame: Frame, mailbox: int) -> str:
    """Return a token for this frame, which is valid only for this mailbox."""
    packed = _LAYOUT.pack(
        _VERSION,
        mailbox,
        frame.synced_ms,
        frame.window.from_ms,
        _OPEN if frame.window.to_ms is None else frame.window.to_ms,
        frame.selection.conversations[0] if frame.selection.conversations else -1,
        _bits(frame.selection.types, MESSAGE_TYPES),
        _bits(frame.selection.directions, DIRECTIONS),
        frame.selection.distinct_conversations,
        _bits(frame.selection.owner_types, EXTENSION_TYPES),
    )
    packed += " ".join(["/".join(frame.selection.owners), *_voicemail_owners(frame.selection)]).encode()
    return urlsafe_b64encode(packed + _signature(packed)).decode().rstrip("=")


def unseal(token: str, mailbox: int, now_ms: int) -> Frame:
    """Return a token's frame. A damaged token is an invalid parameter; a foreign or old one requires a full sync."""
    packed = _verified(token)
    fixed, (owners, *voicemail_owners) = packed[: _LAYOUT.size], packed[_LAYOUT.size :].decode().split(" ")
    (version, issued_for, synced_ms, from_ms, to_ms, conversation, types, directions, distinct, owner_types) = (
        _LAYOUT.unpack(fixed)
    )
    if version != _VERSION or issued_for != mailbox or now_ms - synced_ms > LIFETIME_MS:
        raise full_sync_required()
    selection = Selection(
        types=_words(types, MESSAGE_TYPES),
        directions=_words(directions, DIRECTIONS),
        conversations=() if conversation < 0 else (conversation,),
        distinct_conversations=distinct,
        owners=_owners(owners),
        voicemail_owners=_owners(voicemail_owners[0]) if voicemail_owners else None,
        owner_types=_words(owner_types, EXTENSION_TYPES),
    )
    return Frame(synced_ms, Window(from_ms, None if to_ms == _OPEN else to_ms), selection)


def _verified(token: str) -> bytes:
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        raise invalid_parameter("syncToken") from None
    packed, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    if len(packed) < _LAYOUT.size or not hmac.compare_digest(signature, _signature(packed)):
        raise invalid_parameter("syncToken")
    return packed


def _signature(packed: bytes) -> bytes:
    # This guards against mistakes, not against attackers: the key is in the source.
    return hmac.digest(b"rc-mcp emulator", packed, hashlib.sha256)[:_SIGNATURE_BYTES]


def _bits(words: tuple[str, ...], vocabulary: tuple[str, ...]) -> int:
    return sum(1 << at for at, word in enumerate(vocabulary) if word in words)


def _words(bits: int, vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for at, word in enumerate(vocabulary) if bits & 1 << at)


def _voicemail_owners(selection: Selection) -> list[str]:
    return [] if selection.voicemail_owners is None else ["/".join(selection.voicemail_owners)]


def _owners(text: str) -> tuple[str, ...]:
    return tuple(text.split("/")) if text else ()
