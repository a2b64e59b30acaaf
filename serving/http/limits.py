"""Bounds on what a server takes on: requests at work, requests in wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from trivet.serving.errors import Overloaded

T = TypeVar("T")


class Places:
    """Places for requests: some at work, in threads, some in wait. There is never more than that.

    A place is free again when its request is over *and* its work has ended: work cannot be stopped, so a request
    whose deadline has passed keeps its place until then.
    """

    def __init__(self, at_work: int, in_wait: int) -> None:
        self.taken = 0
        self._all = at_work + in_wait
        self._threads = ThreadPoolExecutor(at_work, thread_name_prefix="work")

    def check(self) -> None:
        """Pass where there is a place.

        :raises Overloaded: when there is none.
        """
        if self.taken >= self._all:
            raise Overloaded(f"All {self._all} places of this server are taken.", "Send it again in a second.")

    def place(self) -> Place:
        """Take a place.

        :raises Overloaded: when there is none.
        """
        self.check()
        self.taken += 1
        return Place(self, self._threads)

    def close(self) -> None:
        """Take no more work; what is at work goes on."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def free(self) -> None:
        """One place is free."""
        self.taken -= 1


class Place:
    """One request's place; as a context, it is left at the end."""

    __slots__ = ("_job", "_places", "_threads")

    def __init__(self, places: Places, threads: ThreadPoolExecutor) -> None:
        self._places = places
        self._threads = threads
        self._job: Future[Any] | asyncio.Future[None] | None = None

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run ``function`` in a thread, when one is free. A cancelled call does not start any more."""
        job = self._job = self._threads.submit(function, *arguments)
        return await asyncio.wrap_future(job)

    def until(self, written: asyncio.Future[None]) -> None:
        """What the work made is being written: that is work, too."""
        self._job = written

    def leave(self) -> None:
        """The request is over: free the place, or have its work free it at its end."""
        job, self._job = self._job, None  # what it made is nobody's any more
        if job is None or job.done():
            self._places.free()
        else:
            loop, free = asyncio.get_running_loop(), self._places.free
            job.add_done_callback(lambda _: loop.call_soon_threadsafe(free))

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.leave()
