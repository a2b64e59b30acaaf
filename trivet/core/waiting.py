"""Waiting, written once: ask, pause a little longer each time, give up in the end. The clock is a parameter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from trivet.core.errors import NotReady

T = TypeVar("T")

FIRST, LONGEST, GROWTH = 0.02, 2.0, 1.5  # seconds, seconds, factor


def wait_for(
    probe: Callable[[], T | None],
    what: str,
    *,
    seconds: float,
    longest: float = LONGEST,
    progress: Callable[[float], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Ask ``probe`` until it gives something else than None, and return that.

    ``progress`` is told before each pause how many seconds it has taken so far.

    :raises NotReady: naming ``what``, when nothing came within ``seconds``.
    """
    start, pause = clock(), FIRST
    end = start + seconds
    while (answer := probe()) is None:
        if clock() >= end:
            raise NotReady(f"{what} did not come within {seconds:.0f} s.", "Try again.")
        progress(clock() - start)
        sleep(min(pause, longest, max(end - clock(), 0)))
        pause *= GROWTH
    return answer
