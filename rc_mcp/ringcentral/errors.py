# ruff: noqa: N818  the names are answers and states; in "except NotFound" a suffix says nothing more
"""Everything the client raises.

RingCentralError
├── InvalidRequest                 refused here, before anything was sent; also a ValueError
├── TransportFailure
│   ├── NotSent                    surely not carried out
│   │   ├── Unreachable            no connection to RingCentral
│   │   ├── NoTimeLeft             held back here: the time for the whole call is over
│   │   ├── BadEnvironment         a proxy or certificates of the environment cannot be used
│   │   └── LoginNotKept           the stored login could not be read or written, or is in use for too long
│   └── AnswerLost                 may have been carried out
├── UnexpectedAnswer               an answer that is not in the API's words; may have been carried out
│   ├── GatewayAnswered            AGW-nnn, CMN-120: RingCentral's API gateway, which knows of no message
│   └── RecordsUnreadable          some messages of a listing cannot be read; all others came
├── ContentTooLarge                an attachment is larger than the caller allowed
└── APIError                       RingCentral said no, with a status and a code
    ├── BadRequest                 400
    │   └── SyncTokenRejected      CMN-101 on syncToken, MSG-333, MSG-411: start again with an FSync
    ├── Unauthorized               401: the token was refused, and a fresh one too; a DELETE is sent once only
    │   └── LoginFailed            the token endpoint gave no token; the request itself was not carried out
    │       ├── LoginUnavailable   408, or no 4xx: the token endpoint is out of order; no credentials are at fault
    │       └── LoginEnded         a person's login is over: they have to log in again
    ├── Forbidden                  403
    ├── NotFound                   404 CMN-102 that names the message or attachment asked for
    ├── MailboxNotFound            404 CMN-102 that names the account or extension: no word about a message
    ├── RangeNotSatisfiable        416
    ├── RateLimited                429, or held back here to avoid one: not carried out
    ├── FaxNotReady                MSG-368: the fax is still being rendered
    └── Unavailable                5xx, 408, CMN-201; may have been carried out

A proxy or a firewall on the way answers 400, 403, 404 or 413 as well, and knows nothing of messages. So an error answer
without a RingCentral error code, such as CMN-102, is an `UnexpectedAnswer` with its status. Some statuses keep their
class whoever says them, because what to do about them is the same: 401, 408, 416, 429 and 5xx. The parts of a 207 keep
theirs too, as the 207 around them is RingCentral's.

"Not found" is taken with more care, because it can be read as "gone". `NotFound` is raised only for CMN-102 that names
the message or the attachment, in an answer about that one message. Any other CMN-102 is a refusal of RingCentral's and
no more: an `APIError`. A 404 without a code is an `UnexpectedAnswer` in a part of a 207 as well.

No error holds a body, a token, a secret or a query string. Text from the server is bounded and free of
control characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

from rc_mcp.ringcentral.limits import LIMITS


class RingCentralError(Exception):
    """The root of the tree above."""


class InvalidRequest(RingCentralError, ValueError):
    """An argument was refused. Nothing was sent."""


class TransportFailure(RingCentralError):
    """No complete answer came from RingCentral."""


class NotSent(TransportFailure):
    """The request was surely not carried out: it never reached RingCentral, or was held back here.

    `login_unanswered`: what was sent is the login before it, which may count against the five a minute.
    """

    def __init__(self, message: str, *, login_unanswered: bool = False) -> None:
        super().__init__(message)
        self.login_unanswered = login_unanswered


class Unreachable(NotSent):
    """There was no connection to RingCentral, for the request or for the login before it."""


class NoTimeLeft(NotSent):
    """The `Allowance` it was to be sent in has no time left to wait for the answer."""


class BadEnvironment(NotSent):
    """What the environment names of proxies or certificates cannot be used. Nothing was sent."""


class LoginNotKept(NotSent):
    """Where a person's login is kept could not be read, written or waited for.

    A renewal of it may have been sent before, and nothing else.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, login_unanswered=True)


class AnswerLost(TransportFailure):
    """The request left, and no complete answer came back. It may have been carried out."""


class UnexpectedAnswer(RingCentralError):
    """An answer that says neither yes nor no as the API does, and may not be RingCentral's.

    The request may have been carried out.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class GatewayAnswered(UnexpectedAnswer):
    """RingCentral's API gateway answered, and not the Message Store: this says nothing about any message."""


class RecordsUnreadable(UnexpectedAnswer):
    """At the end of a listing: up to `count` more messages were sent that cannot be read. All others have come."""

    def __init__(self, count: int) -> None:
        super().__init__(f"Up to {count} more messages were listed that cannot be read")
        self.count = count


class ContentTooLarge(RingCentralError):
    """An attachment has more than `max_bytes`. `size` is the number of bytes where RingCentral said it."""

    def __init__(self, max_bytes: int, size: int | None = None) -> None:
        known = "more" if size is None else f"{size:,}"
        super().__init__(f"The content has {known} bytes; at most {max_bytes:,} were allowed. Nothing was kept.")
        self.max_bytes = max_bytes
        self.size = size


@dataclass(frozen=True)
class ErrorDetail:
    """One entry of RingCentral's `errors` list."""

    error_code: str | None = None
    message: str | None = None
    parameter: str | None = None
    permission: str | None = None


