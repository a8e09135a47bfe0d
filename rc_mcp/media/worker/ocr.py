"""OCR of pages on this machine, by RapidOCR if it is installed (`rc-mcp[ocr]`)."""

import os
import re
from statistics import median
from typing import Any, cast

from PIL import Image

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import OCR_LACKING, PageText
from rc_mcp.media.worker.page import OcrNotLoadedError, fitting

_engine: Any = None
"""Loading takes half a second, and a worker reads several pages."""


def read_page(number: int, image: Image.Image, part: int = 1, parts: int = 1) -> PageText | None:
    """Read the text of a part of a page, line by line from the top; None if there is almost none, or if OCR fails.

    Raises:
        OcrNotLoadedError: OCR cannot be loaded.
    """
    reader = _reader()
    try:
        text = _read(reader, image)
    except Exception:  # noqa: BLE001  OCR fails on very flat pages, for example; they can still be shown
        return None
    read = PageText(page=number, part=part, parts=parts, text=text, by_ocr=True)
    return read if len(text) >= LIMITS.ocr_text_chars else None


def _read(reader: Any, image: Image.Image) -> str:
    import numpy as np

    if max(image.size) > LIMITS.ocr_long_side_px:
        image = image.convert("L").resize(fitting(image.size, LIMITS.ocr_long_side_px), Image.Resampling.LANCZOS)
    found, _ = reader(np.asarray(_on_white(image.convert("RGB"))), use_cls=False)
    boxes = cast("list[tuple[Any, str, float]]", found or [])
    return _in_lines([(box, words) for box, words, _ in boxes])


def _on_white(image: Image.Image) -> Image.Image:
    """Pad the short side to a quarter of the long side: RapidOCR enlarges a strip to 736 pixels on its short side."""
    least = max(image.size) // 4
    if min(image.size) >= least:
        return image
    page = Image.new("RGB", (max(image.width, least), max(image.height, least)), "white")
    page.paste(image)
    return page


def _reader() -> Any:
    global _engine
    if _engine is None:
        try:
            from rapidocr_onnxruntime import RapidOCR  # pyright: ignore[reportMissingTypeStubs]

            threads = max(1, min(4, (os.cpu_count() or 2) // 2))
            _engine = cast("Any", RapidOCR)(intra_op_num_threads=threads, inter_op_num_threads=1)
        except Exception as error:  # noqa: BLE001  opencv, onnxruntime or their C libraries can fail
            raise OcrNotLoadedError(_lacking(error)) from None
    return _engine


def _lacking(error: Exception) -> str:
    """Return the library that the linker did not find (`libGL.so.1: ...`), the missing module, or the error's name."""
    named = [str(error).partition(":")[0], str(getattr(error, "name", None))] if isinstance(error, ImportError) else []
    return next((name for name in named if name != "None" and re.fullmatch(OCR_LACKING, name)), type(error).__name__)


def _in_lines(found: list[tuple[Any, str]]) -> str:
    """Join boxes side by side into one line."""
    if not found:
        return ""
    boxes = sorted((_middle(box, 1), _middle(box, 0), words) for box, words in found)
    height = median(float(box[2][1] - box[0][1]) for box, _ in found)
    lines: list[list[tuple[float, float, str]]] = []
    for box in boxes:
        if lines and box[0] - lines[-1][0][0] < height / 2:
            lines[-1].append(box)
        else:
            lines.append([box])
    return "\n".join("  ".join(words for _, _, words in sorted(line, key=lambda b: b[1])) for line in lines)


def _middle(box: Any, axis: int) -> float:
    return float(box[0][axis] + box[2][axis]) / 2
