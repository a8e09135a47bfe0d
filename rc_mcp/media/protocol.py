"""Messages exchanged with the worker process. Its output is validated and treated as untrusted."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Way = Literal["text", "ocr", "picture", "any_text"]
"""Forms of a page: its text layer, its text by OCR, a picture. `any_text` accepts even the header line of a scan."""

Reason = Literal["locked", "damaged", "no_decoder", "too_large", "too_much_memory", "failed"]

Note = Literal[
    "incomplete", "doubtful", "mostly_image", "scan_text", "hidden_text", "unreadable_letters", "filled", "drawn_over"
]
"""Facts about a page that is given.

`incomplete`: the file is damaged, and the page is given as far as it can be read. `doubtful`: OCR could hardly read
some words, or left them out.

`mostly_image`: images cover most of the page. `scan_text`: some text is not drawn, but lies over an image; the OCR of
a scanner adds such a layer. `hidden_text`: text that is not drawn was left out. `unreadable_letters`: some letters are
U+FFFD, because the PDF does not say which they are, or they look like others on the page. `filled`: the text ends with
the values of form fields and annotations. `drawn_over`: the page has annotations without text, such as stamps and ink.
"""

OCR_LACKING = r"^[A-Za-z0-9_.+-]{1,60}$"


class _Passed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(_Passed):
    """A request to the worker. For each page, the first of `ways` that gives a result counts."""

    kind: str
    ways: list[Way]
    pages: list[tuple[int, int | None, int]]
    in_background: bool = False
    """Nobody waits for it: other processes go first."""


class Opened(_Passed):
    """The document could be opened."""

    what: Literal["opened"] = "opened"
    pages: Annotated[int, Field(ge=0)]
    or_more: bool = False
    """There are more pages than were counted."""
    chosen: Annotated[int, Field(ge=0)]


class PageText(_Passed):
    """The text of a page, or of a part of a long page; empty if it has none."""

    what: Literal["text"] = "text"
    page: int
    part: Annotated[int, Field(ge=1)] = 1
    parts: Annotated[int, Field(ge=1)] = 1
    text: str
    by_ocr: bool = False
    notes: list[Note] = []


class PagePicture(_Passed):
    """A page, or a part of a long page, as a picture."""

    what: Literal["picture"] = "picture"
    page: int
    part: Annotated[int, Field(ge=1)] = 1
    parts: Annotated[int, Field(ge=1)] = 1
    mime_type: Literal["image/png", "image/jpeg"]
    base64: str
    notes: list[Note] = []


class NoOcr(_Passed):
    """OCR is installed, but cannot be loaded; pages are returned in the other ways."""

    what: Literal["no_ocr"] = "no_ocr"
    lacking: Annotated[str, Field(pattern=OCR_LACKING)]
    """The missing file or module, or otherwise the kind of error; one word, because answers show it in a sentence."""


class PageFailed(_Passed):
    """One page failed; other pages may follow."""

    what: Literal["page_failed"] = "page_failed"
    page: int
    reason: Reason


class Failed(_Passed):
    """The whole task failed. This is the last message."""

    what: Literal["failed"] = "failed"
    reason: Reason


class Done(_Passed):
    """The last message. `next_page` is the first requested page that did not fit into the answer, or not whole."""

    what: Literal["done"] = "done"
    next_page: int | None = None
    next_part: Annotated[int, Field(ge=1)] = 1


WorkerMessage = Annotated[
    Opened | PageText | PagePicture | NoOcr | PageFailed | Failed | Done, Field(discriminator="what")
]
