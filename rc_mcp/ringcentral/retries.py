"""What is sent again after it failed, and when.

Reads, and the updates of this API, which mean the same however often they are carried out, are sent again when the
connection failed or RingCentral was not available. A DELETE is sent again only when it was surely not carried out: a
second one purges. A login is never repeated here: five a minute are allowed, and the next call tries anyway.

A 429 says when to come back, and its budget is closed until then, so the repetition waits there. All other
repetitions wait twice as long each time, with jitter, so that many that failed together do not come back together; and
where RingCentral says when it will be available again, at least until then.

Own loop: tenacity and stamina retry by exception alone, where here the method decides as well, and bound the total time
by a clock that cannot be set.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rc_mcp.ringcentral.calls import Call
from rc_mcp.ringcentral.errors import AnswerLost, APIError, NotSent, RateLimited, RingCentralError, Unavailable
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.waiting import Time, latest

T = TypeVar("T")

_PASSES = (502, 503, 504)


async def with_retries(call: Call, send: Callable[[], Awaitable[T]], time: Time) -> T:
    """Sends `call`, and again after failures that allow it, within its caller's patience and our limits."""
    give_up_at = None
    for attempt in range(1, LIMITS.attempts):
        try:
            return await send()
        except RingCentralError as error:
            wait_s = _wait_s(error, attempt)
            give_up_at = give_up_at or min(latest(), time.now() + LIMITS.retry_total_s)
            if not may_be_repeated(call, error) or time.now() + wait_s > give_up_at:
                raise
            waits_in_its_budget = isinstance(error, RateLimited)
        if not waits_in_its_budget:
            await time.sleep(wait_s)
    return await send()


def may_be_repeated(call: Call, error: RingCentralError) -> bool:
    """Whether `call` can be sent again after `error` without doing more than it was asked for once."""
    if isinstance(error, NotSent):
        return not error.login_unanswered
    if isinstance(error, APIError) and error.path != call.path:
        return False  # the login's
    if isinstance(error, RateLimited):
        return not error.held_back
    return call.method != "DELETE" and (isinstance(error, AnswerLost) or _passes(error))


def _passes(error: RingCentralError) -> bool:
    """Whether RingCentral will likely be available in a moment. CMN-201, "temporarily unavailable", comes as a 500."""
    return isinstance(error, Unavailable) and (error.status in _PASSES or error.error_code == "CMN-201")


def _wait_s(error: RingCentralError, attempt: int) -> float:
    if isinstance(error, RateLimited):
        return error.retry_after_s
    told_s = error.retry_after_s if isinstance(error, Unavailable) else None
    return max(_backoff_s(attempt), told_s or 0.0)


def _backoff_s(attempt: int) -> float:
    longest = min(LIMITS.backoff_s * 2 ** (attempt - 1), LIMITS.max_backoff_s)
    return longest * random.uniform(0.5, 1)  # noqa: S311  jitter, not a secret
