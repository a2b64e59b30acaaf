"""The log: one JSON object a line on standard error. Never a value of a row, never in a request's way."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from trivet.serving.appender import Appender
from trivet.serving.config import LogLevel

STDERR = 2
LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log:
    """Writes events at or above a level."""

    def __init__(self, level: LogLevel) -> None:
        self._threshold = LEVELS[level]
        self._appender = Appender(_write, "log")

    def takes(self, level: LogLevel) -> bool:
        """Whether events of this level are written."""
        return LEVELS[level] >= self._threshold

    def event(self, level: LogLevel, event: str, **fields: Any) -> None:
        """Write one line soon; it is dropped where standard error cannot take it."""
        if self.takes(level):
            self._appender.put(line(datetime.now(UTC), level, event, fields))

    def put(self, lines: Sequence[bytes]) -> None:
        """Write whole lines soon, whose level their writer has asked for."""
        self._appender.put(b"".join(lines), len(lines))

    async def close(self) -> None:
        """Write what is left, then how much was dropped."""
        await self._appender.close()
        if self._appender.dropped:
            say("warning", "log lines dropped", count=self._appender.dropped)


class Bridge(logging.Handler):
    """Brings what libraries log into the log, without its arguments, which may hold what a client sent."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        level: LogLevel = "error" if record.levelno >= logging.ERROR else "warning"
        failure = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        self._log.event(level, "http", message=str(record.msg).strip(), failure=failure)


def say(level: LogLevel, event: str, **fields: Any) -> None:
    """Write one line at once, outside the event loop."""
    try:
        _write(line(datetime.now(UTC), level, event, fields))
    except OSError:
        return  # there is nowhere left to say so


def line(time: datetime, level: LogLevel, event: str, fields: dict[str, Any]) -> bytes:
    """One line of the log."""
    return orjson.dumps({"time": time, "level": level, "event": event, **fields}, option=orjson.OPT_APPEND_NEWLINE)


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(STDERR, rest) :]
