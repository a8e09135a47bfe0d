"""Errors of the local copy. Their texts have no SQL, no path and no text of a message."""


class MirrorError(Exception):
    """The base class of the errors below. The text is for users."""


class MadeByNewer(MirrorError):  # noqa: N818  a state, as the guard's is
    """The file has a version that this rc-mcp does not know. It is left unchanged."""


class WrongKey(MirrorError):  # noqa: N818
    """The copy is encrypted with another key, or is encrypted and there is no key, or the reverse. It is unchanged."""


class Damaged(MirrorError):  # noqa: N818
    """The file was damaged. It was renamed, and the copy begins again, empty."""


class Unusable(MirrorError):  # noqa: N818
    """The file cannot be read or written now: a full disk, a lock that is not released, missing permissions."""


class QueryError(MirrorError):
    """The query, or the cursor of an earlier answer, cannot be read. Nothing was searched."""
