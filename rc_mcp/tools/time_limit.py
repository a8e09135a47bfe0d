"""The time limit of a tool call: hosts give up after a minute, some sooner.

A call that reads or can be repeated is canceled. A call that deletes is not: it knows how much time is left, begins
nothing that it could not finish, and ends by reading back. The time that a user takes to answer is not counted.
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
    """Begin a call: all its `bounded` steps together may take this long."""
    _OF_THIS_CALL.set(Allowance(seconds))


def bounded(act: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Make the requests of a step of a deleting call spend the time of that call."""

    @functools.wraps(act)
    async def in_time(*arguments: P.args, **named: P.kwargs) -> T:
        with _OF_THIS_CALL.get().spent():
            return await act(*arguments, **named)

    return in_time
