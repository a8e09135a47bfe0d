"""Errors of the local copy. Their texts have no SQL, no path and no text of a message."""

from pathlib import Path


class MirrorError(Exception):
    """The base class of the errors below. The text is for users."""


class MadeByNewer(MirrorError):  # noqa: N818  a state, as the guard's is
    """The file has a version that this rc-mcp does not know. It is left unchanged."""


class WrongKey(MirrorError):  # noqa: N818
    """The copy is encrypted with another key, or is encrypted and there is no key, or the reverse. It is unchanged."""


class Damaged(MirrorError):  # noqa: N818
    """The file was damaged. It was renamed, and the copy begins again, empty."""


class Replaced(MirrorError):  # noqa: N818
    """A new file took the place of the copy meanwhile. The numbers of its mailboxes may mean others."""


class Unusable(MirrorError):  # noqa: N818
    """The file cannot be read or written now: a full disk, a lock that is not released, missing permissions."""


class NotAnArchive(MirrorError):  # noqa: N818
    """A file given as an export archive is none, or is damaged.

    Attributes:
        file: that file. The text does not name it.
    """

    def __init__(self, reason: str, file: Path) -> None:
        super().__init__(reason)
        self.file = file


class QueryError(MirrorError):
    """The query, or the cursor of an earlier answer, cannot be read. Nothing was searched."""
