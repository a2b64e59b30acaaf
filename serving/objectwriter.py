"""Records on their way to an object store.

An object cannot be appended to: each holds whole lines and is written in one request, so that it is there whole or not
at all. What comes at the same time shares an object, and several are under way at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from errno import EIO, ENOBUFS
from itertools import count
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from trivet.core.errors import ConfigError
from trivet.core.records import PREDICTIONS, STORES, new_writer, object_key
from trivet.serving.locate import told

PUTS = 8  # objects under way at a time
GATHER = 0.005  # seconds for which lines that somebody waits for gather while objects are under way
DELAY = 5.0  # seconds for which lines that nobody waits for gather
FULL = 1 << 20  # bytes of lines that are written without delay
LIMIT = 16 << 20  # bytes of lines that may wait or be under way
RETRIES = 3

Put = Callable[[bytes], Awaitable[None]]
"""Writes one object. Raises ``OSError`` when that failed; what took too long may be there nevertheless."""


def putter(url: str, endpoint: str, seconds: float) -> Put:
    """Writes objects of this process's own below a URL, with the instance's credentials.

    Their names sort by the time of writing, and say endpoint and writer: see ``trivet.core.records``.

    :param seconds: for how long a failed request is repeated.
    :raises ConfigError: when the URL names no store.
    """
    from obstore import put_async
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    from trivet.platforms.store import checked

    parts = urlsplit(url)
    if parts.scheme not in STORES or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigError(
            f"{parts.scheme}://{parts.hostname or ''} is no place for records.",
            f"Name a folder, or a store by {', '.join(f'{scheme}://' for scheme in STORES)} and without a query.",
        )
    try:
        retries: Any = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=seconds)}
        store = from_url(url, retry_config=retries, **checked(url))
    except (BaseError, ValueError) as error:
        raise ConfigError(f"The store of records cannot be opened: {told(error)}.") from error
    writer, numbers = new_writer(), count(1)

    async def put(data: bytes) -> None:
        key = object_key(f"{PREDICTIONS}/{endpoint}", datetime.now(UTC), writer, next(numbers))
        try:
            await put_async(store, key, data, use_multipart=False)
        except (BaseError, OSError) as error:
            raise OSError(EIO, "the store of records did not take it") from error

    return put


@dataclass
class _Batch:
    """Lines that go into one object."""

    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    unawaited: int = 0
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    late: float = 0.0  # when whoever waits has waited for long enough


class ObjectWriter:
    """Hands lines to ``put``, as ``appender.Appender`` hands them to a file. All methods belong to one event loop.

    ``put`` never blocks: lines that do not fit, or that could not be written, are dropped and counted. ``commit``
    returns once the lines are in the store.
    """

    def __init__(
        self,
        put: Put,
        seconds: float,
        full: int = FULL,
        on_drop: Callable[[int], None] | None = None,
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        """:param seconds: that lines may wait to be written, and that the writing may take; then it has failed.
        :param full: bytes of lines that are written without delay, at most ``FULL``.
        :param on_failure: is told, at most once a second, why lines were not written.
        """
        self.dropped = 0
        self._put = put
        self._seconds = seconds
        self._full = min(full, FULL)
        self._on_drop = on_drop
        self._on_failure = on_failure
        self._told_at = 0.0
        self._batch = _Batch()
        self._held = 0  # bytes that wait or are under way
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = False

    def put(self, data: bytes, count: int = 1) -> None:
        """Write ``data`` soon, or drop what are ``count`` lines."""
        if self._held + len(data) > LIMIT:
            self._drop(count)
            return
        self._add(data)
        self._batch.unawaited += count
        self._flush_within(DELAY)

    async def commit(self, data: bytes) -> None:
        """Write ``data`` now.

        :raises OSError: when it could not be written in time, or too much waits to be.
        """
        if self._held and self._held + len(data) > LIMIT:
            raise OSError(ENOBUFS, "too much waits to be written")
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        if not self._batch.waiting:
            self._batch.late = loop.time() + self._seconds
        self._batch.waiting.append(written)
        self._add(data)
        self._flush_within(GATHER if self._tasks else 0)
        await written

    async def close(self) -> None:
        """Write what is left, beside what is under way."""
        self._flush(leaving=True)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _add(self, data: bytes) -> None:
        self._batch.lines.append(data)
        self._batch.size += len(data)
        self._held += len(data)

    def _flush_within(self, seconds: float) -> None:
        if self._batch.size >= self._full:
            self._flush()
        elif self._timer is None and not self._due:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._flush)

    def _flush(self, *, leaving: bool = False) -> None:
        """Begin an object, or do so as soon as one that is under way has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._batch.lines:
            self._due = False
            return
        self._due = len(self._tasks) >= PUTS and not leaving
        if not self._due:
            batch, self._batch = self._batch, _Batch()
            task = asyncio.get_running_loop().create_task(self._write(batch))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._due:
            self._flush()

    async def _write(self, batch: _Batch) -> None:
        error: OSError | None = None
        late = batch.late or asyncio.get_running_loop().time() + self._seconds
        data = b"".join(batch.lines)
        batch.lines.clear()
        try:
            async with asyncio.timeout_at(late):
                await self._put(data)
        except TimeoutError:
            error = OSError(EIO, f"the store of records did not take it within {self._seconds:g} seconds")
        except OSError as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001  whatever it is, those who wait are told
            error = OSError(EIO, "the store of records did not take it")
            error.__cause__ = failure
        self._held -= batch.size
        if error is not None:
            self._tell(error)
            if batch.unawaited:
                self._drop(batch.unawaited)
        for written in batch.waiting:
            if written.done():  # whoever waited was cancelled
                continue
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(error)

    def _tell(self, error: OSError) -> None:
        if self._on_failure is not None and monotonic() - self._told_at >= 1:
            self._told_at = monotonic()
            self._on_failure(told(error.__cause__) if isinstance(error.__cause__, Exception) else str(error.strerror))

    def _drop(self, count: int) -> None:
        self.dropped += count
        if self._on_drop is not None:
            self._on_drop(count)
