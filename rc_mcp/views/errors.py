"""RingCentral's errors in words a model can act on: what was wrong, and what to call instead."""

from rc_mcp.ringcentral import (
    AnswerLost,
    APIError,
    BadRequest,
    ContentTooLarge,
    FaxNotReady,
    Forbidden,
    InvalidRequest,
    LoginFailed,
    NotFound,
    NotSent,
    RateLimited,
    RingCentralError,
    SyncTokenRejected,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)

_ADVICE: tuple[tuple[type[RingCentralError], str], ...] = (
    (InvalidRequest, "Correct the argument and call again."),
    (LoginFailed, "The server could not log in; a person has to check its credentials (rc-mcp doctor)."),
    (Unauthorized, "Try once more; if it stays so, a person has to renew the login (rc-mcp doctor)."),
    (UnexpectedAnswer, "It may not have been RingCentral that answered. Read before you try again."),
    (
        Forbidden,
        "This login may not do that; a person has to grant the permission. Calling again will not help.",
    ),
    (FaxNotReady, "The fax is still being rendered. Try again in a minute."),
    (NotFound, "Check the ids: they come from list_messages, read_message or sync_messages."),
    (SyncTokenRejected, "Call sync_messages without sync_token for a full sync."),
    (BadRequest, "Correct the argument and call again."),
    (Unavailable, "RingCentral is not available now. Try again in a minute."),
    (ContentTooLarge, "It was not returned."),
    (NotSent, "RingCentral could not be reached; nothing was sent. Try again in a minute."),
    (AnswerLost, "The connection broke before the answer came. Read before you try again."),
)


def in_words(error: RingCentralError) -> str:
    """The error as a sentence or two: RingCentral's own message and code, then the next step."""
    said = str(error).rstrip(".")
    if isinstance(error, RateLimited):
        return f"{said}. Wait {error.retry_after_s:.0f} s before you call again; until then such calls are not sent."
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "Nothing more is known.")
    code = error.error_code if isinstance(error, APIError) else None
    return f"{said}. {advice}" if not code or code in said else f"{said} ({code}). {advice}"
