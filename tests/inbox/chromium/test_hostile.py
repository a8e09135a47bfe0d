"""Text of strangers is never markup: 500 hostile texts make no element that harmless ones do not make."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.mailbox.new_message import Draft, File
from rc_mcp.emulator.mailbox.people import Party
from tests.desk import Clock, Desk, Faults
from tests.inbox.chromium.hostile import CANARY, TEXTS
from tests.inbox.chromium.opened import BROWSER, CHAT_APP, Door
from tests.inbox.chromium.user import User
from tests.inbox.chromium.visits import visiting

pytestmark = pytest.mark.anyio

HARMLESS = [f"Harmless text number {number}" for number in range(len(TEXTS))]
VOICEMAILS = 20
WRITER, CALLER, SENDER = "Writes much", "Calls much", "Sends much"
PLAY = re.compile(r"^\W*Play")
CENSUS = """() => {
  const counts = {};
  for (const one of document.querySelectorAll("*")) counts[one.localName] = (counts[one.localName] ?? 0) + 1;
  return counts;
}"""
SHOWN = "() => document.body.textContent"
SHOWN_WHOLE = [text for text in TEXTS[200:300] if text.isprintable()]
"""Hostile texts of messages that the page shows as they are."""


def fill(desk: Desk, texts: Sequence[str]) -> None:
    """Put the texts where senders write: texts, names of senders, transcripts, cover texts, names of files."""
    then = desk.clock() - timedelta(hours=1)

    def party(name: str, number: int) -> Party:
        return Party(name=name, phone_number=f"+1971555{number:04}")

    def add(draft: Draft) -> None:
        desk.emulator.store.add(draft)

    names, words, written, spoken, files = (texts[start : start + 100] for start in range(0, 500, 100))
    for text in written:
        add(Draft(type="SMS", sender=party(WRITER, 1), created=then, text=text))
    for start in range(0, 100, 10):
        media = tuple(File("x.bin", b"x") for _ in range(10))
        names_of_files = tuple(files[start : start + 10])
        add(Draft(type="SMS", sender=party(SENDER, 2), created=then, media=media, file_names=names_of_files))
    for text in spoken[:VOICEMAILS]:
        voicemail = Draft(type="VoiceMail", sender=party(CALLER, 3), created=then, media=("hang-up.wav",), seconds=3)
        add(replace(voicemail, transcript=text))
    for text in spoken[VOICEMAILS:]:
        add(Draft(type="Fax", direction="Outbound", recipients=(party(CALLER, 3),), created=then, cover_text=text))
    for number, (name, text) in enumerate(zip(names, words, strict=True)):
        earlier = then - timedelta(hours=1)
        add(Draft(type="SMS", sender=party(name, 100 + number), created=earlier, text=text))


async def look_at_everything(user: User) -> tuple[Counter[str], str]:
    """Open each kind of screen; return how many elements of each name they had together, and their text."""
    elements: Counter[str] = Counter()
    shown: list[str] = []

    async def look() -> None:
        elements.update(await user.view.evaluate(CENSUS))
        shown.append(await user.view.evaluate(SHOWN))

    await user.show_all_conversations()
    await look()
    await user.open_conversation(WRITER)
    await expect(user.view.get_by_role("article")).to_have_count(100)
    await look()
    await user.view.get_by_label("Select all").check()
    await user.propose()
    await expect(user.choices).to_have_count(100)
    await look()
    await user.button("Keep them").click()
    await expect(user.choices).to_have_count(0)
    await user.home()
    await user.open_conversation(SENDER)
    await expect(user.view.get_by_role("article")).to_have_count(10)
    await look()
    await user.home()
    await user.open_conversation(CALLER)
    await expect(user.view.get_by_role("article")).to_have_count(100)
    for play in await user.view.locator("#pane").get_by_role("button", name=PLAY).element_handles():
        await play.click()
    await expect(user.view.locator("audio")).to_have_count(VOICEMAILS)
    await expect(user.view.get_by_text("Reading", exact=False)).to_have_count(0)
    await look()
    return elements, "".join(shown)


@pytest.mark.parametrize("door", [BROWSER, CHAT_APP], ids=["browser", "app"])
async def test_500_hostile_texts_make_no_element_and_run_no_script(
    door: Door, browser: Browser, tmp_path: Path
) -> None:
    elements: list[Counter[str]] = []
    shown = ""
    for texts in (HARMLESS, TEXTS):
        clock = Clock()
        with Emulator(scenario="empty", rate_limits=False, now=clock) as emulator:
            desk = Desk(emulator, tmp_path / texts[0].split()[0].strip("<>"), clock, Faults(emulator))
            fill(desk, texts)
            async with visiting(browser) as visit:
                await visit.context.add_init_script(CANARY)
                async with door.opened(visit, desk) as user:
                    counted, shown = await look_at_everything(user)
        elements.append(counted)
    assert elements[1] == elements[0]
    assert all(text in shown for text in SHOWN_WHOLE), [text for text in SHOWN_WHOLE if text not in shown]
