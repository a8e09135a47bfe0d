"""The messages of the story that the tests tell in the inbox."""

from dataclasses import dataclass
from datetime import timedelta

from rc_mcp.emulator.mailbox.new_message import Draft, File
from rc_mcp.emulator.mailbox.people import Party
from tests.desk import Desk
from tests.documents import pdf

WHO = "Rosalind Achterberg"
"""The partner of the story."""
PARTNER = Party(name=WHO, phone_number="+15035550187", location="Salem, OR")
TRANSCRIPT = "Please call me back about the lift."
PAGES = 10
TEXTS = ("The first old text", "The second old text", "The third old text")


@dataclass(frozen=True)
class Story:
    """The ids of the story's messages."""

    voicemail: str
    fax: str
    texts: tuple[str, ...]


def add_story(desk: Desk) -> Story:
    """Add a voicemail, a fax of ten pages and three texts from one partner, an hour ago."""

    def add(draft: Draft) -> str:
        return str(desk.emulator.store.add(draft)["id"])

    then = desk.clock() - timedelta(hours=1)
    fax = File("plan.pdf", pdf([f"This is page {number} of the fax" for number in range(1, PAGES + 1)]))
    return Story(
        voicemail=add(
            Draft(
                type="VoiceMail",
                sender=PARTNER,
                created=then,
                media=("carmen-spanish.mp3",),
                seconds=17,
                transcript=TRANSCRIPT,
            )
        ),
        fax=add(Draft(type="Fax", sender=PARTNER, created=then, media=(fax,), pages=PAGES)),
        texts=tuple(add(Draft(type="SMS", sender=PARTNER, created=then, text=text)) for text in TEXTS),
    )
