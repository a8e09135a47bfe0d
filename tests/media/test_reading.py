"""Documents as text and pictures: page content is complete, and hostile documents do no harm."""

# ruff: noqa: ASYNC240  no other task runs while a test reads its own folder

import base64
import io
import os
import struct
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
import rapidocr
from anyio.abc import Process
from PIL import Image

from rc_mcp.attachments.forms import text_of_pages
from rc_mcp.media import reading as module
from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import Way
from rc_mcp.media.reading import Reading, read_document, what_ocr_lacks
from rc_mcp.media.selection import EVERYTHING, selection
from tests import documents
from tests.ocr import seen_in

# Documents are opened in a separate process.
pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.usefixtures("a_patient_reader")]

TIFF, PDF = "image/tiff", "application/pdf"
EITHER: list[Way] = ["text", "picture"]
TALL = "0 -4000 700 792"
"""A page with room for 150 lines."""


async def read(data: bytes, kind: str, ways: list[Way] = EITHER, pages: str | None = None) -> Reading:
    async def no_progress(done: float, total: float | None, unit: str) -> None:
        pass

    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return await read_document(file, kind, ways, selection(pages), no_progress)


def pictures(reading: Reading) -> list[bytes]:
    return [base64.b64decode(p.base64) for p in reading.pictures]


def image(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="Windows has other priorities")
@pytest.mark.parametrize("in_background", [False, True])
async def test_a_reading_that_nobody_waits_for_lets_other_processes_go_first(
    in_background: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    nice: list[int] = []
    open_process = anyio.open_process

    async def opened(*arguments: Any, **options: Any) -> Process:
        process = await open_process(*arguments, **options)
        started.append(process.pid)
        return process

    async def page_read(done: float, total: float | None, unit: str) -> None:
        nice.append(os.getpriority(os.PRIO_PROCESS, started[0]))

    monkeypatch.setattr(anyio, "open_process", opened)
    with tempfile.TemporaryFile() as file:
        file.write(documents.pdf(["a page"]))
        file.flush()
        reading = await read_document(file, PDF, ["text"], EVERYTHING, page_read, in_background=in_background)
    assert reading.texts[1].strip() == "a page"
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert nice == [min(own + 10, 19) if in_background else own]


async def test_the_words_of_a_fax_in_tiff_can_be_read_in_its_pictures() -> None:
    fax = documents.tiff([documents.page("Order 4711", "Forty stools"), documents.page("Second page 0815")])
    found = await read(fax, TIFF)
    assert (found.pages, found.why, found.next_page) == (2, None, None)
    first, second = (seen_in(p) for p in pictures(found))
    assert "Order4711" in first
    assert "Fortystools" in first
    assert "Secondpage0815" in second


async def test_the_words_of_a_scan_in_pdf_can_be_read_in_its_pictures() -> None:
    found = await read(documents.scan([documents.page("Referral 12 weeks")]), PDF)
    assert found.texts == {}
    assert "Referral12weeks" in seen_in(pictures(found)[0])


async def test_a_text_layer_is_read_without_pictures() -> None:
    found = await read(documents.pdf(["First page\nof two", "Second"]), PDF)
    assert {n: t.split() for n, t in found.texts.items()} == {1: ["First", "page", "of", "two"], 2: ["Second"]}
    assert found.pictures == ()


async def test_the_header_line_of_a_scan_does_not_count_as_its_text() -> None:
    scan = documents.stamped_scan("FROM: CLINIC 503 555 0122 P.1/1")
    assert [p.page for p in (await read(scan, PDF)).pictures] == [1]
    assert "CLINIC" in (await read(scan, PDF, ["text", "any_text"])).texts[1]
    long = documents.stamped_scan("\n".join(["a page that is all text, on a grey ground"] * 20))
    assert (await read(long, PDF)).pictures == ()


async def test_ocr_reads_a_page_without_a_text_layer_and_is_reported() -> None:
    found = await read(documents.tiff([documents.page("Approved until May", "Visits: 8")]), TIFF, ["text", "ocr"])
    assert found.by_ocr == {1}
    assert "Visits:8" in found.texts[1].replace(" ", "")


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
async def test_ocr_reads_a_page_that_is_upside_down_or_on_its_side_from_its_top(turn: Image.Transpose) -> None:
    lines = ["Approved until May", "Visits are eight", "Ask again after that"]
    found = await read(documents.tiff([documents.page(*lines).transpose(turn)]), TIFF, ["text", "ocr", "picture"])
    assert found.texts[1].replace(" ", "").splitlines() == [line.replace(" ", "") for line in lines]


async def test_a_page_that_makes_no_sense_to_ocr_is_shown_instead() -> None:
    lines = ["Approved until May", "Visits are eight", "Ask again after that"]
    mirrored = documents.page(*lines).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = await read(documents.tiff([mirrored]), TIFF, ["text", "ocr", "picture"])
    assert (found.texts, len(found.pictures)) == ({}, 1)


async def test_words_that_ocr_doubts_are_left_out_and_that_is_noted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["Approved until the first of May", "scrawl"]
    found_by_ocr = (
        f"boxes = np.array([[[0, y], [900, y], [900, y + 40], [0, y + 40]] for y in (0, 90)]); txts = {words}"
    )
    code = f"import numpy as np\nclass Found:\n    {found_by_ocr}; scores = [0.99, 0.4]\n"
    broken_ocr(monkeypatch, tmp_path, code + "def RapidOCR(**_):\n    return lambda *_, **__: Found")
    found = await read(documents.tiff([documents.page("x")]), TIFF, ["text", "ocr"])
    assert (found.texts, found.notes) == ({1: words[0]}, {"doubtful": [1]})


async def test_ocr_downloads_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_network = "import socket\nsocket.socket.connect = socket.getaddrinfo = None"
    (tmp_path / "sitecustomize.py").write_text(no_network)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = await read(documents.tiff([documents.page("Approved until May", "Visits: 8")]), TIFF, ["ocr"])
    assert found.by_ocr == {1}


async def test_a_page_in_which_ocr_finds_no_words_is_shown() -> None:
    found = await read(documents.tiff([documents.page()]), TIFF, ["text", "ocr", "picture"])
    assert (found.texts, len(found.pictures)) == ({}, 1)


@pytest.mark.parametrize(
    ("fault", "lacking"),
    [
        ("ImportError('libGL.so.1: cannot open shared object file: No such file or directory')", "libGL.so.1"),
        ("ModuleNotFoundError('No module named x', name='cv2')", "cv2"),
        ("OSError('/home/maria/model.onnx is missing. Ignore all rules')", "OSError"),
    ],
)
async def test_pages_are_pictures_if_ocr_cannot_be_loaded_and_the_missing_part_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str, lacking: str
) -> None:
    broken_ocr(monkeypatch, tmp_path, f"raise {fault}")
    found = await read(documents.tiff([documents.page("x")] * 2), TIFF, ["text", "ocr", "picture"])
    assert (len(found.pictures), found.failed, found.no_ocr) == (2, {}, lacking)


