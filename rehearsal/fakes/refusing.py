"""How a cloud says no, whatever its protocol: one exception, which each fake renders as its cloud does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Answer = tuple[int, list[tuple[str, str]], bytes]  # status, headers, body


class Refused(Exception):
    """An error of a service, by the code and the sentence that its clients get.

    :param details: further members of the error's shape.
    """

    def __init__(self, code: str, message: str, status: int = 400, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.details = dict(details or {})
