"""How long one call of a tool may take, whatever RingCentral does: hosts give up after a minute, some sooner.

What reads, or can be repeated, is cancelled. What deletes is not: it is told how much time is left, begins nothing that
it could not finish, and ends with reading back. The time that a person takes for an answer is not counted.
"""

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from rc_mcp.ringcentral import Allowance

CALL_S = 40.0

P = ParamSpec("P")
T = TypeVar("T")

_OF_THIS_CALL: ContextVar[Allowance] = ContextVar("of_this_call")


def allow(seconds: float) -> None:
    """Begins a call: all that is `bounded` in it has so long together."""
    _OF_THIS_CALL.set(Allowance(seconds))


def bounded(act: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """A step of a call that deletes: its requests spend the time of the call."""

    @functools.wraps(act)
    async def in_time(*arguments: P.args, **named: P.kwargs) -> T:
        with _OF_THIS_CALL.get().spent():
            return await act(*arguments, **named)

    return in_time
