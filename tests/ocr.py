"""Reads the text in a picture, so that tests can check that a page is legible."""

import io
from functools import lru_cache
from typing import Any, cast

import numpy as np
from PIL import Image


@lru_cache(maxsize=1)
def _reader() -> Any:
    import rapidocr

    one_thread = {f"EngineConfig.onnxruntime.{pool}_op_num_threads": 1 for pool in ("intra", "inter")}
    return cast("Any", rapidocr).RapidOCR(params={"Global.log_level": "critical", **one_thread})


def seen_in(data: bytes, *, top: float = 1.0) -> str:
    """The words in a picture, or in the uppermost part of it, without spaces: those OCR often misses."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image = image.crop((0, 0, image.width, int(image.height * top)))
    found = _reader()(np.asarray(image), use_cls=False).txts
    return "".join(cast("tuple[str, ...] | None", found) or ()).replace(" ", "")
