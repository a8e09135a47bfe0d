"""Reads the text in a picture, so that tests can check that a page is legible."""

import io
from functools import lru_cache
from typing import Any, cast

import numpy as np
from PIL import Image


@lru_cache(maxsize=1)
def _reader() -> Any:
    from rapidocr_onnxruntime import RapidOCR  # pyright: ignore[reportMissingTypeStubs]

    return cast("Any", RapidOCR)(intra_op_num_threads=1)


def seen_in(data: bytes, *, top: float = 1.0) -> str:
    """The words in a picture, or in the uppermost part of it, without spaces: those OCR often misses."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image = image.crop((0, 0, image.width, int(image.height * top)))
    found, _ = _reader()(np.asarray(image), use_cls=False)
    return "".join(words for _, words, _ in cast("list[tuple[Any, str, float]]", found or [])).replace(" ", "")
