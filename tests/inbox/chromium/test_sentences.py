"""A transcript that this server made: the page shows its sentences with their times, and marks where the player is."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from rc_mcp.media import transcription
from rc_mcp.media.sentences import Sentence
from rc_mcp.media.speech_model import SpeechModel
from rc_mcp.media.transcription import Transcriber, Transcription
from tests.desk import Desk
from tests.inbox.chromium.opened import DOORS, Door
from tests.inbox.chromium.story import TRANSCRIPT, WHO, add_story
from tests.inbox.chromium.visits import Visit

pytestmark = pytest.mark.anyio
HEARD = (Sentence(0, 600, "Please call <b>me</b> back."), Sentence(600, 601, "Goodbye."))


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
async def test_the_words_follow_the_player(
    door: Door, visit: Visit, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Transcription("model", is_english_only=True, languages=("en",), sentences=HEARD, heard_s=601)

    async def transcribe(*_: object, **__: object) -> Transcription:
        return made

    def find(_: Transcriber) -> tuple[SpeechModel, str]:
        return SpeechModel(Path(), "model", is_english_only=True, size_bytes=1), "digest"

    monkeypatch.setattr(transcription, "transcribe", transcribe)
    monkeypatch.setattr(Transcriber, "_found", find)
    add_story(desk)
    async with door.opened(visit, desk, RC_MCP_TRANSCRIBE="all", RC_MCP_TRANSCRIBE_MODEL="model") as user:
        await user.open_conversation(WHO)
        await user.hear(user.message("Voicemail from"))
        await expect(user.view.get_by_text(TRANSCRIPT)).to_be_visible()
        first, last = (user.view.get_by_role("listitem").filter(has_text=s.text) for s in HEARD)
        await expect(first).to_have_class("now")
        await expect(last).not_to_have_class("now")
        await expect(user.view.locator(".message b")).to_have_count(0)
