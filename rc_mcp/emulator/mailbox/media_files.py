"""The recordings, faxes and pictures of the messages, read from the package on demand."""

from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from pathlib import PurePosixPath

from PIL import Image

_FOLDER = files("rc_mcp.emulator.mailbox").joinpath("media")
_CONTENT_TYPES = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
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


def picture_size(name: str) -> tuple[int, int] | None:
    """Return width and height of a PNG or JPEG; None for any other file."""
    if content_type(name) not in {"image/png", "image/jpeg"}:
        return None
    with Image.open(BytesIO(read(name))) as picture:
        return picture.size
