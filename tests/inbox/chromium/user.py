"""The person in front of the inbox: what they find in the page by its roles and names, and what they do with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.async_api import Frame, Locator, expect

from tests.inbox.chromium.app_host import AppHost
from tests.inbox.chromium.visits import WAIT_MS

expect.set_options(timeout=WAIT_MS)

PLAYING = "() => [...document.querySelectorAll('audio')].some(sound => sound.currentTime > 0.2)"
FOCUSED = """() => {
  const on = document.activeElement;
  const labels = on.labels?.length ? [...on.labels].map(label => label.textContent).join(" ") : "";
  return [on.tagName, on.getAttribute("aria-label") || labels || on.textContent].join(" ").trim();
}"""


@dataclass
class User:
    """A user who looks at the inbox in this frame."""

    view: Frame
    host: AppHost | None = None
    """The chat that shows the inbox, unless it is open in the user's own browser."""

    def button(self, name: str) -> Locator:
        """A button by the beginning of its name, wherever in the page it is; the first of several."""
        return self.view.get_by_role("button", name=re.compile(rf"^\W*{re.escape(name)}")).first

    def message(self, text: str) -> Locator:
        """The message that has this text somewhere."""
        return self.view.get_by_role("article").filter(has_text=text)

    @property
    def title(self) -> Locator:
        """The title of the screen that is open."""
        return self.view.locator("#pane-title")

    async def open_conversation(self, who: str) -> None:
        """Open the conversation with this partner."""
        await self.view.locator("#conversations").get_by_role("button").filter(has_text=who).first.click()
        await expect(self.title).to_contain_text(who)

    async def hear(self, message: Locator) -> None:
        """Play a voicemail until its sound has moved on."""
        await message.get_by_role("button", name=re.compile("Play")).click()
        await self.is_playing()

    async def is_playing(self) -> None:
        """Wait until a sound has moved on."""
        await self.view.wait_for_function(PLAYING)

    async def tick(self, messages: Sequence[Locator]) -> None:
        """Select these messages of a conversation."""
        for message in messages:
            await message.get_by_role("checkbox").check()

    async def propose(self) -> None:
        """Ask for a plan to delete the messages that are selected."""
        await self.button("Delete …").click()
        await expect(self.button("Keep them")).to_be_visible()

    @property
    def choices(self) -> Locator:
        """The boxes of the messages in the plan that is open."""
        return self.view.locator("#pane").get_by_role("checkbox")

    async def show_all_conversations(self) -> None:
        """Make the list of conversations as long as it gets."""
        more = self.button("Show more")
        await expect(self.view.locator("#conversations").get_by_role("button").first).to_be_visible()
        while await more.is_visible():
            await more.click()

    async def home(self) -> None:
        """Go back until the first screen is open."""
        while await self.view.locator("body:not([data-screen=home])").count():
            await self.back()

    async def back(self) -> None:
        """Go back to the screen before."""
        await self.button("← Back").click()

    async def focused(self) -> str:
        """Return the kind and the name of the element that has the keyboard's focus."""
        return await self.view.evaluate(FOCUSED)

    async def tab_to(self, name: str, *, back: bool = False, steps: int = 150) -> None:
        """Press Tab until the element of this kind and name has the focus; `back`: Shift and Tab."""
        passed: list[str] = []
        for _ in range(steps):
            await self.view.page.keyboard.press("Shift+Tab" if back else "Tab")
            passed.append(await self.focused())
            if re.search(name, passed[-1]):
                return
        raise AssertionError(f"Tab never came to {name}, but to {passed}")
