"""The whole story, through both doors: open, hear, page, plan, shrink, approve, see it done, undo."""

import pytest
from playwright.async_api import expect

from tests.desk import Desk
from tests.inbox.chromium.opened import DOORS, Door
from tests.inbox.chromium.story import PAGES, TEXTS, TRANSCRIPT, WHO, add_story
from tests.inbox.chromium.visits import Visit

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
async def test_a_user_listens_reads_deletes_some_and_takes_it_back(door: Door, visit: Visit, desk: Desk) -> None:
    story = add_story(desk)
    async with door.opened(visit, desk) as user:
        await user.open_conversation(WHO)

        await user.hear(user.message(TRANSCRIPT).or_(user.message("Voicemail")).first)
        await expect(user.view.get_by_text(TRANSCRIPT)).to_be_visible()

        await user.button(f"Show {PAGES} pages").click()
        picture = user.view.get_by_role("img", name="Page 1 of")
        await expect(picture).to_be_visible()
        seen = [await picture.get_attribute("src")]
        for number in range(2, PAGES + 1):
            await user.button("Next").click()
            picture = user.view.get_by_role("img", name=f"Page {number} of {PAGES}")
            await expect(picture).to_be_visible()
            seen.append(await picture.get_attribute("src"))
        assert len(set(seen)) == PAGES
        await expect(user.button("Next")).to_have_attribute("aria-disabled", "true")

        await user.tick([user.message(text) for text in TEXTS])
        await user.propose()
        await expect(user.choices).to_have_count(len(TEXTS))
        kept = user.view.locator("#pane").get_by_role("listitem").filter(has_text=TEXTS[1])
        await kept.get_by_role("checkbox").uncheck()
        assert desk.sent("DELETE") == []

        await user.button("Delete 2 messages").click()
        undo = user.button("Undo")
        await expect(undo).to_be_visible()
        assert [desk.availability(id_) for id_ in story.texts] == ["Deleted", "Alive", "Deleted"]
        [operation], *_ = desk.journal.latest(1)
        assert operation.approved_by == door.window

        await undo.click()
        await expect(user.view.get_by_role("status").filter(has_text="2")).to_be_visible()
        assert [desk.availability(id_) for id_ in story.texts] == ["Alive", "Alive", "Alive"]
        await expect(undo).to_be_hidden()
