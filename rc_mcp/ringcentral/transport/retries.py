"""Retries failed requests where that is safe.

Reads, and this API's updates, which are idempotent, are sent again after the connection failed or RingCentral was
unavailable. A DELETE is sent again only if it was certainly not carried out: a second one purges. A login is not
retried here: five a minute are allowed, and the next call logs in again.

A 429 says how long to wait, and its budget stays closed for that time, so its retry waits there. The exception is
CMN-304, which is about one request: the same one is still being processed. Before every other retry the wait doubles,
with jitter to spread requests that failed together, and lasts at least as long as RingCentral asks.

Why not tenacity or stamina: tests need to set the clock, and a retry after a 429 waits in its budget.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rc_mcp.ringcentral.calls import Call
from rc_mcp.ringcentral.errors import (
    AnswerLost,
    APIError,
    NotPaced,
    NotSent,
    RateLimited,
    RingCentralError,
    StillProcessing,
    Unavailable,
)
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.deadlines import Time, latest

T = TypeVar("T")

_SHORT_OUTAGES = (502, 503, 504)


async def with_retries(call: Call, send: Callable[[], Awaitable[T]], time: Time) -> T:
    """Send `call`, and retry it where that is safe, within the caller's deadline and `LIMITS`."""
    give_up_at = None
    for attempt in range(1, LIMITS.attempts):
        try:
            return await send()
        except RingCentralError as error:
            wait_s = _wait_s(error, attempt)
            give_up_at = give_up_at or min(latest(), time.now() + LIMITS.retry_total_s)
            if not may_be_repeated(call, error) or time.now() + wait_s > give_up_at:
                raise
            waits_in_budget = isinstance(error, RateLimited)
        if not waits_in_budget:
            await time.sleep(wait_s)
    return await send()


def may_be_repeated(call: Call, error: RingCentralError) -> bool:
    """Return whether a retry of `call` after `error` cannot change more than one request would."""
    if isinstance(error, NotSent):
        return not error.login_unanswered and not isinstance(error, NotPaced)
    if isinstance(error, APIError) and error.path != call.path:
        return False  # an error of the login
    if isinstance(error, RateLimited):
        return not error.held_back
    return call.method != "DELETE" and (isinstance(error, AnswerLost) or _is_short_outage(error))


def _is_short_outage(error: RingCentralError) -> bool:
    """Return whether the outage is probably short. CMN-201, "temporarily unavailable", has the status 500."""
    if isinstance(error, StillProcessing):
        return True
    return isinstance(error, Unavailable) and (error.status in _SHORT_OUTAGES or error.error_code == "CMN-201")


def _wait_s(error: RingCentralError, attempt: int) -> float:
    if isinstance(error, RateLimited):
        return error.retry_after_s
    retry_after_s = error.retry_after_s if isinstance(error, Unavailable) else None
    return max(_backoff_s(attempt), retry_after_s or 0.0)


def _backoff_s(attempt: int) -> float:
    longest = min(LIMITS.backoff_s * 2 ** (attempt - 1), LIMITS.max_backoff_s)
    return longest * random.uniform(0.5, 1)  # noqa: S311  jitter, not a secret