class ErrorFacts(TypedDict, total=False):
    """What an `APIError` can be given beside its status. The names are its attributes."""

    error_code: str | None
    envelope_code: str | None
    message: str | None
    parameter: str | None
    permission: str | None
    request_id: str | None
    errors: Sequence[ErrorDetail]
    method: str
    path: str


class APIError(RingCentralError):
    """RingCentral refused the request, or one part of a bulk request.

    Attributes:
        status: HTTP status, of the part where the error is a part's.
        error_code: the most specific of RingCentral's codes, such as `CMN-102`; None when there was none, which can be
            for a 401, 408, 416, 429 or 5xx and for a part of a 207.
        envelope_code: the code of the whole answer; differs from `error_code` when it is general, such as
            `TokenInvalid`.
        message: RingCentral's text, at most 300 characters. Rely on the code, not on this.
        parameter: the API's name of the parameter at fault.
        permission: the app or user permission that is missing.
        request_id: `RCRequestId`, which RingCentral's support asks for.
        errors: every entry of the answer's `errors` list.
        method, path: of the request, without host and query.
    """

    def __init__(self, status: int, **facts: Unpack[ErrorFacts]) -> None:
        self.status = status
        self.error_code = facts.get("error_code")
        self.envelope_code = facts.get("envelope_code")
        self.message = facts.get("message")
        self.parameter = facts.get("parameter")
        self.permission = facts.get("permission")
        self.request_id = facts.get("request_id")
        self.errors = tuple(facts.get("errors", ()))
        self.method = facts.get("method", "")
        self.path = facts.get("path", "")
        super().__init__(self._text())

    def _text(self) -> str:
        said = ": ".join(filter(None, [f"{self.status} {self.error_code or ''}".strip(), self.message]))
        about = [
            f"{self.method} {self.path[:120]}".strip(),
            self.parameter and f"parameter {self.parameter}",
            self.permission and f"permission {self.permission}",
            self.request_id and f"request id {self.request_id}",
        ]
        where = "; ".join(filter(None, about))
        return f"RingCentral answered {said}" + (f" ({where})" if where else "")


class BadRequest(APIError):
    """400: RingCentral does not accept the request as it is. `parameter` names what is wrong."""


class SyncTokenRejected(BadRequest):
    """The sync token is no longer good. Drop it and do an FSync."""


class Unauthorized(APIError):
    """401: the access token was refused.

    A DELETE is not sent again with a fresh token, and is not surely undone either: something on the way may answer 401
    after RingCentral acted. Read back what it named; then it may be sent once more, as a decision of its own.
    """


class LoginFailed(Unauthorized):
    """The token endpoint gave no token; `status` is its own. Nothing was carried out."""


class LoginUnavailable(LoginFailed):
    """The token endpoint, or something in front of it, is out of order: 408, or neither tokens nor another 4xx.

    `retry_after_s`: in so many seconds it says to come back; None where it does not.
    """

    def __init__(self, status: int, *, retry_after_s: float | None = None, **facts: Unpack[ErrorFacts]) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(status, **facts)


class LoginEnded(LoginFailed):
    """A person's login is over, or there is none: only they can mend it, by `rc-mcp login`. Nothing was carried out.

    Without `method` nobody was asked: there was nothing to ask with, and `status` is only what the kind stands for.
    """

    def _text(self) -> str:
        why = super()._text() if self.method else self.message or "there is none"
        return f"The stored login cannot be used; log in again: rc-mcp login. ({why})"


class Forbidden(APIError):
    """403: the app or the user lacks a permission, often named in `permission`."""


class NotFound(APIError):
    """RingCentral says that there is no such message or attachment, or that this user cannot see it."""


class MailboxNotFound(APIError):
    """RingCentral says that there is no such account or extension, or that this user cannot see it.

    The messages that were asked for may exist.
    """


class RangeNotSatisfiable(APIError):
    """416: the byte range lies outside the content."""


class RateLimited(APIError):
    """429, or what would have become one: too many requests in `group`. Not carried out.

    Come back after `retry_after_s` seconds; the client sends nothing of that group before a penalty is over.
    `held_back`: it was not sent at all, because its place would have come later than the caller is ready to wait.
    """

    def __init__(
        self,
        status: int = 429,
        *,
        retry_after_s: float = LIMITS.retry_after_s,
        group: str | None = None,
        held_back: bool = False,
        **facts: Unpack[ErrorFacts],
    ) -> None:
        self.retry_after_s = retry_after_s
        self.group = group
        self.held_back = held_back
        super().__init__(status, **facts)

    def _text(self) -> str:
        if not self.held_back:
            return super()._text()
        what = f"{self.method} {self.path[:120]} was not sent: " if self.method else ""
        return f"{what}RingCentral's limit for the group {self.group} has no place for {self.retry_after_s:.0f} s"


class FaxNotReady(APIError):
    """MSG-368: the fax is still being rendered. Ask again in a minute."""


class Unavailable(APIError):
    """RingCentral, or something in front of it, failed (5xx, 408). The request may have been carried out.

    `retry_after_s`: in so many seconds it says to come back; None where it does not.
    """

    def __init__(self, status: int, *, retry_after_s: float | None = None, **facts: Unpack[ErrorFacts]) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(status, **facts)