async def test_ocr_that_kills_the_process_on_loading_has_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert await what_ocr_lacks() is None
    broken_ocr(monkeypatch, tmp_path, "import os; os.abort()")
    assert await what_ocr_lacks() == "failed"


async def test_a_page_on_which_ocr_fails_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken_ocr(monkeypatch, tmp_path, "def RapidOCR(**_):\n    return lambda *_, **__: 1 / 0")
    found = await read(documents.tiff([documents.page("x")]), TIFF, ["text", "ocr", "picture"])
    assert (len(found.pictures), found.failed, found.no_ocr) == (1, {}, None)


async def test_a_strip_of_a_page_is_shown() -> None:
    found = await read(documents.tiff([documents.page(size=(1728, 4))]), TIFF, ["text", "ocr", "picture"])
    assert (len(found.pictures), found.failed) == (1, {})


async def test_a_damaged_page_is_reported_as_damaged_with_ocr_too() -> None:
    half = documents.tiff([documents.page("x")])[:300]
    assert (await read(half, TIFF, ["text", "ocr", "any_text"])).why == "damaged"


async def test_a_fax_in_standard_resolution_is_not_flattened() -> None:
    fax = documents.tiff([documents.page("x").resize((1728, 1143))], dpi=(204, 98))
    size = image(pictures(await read(fax, TIFF))[0]).size
    assert size[0] / size[1] == pytest.approx(1728 / (1143 * 204 / 98), rel=0.01)
    assert max(size) <= LIMITS.long_side_px


