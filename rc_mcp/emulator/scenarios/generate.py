"""Generated messages: any number, of all four types, the same at each start."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rc_mcp.emulator.mailbox import media_files
from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.mailbox.people import Party
from rc_mcp.emulator.vocabulary import MessageType

# Shorter than a retention period that an administrator is likely to set, so that nothing expires at the first request.
_SPAN_DAYS = 25
_KINDS: tuple[MessageType, ...] = ("SMS", "SMS", "SMS", "SMS", "VoiceMail", "VoiceMail", "Fax", "Pager")
_PLACES = ("Portland, OR", "Salem, OR", "Vancouver, WA", "Boise, ID", "Tacoma, WA")
_OPENINGS = ("Good morning", "Hello", "Hi there", "Quick question", "Following up", "Thanks again")
_MATTERS = (
    "can I move my appointment",
    "the invoice has arrived",
    "is the paperwork ready",
    "please call me back",
    "I will be ten minutes late",
    "the delivery is at the back door",
)


def generate(count: int, seed: int, start: datetime, kinds: Sequence[MessageType] = _KINDS) -> Iterator[Draft]:
    """Generate messages from oldest to newest, spread over the days before `start`."""
    chance = random.Random(f"{seed}/messages")  # noqa: S311
    parties = [_party(chance, number) for number in range(max(5, min(count // 20, 400)))]
    recordings, faxes = media_files.names("audio/mpeg"), media_files.names("application/pdf", "image/tiff")
    step = timedelta(days=_SPAN_DAYS) / max(count, 1)
    for at in range(count):
        created = start - step * (count - at)
        kind = kinds[chance.randrange(len(kinds))]
        party = parties[chance.randrange(len(parties))]
        match kind:
            case "SMS":
                yield _text(chance, party, created)
            case "VoiceMail":
                yield _voicemail(chance, party, created, chance.choice(recordings))
            case "Fax":
                yield _fax(chance, party, created, chance.choice(faxes))
            case _:
                yield _page(chance, created)


def _party(chance: random.Random, number: int) -> Party:
    # 555-01xx are reserved for fiction; several area codes provide enough of them.
    area = 201 + number // 100
    name = f"Caller {number + 1}" if chance.random() < 0.7 else None
    return Party(name=name, phone_number=f"+1{area}55501{number % 100:02d}", location=chance.choice(_PLACES))


def _text(chance: random.Random, party: Party, created: datetime) -> Draft:
    text = f"{chance.choice(_OPENINGS)}, {chance.choice(_MATTERS)}?"
    if chance.random() < 0.4:
        return Draft(
            type="SMS",
            direction="Outbound",
            recipients=(party,),
            text=text,
            created=created,
            read=True,
            status="Delivered",
        )
    return Draft(type="SMS", sender=party, text=text, created=created, read=chance.random() < 0.6)


def _voicemail(chance: random.Random, party: Party, created: datetime, recording: str) -> Draft:
    transcript = f"{chance.choice(_OPENINGS)}, {chance.choice(_MATTERS)}. Bye." if chance.random() < 0.8 else None
    return Draft(
        type="VoiceMail",
        sender=party,
        media=(recording,),
        seconds=chance.randrange(4, 90),
        transcript=transcript,
        created=created,
        read=chance.random() < 0.5,
    )


def _fax(chance: random.Random, party: Party, created: datetime, document: str) -> Draft:
    pages = chance.randrange(1, 6)
    if chance.random() < 0.3:
        return Draft(
            type="Fax",
            direction="Outbound",
            recipients=(party,),
            media=(document,),
            pages=pages,
            created=created,
            read=True,
        )
    return Draft(
        type="Fax",
        sender=party,
        media=(document,),
        pages=pages,
        created=created,
        read=chance.random() < 0.5,
        availability="Deleted" if chance.random() < 0.1 else "Alive",
    )


def _page(chance: random.Random, created: datetime) -> Draft:
    number = 110 + chance.randrange(8)
    colleague = Party(name=f"Colleague {number}", extension_number=str(number))
    return Draft(
        type="Pager",
        sender=colleague,
        text=f"{chance.choice(_OPENINGS)}, {chance.choice(_MATTERS)}?",
        created=created,
        read=chance.random() < 0.7,
    )
