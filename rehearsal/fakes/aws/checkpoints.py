"""A job's folder of checkpoints, kept the same as its place in S3 while the job runs."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from trivet.rehearsal.fakes.aws import objects
from trivet.rehearsal.fakes.aws.objects import Place

_INTERVAL = 0.5  # seconds
_USUAL = "/opt/ml/checkpoints"


class Checkpoints:
    """``CheckpointConfig`` of one job; does nothing where there is none."""

    def __init__(self, s3: Any, config: dict[str, str] | None, ml: Path) -> None:
        self._s3 = s3
        self._place = Place.of(config["S3Uri"]) if config else None
        self._folder = ml / (config or {}).get("LocalPath", _USUAL).removeprefix("/opt/ml").strip("/")
        self._sent: dict[Path, tuple[int, int]] = {}
        self._next = 0.0

    def fetch(self) -> None:
        """Put into the folder what S3 has: what an interrupted run left."""
        if self._place:
            objects.download(self._s3, Place(self._place.bucket, self._place.below("").key), self._folder)
            self._sent = self._stamps()

    def send(self, last: bool = False) -> None:
        """Put into S3 what changed in the folder since the last time, now and then, and at the end for certain."""
        if self._place is None or (time.monotonic() < self._next and not last):
            return
        stamps = self._stamps()
        for path in [path for path, stamp in stamps.items() if self._sent.get(path) != stamp]:
            key = self._place.below(path.relative_to(self._folder).as_posix()).key
            with suppress(FileNotFoundError):  # the job has replaced it since: the next time, then
                self._s3.put_object(Bucket=self._place.bucket, Key=key, Body=path.read_bytes())
        self._sent = stamps
        self._next = time.monotonic() + _INTERVAL

    def _stamps(self) -> dict[Path, tuple[int, int]]:
        stamps = {}
        for path in objects.files(self._folder):
            try:
                found = path.stat()
            except FileNotFoundError:  # it is being replaced
                continue
            stamps[path] = found.st_mtime_ns, found.st_size
        return stamps
