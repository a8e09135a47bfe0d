"""Can everybody use the inbox? axe-core finds no grave fault in it, and the keyboard is enough for the whole story."""

from itertools import product
from typing import Literal

import pytest
from playwright.async_api import expect

from tests.desk import Desk
from tests.inbox.chromium.accessibility import grave_findings
from tests.inbox.chromium.opened import BROWSER, CHAT_APP, Door
from tests.inbox.chromium.story import PAGES, TEXTS, WHO, add_story
from tests.inbox.chromium.user import User
from tests.inbox.chromium.visits import Visit

pytestmark = pytest.mark.anyio

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (320, 800)
TOO_WIDE = "() => document.documentElement.scrollWidth > innerWidth"


@pytest.mark.parametrize("door", [BROWSER, CHAT_APP], ids=["browser", "app"])
async def test_axe_finds_nothing_grave_on_any_screen(door: Door, visit: Visit, desk: Desk) -> None:
    add_story(desk)
    async with door.opened(visit, desk) as user:
        findings = {"first": await found(user)}
        await user.open_conversation(WHO)
        await user.button("Play").click()
        await user.button(f"Show {PAGES} pages").click()
        await expect(user.view.get_by_role("img", name="Page 1 of")).to_be_visible()
        findings["conversation"] = await found(user)
        await user.tick([user.message(text) for text in TEXTS])
        await user.propose()
        findings["plan"] = await found(user)
        await user.choices.last.uncheck()
        await user.button("Delete 2 messages").click()
        await expect(user.button("Undo")).to_be_visible()
        findings["done"] = await found(user)
        await user.back()
        await user.button("Stop deletions").click()
        await expect(user.view.locator("#stopped")).to_be_visible()
        findings["stopped"] = await found(user)
    assert not any(findings.values()), findings


async def found(user: User) -> list[str]:
    """Return what is wrong on the screen that is open, in each theme at each width."""
    wrong: list[str] = []
    page = user.view.page
    for theme, width in product(THEMES, WIDTHS):
        await page.emulate_media(color_scheme=theme)
        await page.set_viewport_size({"width": width, "height": 700})
        if user.host:
            await user.host.change(theme=theme)
        findings = await grave_findings(user.view)
        if await user.view.evaluate(TOO_WIDE):
            findings.append("wider than the window")
        wrong += [f"{theme}, {width} px: {finding}" for finding in findings]
    return wrong


@pytest.mark.parametrize("door", [BROWSER, CHAT_APP], ids=["browser", "app"])
async def test_the_keyboard_is_enough_for_the_whole_story(door: Door, visit: Visit, desk: Desk) -> None:
    story = add_story(desk)
    async with door.opened(visit, desk) as user:
        press = visit.page.keyboard.press
        await expect(user.view.locator("#conversations").get_by_text(WHO)).to_be_visible()
        await user.tab_to(f"BUTTON.*{WHO}")
        await press("Enter")
        await expect(user.message(TEXTS[0])).to_be_visible()

        await user.tab_to("BUTTON.*Play")
        await press("Enter")
        await user.is_playing()

        await user.tab_to(f"BUTTON.*Show {PAGES} pages")
        await press("Enter")
        await expect(user.view.get_by_role("img", name="Page 1 of")).to_be_visible()
        await user.tab_to("DIV Fax page")
        for number in (2, 3):
            await press("ArrowRight")
            await expect(user.view.get_by_role("img", name=f"Page {number} of")).to_be_visible()

        for text in TEXTS[:2]:
            box = user.message(text).get_by_role("checkbox")
            while not await box.evaluate("(box) => box === document.activeElement"):  # their names are alike
                await user.tab_to("INPUT Select this message")
            await press("Space")
            await expect(box).to_be_checked()
        await user.tab_to("BUTTON Delete …", back=True)
        await press("Enter")
        await expect(user.choices).to_have_count(2)
        await user.tab_to(f"INPUT.*{TEXTS[1]}")
        await press("Space")
        await user.tab_to("BUTTON Delete 1 message")
        await press("Enter")
        await expect(user.button("Undo")).to_be_visible()
        assert [desk.availability(id_) for id_ in story.texts] == ["Deleted", "Alive", "Alive"]
        await user.tab_to("BUTTON Undo")
        await press("Enter")
        await expect(user.button("Undo")).to_be_hidden()
        assert [desk.availability(id_) for id_ in story.texts] == ["Alive", "Alive", "Alive"]
        await press("Escape")
        await expect(user.title).to_have_text(WHO)
        await press("Escape")
        await expect(user.view.locator("body")).to_have_attribute("data-screen", "home")
