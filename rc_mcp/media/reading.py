"""Reading of documents in a worker process, which ends with the answer, at the time limit, or with the call."""

import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from typing import Any, BinaryIO, Literal

import anyio
from anyio.abc import Process
from anyio.lowlevel import RunVar
from pydantic import TypeAdapter

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import (
    Done,
    Failed,
    NoOcr,
    Note,
    Opened,
    PageFailed,
    PagePicture,
    PageText,
    Reason,
    Task,
    Way,
    WorkerMessage,
)
from rc_mcp.media.selection import EVERYTHING, Selection, chosen
from rc_mcp.media.worker_process import messages_of, worker

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("documents that are read")

Progress = Callable[[float, float | None, str], Coroutine[Any, Any, None]]
"""Called with the amount done, the total and the unit."""


@cache
def _format() -> TypeAdapter[WorkerMessage]:
    return TypeAdapter(WorkerMessage)  # made late: a server may never read a document


@dataclass(frozen=True)
class Reading:
    """The result of reading a document.

    Attributes:
        pages: the number of pages; None if the document could not be opened.
        or_more: the document has more pages than that.
        texts: texts by page number; `by_ocr` lists the pages read by OCR.
        parts: the parts of long pages, by page number: the numbers of the given ones, and how many the page has.
        notes: the pages to which each note applies.
        empty: pages without content in the requested ways.
        failed: failed pages, with the reason.
        no_ocr: the missing part, in one word, if OCR is installed but cannot be loaded.
        next_page: the first page that did not fit into the answer, or not whole; `next_part` is the part to begin with.
        why: why reading ended early; `slow` at the time limit.
    """

    pages: int | None = None
    or_more: bool = False
    texts: dict[int, str] = field(default_factory=dict[int, str])
    by_ocr: frozenset[int] = frozenset()
    parts: dict[int, tuple[list[int], int]] = field(default_factory=dict[int, tuple[list[int], int]])
    notes: dict[Note, list[int]] = field(default_factory=dict[Note, list[int]])
    pictures: tuple[PagePicture, ...] = ()
    empty: tuple[int, ...] = ()
    failed: dict[int, Reason] = field(default_factory=dict[int, Reason])
    no_ocr: str | None = None
    next_page: int | None = None
    next_part: int = 1
    why: Reason | Literal["slow"] | None = None

    def given(self) -> set[int]:
        """Return all pages with a result."""
        return {*self.texts, *(p.page for p in self.pictures), *self.empty, *self.failed}


def has_ocr() -> bool:
    """Return whether the extra `ocr` is installed, without loading it."""
    return all(find_spec(module) for module in ("rapidocr", "onnxruntime"))


async def what_ocr_lacks() -> str | None:
    """Try OCR in the worker; return the missing part or the failure in one word, or None if it works."""
    from PIL import Image

    with tempfile.TemporaryFile() as page:
        Image.new("1", (32, 32), 1).save(page, "PNG")
        page.flush()
        reading = await read_document(page, "image/png", ["ocr"], EVERYTHING, no_progress)
    return reading.no_ocr or reading.why


async def read_document(
    file: BinaryIO,
    kind: str,
    ways: Sequence[Way],
    pages: Selection,
    progress: Progress,
    *,
    in_background: bool = False,
) -> Reading:
    """Read pages of a PDF or a picture, each in the first of these ways that gives a result, until the time limit.

    Args:
        file: an open file with a descriptor; it is read from its beginning.
        in_background: let other processes go first.
    """
    async with _turns():
        return await _read(
            file, Task(kind=kind, ways=list(ways), pages=list(pages), in_background=in_background), pages, progress
        )


async def _read(file: BinaryIO, task: Task, pages: Selection, progress: Progress) -> Reading:
    reading = Reading(why="slow")
    with anyio.move_on_after(_time_s(task.ways)):
        async with worker("rc_mcp.media.worker", task.model_dump_json(), file) as process:
            total: int | None = None
            async for message in _messages(process):
                reading = _with(reading, message)
                if isinstance(message, Opened):
                    total = message.chosen
                elif isinstance(message, PageText | PagePicture | PageFailed):
                    await progress(len(reading.given()), total, "pages")
    if reading.why == "slow" and reading.given():  # without any page, the same call would time out again
        page, (given, parts) = max(reading.parts.items(), default=(0, ([0], 0)))
        if given[-1] < parts:
            return replace(reading, next_page=page, next_part=given[-1] + 1)
        left = set(chosen(pages, reading.pages or 0)) - reading.given()
        return replace(reading, next_page=min(left, default=None))
    return reading


def _turns() -> anyio.CapacityLimiter:
    """Return what limits the documents that are read in this event loop."""
    try:
        return _limiter.get()
    except LookupError:
        _limiter.set(anyio.CapacityLimiter(LIMITS.at_once))
        return _limiter.get()


def _time_s(ways: Sequence[Way]) -> float:
    """Return the time limit, shortened so that the call itself can still be answered."""
    left_s = anyio.current_effective_deadline() - anyio.current_time() - LIMITS.answer_s
    return max(0.0, min(LIMITS.ocr_time_s if "ocr" in ways else LIMITS.time_s, left_s))


def _messages(process: Process) -> AsyncGenerator[WorkerMessage]:
    last, failed = (Done, Failed), Failed(reason="failed")
    return messages_of(process, _format().validate_json, lasts=last, failed=failed, max_bytes=LIMITS.message_bytes)


def _with(reading: Reading, message: WorkerMessage) -> Reading:
    if isinstance(message, PageText | PagePicture):
        noted = {note: sorted({*reading.notes.get(note, []), message.page}) for note in message.notes}
        reading = replace(reading, notes={**reading.notes, **noted})
    match message:
        case Opened():
            return replace(reading, pages=message.pages, or_more=message.or_more)
        case PageText(text=""):
            return replace(reading, empty=(*reading.empty, message.page))
        case PageText():
            return _with_text(_with_part(reading, message), message)
        case PagePicture():
            return replace(_with_part(reading, message), pictures=(*reading.pictures, message))
        case NoOcr():
            return replace(reading, no_ocr=message.lacking)
        case PageFailed():
            return replace(reading, failed={**reading.failed, message.page: message.reason})
        case Done():
            return replace(reading, next_page=message.next_page, next_part=message.next_part, why=None)
        case Failed():
            return replace(reading, why=message.reason)


def _with_part(reading: Reading, given: PageText | PagePicture) -> Reading:
    if given.parts == 1:
        return reading
    before, _ = reading.parts.get(given.page, ([], 0))
    return replace(reading, parts={**reading.parts, given.page: ([*before, given.part], given.parts)})


def _with_text(reading: Reading, given: PageText) -> Reading:
    text = f"[part {given.part} of {given.parts}]\n{given.text}" if given.parts > 1 else given.text
    before = reading.texts.get(given.page)
    by_ocr = reading.by_ocr | {given.page} if given.by_ocr else reading.by_ocr
    texts = {**reading.texts, given.page: f"{before}\n{text}" if before else text}
    return replace(reading, texts=texts, by_ocr=by_ocr)


async def no_progress(done: float, total: float | None, unit: str) -> None:
    pass
