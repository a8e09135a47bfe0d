"""The outcome of a request for one message or conversation."""

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
    """The outcome for one id: carried out (`ok`), failed (`error`), or possibly carried out (`unknown`).

    Attributes:
        id: as the caller gave it.
        status: HTTP status of this id's part; None if no answer arrived for it, or nothing was sent.
        message: the current record, if the answer has one. A delete's answer has none.
        error: None only if RingCentral confirmed this id.
    """

    id: str
    status: int | None = None
    message: Message | None = None
    error: RingCentralError | None = None

    @property
    def ok(self) -> bool:
        """Whether RingCentral confirmed this id."""
        return self.error is None

    @property
    def unknown(self) -> bool:
        """Whether the request may have been carried out, although it was not confirmed. Read the message again.

        This includes a 401 to a DELETE (see `Unauthorized`).
        """
        if isinstance(self.error, Unauthorized) and not isinstance(self.error, LoginFailed):
            return self.error.method == "DELETE"
        return isinstance(self.error, AnswerLost | UnexpectedAnswer | Unavailable)

    @classmethod
    def failed(cls, id: str, error: RingCentralError) -> "Outcome":  # noqa: A002  the field's own name
        """Return the outcome of an id whose whole request ended in `error`."""
        held_back = isinstance(error, RateLimited) and error.held_back
        if isinstance(error, APIError) and not isinstance(error, LoginFailed) and not held_back:
            return cls(id, status=error.status, error=error)
        return cls(id, error=error)
