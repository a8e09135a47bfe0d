"""The worker's main program: set the limits, open the document, send pages until the answer is full."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

from pydantic import BaseModel

from rc_mcp.media.document_limits import LIMITS, json_bytes
from rc_mcp.media.protocol import Done, Failed, NoOcr, Opened, PageFailed, PagePicture, PageText, Reason, Task, Way
from rc_mcp.media.selection import chosen, first_part
from rc_mcp.media.worker.page import Document, OcrNotLoadedError, PageError

_BACKGROUND_NICE = 10


def main() -> None:
    """Carry out the one task of this process."""
    task = Task.model_validate_json(sys.argv[1])
    if task.in_background and hasattr(os, "nice"):  # Windows has none
        os.nice(_BACKGROUND_NICE)
    _limit(LIMITS.ocr_memory_bytes if "ocr" in task.ways else LIMITS.memory_bytes)
    try:
        _give(_open(task.kind), task)
    except PageError as error:
        _say(Failed(reason=error.reason))
    except MemoryError:
        _say(Failed(reason="too_much_memory"))
    except ImportError:  # our installation is damaged, not the document
        _say(Failed(reason="failed"))
    except Exception:  # noqa: BLE001  untrusted bytes can make a library raise anything
        _say(Failed(reason="damaged"))


def _open(kind: str) -> Document:
    # Imported under the limits, and only the one that is needed.
    if kind == "application/pdf":
        from rc_mcp.media.worker.pdf import Pdf

        return Pdf(sys.stdin.buffer)
    from rc_mcp.media.worker.pictures import Pictures

    return Pictures(sys.stdin.buffer, kind)


def _give(document: Document, task: Task) -> None:
    asked = tuple(task.pages)
    numbers = chosen(asked, document.count)
    _say(Opened(pages=document.count, or_more=document.or_more, chosen=len(numbers)))
    left = {
        "text": LIMITS.text_pages_per_answer,
        "ocr": LIMITS.ocr_pages_per_answer,
        "picture": LIMITS.pictures_per_answer,
    }
    bytes_left, base64_left = LIMITS.text_json_bytes, LIMITS.base64_bytes
    for number in numbers:
        for given in _page(document, number, first_part(asked, number), task):
            if isinstance(given, PageFailed):
                _say(given)
                continue
            way = "picture" if isinstance(given, PagePicture) else "ocr" if given.by_ocr else "text"
            size = json_bytes(given.text) if isinstance(given, PageText) else 0
            is_first = bytes_left == LIMITS.text_json_bytes
            base64 = len(given.base64) if isinstance(given, PagePicture) else 0
            if not left[way] or (size > bytes_left and not is_first) or base64 > base64_left:
                return _say(Done(next_page=number, next_part=given.part))
            left[way] -= 1
            base64_left -= base64
            bytes_left -= size
            _say(given)
    return _say(Done())


def _page(document: Document, number: int, first: int, task: Task) -> Iterator[PageText | PagePicture | PageFailed]:
    """Yield the page in one piece, or its parts from the `first` on."""
    reason: Reason = "failed"
    try:
        yield from _parts(document, number, first, task)
    except PageError as error:
        reason = error.reason
    except MemoryError:
        reason = "too_much_memory"
    except Exception:  # noqa: BLE001  as above; other pages may be readable
        reason = "damaged"
    else:
        return
    yield PageFailed(page=number, reason=reason)


def _parts(document: Document, number: int, first: int, task: Task) -> Iterator[PageText | PagePicture]:
    """Yield the text layer, or otherwise what is drawn, or otherwise even a text that says little of the page."""
    if "text" in task.ways and (given := document.give(number, 1, "text")):
        yield given
        return
    drawn: list[Way] = [way for way in task.ways if way in {"ocr", "picture"}]
    count = document.parts(number) if drawn else 0
    parts = range(min(first, count), count + 1) if drawn else ()
    found = False
    for part in parts:
        if given := _first_of(document, number, part, drawn, task):
            found = True
            yield given
    if not found:
        least = document.give(number, 1, "any_text") if "any_text" in task.ways else None
        yield least or PageText(page=number, text="")


def _first_of(document: Document, number: int, part: int, ways: list[Way], task: Task) -> PageText | PagePicture | None:
    for way in ways:
        if way in task.ways and (given := _given(document, number, part, way, task)):
            return given
    return None


def _given(document: Document, number: int, part: int, way: Way, task: Task) -> PageText | PagePicture | None:
    try:
        return document.give(number, part, way)
    except OcrNotLoadedError as error:
        task.ways.remove("ocr")  # OCR fails for every other page too
        _say(NoOcr(lacking=error.lacking))
        return None


def _say(message: BaseModel) -> None:
    sys.stdout.write(message.model_dump_json() + "\n")
    sys.stdout.flush()


def _limit(memory_bytes: int) -> None:
    """Limit this process. No honest document needs more. Windows has only the limits on time and pixels."""
    if sys.platform == "win32":
        return
    import resource

    cpu_s = int(LIMITS.time_s) * (os.cpu_count() or 1)
    for limit, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS does not know them all
            resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    main()