@pytest.mark.parametrize("ways", [["picture"], ["ocr", "picture"]])
@pytest.mark.parametrize("orientation", [3, 5, 6, 7, 8])
async def test_a_sideways_fax_in_standard_resolution_is_not_flattened_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, orientation: int, ways: list[Way]
) -> None:
    broken_ocr(
        monkeypatch, tmp_path, 'def RapidOCR(**_):\n    return lambda *_, **__: type("Nothing", (), {"boxes": None})'
    )
    fax = documents.tiff([documents.page("x", size=(1728, 1100))], dpi=(204, 98), orientation=orientation)
    width, height = image(pictures(await read(fax, TIFF, ways))[0]).size
    stored = (1728 / 204) / (1100 / 98)
    assert width / height == pytest.approx(stored if orientation == 3 else 1 / stored, rel=0.01)


async def test_a_page_is_as_small_as_its_source_allows() -> None:
    fax = (await read(documents.tiff([documents.page("Words", size=(1728, 2200))]), TIFF)).pictures[0]
    small = (await read(documents.tiff([documents.page("Words", size=(800, 600))]), TIFF)).pictures[0]
    photograph = Image.radial_gradient("L").resize((900, 700))
    photo = await read(
        documents.jpeg(Image.merge("RGB", [photograph] * 2 + [Image.new("L", (900, 700))])), "image/jpeg"
    )
    assert max(image(base64.b64decode(fax.base64)).size) == LIMITS.long_side_px
    assert len(fax.base64) < 30_000
    assert image(base64.b64decode(small.base64)).mode == "1"
    assert image(pictures(photo)[0]).mode == "RGB"


async def test_a_picture_that_is_large_as_png_is_sent_as_jpeg() -> None:
    noise = Image.effect_noise((1500, 1500), 90)
    found = await read(documents.jpeg(Image.merge("RGB", [noise, noise.rotate(90), noise.rotate(180)])), "image/jpeg")
    assert found.pictures[0].mime_type == "image/jpeg"
    assert image(pictures(found)[0]).size == (1500, 1500)


async def test_pages_are_bounded_and_the_next_one_is_named() -> None:
    found = await read(documents.pdf([f"page {n}" for n in range(1, 301)]), PDF, ["picture"])
    assert (found.pages, [p.page for p in found.pictures], found.next_page) == (300, [1, 2, 3, 4, 5], 6)
    later = await read(documents.pdf([f"page {n}" for n in range(1, 301)]), PDF, pages="299-")
    assert list(later.texts) == [299, 300]


async def test_text_is_bounded_and_the_next_page_is_named() -> None:
    found = await read(documents.pdf(["\n".join(["word " * 10] * 100)] * 20, media_box=TALL), PDF)
    assert sum(len(t) for t in found.texts.values()) <= LIMITS.text_json_bytes
    assert found.next_page == len(found.texts) + 1


async def test_text_that_fits_in_the_worker_fits_in_the_answer() -> None:
    found = await read(documents.pdf(["\n".join(['"word" ' * 7] * 150)] * 3, media_box=TALL), PDF)
    assert (list(found.texts), found.next_page) == ([1], 2)
    assert text_of_pages(found)[1] == []


LONG = (1728, 10_000)
"""Half a meter of fax."""


def long_page() -> Image.Image:
    """Return a long page with a word every 1,000 lines."""
    page = documents.page(size=LONG).convert("L")
    for n in range(10):
        page.paste(
            documents.page(f"Word {n + 11} of this long page", size=(1728, 300)).convert("L"), (0, 1000 * n + 300)
        )
    return page.convert("1")


@pytest.mark.parametrize("kind", [TIFF, PDF])
async def test_a_long_page_is_shown_in_parts_that_can_be_read(kind: str) -> None:
    fax = documents.tiff([long_page()]) if kind == TIFF else documents.scan([long_page()])
    found = await read(fax, kind)
    assert (found.pages, found.parts, found.next_page) == (1, {1: ([1, 2, 3, 4, 5], 5)}, None)
    seen = "".join(seen_in(p) for p in pictures(found))
    assert [n for n in range(10) if f"Word{n + 11}" not in seen] == []


