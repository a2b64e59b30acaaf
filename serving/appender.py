"""Writes behind the event loop's back: several lines in one write, and never two writes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from errno import ENOBUFS

DELAY = 0.05  # seconds for which lines that nobody waits for gather
TOGETHER = 96  # things that are put off until there are so many, or until DELAY has passed
FULL = 1 << 20  # bytes of them that are written without delay
LIMIT = 8 << 20  # bytes of them that may wait


class Appender:
    """Hands lines to ``write`` in a thread of its own. All methods belong to one event loop.

    ``put`` never blocks: a line that does not fit, or that could not be written, is dropped and counted. ``commit``
    returns once the line is written; those who wait at the same time share one call of ``write``.
    """

    def __init__(self, write: Callable[[bytes], None], name: str, on_drop: Callable[[int], None] | None = None) -> None:
        self.dropped = 0
        self._write = write
        self._on_drop = on_drop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lines: list[bytes] = []
        self._size = 0
        self._unawaited = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._job: Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def put(self, data: bytes, count: int = 1) -> None:
        """Write ``data`` soon, or drop what are ``count`` lines."""
        if self._size + len(data) > LIMIT:
            self._drop(count)
            return
        self._add(data)
        self._unawaited += count
        self._flush_in_time()

    async def commit(self, data: bytes) -> None:
        """Write ``data`` now.

        :raises OSError: when it could not be written, or too much waits to be.
        """
        if self._size + len(data) > LIMIT and self._lines:
            raise OSError(ENOBUFS, "too much waits to be written")
        written = asyncio.get_running_loop().create_future()
        self._add(data)
        self._waiting.append(written)
        self._flush()
        await written

    async def close(self) -> None:
        """Write what is left and end the thread."""
        while self._lines or self._job is not None:
            self._flush()
            await asyncio.sleep(0.001)
        self._thread.shutdown()

    def _add(self, data: bytes) -> None:
        self._lines.append(data)
        self._size += len(data)

    def _flush_in_time(self) -> None:
        if self._size >= FULL:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._job is not None or not self._lines:
            return
        data, waiting, unawaited = b"".join(self._lines), self._waiting, self._unawaited
        self._lines, self._waiting, self._size, self._unawaited = [], [], 0, 0
        loop = asyncio.get_running_loop()
        self._job = self._thread.submit(self._write, data)
        self._job.add_done_callback(lambda job: loop.call_soon_threadsafe(self._done, job, waiting, unawaited))

    def _done(self, job: Future[None], waiting: list[asyncio.Future[None]], unawaited: int) -> None:
        self._job = None
        error = job.exception()
        if error is not None and unawaited:
            self._drop(unawaited)
        for written in waiting:
            if written.done():  # whoever waited was cancelled
                continue
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(error)
        if self._waiting:
            self._flush()
        elif self._lines:  # a thread that wakes often takes turns with the loop at every turn
            self._flush_in_time()

    def _drop(self, count: int) -> None:
        self.dropped += count
        if self._on_drop is not None:
            self._on_drop(count)
