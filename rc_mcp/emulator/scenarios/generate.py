"""Generated messages: any number, of all four types, the same at each start."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rc_mcp.emulator.mailbox import media_files
from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.mailbox.people import Party
from rc_mcp.emulator.vocabulary import MessageType

# Shorter than a retention period that an administrator is likely to set, so that nothing expires at the first request.
_SPAN_DAYS = 25
_KINDS: tuple[MessageType, ...] = ("SMS", "SMS", "SMS", "SMS", "VoiceMail", "VoiceMail", "Fax", "Pager")
_PLACES = ("Portland, OR", "Salem, OR", "Vancouver, WA", "Boise, ID", "Tacoma, WA")
_LONG_S = 45
_LONG_PAGES = 3
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
    recordings, faxes = (
        media_files.names("audio/mpeg", "audio/x-wav"),
        media_files.names("application/pdf", "image/tiff"),
    )
    step = timedelta(days=_SPAN_DAYS) / max(count, 1)
    for at in range(count):
        kind = kinds[chance.randrange(len(kinds))]
        party = parties[chance.randrange(len(parties))]
        match kind:
            case "SMS":
                draft = _text(chance, party)
            case "VoiceMail":
                draft = _voicemail(chance, party, chance.choice(recordings))
            case "Fax":
                draft = _fax(chance, party, chance.choice(faxes), parties)
            case "Pager":
                draft = _page(chance)
        yield replace(draft, created=start - step * (count - at))


def _party(chance: random.Random, number: int) -> Party:
    # 555-01xx are reserved for fiction; several area codes provide enough of them.
    area = 201 + number // 100
    name = f"Caller {number + 1}" if chance.random() < 0.7 else None
    return Party(name=name, phone_number=f"+1{area}55501{number % 100:02d}", location=chance.choice(_PLACES))


def _text(chance: random.Random, party: Party) -> Draft:
    draft = Draft(type="SMS", sender=party, text=f"{_sentence(chance)}?")
    if chance.random() < 0.4:
        return replace(_sent(draft), status="Delivered")
    return replace(draft, read=chance.random() < 0.6)


def _voicemail(chance: random.Random, party: Party, recording: str) -> Draft:
    draft = Draft(
        type="VoiceMail",
        sender=party,
        media=(recording,),
        transcript=f"{_sentence(chance)}. Bye." if chance.random() < 0.8 else None,
        seconds=chance.randrange(4, 90),
        read=chance.random() < 0.5,
    )
    # One without a transcript is either not transcribed at all, or it took too long.
    timed_out = draft.transcript is None and draft.seconds > _LONG_S
    return replace(draft, transcript_status="TimedOut") if timed_out else draft


def _fax(chance: random.Random, party: Party, document: str, parties: Sequence[Party]) -> Draft:
    draft = Draft(type="Fax", sender=party, media=(document,), pages=chance.randrange(1, 6))
    if chance.random() < 0.3:
        # Sent faxes were recorded as unread.
        sent = replace(_sent(draft), read=False)
        return _to_several(sent, parties) if draft.pages > _LONG_PAGES else sent
    read, deleted = chance.random() < 0.5, chance.random() < 0.1
    return replace(draft, read=read, availability="Deleted" if deleted else "Alive")


def _to_several(draft: Draft, parties: Sequence[Party]) -> Draft:
    """Return the fax as sent to two more numbers: one was reached, one was busy, one is still waiting."""
    others = [party for party in parties if party not in draft.recipients][:2]
    return replace(
        draft,
        recipients=(*draft.recipients, *others),
        status="SendingFailed",
        statuses=("Sent", "SendingFailed", "Queued"),
        errors=(None, "LineBusy", None),
    )


def _page(chance: random.Random) -> Draft:
    number = 110 + chance.randrange(8)
    colleague = Party(name=f"Colleague {number}", extension_number=str(number))
    return Draft(type="Pager", sender=colleague, text=f"{_sentence(chance)}?", read=chance.random() < 0.7)


def _sentence(chance: random.Random) -> str:
    return f"{chance.choice(_OPENINGS)}, {chance.choice(_MATTERS)}"


def _sent(draft: Draft) -> Draft:
    """Return the message in the opposite direction."""
    return replace(draft, direction="Outbound", sender=None, recipients=(draft.sender,), read=True)
