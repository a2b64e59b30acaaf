"""Bounds on what a server takes on: bodies, requests at work, requests in wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from trivet.serving.errors import ClientGone, Overloaded, TooLarge

T = TypeVar("T")
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body, counted as it arrives.

    :raises TooLarge: as soon as it is longer than ``limit``.
    :raises ClientGone: when the connection breaks first.
    """
    message = await receive()
    body = message.get("body", b"")
    parts = [body]
    size = len(body)
    while message.get("more_body") and size <= limit:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if message["type"] != "http.request":
        raise ClientGone("The client closed the connection before its request was complete.")
    if size > limit:
        raise too_large(limit)
    return body if len(parts) == 1 else b"".join(parts)


def too_large(limit: int) -> TooLarge:
    """The error for a body above the limit."""
    return TooLarge(f"The body is longer than the {limit} bytes that this server takes.", "Send fewer rows at a time.")


class Places:
    """Places for requests: some at work, in threads, some in wait. There is never more than that.

    A place is free again when its request is over *and* its work has ended: work cannot be stopped, so a request
    whose deadline has passed keeps its place until then.
    """

    def __init__(self, at_work: int, in_wait: int) -> None:
        self.taken = 0
        self._all = at_work + in_wait
        self._threads = ThreadPoolExecutor(at_work, thread_name_prefix="work")

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Take a place.

        :raises Overloaded: when there is none.
        """
        if self.taken >= self._all:
            raise Overloaded(f"All {self._all} places of this server are taken.", "Send it again in a second.")
        self.taken += 1
        place = Place(self._threads)
        try:
            yield place
        finally:
            if place.job is None or place.job.done():
                self._free()
            else:
                loop = asyncio.get_running_loop()
                place.job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free))

    def close(self) -> None:
        """Take no more work; what is at work goes on."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _free(self) -> None:
        self.taken -= 1


class Place:
    """One request's place."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.job: Future[Any] | None = None
        self._threads = threads

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run ``function`` in a thread, when one is free. A cancelled call does not start any more."""
        self.job = self._threads.submit(function, *arguments)
        return await asyncio.wrap_future(self.job)
