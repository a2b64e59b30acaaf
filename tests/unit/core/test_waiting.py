from __future__ import annotations

import pytest

from trivet.core.errors import NotReady
from trivet.core.waiting import FIRST, GROWTH, wait_for


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def test_it_asks_again_a_little_later_each_time() -> None:
    clock, answers = Clock(), iter([None, None, None, "here"])
    assert wait_for(lambda: next(answers), "It", seconds=10, clock=lambda: clock.now, sleep=clock.sleep) == "here"
    assert clock.pauses == pytest.approx([FIRST, FIRST * GROWTH, FIRST * GROWTH**2])


def test_it_gives_up_in_time_and_asks_at_the_very_end() -> None:
    clock, asked = Clock(), []
    with pytest.raises(NotReady, match="It did not come within 5 s"):
        wait_for(
            lambda: asked.append(clock.now), "It", seconds=5, longest=1, clock=lambda: clock.now, sleep=clock.sleep
        )
    assert asked[-1] == clock.now == pytest.approx(5)
    assert max(clock.pauses) == 1


def test_what_is_false_but_not_none_is_an_answer() -> None:
    assert wait_for(lambda: False, "It", seconds=0) is False


def test_it_tells_how_long_it_has_taken() -> None:
    clock, told = Clock(), []
    wait_for(
        lambda: clock.now > 60 or None,
        "It",
        seconds=3600,
        progress=told.append,
        clock=lambda: clock.now,
        sleep=clock.sleep,
    )
    assert told == sorted(told)
    assert told[0] == 0
    assert len(told) == len(clock.pauses)
