"""Places for requests: how many, for how long, and when one is free again."""

from __future__ import annotations

import asyncio
import threading

import pytest

from trivet.serving.errors import Overloaded
from trivet.serving.http.limits import Places


def test_a_place_outlives_its_request_while_its_work_goes_on():
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(10)

    async def run() -> None:
        places = Places(1, 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                with places.place() as place:
                    await place.work(work)
        assert begun.is_set()
        assert places.taken == 1
        with pytest.raises(Overloaded, match="places"), places.place():
            raise AssertionError("there was a place")
        go.set()
        while places.taken:
            await asyncio.sleep(0.001)
        with places.place() as place:
            assert await place.work(lambda: 7) == 7
        assert places.taken == 0
        places.close()

    asyncio.run(run())


def test_work_that_waits_beyond_its_deadline_never_begins():
    go = threading.Event()
    begun: list[int] = []

    async def ask(places: Places, number: int) -> None:
        def work() -> None:
            begun.append(number)
            go.wait(10)

        async with asyncio.timeout(0.05):
            with places.place() as place:
                await place.work(work)

    async def run() -> None:
        places = Places(1, 5)
        results = await asyncio.gather(*[ask(places, number) for number in range(6)], return_exceptions=True)
        assert [type(result) for result in results] == [TimeoutError] * 6
        assert places.taken == 1
        go.set()
        while places.taken:
            await asyncio.sleep(0.001)
        places.close()

    asyncio.run(run())
    assert begun == [0]


def test_work_that_fails_frees_its_place():
    def work() -> None:
        raise ValueError("no")

    async def run() -> None:
        places = Places(1, 0)
        for _ in range(3):
            with pytest.raises(ValueError, match="no"), places.place() as place:
                await place.work(work)
        assert places.taken == 0
        places.close()

    asyncio.run(run())
