"""Places for requests: how many, for how long, and when one is free again."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from trivet.serving.errors import ClientGone, Overloaded, TooLarge
from trivet.serving.http.limits import Places, read_body


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


def read(messages: list[dict[str, Any]], limit: int) -> bytes:
    """What the messages of a client make together."""

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return asyncio.run(read_body(receive, limit))


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    """One message of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_parts_is_put_together():
    assert read([part(b"ab"), part(b""), part(b"c", more=False)], 3) == b"abc"


def test_a_body_is_refused_at_the_first_byte_too_many_and_read_no_further():
    messages = [part(b"ab"), part(b"cd"), part(b"ef", more=False)]
    with pytest.raises(TooLarge, match="3 bytes"):
        read(messages, 3)
    assert len(messages) == 1


@pytest.mark.parametrize("before", [[], [part(b"ab")]])
def test_a_client_that_leaves_is_not_mistaken_for_an_end(before):
    with pytest.raises(ClientGone):
        read([*before, {"type": "http.disconnect"}], 10)
