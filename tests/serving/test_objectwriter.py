"""Lines on their way to a store: who shares an object, what is bounded, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from trivet.serving.objectwriter import DELAY, FULL, LIMIT, PUTS, ObjectWriter


class Shelf:
    """A store whose answers come when the test says so."""

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self.stored: list[bytes] = []
        self.most = self.under_way = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def put(self, data: bytes) -> None:
        self.begun.append(data)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
        finally:
            self.under_way -= 1
        if self.error is not None:
            raise self.error
        self.stored.append(data)


def on_a_shelf(test: Callable[[Shelf], Awaitable[None]]) -> Callable[[], None]:
    """Run a coroutine with a shelf of its own."""

    def run() -> None:
        async def body() -> None:
            await test(Shelf())

        asyncio.run(body())

    run.__name__ = test.__name__  # type: ignore[attr-defined]
    return run


@on_a_shelf
async def test_who_comes_while_others_are_under_way_shares_an_object(shelf: Shelf) -> None:
    writer = ObjectWriter(shelf.put, 10)
    waiting = [asyncio.ensure_future(writer.commit(b"%d\n" % number)) for number in range(50)]
    await asyncio.sleep(0.02)
    waiting += [asyncio.ensure_future(writer.commit(b"%d\n" % number)) for number in range(50, 80)]
    await asyncio.sleep(0.05)
    assert len(shelf.begun) == 2
    assert not any(each.done() for each in waiting)
    shelf.go.set()
    await asyncio.gather(*waiting)
    assert b"".join(shelf.stored) == b"".join(b"%d\n" % number for number in range(80))
    await writer.close()


@on_a_shelf
async def test_no_more_than_some_are_under_way_and_the_rest_shares_the_next(shelf: Shelf) -> None:
    writer = ObjectWriter(shelf.put, 10)
    waiting = []
    for number in range(3 * PUTS):
        waiting.append(asyncio.ensure_future(writer.commit(b"%d\n" % number)))
        await asyncio.sleep(0.01)
    assert (len(shelf.begun), shelf.most) == (PUTS, PUTS)
    shelf.go.set()
    await asyncio.gather(*waiting)
    assert len(shelf.stored) == PUTS + 1
    assert sorted(b"".join(shelf.stored).split()) == sorted(b"%d" % number for number in range(3 * PUTS))
    await writer.close()


@on_a_shelf
async def test_a_store_that_does_not_answer_is_given_up_in_time(shelf: Shelf) -> None:
    """Also for those whose lines could not even be sent."""
    told: list[str] = []
    writer = ObjectWriter(shelf.put, 0.3, on_failure=told.append)
    loop = asyncio.get_running_loop()
    waiting = []
    for number in range(2 * PUTS):
        waiting.append((loop.time(), asyncio.ensure_future(writer.commit(b"%d\n" % number))))
        await asyncio.sleep(0.01)
    for begun, each in waiting:
        with pytest.raises(OSError, match=r"within 0\.3 seconds"):
            await each
        assert loop.time() - begun < 0.3 + 0.35
    assert told == ["the store of records did not take it within 0.3 seconds"]
    assert shelf.stored == []
    shelf.go.set()
    await writer.commit(b"again\n")
    assert shelf.stored == [b"again\n"]
    await writer.close()


@on_a_shelf
async def test_what_waits_is_bounded_and_who_comes_too_late_is_refused(shelf: Shelf) -> None:
    writer = ObjectWriter(shelf.put, 10)
    quarter = bytes(LIMIT // 4)
    waiting = [asyncio.ensure_future(writer.commit(quarter)) for _ in range(4)]
    await asyncio.sleep(0.01)
    with pytest.raises(OSError, match="too much waits"):
        await writer.commit(b"x")
    assert sum(map(len, shelf.begun)) <= LIMIT
    shelf.go.set()
    await asyncio.gather(*waiting)
    await writer.commit(bytes(LIMIT + 1))  # what is larger than that, alone
    await writer.close()


@on_a_shelf
async def test_what_nobody_waits_for_is_dropped_and_counted_when_the_store_hangs(shelf: Shelf) -> None:
    dropped: list[int] = []
    writer = ObjectWriter(shelf.put, 0.5, on_drop=dropped.append)
    line = bytes(LIMIT // 8)
    begun = asyncio.get_running_loop().time()
    for _ in range(12):
        writer.put(line, 10)
    assert asyncio.get_running_loop().time() - begun < 0.2
    assert dropped == [10] * 4
    await asyncio.sleep(0.8)
    assert sum(dropped) == 120
    shelf.go.set()
    writer.put(line, 10)
    await writer.close()
    assert (sum(dropped), writer.dropped, shelf.stored) == (120, 120, [line])


@on_a_shelf
async def test_lines_for_which_nobody_waits_gather(shelf: Shelf) -> None:
    shelf.go.set()
    writer = ObjectWriter(shelf.put, 10)
    for number in range(20):
        writer.put(b"%d\n" % number)
        await asyncio.sleep(0.01)
    assert shelf.begun == []
    writer.put(bytes(FULL))
    await asyncio.sleep(0.01)
    assert len(shelf.stored) == 1
    writer.put(b"last\n")
    await asyncio.sleep(DELAY + 0.2)
    assert shelf.stored[1:] == [b"last\n"]
    await writer.close()


@on_a_shelf
async def test_whatever_goes_wrong_those_who_wait_are_told(shelf: Shelf) -> None:
    told: list[str] = []
    shelf.error = MemoryError("none is left")
    shelf.go.set()
    writer = ObjectWriter(shelf.put, 10, on_failure=told.append)
    with pytest.raises(OSError, match="did not take it"):
        await asyncio.wait_for(writer.commit(bytes(LIMIT)), 5)
    assert told == ["none is left"]
    shelf.error = None
    await writer.commit(bytes(LIMIT))  # what failed takes no room
    await writer.close()


@on_a_shelf
async def test_close_writes_what_is_left_beside_what_hangs(shelf: Shelf) -> None:
    writer = ObjectWriter(shelf.put, 1, full=10)
    for number in range(PUTS + 5):
        writer.put(b"number %03d\n" % number)
    assert shelf.under_way == 0
    await asyncio.sleep(0)
    assert len(shelf.begun) == PUTS
    closing = asyncio.ensure_future(writer.close())
    await asyncio.sleep(0.01)
    assert len(shelf.begun) == PUTS + 1
    shelf.go.set()
    await closing
    assert b"".join(shelf.stored).count(b"\n") == PUTS + 5


@on_a_shelf
async def test_of_those_who_share_an_object_one_may_leave(shelf: Shelf) -> None:
    shelf.error = OSError("refused")
    writer = ObjectWriter(shelf.put, 10)
    first, second = (asyncio.ensure_future(writer.commit(line)) for line in (b"1\n", b"2\n"))
    await asyncio.sleep(0.01)
    first.cancel()
    shelf.go.set()
    with pytest.raises(OSError, match="refused"):
        await second
    assert first.cancelled() or ((await asyncio.wait([first])) and first.cancelled())
    await writer.close()
