# ruff: noqa: N818  "except NotFound" is clear without the suffix Error
"""The errors that the client raises.

RingCentralError
├── InvalidRequest                 an invalid argument; nothing was sent; also a ValueError
├── TransportFailure
│   ├── NotSent                    certainly not carried out
│   │   ├── Unreachable            no connection to RingCentral
│   │   ├── NoTimeLeft             not sent: the time for the whole call has run out
│   │   ├── BadEnvironment         a proxy or certificates from the environment cannot be used
│   │   ├── NotPaced               the rate budget that several processes share could not be used
│   │   └── LoginNotKept           the stored login could not be read or written, or was locked for too long
│   └── AnswerLost                 may have been carried out
├── UnexpectedAnswer               not an answer of the documented API; may have been carried out
│   ├── GatewayAnswered            AGW-nnn, CMN-120: RingCentral's API gateway, which has no message data
│   └── RecordsUnreadable          some listed messages cannot be read; all others were returned
├── ContentTooLarge                an attachment is larger than the caller allowed
└── APIError                       RingCentral refused, with a status and a code
    ├── BadRequest                 400
    │   └── SyncTokenRejected      CMN-101 on syncToken, MSG-333, MSG-411: start again with an FSync
    ├── Unauthorized               401: the token was refused, and a new one too; a DELETE is sent only once
    │   └── LoginFailed            the token endpoint issued no token; the request itself was not carried out
    │       ├── LoginUnavailable   408, or no 4xx: the token endpoint is unavailable; the credentials are not at fault
    │       └── LoginEnded         a user's login has ended; they must log in again
    ├── Forbidden                  403
    │   └── NotInPlan              BIL-nnn: the account's plan lacks the feature, or its limit is reached
    ├── NotFound                   404 CMN-102 that names the requested message or attachment
    ├── MailboxNotFound            404 CMN-102 that names the account or extension, not a message
    ├── RangeNotSatisfiable        416
    ├── RateLimited                429, or held back to avoid one; not carried out
    ├── FaxNotReady                MSG-368: the fax is still being rendered
    └── Unavailable                5xx, 408, CMN-201; may have been carried out
        └── StillProcessing        429 CMN-304: the same request is still being processed

A proxy or firewall may answer 400, 403, 404 or 413 and has no message data. So an error answer without a RingCentral
error code such as CMN-102 is an `UnexpectedAnswer` with its status. The statuses 401, 408, 416, 429 and 5xx keep their
class without a code, because the remedy is the same. So do the parts of a 207, which only RingCentral sends.

`NotFound` has a stricter rule, because it can be read as "deleted": it requires a CMN-102 that names the message or the
attachment, in an answer about that one message. Any other CMN-102 is only an `APIError`. A 404 without a code is an
`UnexpectedAnswer` even in a part of a 207.

No error contains a body, a token, a secret or a query string. Text from the server is bounded and has no control
characters.
"""

from dataclasses import dataclass, field
from math import ceil
from typing import TypedDict

from rc_mcp.ringcentral.limits import LIMITS

RUN_LOGIN = "run rc-mcp login"


class RingCentralError(Exception):
    """The base class of all errors of this client."""


class InvalidRequest(RingCentralError, ValueError):
    """An argument is invalid. Nothing was sent."""


class TransportFailure(RingCentralError):
    """RingCentral sent no complete answer."""


class NotSent(TransportFailure):
    """The request was certainly not carried out: it never reached RingCentral, or was held back.

    With `login_unanswered`, a login for it was sent, which may count against the five a minute.
    """

    def __init__(self, message: str, *, login_unanswered: bool = False) -> None:
        super().__init__(message)
        self.login_unanswered = login_unanswered


class Unreachable(NotSent):
    """RingCentral could not be reached, for the request or for its login."""


class NoTimeLeft(NotSent):
    """The request was not sent: its `Allowance` has too little time left to wait for the answer."""


class BadEnvironment(NotSent):
    """Proxies or certificates from the environment cannot be used. Nothing was sent."""


class NotPaced(NotSent):
    """The request was not sent: the rate budget that several processes share could not be used."""


class LoginNotKept(NotSent):
    """A user's stored login could not be read, written or locked. At most its renewal was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, login_unanswered=True)


class AnswerLost(TransportFailure):
    """The request was sent, but no complete answer arrived. It may have been carried out."""


class UnexpectedAnswer(RingCentralError):
    """The answer has no form that the API documents, and may not be RingCentral's.

    The request may have been carried out.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class GatewayAnswered(UnexpectedAnswer):
    """RingCentral's API gateway answered, not the Message Store. The answer says nothing about any message."""


class RecordsUnreadable(UnexpectedAnswer):
    """Up to `count` listed messages cannot be read. It is raised after all others were returned."""

    def __init__(self, count: int) -> None:
        super().__init__(f"Up to {count} listed messages cannot be read")
        self.count = count


class ContentTooLarge(RingCentralError):
    """An attachment has more than `max_bytes`. `size` is its number of bytes, if RingCentral stated it."""

    def __init__(self, max_bytes: int, size: int | None = None) -> None:
        known = "more" if size is None else f"{size:,}"
        super().__init__(f"The content has {known} bytes; at most {max_bytes:,} are allowed. Nothing was kept.")
        self.max_bytes = max_bytes
        self.size = size


@dataclass(frozen=True)
class ErrorDetail:
    """One entry of RingCentral's `errors` list."""

    error_code: str | None = None
    message: str | None = None
    parameter: str | None = None
    permission: str | None = None


