"""The recordings, faxes and pictures of the messages, read from the package on demand."""

import warnings
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from pathlib import PurePosixPath

from PIL import Image

_FOLDER = files("rc_mcp.emulator.mailbox").joinpath("media")
_CONTENT_TYPES = {
    ".mp3": "audio/mpeg",
    # As recorded; the registered name is audio/vnd.wave.
    ".wav": "audio/x-wav",
    ".pdf": "application/pdf",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".txt": "text/plain",
}


def names(*content_types: str) -> list[str]:
    """Return the names of the files with these content types, in a fixed order."""
    found = sorted(item.name for item in _FOLDER.iterdir() if item.is_file())
    return [name for name in found if content_type(name) in content_types]


def exists(name: str) -> bool:
    """Whether this is one of the files. A path to any other folder is not."""
    return name in {item.name for item in _FOLDER.iterdir()}


@lru_cache(maxsize=64)
def read(name: str) -> bytes:
    return _FOLDER.joinpath(name).read_bytes()


def content_type(name: str) -> str:
    return _CONTENT_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")


def suffix(content_type: str) -> str:
    """Return the file name's suffix for a content type; none for one that the package's files do not have."""
    return next((suffix for suffix, known in _CONTENT_TYPES.items() if known == content_type), "")


def picture_size(data: bytes, content_type: str) -> tuple[int, int] | None:
    """Return width and height of a PNG or JPEG; None for any other file, or one that is damaged."""
    if content_type not in {"image/png", "image/jpeg"}:
        return None
    try:
        with warnings.catch_warnings():
            # Only the header is read, so the size that it claims costs nothing.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=["PNG", "JPEG"]) as picture:
                return picture.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
