"""Waiting for what takes its time: one loop, with the clock as a parameter."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeVar

from trivet.core.errors import NotReady

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.1, 15.0, 1.3


class Clock(Protocol):
    """Seconds that only grow, and a pause."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


def wait(
    poll: Callable[[], T | None],
    *,
    timeout: timedelta,
    what: str,
    progress: Callable[[timedelta], None] = lambda _: None,
    clock: Clock = time,
) -> T:
    """Call ``poll`` until it gives something, with growing pauses, and return that.

    ``progress`` is told how long it has taken so far, before each pause.

    :raises NotReady: when ``timeout`` has passed; ``what`` names what was waited for.
    """
    start, pause = clock.monotonic(), FIRST_PAUSE
    while (found := poll()) is None:
        elapsed = clock.monotonic() - start
        left = timeout.total_seconds() - elapsed
        if left <= 0:
            raise NotReady(f"{what} is not done after {timeout}.", "Call again to go on waiting; it goes on working.")
        progress(timedelta(seconds=elapsed))
        clock.sleep(min(pause, left))
        pause = min(pause * GROWTH, LONGEST_PAUSE)
    return found
