"""Independent requests of the client benchmark, a few at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio

AT_ONCE = 4


async def each(act: Callable[[Any], Awaitable[None]], items: Sequence[Any]) -> None:
    """Call `act` with every item, a few at a time."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await act(item)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(work)
