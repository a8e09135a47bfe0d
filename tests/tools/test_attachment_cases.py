"""The files of `tests/media/cases` through the server: each as its sender meant it, drawn and in words.

Public tools made the files (libtiff, efax, qpdf, ImageMagick). Each stands for a kind of document that was once shown
wrongly: scans with a line of text, filled forms, wrong letters, hidden words, long pages, damaged pictures.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp.types import ImageContent
from PIL import Image

from rc_mcp.attachments import forms
from rc_mcp.attachments.forms import NOTES
from rc_mcp.emulator import Draft, File, Party
from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import Note
from tests.desk import Desk, Era, text_of
from tests.ocr import seen_in

# Documents are opened in a separate process.
pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.usefixtures("a_patient_reader")]

CASES = Path(__file__).parents[1] / "media/cases"
SHEET, FAX = (1212, 1568), (1207, 1568)
LONG_TIFF = [(1311, 1568)] * 2 + [(1310, 1568)] + [(1311, 1568)] * 2
LONG_PDF = [(1161, 1568)] * 2 + [(1161, 1567)] + [(1161, 1568)] * 2
DRAWN: dict[str, tuple[list[tuple[int, int]], str]] = {
    "f-form-filled.pdf": ([SHEET], "25mgDENIED"),
    "f-freetext.pdf": ([SHEET], "25mgDENIED"),
    "f-long-page.pdf": (LONG_PDF, "Referralpage1"),
    "f-scan-long-footer.pdf": ([SHEET], "Referralpage1"),
    "f-scan-short-header.pdf": ([SHEET], "Referralpage1"),
    "f-scan-strips-header.pdf": ([SHEET], "Referralpage1"),
    "j-truncated.jpg": ([(1568, 863)], "TOPofthelabel"),
    "long-page.tif": (LONG_TIFF, "Referralpage1"),
    "p-truncated.png": ([(800, 493)], "TOPofthelabel"),
    "s-unit-none.tif": ([FAX] * 3, "Referralpage1"),
    "t-hidden.pdf": ([SHEET], "Invoice4417:total120.00USD"),
    "t-hyphen.pdf": ([SHEET], "hydrochloro"),
    "t-no-tounicode.pdf": ([SHEET], "metformin850mg"),
    "t-wrong-tounicode.pdf": ([SHEET], "metformin850mg"),
}
"""By file: the size of each picture, and words at the top of the first."""
FORM = "Prior authorization form. Patient: Erika Muster. Member id: W-0088-4417\nDose requested:\nDecision:\n"
HYPHENS = "The patient takes hydrochloro-\nthiazide 12.5 mg and a well-\nknown statin, range 10-\n20 mg."
WRITTEN: dict[str, tuple[str, set[Note]]] = {
    "f-form-filled.pdf": (f"{FORM}dose: 25 mg DENIED", {"filled"}),
    "f-freetext.pdf": (f"{FORM}25 mg DENIED", {"filled"}),
    "t-hidden.pdf": ("Invoice 4417: total 120.00 USD", {"hidden_text"}),
    "t-hyphen.pdf": (HYPHENS, set()),
}
"""By file whose text is that of its page: the text, and what the answer notes about it."""
CUT_OFF = {"j-truncated.jpg", "p-truncated.png"}
ROUND = {
    "f-scan-strips-header.pdf": (0.64, 0.60, 0.96, 0.85),
    "long-page.tif": (0.66, 0.70, 0.98, 0.95),
    "s-unit-none.tif": (0.64, 0.66, 0.96, 0.92),
}
"""By file with a circle: the part of its first picture that has only the circle, in shares of its sides."""


@pytest.fixture
def without_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate the default installation, without the extra."""
    monkeypatch.setattr(forms, "has_ocr", lambda: False)


def test_every_file_has_its_value() -> None:
    assert {case.name for case in CASES.iterdir()} == set(DRAWN)


