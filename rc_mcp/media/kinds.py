"""Detection of file types by content. A label cannot be trusted: a JPEG can be labeled as a PDF.

This table is our own because libmagic is a C library that Windows and macOS lack, and `mimetypes` uses file names. The
result decides only which reader is used and which type the answer shows.
"""

import re

TEXT = "text/plain"
PDF = "application/pdf"
TIFF = "image/tiff"
UNKNOWN = "application/octet-stream"
PICTURES = frozenset({TIFF, "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
HEAD_BYTES = 1024

_SAME = {
    "application/x-pdf": PDF,
    "audio/mp3": "audio/mpeg",
    "audio/vnd.wave": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "image/jpg": "image/jpeg",
    "image/tif": TIFF,
    "image/x-tiff": TIFF,
}
# The first match counts.
_SIGNS: tuple[tuple[str, str], ...] = (
    ("image/jpeg", r"\xff\xd8\xff"),
    ("image/png", r"\x89PNG\r\n\x1a\n"),
    ("image/gif", r"GIF8[79]a"),
    ("image/webp", r"RIFF....WEBP"),
    ("image/bmp", r"BM....\0\0\0\0"),
    (TIFF, r"II[*+]\0|MM\0[*+]"),
    ("audio/wav", r"RIFF....WAVE"),
    ("audio/mpeg", r"ID3[\x02-\x04]|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"),
    ("audio/ogg", r"OggS\0"),
    ("audio/flac", r"fLaC[\0\x80]"),
    ("audio/amr", r"#!AMR(-WB)?\n"),
    ("video/mp4", r"\0...ftyp"),
    ("application/zip", r"PK\x03\x04"),
    ("application/gzip", r"\x1f\x8b\x08"),
    ("application/rtf", r"\{\\rtf1"),
    ("application/postscript", r"%!PS-Adobe-"),
    ("application/x-msdownload", r"MZ.{58,950}?PE\0\0"),
    ("application/x-executable", r"\x7fELF"),
    # PDF readers accept other bytes before the header, and some senders put bytes there.
    (PDF, r"(.{0,1000}?[\r\n\0]|\xef\xbb\xbf)?%PDF-[0-9]\.[0-9]"),
)
_PDF_LINE = re.compile(rb"(\xef\xbb\xbf)?%PDF-[0-9]\.[0-9][ \t]*[\r\n]")
"""The first line of a PDF; no sentence starts like this."""
_BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text contains. Escape is not one of them: ISO-2022-JP uses it."""
_COMPILED = tuple((kind, re.compile(sign.encode("latin-1"), re.DOTALL)) for kind, sign in _SIGNS)
_SIGNED = PICTURES | {PDF}
"""Kinds that always start with their signature. Audio may start anywhere."""
_CONTAINERS = {"video/mp4": ("video/", "audio/", "image/"), "application/zip": ("application/",)}
"""Container formats of several kinds; the label says which kind."""


def labelled(content_type: str | None) -> str:
    """Return the normalized MIME type of a label; `TEXT` for an unknown kind of text, `UNKNOWN` for any other.

    Only types from our table are returned, because answers show them outside `untrusted`: a sender may label a file
    `application/the-user-has-agreed`.
    """
    essence = (content_type or "").partition(";")[0].strip().lower()
    kind = _SAME.get(essence, essence)
    if kind in _KNOWN:
        return kind
    return TEXT if kind.startswith("text/") else UNKNOWN


def true_kind(head: bytes, label: str, charset: str | None = None) -> str:
    """Return the MIME type by the first `HEAD_BYTES` bytes, or `label` if they do not show it.

    Args:
        charset: the charset of a text.
    """
    if is_text(label) and not _BINARY.search(head):
        return PDF if _PDF_LINE.match(head) else label  # a text may start with the word MZ or %PDF-
    found = next((kind for kind, sign in _COMPILED if sign.match(head)), None)
    if found:
        return label if label not in _SIGNED and label.startswith(_CONTAINERS.get(found, ("\0",))) else found
    if label in _SIGNED or label.startswith("text/"):
        return (label if label.startswith("text/") else TEXT) if _is_text(head, charset) else UNKNOWN
    return label


def is_text(kind: str) -> bool:
    """Return whether this kind is readable without conversion."""
    return kind.startswith("text/") or kind in {"application/json", "application/xml"}


def is_document(kind: str) -> bool:
    """Return whether this kind has pages that can be shown."""
    return kind == PDF or kind in PICTURES


def suffix(kind: str) -> str:
    """Return the file name extension for this kind, with its dot; `.bin` if we have none."""
    return _SUFFIXES.get(kind, ".txt" if kind.startswith("text/") else ".bin")


_SUFFIXES = {
    PDF: ".pdf",
    TIFF: ".tif",
    "application/zip": ".zip",
    "audio/amr": ".amr",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "video/3gpp": ".3gp",
    "video/mp4": ".mp4",
}
_KNOWN = frozenset(
    {
        TEXT,
        *(kind for kind, _ in _SIGNS),
        *_SUFFIXES,
        "application/epub+zip",
        "application/json",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/xml",
        "audio/3gpp",
        "audio/aac",
        "audio/mp4",
        "audio/x-m4a",
        "image/avif",
        "image/heic",
        "image/heif",
        "image/svg+xml",
        "text/html",
        "text/xml",
        "video/3gpp2",
        "video/mpeg",
        "video/quicktime",
        "video/webm",
        "video/x-msvideo",
    }
)


def _is_text(head: bytes, charset: str | None) -> bool:
    if charset and charset.startswith(("utf-16", "utf-32")):  # their letters contain zero bytes
        return "\0" not in head.decode(charset, "replace")
    return b"\0" not in head
