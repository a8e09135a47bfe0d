"""A trap before RingCentral: at a chosen request it calls the test, before RingCentral acts, after, or in its place."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.types import ASGIApp, Receive, Scope, Send

Moment = Literal["dropped", "acted", "answered"]
"""RingCentral never got the request; it acted, and its answer is lost; or its answer arrived."""
MOMENTS: tuple[Moment, ...] = ("dropped", "acted", "answered")


@dataclass(eq=False)
class Trap:
    """Set it with a number: it goes off at that request, counted from then on."""

    app: ASGIApp | None = None
    left: int = 0
    moment: Moment = "acted"
    spring: Callable[[], Awaitable[None]] | None = None
    seen: list[str] = field(default_factory=list[str])
    """Methods of the requests since it was set."""

    def before(self, app: ASGIApp) -> ASGIApp:
        """Stand before an application."""
        self.app = app
        return self

    def set(self, number: int, moment: Moment, spring: Callable[[], Awaitable[None]]) -> None:
        self.left, self.moment, self.spring = number, moment, spring
        self.seen.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        assert self.app
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.seen.append(scope["method"])
        if self.spring:
            self.left -= 1
        if self.spring is None or self.left:
            await self.app(scope, receive, send)
            return
        spring, self.spring = self.spring, None
        if self.moment == "dropped":
            await spring()
            return
        if self.moment == "acted":
            await self.app(scope, receive, _nowhere)
            await spring()
            return
        await self.app(scope, receive, send)
        await spring()


async def _nowhere(_: MutableMapping[str, Any]) -> None:
    """Lose the answer."""
