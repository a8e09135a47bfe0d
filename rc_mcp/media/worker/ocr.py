"""OCR of pages on this machine, by RapidOCR if it is installed (`rc-mcp[ocr]`)."""

import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, cast

from PIL import Image

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import OCR_LACKING, Note, PageText
from rc_mcp.media.worker.page import OcrNotLoadedError, fitting

_MODELS = {"Det": "PP-OCRv6_det_small.onnx", "Rec": "PP-OCRv6_rec_small.onnx"}
"""Files of the wheel. RapidOCR downloads a model only if it is not given a path."""
_UPSIDE_DOWN = (Image.Transpose.ROTATE_180,)
_ON_ITS_SIDE = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
_engine: Any = None
"""Loading takes half a second, and a worker reads several pages."""


@dataclass(frozen=True)
class _Words:
    """Words side by side, their place in pixels of the page, and how sure OCR is of them, from 0 to 1."""

    words: str
    score: float
    left: float
    middle: float
    width: float
    height: float


def read_page(number: int, image: Image.Image, part: int = 1, parts: int = 1) -> PageText | None:
    """Read the text of a part of a page, line by line from the top; None if there is almost none, or if OCR fails.

    A page that lies on its side or upside down is read the right way round. If no way makes sense, it has no text.

    Raises:
        OcrNotLoadedError: OCR cannot be loaded.
    """
    reader = _reader()
    try:
        # The parts of a page that is upside down would come in the wrong order.
        found = _found_upright(reader, image, may_turn=parts == 1)
    except Exception:  # noqa: BLE001  OCR fails on very flat pages, for example; they can still be shown
        return None
    text = _in_lines([words for words in found if words.score >= LIMITS.ocr_words_score])
    if len(text) < LIMITS.ocr_text_chars:
        return None
    is_doubtful = any(words.score < LIMITS.ocr_page_score for words in found)
    notes: list[Note] = ["doubtful"] if is_doubtful else []
    return PageText(page=number, part=part, parts=parts, text=text, by_ocr=True, notes=notes)


def _found_upright(reader: Any, image: Image.Image, *, may_turn: bool) -> list[_Words]:
    """Return the words of the page in the first position in which they make sense; none if they never do."""
    found = _found(reader, image)
    if _is_upright(found):
        return found
    turns = _ON_ITS_SIDE if _is_on_its_side(found) else _UPSIDE_DOWN
    for turn in turns if may_turn else ():
        turned = _found(reader, image.transpose(turn))
        if _is_upright(turned):
            return turned
    return []


def _is_upright(found: list[_Words]) -> bool:
    """Return whether the words make sense and run across the page.

    Upright words have a mean score of 0.97 and more, words upside down one of 0.78 and less. Scores do not show whether
    a page lies on its left side, because RapidOCR turns each tall piece of it to the left by itself.
    """
    letters = sum(len(words.words) for words in found)
    score = sum(words.score * len(words.words) for words in found)
    return not _is_on_its_side(found) and score >= LIMITS.ocr_page_score * letters


def _is_on_its_side(found: list[_Words]) -> bool:
    tall = sum(words.height for words in found if words.height > words.width)
    return tall > sum(words.width for words in found if words.height <= words.width)


def _found(reader: Any, image: Image.Image) -> list[_Words]:
    import numpy as np

    if max(image.size) > LIMITS.ocr_long_side_px:
        image = image.convert("L").resize(fitting(image.size, LIMITS.ocr_long_side_px), Image.Resampling.LANCZOS)
    result = reader(np.asarray(_on_white(image.convert("RGB"))), use_cls=False, text_score=0.0)
    if result.boxes is None:
        return []
    found = cast("list[tuple[Any, str, float]]", list(zip(result.boxes, result.txts, result.scores, strict=True)))
    return [_placed(box, words, float(score)) for box, words, score in found]


def _placed(box: Any, words: str, score: float) -> _Words:
    (left, top), (right, bottom) = box.min(axis=0), box.max(axis=0)
    return _Words(words, score, float(left), float(top + bottom) / 2, float(right - left), float(bottom - top))


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
            _engine = _loaded()
        except Exception as error:  # noqa: BLE001  opencv, onnxruntime or their C libraries can fail
            raise OcrNotLoadedError(_lacking(error)) from None
    return _engine


def _loaded() -> Any:
    """Load RapidOCR. It loads onnxruntime and its models with the first page, which is late to report a fault."""
    import rapidocr

    import_module("onnxruntime")

    engine = "EngineConfig.onnxruntime"
    threads = max(1, min(4, (os.cpu_count() or 2) // 2))
    params: dict[str, Any] = {
        "Global.log_level": "critical",
        f"{engine}.intra_op_num_threads": threads,
        f"{engine}.inter_op_num_threads": 1,
    }
    for task, name in _MODELS.items():
        model = Path(rapidocr.__file__).parent / "models" / name
        if not model.is_file():
            raise ModuleNotFoundError(name=name)
        params[f"{task}.model_path"] = str(model)
    return cast("Any", rapidocr).RapidOCR(params=params)


def _lacking(error: Exception) -> str:
    """Return the library that the linker did not find (`libGL.so.1: ...`), the missing module, or the error's name."""
    named = [str(error).partition(":")[0], str(getattr(error, "name", None))] if isinstance(error, ImportError) else []
    return next((name for name in named if name != "None" and re.fullmatch(OCR_LACKING, name)), type(error).__name__)


def _in_lines(found: list[_Words]) -> str:
    """Join words side by side into one line."""
    if not found:
        return ""
    height = median(words.height for words in found)
    lines: list[list[_Words]] = []
    for words in sorted(found, key=lambda words: words.middle):
        if lines and words.middle - lines[-1][0].middle < height / 2:
            lines[-1].append(words)
        else:
            lines.append([words])
    return "\n".join("  ".join(w.words for w in sorted(line, key=lambda w: w.left)) for line in lines)
