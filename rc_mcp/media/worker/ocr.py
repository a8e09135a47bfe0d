"""The words of a page that is a picture alone, by RapidOCR where it is installed (`rc-mcp[ocr]`), on this machine."""

import os
from statistics import median
from typing import Any, cast

from PIL import Image

from rc_mcp.media.limits import LIMITS
from rc_mcp.media.messages import PageText
from rc_mcp.media.worker.page import fitting

_engine: Any = None
"""Loading takes half a second, and a worker reads several pages."""


def read_page(number: int, image: Image.Image) -> PageText | None:
    """The text of a page, line by line from the top; None when there is next to none."""
    import numpy as np

    if max(image.size) > LIMITS.ocr_long_side_px:
        image = image.convert("L").resize(fitting(image.size, LIMITS.ocr_long_side_px), Image.Resampling.LANCZOS)
    found, _ = _reader()(np.asarray(image.convert("RGB")), use_cls=False)
    boxes = cast("list[tuple[Any, str, float]]", found or [])
    text = _in_lines([(box, words) for box, words, _ in boxes])
    return PageText(page=number, text=text, by_ocr=True) if len(text) >= LIMITS.ocr_text_chars else None


def _reader() -> Any:
    global _engine
    if _engine is None:
        from rapidocr_onnxruntime import RapidOCR  # pyright: ignore[reportMissingTypeStubs]

        threads = max(1, min(4, (os.cpu_count() or 2) // 2))
        _engine = cast("Any", RapidOCR)(intra_op_num_threads=threads, inter_op_num_threads=1)
    return _engine


def _in_lines(found: list[tuple[Any, str]]) -> str:
    """Boxes side by side are one line."""
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
