"""Every number that bounds what strangers' bytes may cost, in one table."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """One value per limit; each name ends in its unit. All are ours."""

    document_bytes: int = 64 * 1024 * 1024
    """A PDF or a picture that is looked into. RingCentral takes faxes of up to 50 MB."""
    counted_pages: int = 1000
    """A document is not counted further than this."""
    pictures_per_answer: int = 5
    """Pages shown as pictures. A page costs a model about 2,600 tokens."""
    ocr_pages_per_answer: int = 3
    """Pages read by OCR, which takes some 5 s of one core each."""
    text_pages_per_answer: int = 50
    text_json_bytes: int = 18_000
    """The text of one answer, as JSON. A token is one byte at least, so this bounds tokens in any language."""
    text_part_bytes: int = 9_000
    """A part of a plain text: as JSON it cannot have more than twice as many characters."""
    long_side_px: int = 1568
    """A page shown as a picture. Models scale down what is larger."""
    ocr_long_side_px: int = 1600
    """A page for OCR. It read a fax page as well from 1,600 pixels as from 2,156, in a third less time."""
    ocr_text_chars: int = 20
    """With less than this, OCR has found no text: a drawing, handwriting, an empty page."""
    source_px: int = 64_000_000
    """One page or picture as it comes; a metre of fax in fine resolution has 14 million."""
    picture_bytes: int = 1024 * 1024
    """A picture that is larger as PNG goes as JPEG."""
    scan_share: float = 0.5
    """A page of which a picture covers more than this is a scan, if its text is no longer than the next line says."""
    scan_text_chars: int = 200
    """Such as the line a fax machine writes at the top."""
    page_text_chars: int = 100_000
    """Taken from one page at most; more than an answer holds."""
    message_bytes: int = 4 * 1024 * 1024
    """One message of the worker: a picture in base64, or the text of a page."""
    memory_bytes: int = 1024**3
    """Address space of the worker, where the system has such a limit."""
    ocr_memory_bytes: int = 4 * 1024**3
    """The same with OCR. Its threads and its model take 2 GB of addresses, and a fraction of that of memory."""
    time_s: float = 30.0
    """For all pages of one answer."""
    ocr_time_s: float = 20.0
    """The same with OCR, which on a slow machine gives way to pictures while there is time for them."""
    answer_s: float = 2.0
    """Left of the time of a call when reading is given up, so that what was read is still said."""


LIMITS = Limits()


def json_bytes(text: str) -> int:
    """How many bytes of `Limits.text_json_bytes` a text takes."""
    return len(json.dumps(text, ensure_ascii=False).encode())
