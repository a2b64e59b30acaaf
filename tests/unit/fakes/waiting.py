"""What the tests of every fake wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psutil

from trivet.core.waiting import wait_for


def until(ask: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 60) -> Any:
    """The first answer that is good."""

    def probe() -> tuple[Any] | None:
        found = ask()
        return (found,) if good(found) else None

    return wait_for(probe, "what the test waits for", seconds=seconds, longest=0.1)[0]


def gone(pids: list[int]) -> None:
    """Wait until none of these processes lives."""
    until(lambda: [pid for pid in pids if alive(pid)], lambda left: left == [], 10)


def alive(pid: int) -> bool:
    """Whether it runs: one that ended and was not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