class ErrorFacts(TypedDict):
    """The attributes of an `APIError` that an answer gives, besides its status."""

    error_code: str | None
    envelope_code: str | None
    message: str | None
    parameter: str | None
    permission: str | None
    request_id: str | None
    errors: tuple[ErrorDetail, ...]
    method: str
    path: str


# `eq=False` and `repr=False`: errors are compared and shown as exceptions are.
@dataclass(eq=False, repr=False, kw_only=True)
class APIError(RingCentralError):
    """RingCentral refused the request, or one part of a bulk request.

    Attributes:
        status: HTTP status of the answer, or of the part of a 207.
        error_code: the most specific of RingCentral's codes, such as `CMN-102`. It can be None for a 401, 408, 416, 429
            or 5xx and for a part of a 207.
        envelope_code: the code of the whole answer. It differs from `error_code` if it is general (`TokenInvalid`).
        message: RingCentral's text, at most 300 characters. Rely on the code, not on this.
        parameter: the API's name of the parameter at fault.
        permission: the missing app or user permission.
        request_id: `RCRequestId`, which RingCentral's support asks for.
        errors: every entry of the answer's `errors` list.
        method, path: the request's, without host and query.
    """

    status: int = field(kw_only=False)
    error_code: str | None = None
    envelope_code: str | None = None
    message: str | None = None
    parameter: str | None = None
    permission: str | None = None
    request_id: str | None = None
    errors: tuple[ErrorDetail, ...] = ()
    method: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        super().__init__(self._text())

    def _text(self) -> str:
        answer = ": ".join(filter(None, [f"{self.status} {self.error_code or ''}".strip(), self.message]))
        about = [
            f"{self.method} {self.path[:120]}".strip(),
            self.parameter and f"parameter {self.parameter}",
            self.permission and f"permission {self.permission}",
            self.request_id and f"request id {self.request_id}",
        ]
        where = "; ".join(filter(None, about))
        return f"RingCentral answered {answer}" + (f" ({where})" if where else "")


class BadRequest(APIError):
    """400: RingCentral does not accept the request. `parameter` names the wrong parameter."""


class SyncTokenRejected(BadRequest):
    """The sync token is no longer valid. Drop it and do an FSync."""


class Unauthorized(APIError):
    """401: the access token was refused.

    A DELETE is not sent again with a new token, and it may have been carried out: a proxy may answer 401 after
    RingCentral acted. Read its messages again before you decide to send it once more.
    """


class LoginFailed(Unauthorized):
    """The token endpoint issued no token; `status` is from its answer. Nothing was carried out."""


@dataclass(eq=False, repr=False, kw_only=True)
class LoginUnavailable(LoginFailed):
    """The token endpoint, or a proxy before it, is unavailable: 408, or neither tokens nor another 4xx.

    `retry_after_s`: seconds to wait before a retry; None if not stated.
    """

    retry_after_s: float | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class LoginEnded(LoginFailed):
    """A stored login has ended, is missing, or is another user's; the text says what to do. Nothing was carried out.

    Without `method` nothing was sent to RingCentral, and `status` is only a default.
    `advice`: how the user logs in again.
    """

    advice: str = RUN_LOGIN

    def _text(self) -> str:
        answered = f"{super()._text()}; {self.advice}" if self.method else None
        why = answered or self.message or f"no user is logged in; {self.advice}"
        return f"The stored login cannot be used: {why}."


class Forbidden(APIError):
    """403: the app or the user lacks a permission, often given in `permission`."""


class NotInPlan(Forbidden):
    """BIL-nnn: the account's plan lacks the feature (BIL-101), or a limit of the plan is reached (BIL-102)."""


class NotFound(APIError):
    """The message or attachment does not exist, or this user cannot see it."""


class MailboxNotFound(APIError):
    """The account or extension does not exist, or this user cannot see it. The requested messages may exist."""


class RangeNotSatisfiable(APIError):
    """416: the byte range lies outside the content."""


@dataclass(eq=False, repr=False, kw_only=True)
class RateLimited(APIError):
    """Too many requests in `group`: 429, or held back to avoid one. The request was not carried out.

    Retry after `retry_after_s` seconds. The client sends no request of that group before a penalty ends.
    With `held_back`, the request was not sent, because it would wait longer than the caller allows.
    """

    status: int = field(default=429, kw_only=False)
    retry_after_s: float = LIMITS.retry_after_s
    group: str | None = None
    held_back: bool = False

    @property
    def wait_s(self) -> int:
        """Return `retry_after_s` in whole seconds, rounded up: a call after less would be refused again."""
        return ceil(round(self.retry_after_s, 3))

    def _text(self) -> str:
        if not self.held_back:
            return super()._text()
        what = f"{self.method} {self.path[:120]} was not sent: " if self.method else ""
        return f"{what}RingCentral's limit for the group {self.group} allows no request for {self.wait_s} s"


class FaxNotReady(APIError):
    """MSG-368: the fax is still being rendered. Try again in a minute."""


@dataclass(eq=False, repr=False, kw_only=True)
class Unavailable(APIError):
    """RingCentral, or a proxy before it, failed (5xx, 408). The request may have been carried out.

    `retry_after_s`: seconds to wait before a retry; None if not stated.
    """

    retry_after_s: float | None = None


class StillProcessing(Unavailable):
    """429 CMN-304: RingCentral is still processing the same request, which may yet be carried out.

    It is about one request, not about a rate limit: other requests are not held back.
    """
