"""Records of predictions on their way to the disk or to an object store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

from trivet.core.records import Mode
from trivet.serving.appender import DELAY, TOGETHER, Appender
from trivet.serving.errors import NotRecorded
from trivet.serving.objectwriter import ObjectWriter, Put
from trivet.serving.scribe import Decided, render
from trivet.serving.segments import Segments


class Lines(Protocol):
    """Takes lines to where they last; ``commit`` raises ``OSError`` when they are not there."""

    def put(self, data: bytes, count: int = 1) -> None: ...
    async def commit(self, data: bytes) -> None: ...
    async def close(self) -> None: ...


class Recorder:
    """Writes records into a folder or an object store, in one of the two modes of the seam.

    ``complete``: on the disk, or in the store, before the answer leaves, else no answer. ``sampled``: never in an
    answer's way; what cannot be written is dropped, counted and reported.
    """

    def __init__(
        self,
        place: Path | Put,
        mode: Mode,
        segment_bytes: int,
        report: Callable[[int], None],
        count: Callable[[int], None] = lambda _: None,
        *,
        seconds: float = 10.0,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Make the folder, if it is one.

        :param report: told how many records were dropped since the last call, at most once a second.
        :param count: told of each drop at once.
        :param seconds: that a store has to take a record.
        :param on_failure: told why it did not.
        :raises OSError: when the folder cannot be made.
        """
        self._complete = mode == "complete"
        self._segments: Segments | None = None
        if isinstance(place, Path):
            self._segments = Segments(place, "prediction", segment_bytes, durable=self._complete)
            self._appender: Lines = Appender(self._segments.write, "records", self.lose)
        else:
            self._appender = ObjectWriter(place, seconds, segment_bytes, self.lose, on_failure)
        self._report = report
        self._count = count
        self._unreported = 0
        self._reported_at = 0.0
        self._later: list[Decided] = []
        self._later_rows = 0
        self._settles = False

    def write(self, decided: Sequence[Decided]) -> asyncio.Future[None] | None:
        """Render and write the records of what was decided. In mode ``complete`` there is something to wait for, which
        raises ``NotRecorded`` when they are not on the disk."""
        if not decided:
            return None
        if self._complete:
            return self.write_lines(render(decided), 0)
        if not self._settles:
            self._settles = True
            asyncio.get_running_loop().call_later(DELAY, self._settle_in_time)
        self._later.extend(decided)
        self._later_rows += sum(one.batch.rows for one in decided)
        if self._later_rows >= TOGETHER:
            asyncio.get_running_loop().call_soon(self._settle)  # the answers leave first
        return None

    def write_lines(self, lines: bytes, count: int) -> asyncio.Future[None] | None:
        """The same of ``count`` records that are rendered."""
        if self._complete:
            return asyncio.ensure_future(self._commit(lines))
        self._appender.put(lines, count)
        return None

    def _settle(self) -> None:
        """Write what was put off: for many at once it costs a fraction of what it does between other work."""
        later, self._later, self._later_rows = self._later, [], 0
        if later:
            self._render(later)

    def _render(self, decided: Sequence[Decided]) -> None:
        """Render and write what can be, and count what cannot."""
        rows = sum(one.batch.rows for one in decided)
        try:
            self._appender.put(render(decided), rows)
        except Exception:  # noqa: BLE001  of the memory, or of a model that gives no contributions for one of the rows
            parts = decided if len(decided) > 1 else decided[0].by_request()
            if len(parts) == 1:
                self.lose(rows)
                return
            for part in parts:
                self._render([part])

    def _settle_in_time(self) -> None:
        self._settles = False
        self._settle()

    async def _commit(self, lines: bytes) -> None:
        try:
            await self._appender.commit(lines)
        except OSError as error:
            raise NotRecorded(
                f"The decision could not be recorded ({error.strerror}) and is therefore withheld.",
                "Send it again later.",
            ) from error

    async def close(self) -> None:
        """Write what is left, and report what was dropped."""
        self._settle()
        await self._appender.close()
        if self._segments is not None:
            self._segments.close()
        if self._unreported:
            self._tell()

    def lose(self, count: int) -> None:
        """Count records that are lost."""
        self._count(count)
        self._unreported += count
        if monotonic() - self._reported_at >= 1:
            self._tell()

    def _tell(self) -> None:
        self._report(self._unreported)
        self._unreported = 0
        self._reported_at = monotonic()
