"""What was done to a stack, kept as Pulumi's file backend keeps it: one file for each operation that was no preview.

``<backend>/.pulumi/history/<project>/<stack>/<stack>-<nanoseconds>.history.json``. Secret config values are kept as
they lie in the stack's settings, encrypted.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trivet.core.errors import ConfigError
from trivet.core.files import write_atomic

_TOLD = "%Y-%m-%dT%H:%M:%S.000Z"


@dataclass(frozen=True)
class Entry:
    """One operation; times are seconds since the epoch, ``config`` is as the stack's settings have it."""

    kind: str
    message: str
    result: str
    started: float
    ended: float
    changes: Mapping[str, int]
    config: Mapping[str, Any]


class History:
    """The operations of one stack."""

    def __init__(self, root: Path, project: str, stack: str) -> None:
        self._folder = root / "history" / project / stack
        self._stack = stack

    def add(self, entry: Entry) -> None:
        """Keep one."""
        record = {
            "kind": entry.kind,
            "startTime": int(entry.started),
            "message": entry.message,
            "environment": {},
            "config": entry.config,
            "result": entry.result,
            "endTime": int(entry.ended),
            "version": len(self._files()) + 1,
            "resourceChanges": entry.changes,
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._stack}-{time.time_ns()}.history.json"
        write_atomic(path, json.dumps(record, indent=4, ensure_ascii=False, default=str) + "\n")

    def page(self, size: int, number: int, decrypt: Callable[[str], str] | None) -> list[dict[str, Any]]:
        """The entries of one page, the latest first, as ``pulumi stack history --json`` gives them.

        :param decrypt: opens secret config values; none leaves them out.
        :raises ConfigError: for a file that is none of Pulumi's.
        """
        files = self._files()[::-1][(number - 1) * size :][:size]
        return [_told(path, decrypt) for path in files]

    def remove(self) -> None:
        """Forget it all."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._stack}-*.history.json"), key=lambda path: path.name.rsplit("-", 1)[1])


def _told(path: Path, decrypt: Callable[[str], str] | None) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
        times = {name: datetime.fromtimestamp(record[name], UTC).strftime(_TOLD) for name in ("startTime", "endTime")}
        config = {key: _value(value, decrypt) for key, value in (record.get("config") or {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is not a history that Pulumi writes.", "Move it away.") from error
    return {**record, **times, "config": config}


def _opened(ciphertext: str, decrypt: Callable[[str], str]) -> str:
    try:
        return decrypt(ciphertext)
    except ConfigError:  # it was sealed under another passphrase; Pulumi says it in these words
        return "ERROR_UNABLE_TO_DECRYPT"


def _value(value: Any, decrypt: Callable[[str], str] | None) -> dict[str, Any]:
    if isinstance(value, dict) and value.keys() == {"secure"}:
        return {"secret": True} if decrypt is None else {"value": _opened(value["secure"], decrypt), "secret": True}
    return {"value": value if isinstance(value, str) else json.dumps(value, default=str), "secret": False}
