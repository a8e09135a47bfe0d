"""The recordings, faxes and pictures of the messages, read from the package on demand."""

from functools import lru_cache
from importlib.resources import files
from pathlib import PurePosixPath

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


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG or JPEG from its header, which does not justify an image library."""
    if data.startswith(b"\x89PNG"):
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if marker in _JPEG_FRAMES:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + length
    return None


# Start-of-frame markers; C4, C8 and CC in the same range mean other things.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
