"""What passes between the server and the process that opens documents. What comes back is believed no further."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Way = Literal["text", "ocr", "picture", "any_text"]
"""How a page can be given: its text layer, its text by OCR, a picture of it; the text layer also where it is only the
line that a machine wrote over a scan."""

Reason = Literal["locked", "damaged", "too_large", "too_much_memory", "failed"]

OCR_LACKING = r"^[A-Za-z0-9_.+-]{1,60}$"


class _Passed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(_Passed):
    """What is asked of the worker. For each page, the first of `ways` that gives something."""

    kind: str
    ways: list[Way]
    pages: list[tuple[int, int | None]]


class Opened(_Passed):
    """The document could be opened."""

    what: Literal["opened"] = "opened"
    pages: Annotated[int, Field(ge=0)]
    or_more: bool = False
    """There are more than were counted."""
    chosen: Annotated[int, Field(ge=0)]


class PageText(_Passed):
    """The text of a page, as it was found. Empty when it has none."""

    what: Literal["text"] = "text"
    page: int
    text: str
    by_ocr: bool = False


class PagePicture(_Passed):
    """A page to look at."""

    what: Literal["picture"] = "picture"
    page: int
    mime_type: Literal["image/png", "image/jpeg"]
    base64: str


class NoOcr(_Passed):
    """OCR is installed, but cannot be loaded; pages are given in the other ways."""

    what: Literal["no_ocr"] = "no_ocr"
    lacking: Annotated[str, Field(pattern=OCR_LACKING)]
    """One word, as it stands in a sentence of ours: the file or module it lacks, or else the kind of error."""


class PageFailed(_Passed):
    """One page could not be given; others may."""

    what: Literal["page_failed"] = "page_failed"
    page: int
    reason: Reason


class Failed(_Passed):
    """Nothing more will come."""

    what: Literal["failed"] = "failed"
    reason: Reason


class Done(_Passed):
    """All is said. `next_page` is the first of those asked for that an answer had no room for."""

    what: Literal["done"] = "done"
    next_page: int | None = None


Message = Annotated[Opened | PageText | PagePicture | NoOcr | PageFailed | Failed | Done, Field(discriminator="what")]