@pytest.mark.parametrize("name", DRAWN)
async def test_the_pages_of_a_file_are_drawn_whole_and_legible(desk: Desk, name: str) -> None:
    sizes, words = DRAWN[name]
    said, shown = await opened(desk, name, "auto", form="pages")
    assert (said, shown) == await opened(desk, name, "legacy", form="pages")
    assert [Image.open(io.BytesIO(picture)).size for picture in shown] == sizes
    assert words in seen_in(shown[0] if name != "f-long-page.pdf" else lower(shown[0], 5), top=0.4)
    assert (NOTES["incomplete"] in said["said"]) == (name in CUT_OFF)
    assert "text" not in said["untrusted"]


@pytest.mark.parametrize("name", ROUND)
async def test_a_circle_is_round(desk: Desk, name: str) -> None:
    _, shown = await opened(desk, name, "auto", form="pages")
    page = Image.open(io.BytesIO(shown[0])).convert("L")
    left, top, right, bottom = ROUND[name]
    around = np.asarray(page)[
        round(top * page.height) : round(bottom * page.height), round(left * page.width) : round(right * page.width)
    ]
    drawn = np.argwhere(around < 128)
    height, width = np.ptp(drawn, axis=0)
    assert width > 0.2 * page.width
    # The machine drew it round in dots, which are 1/204 inch wide and 1/196 inch high.
    assert width / height == pytest.approx(1, abs=0.05)


@pytest.mark.usefixtures("without_ocr")
@pytest.mark.parametrize("name", DRAWN)
async def test_without_a_form_a_file_is_its_true_text_or_else_its_pictures(desk: Desk, era: Era, name: str) -> None:
    said, shown = await opened(desk, name, era)
    text, notes = WRITTEN.get(name, (None, set[Note]()))
    assert said["untrusted"].get("text") == text
    assert said["form"] == ("text" if text else "pages")
    assert len(shown) == (0 if text else len(DRAWN[name][0]))
    assert {note for note in ("filled", "hidden_text") if NOTES[note] in said["said"]} == notes


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("t-no-tounicode.pdf", "metformin850mgtwicedaily"),
        ("t-wrong-tounicode.pdf", "metformin850mgtwicedaily"),
        ("f-scan-long-footer.pdf", "Patient:ErikaMuster"),
        ("f-scan-strips-header.pdf", "Patient:ErikaMuster"),
    ],
)
async def test_a_file_whose_text_is_not_that_of_its_page_is_read_by_ocr(desk: Desk, name: str, words: str) -> None:
    said, shown = await opened(desk, name, "auto")
    assert words in said["untrusted"]["text"].replace(" ", "")
    assert "OCR" in said["said"]
    assert shown == []


def lower(picture: bytes, times: int) -> bytes:
    """Return the picture less high: one of the files stretches its page to five times its height, too much for OCR."""
    page, out = Image.open(io.BytesIO(picture)), io.BytesIO()
    page.convert("L").resize((page.width, page.height // times)).save(out, "PNG")
    return out.getvalue()


async def opened(desk: Desk, name: str, era: Era, **arguments: str) -> tuple[dict[str, Any], list[bytes]]:
    """Receive a message with this file and open it; the answer, without its address, and its pictures."""
    sender = Party(name="Fairview Clinic", phone_number="+16505550141")
    is_fax = name.endswith((".pdf", ".tif"))
    file = File(name, (CASES / name).read_bytes())
    record = desk.emulator.store.add(Draft(type="Fax" if is_fax else "SMS", sender=sender, media=(file,)))
    async with desk.client(era) as client:
        result = await client.call_tool("read_message_content", {"message_id": str(record["id"]), **arguments})
    assert not result.is_error, text_of(result)
    assert len(result.model_dump_json(by_alias=True, exclude_none=True).encode()) <= LIMITS.answer_bytes
    answer = json.loads(text_of(result))
    del answer["uri"]
    return answer, [base64.b64decode(block.data) for block in result.content if isinstance(block, ImageContent)]
