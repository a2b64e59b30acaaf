"""The gate through which every step goes: once it is closed, nothing new begins, and what is inside ends."""

from __future__ import annotations

import threading


class Gate:
    """Counts who is inside. ``with gate:`` enters, or raises the error with which the gate was closed."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._inside = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            if self._error:
                raise self._error
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing new may begin."""
        return self._error is not None

    def close(self, error: BaseException) -> None:
        """Let nobody in any more. The first error stays the one that is told."""
        with self._changed:
            self._error = self._error or error

    def check(self) -> None:
        """:raises BaseException: the error with which the gate was closed, if it was."""
        if self._error:
            raise self._error

    def wait_until_idle(self) -> None:
        """Return when nobody is inside."""
        with self._changed:
            self._changed.wait_for(lambda: self._inside == 0)
