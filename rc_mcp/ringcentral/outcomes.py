"""What became of one message, or one conversation, of a request for one or many."""

from dataclasses import dataclass

from rc_mcp.ringcentral.errors import (
    AnswerLost,
    APIError,
    LoginFailed,
    RateLimited,
    RingCentralError,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from rc_mcp.ringcentral.models import Message


@dataclass(frozen=True)
class Outcome:
    """What became of one id: carried out (`ok`), refused (`error`), or not known (`unknown`).

    Attributes:
        id: as the caller gave it.
        status: HTTP status of this id's part; None when no answer arrived for it, or nothing was sent.
        message: the record as it is now, where the answer has one. A delete's answer has none.
        error: None only when RingCentral confirmed this id.
    """

    id: str
    status: int | None = None
    message: Message | None = None
    error: RingCentralError | None = None

    @property
    def ok(self) -> bool:
        """RingCentral confirmed it."""
        return self.error is None

    @property
    def unknown(self) -> bool:
        """It was sent, and there is no answer to trust: it may have been carried out or not. Read it back.

        A 401 to a DELETE is no such answer either (see `Unauthorized`).
        """
        if isinstance(self.error, Unauthorized) and not isinstance(self.error, LoginFailed):
            return self.error.method == "DELETE"
        return isinstance(self.error, AnswerLost | UnexpectedAnswer | Unavailable)

    @classmethod
    def failed(cls, id: str, error: RingCentralError) -> "Outcome":  # noqa: A002  the field's own name
        """The outcome of an id whose whole request ended in `error`."""
        held_back = isinstance(error, RateLimited) and error.held_back
        if isinstance(error, APIError) and not isinstance(error, LoginFailed) and not held_back:
            return cls(id, status=error.status, error=error)
        return cls(id, error=error)