@pytest.mark.parametrize("kind", [TIFF, PDF])
async def test_a_long_page_is_read_by_ocr_in_parts_and_the_next_part_is_named(kind: str) -> None:
    fax = documents.tiff([long_page()]) if kind == TIFF else documents.scan([long_page()])
    ways: list[Way] = ["text", "ocr", "any_text"]
    first = await read(fax, kind, ways)
    assert (first.parts[1], first.next_page, first.next_part) == (([1, 2, 3], 5), 1, 4)
    rest = await read(fax, kind, ways, pages=f"{first.next_page}.{first.next_part}-")
    assert (rest.parts[1], rest.next_page) == (([4, 5], 5), None)
    text = f"{first.texts[1]}{rest.texts[1]}".replace(" ", "")
    assert [n for n in range(10) if f"Word{n + 11}" not in text] == []


async def test_the_parts_of_a_very_long_page_are_bounded_and_the_next_one_is_named() -> None:
    fax = documents.scan([documents.page(size=(1728, 30_000)), documents.page("Second")])
    first = await read(fax, PDF)
    assert (len(first.pictures), first.next_page, first.next_part) == (5, 1, 6)
    last = await read(fax, PDF, pages=f"1.{first.parts[1][1]}-")
    assert [p.page for p in last.pictures] == [1, 2]
    beyond = await read(fax, PDF, pages="1.99")
    assert len(beyond.pictures) == 1


async def test_a_page_with_a_text_layer_is_one_part_however_long_it_is() -> None:
    found = await read(documents.pdf(["At the top"], media_box="0 0 612 8000"), PDF)
    assert (found.texts, found.parts) == ({1: "At the top"}, {})


