"""Holds every HTTP request back until its budget has a place: the login's and a repetition after a 401 too.

A wrapper around the client's authentication, because that is where httpx shows each request and each answer of a call.
A transport would see them as well, but one that is given keeps httpx from finding the proxy of its environment.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx2 as httpx

from rc_mcp.ringcentral.bounds import awaiting
from rc_mcp.ringcentral.budgets import Budget, Budgets
from rc_mcp.ringcentral.errors import RateLimited
from rc_mcp.ringcentral.waiting import latest

_BUDGET = "rc_mcp.budget"


class Paced(httpx.Auth):
    """`auth`, with its requests paced by `budgets`.

    Raises:
        RateLimited: the place would come later than the caller is ready to wait. The request was not sent.
    """

    def __init__(self, auth: httpx.Auth, budgets: Budgets) -> None:
        self._auth = auth
        self._budgets = budgets

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        async with aclosing(self._auth.async_auth_flow(request)) as flow:
            outgoing = await anext(flow)
            while True:
                budget = self._budgets.of(outgoing)
                try:
                    await budget.enter(latest())
                except RateLimited as held_back:
                    raise _of(outgoing, held_back) from None
                outgoing.extensions[_BUDGET] = budget
                try:
                    with awaiting(outgoing):
                        response = yield outgoing
                finally:
                    budget.leave()
                self._budgets.learn(outgoing, response, budget)
                try:
                    outgoing = await flow.asend(response)
                except StopAsyncIteration:
                    return


def give_place_back(request: httpx.Request) -> None:
    """Gives the place of a request back that surely did not reach RingCentral."""
    budget = request.extensions.pop(_BUDGET, None)
    if isinstance(budget, Budget):
        budget.give_back()


def _of(request: httpx.Request, error: RateLimited) -> RateLimited:
    return RateLimited(
        retry_after_s=error.retry_after_s,
        group=error.group,
        held_back=True,
        method=request.method,
        path=request.url.path,
    )
