"""Delays every HTTP request until its budget has a place, including logins and retries after a 401.

It wraps the client's authentication, because httpx passes each request and each answer of a call through it. A custom
transport would see them too, but then httpx would ignore the proxy from the environment.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx2 as httpx

from rc_mcp.ringcentral.transport.budgets import Budget, Budgets
from rc_mcp.ringcentral.transport.deadlines import awaiting, latest

_BUDGET = "rc_mcp.budget"


class Paced(httpx.Auth):
    """Authentication by `auth` whose requests are paced by `budgets`.

    Raises:
        RateLimited: the request would wait longer than the caller allows. It was not sent.
    """

    def __init__(self, auth: httpx.Auth, budgets: Budgets) -> None:
        self._auth = auth
        self._budgets = budgets

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        async with aclosing(self._auth.async_auth_flow(request)) as flow:
            outgoing = await anext(flow)
            while True:
                budget = self._budgets.of(outgoing)
                await budget.enter(latest(), method=outgoing.method, path=outgoing.url.path)
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
    """Free the place of a request that certainly did not reach RingCentral."""
    budget = request.extensions.pop(_BUDGET, None)
    if isinstance(budget, Budget):
        budget.give_back()
