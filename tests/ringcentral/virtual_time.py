"""An event loop without real waits: when all tasks sleep, its clock jumps to the next wake-up time."""

import asyncio
import selectors
from collections.abc import Generator, Mapping
from contextlib import contextmanager


class _Jump(selectors.BaseSelector):
    """A selector that moves the clock instead of waiting."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.works = 0
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or self.works:
            return self._real.select(timeout)
        self.now_s += max(timeout, 0)
        return self._real.select(0)

    def register(self, fileobj: object, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)  # pyright: ignore[reportArgumentType]

    def unregister(self, fileobj: object) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)  # pyright: ignore[reportArgumentType]

    def get_map(self) -> Mapping[object, selectors.SelectorKey]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._real.get_map()  # pyright: ignore[reportReturnType]

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's event loop on a clock that jumps."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s

    @contextmanager
    def standing_still(self) -> Generator[None]:
        """Stop the clock in the block: something outside, such as a database, is at work."""
        self._jump.works += 1
        try:
            yield
        finally:
            self._jump.works -= 1
