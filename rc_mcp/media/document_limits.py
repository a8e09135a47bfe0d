"""All limits on the cost of untrusted documents, in one table."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class DocumentLimits:
    """One value per limit; each name ends in its unit. All values are our own choice."""

    document_bytes: int = 64 * 1024 * 1024
    """The largest PDF or picture that is opened. RingCentral accepts faxes of up to 50 MB."""
    counted_pages: int = 1000
    """Pages are counted only up to this number."""
    pictures_per_answer: int = 5
    """Pages shown as pictures. A page costs a model about 2,600 tokens."""
    ocr_pages_per_answer: int = 3
    """Pages read by OCR, which takes some 5 s of one core each."""
    text_pages_per_answer: int = 50
    text_json_bytes: int = 18_000
    """The text of one answer, as JSON. A token is at least one byte, so this limits tokens in any language."""
    text_part_bytes: int = 9_000
    """A part of a plain text. As JSON it cannot have more than twice as many characters."""
    long_side_px: int = 1568
    """The long side of a page shown as a picture. Models scale down larger pictures."""
    parts_per_page: int = 20
    """A long page is shown in parts. A meter of fax has 7; a page with more than this many has longer parts."""
    ocr_long_side_px: int = 1600
    """The long side of a page for OCR, which read a fax as well at 1,600 pixels as at 2,156, in a third less time."""
    ocr_page_score: float = 0.85
    """A page whose words have a lower mean score, from 0 to 1, is not read: upside down they have 0.78 at most."""
    ocr_words_score: float = 0.5
    """Words with a lower score are left out, and the answer says that some of the page was hardly legible."""
    ocr_text_chars: int = 20
    """A shorter result counts as no text: a drawing, handwriting, an empty page."""
    source_px: int = 64_000_000
    """The size of one page or picture as sent; a meter of fax in fine resolution has 14 million pixels."""
    answer_bytes: int = 1_000_000
    """A whole answer as sent, in JSON. Python's MCP client refuses 1,048,576 bytes in one event, and hosts do too."""
    embedded_bytes: int = 100_000
    """A file whose bytes are embedded in an answer. Some frameworks give a model its base64 as text."""
    answer_texts_bytes: int = 60_000
    """What of it is left for texts and the envelope: `text_json_bytes` is escaped once more, which can double it."""
    png_bytes: int = 200_000
    """A picture that is larger as PNG is sent as JPEG if that is smaller. A dense page of text has about 150,000."""

    scan_share: float = 0.5
    """A page is mostly image if images cover more than this share."""
    scan_text_chars: int = 200
    """Text on a faint scan, such as the header line of a fax machine."""
    page_text_chars: int = 100_000
    """The most text taken from one page; more than an answer can contain."""
    message_bytes: int = 4 * 1024 * 1024
    """One message from the worker: a picture in base64, or the text of a page."""
    at_once: int = 4
    """Documents that are read at a time, each by a process of its own; further ones wait."""
    memory_bytes: int = 1024**3
    """Address space of the worker, if the system has such a limit."""
    ocr_memory_bytes: int = 4 * 1024**3
    """Address space of the worker with OCR. Its threads and model take 2 GB of addresses, but much less memory."""
    time_s: float = 30.0
    """Reading time for all pages of one answer."""
    ocr_time_s: float = 20.0
    """Reading time with OCR. On a slow machine this leaves time for pictures instead."""
    answer_s: float = 2.0
    """Reading stops this long before the end of the call, so that the pages read so far are still returned."""

    @property
    def base64_bytes(self) -> int:
        """The pictures, or the original, of one answer, in base64."""
        return self.answer_bytes - self.answer_texts_bytes


LIMITS = DocumentLimits()


def json_bytes(text: str) -> int:
    """Return how many bytes of `DocumentLimits.text_json_bytes` a text takes."""
    return len(json.dumps(text, ensure_ascii=False).encode())