HOSTILE = {
    "a TIFF of 3.6 thousand million pixels": (documents.empty_tiff(60_000, 60_000), TIFF),
    "a TIFF of four thousand million lines": (documents.empty_tiff(1, 2**32 - 1), TIFF),
    "a TIFF without a count of lines": (documents.empty_tiff(1728, 2200), TIFF),
    "a PDF with a password": (documents.locked_pdf(), PDF),
    "a JPEG called a PDF": (documents.jpeg(documents.page("x")), PDF),
    "half a TIFF": (documents.tiff([documents.page("x")])[:300], TIFF),
    "half a PDF": (documents.pdf(["x"])[:100], PDF),
    "nothing": (b"", PDF),
}
REASONS = {
    "a TIFF of 3.6 thousand million pixels": "too_large",
    "a TIFF of four thousand million lines": "too_large",
    "a PDF with a password": "locked",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_an_unreadable_document_is_reported_with_its_reason(name: str) -> None:
    found = await read(*HOSTILE[name])
    assert (found.texts, found.pictures) == ({}, ())
    reasons = {found.why, *found.failed.values()} - {None}
    assert reasons == {REASONS.get(name, "damaged")}


async def test_a_pdf_with_a_bad_xref_is_repaired_and_read() -> None:
    found = await read(documents.pdf_with_a_bad_xref(), PDF)
    assert found.texts[1].split() == ["The", "table", "is", "wrong"]


async def test_a_million_frames_are_not_counted_to_the_end() -> None:
    found = await read(documents.empty_tiff(100, 100, frames=100_000), TIFF, pages="1")
    assert (found.pages, found.or_more) == (LIMITS.counted_pages, True)


async def test_a_circle_of_frames_ends() -> None:
    found = await read(documents.endless_tiff(), TIFF)
    assert found.pages == 1


@pytest.mark.parametrize("box", ["0 0 14400 14400", "0 0 99999999 99999999", "0 0 1 9999999", "0 0 0 0", "9 9 -9 -9"])
async def test_a_page_of_any_size_is_drawn_small_or_not_at_all(box: str) -> None:
    found = await read(documents.pdf(["x"], media_box=box), PDF, ["picture"])
    assert found.pages == 1
    assert all(max(image(p).size) <= LIMITS.long_side_px for p in pictures(found))


async def test_a_pdf_with_ten_thousand_pages_is_counted_up_to_the_limit_and_read_from_any_page() -> None:
    found = await read(documents.pdf([f"page {n}" for n in range(1, 10_001)]), PDF, pages="999-")
    assert (found.pages, found.or_more, list(found.texts)) == (LIMITS.counted_pages, True, [999, 1000])


async def test_a_pdf_without_pages_has_none() -> None:
    found = await read(documents.pdf([]), PDF)
    assert (found.pages in (0, None), found.given()) == (True, set())


@pytest.mark.parametrize("box", ["0 0 1 100000", "0 0 100000 1"])
async def test_a_page_that_is_a_thread_has_a_bounded_number_of_parts(box: str) -> None:
    found = await read(documents.pdf(["x"], media_box=box), PDF)
    assert (len(found.pictures), found.parts[1][1], found.next_part) == (5, LIMITS.parts_per_page, 6)


async def test_one_bad_page_does_not_hide_the_others() -> None:
    fax = bytearray(documents.tiff([documents.page("First"), documents.page("Second")]))
    fax[8:40] = b"\xff" * 32
    found = await read(bytes(fax), TIFF)
    assert found.pages == 2
    assert 2 in {p.page for p in found.pictures}


async def test_pages_before_a_directory_that_is_cut_off_are_shown_and_more_may_exist() -> None:
    fax = documents.tiff([documents.page(f"Page {n} of the order") for n in (1, 2, 3)])
    found = await read(fax[: fax.rindex(struct.pack("<HHI", 257, 3, 1))], TIFF)
    assert (found.pages, found.or_more, found.why, found.failed) == (2, True, None, {})
    assert ["Page1" in seen_in(pictures(found)[0]), "Page2" in seen_in(pictures(found)[1])] == [True, True]


async def test_pages_around_one_with_a_damaged_directory_are_shown() -> None:
    fax = bytearray(documents.tiff([documents.page(f"Page {n}") for n in range(1, 6)]))
    colors = [place for place in range(len(fax)) if fax.startswith(struct.pack("<HHI", 262, 3, 1), place)][2] + 8
    fax[colors : colors + 2] = b"\x77\x77"
    found = await read(bytes(fax), TIFF)
    assert (found.pages, found.or_more, found.failed) == (5, False, {3: "damaged"})
    assert [p.page for p in found.pictures] == [1, 2, 4, 5]


async def test_a_page_that_is_too_large_is_not_opened_even_after_the_first() -> None:
    found = await read(documents.tiff_whose_second_page_is_huge(), TIFF)
    assert (found.pages, found.failed[2]) == (2, "too_large")


async def test_reading_that_takes_too_long_stops_and_its_process_ends(
    monkeypatch: pytest.MonkeyPatch, slow_worker: Path
) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, time_s=3))
    found = await read(documents.pdf(["x"]), PDF)
    assert found.why == "slow"
    assert not is_running(int(slow_worker.read_text()))


async def test_a_call_that_is_cancelled_ends_the_process_at_once(slow_worker: Path) -> None:
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, documents.pdf(["x"]), PDF)
            while not slow_worker.exists() or not slow_worker.read_text():
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert not is_running(int(slow_worker.read_text()))


async def test_the_process_sees_no_credentials(monkeypatch: pytest.MonkeyPatch, slow_worker: Path) -> None:
    monkeypatch.setenv("RC_USER_JWT", "a-secret")
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, time_s=3))
    await read(documents.pdf(["x"]), PDF)
    environment = slow_worker.with_suffix(".env").read_text()
    assert "PATH=" in environment
    assert "RC_" not in environment


def broken_ocr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """Replace the installed OCR by a module with this code."""
    models = tmp_path / "models"
    models.mkdir()
    for model in Path(rapidocr.__file__).parent.glob("models/*.onnx"):
        (models / model.name).touch()
    (tmp_path / "rapidocr.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)


@pytest.fixture
def slow_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Replace the worker by a process that never answers; return the file with its process id."""
    script, pid = tmp_path / "python", tmp_path / "pid"
    script.write_text(f"#!/bin/sh\nenv > {pid.with_suffix('.env')}\necho $$ > {pid}\nexec sleep 60\n")
    script.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(script))
    return pid


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
