"""Predictions as records: what was decided, about which row, by which package, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import orjson

from trivet.core.canonical import digest_json
from trivet.core.errors import ConfigError
from trivet.core.inference import reasons, record_id
from trivet.core.modelpackage import FeatureProfile, Input, Profile
from trivet.core.records import Mode
from trivet.serving.appender import Appender
from trivet.serving.engine import Answer, Engine
from trivet.serving.errors import NotRecorded
from trivet.serving.segments import Segments
from trivet.serving.tensors import Batch, Value

Shown = Value | dict[str, int]


class Scribe:
    """Turns an answered batch into lines of ``trivet.core.records.Prediction``, one per row.

    ``input_digest`` covers the row as the client gave it, numbers as floats: ``{"amount":120.0,"purpose":"car"}``.
    """

    def __init__(self, engine: Engine, endpoint: str, model: str, version: str) -> None:
        """Prepare to write about one engine.

        :raises ConfigError: when the package lacks the profile of a personal input.
        """
        self._names = engine.features
        self._bins = _bins(engine.serving.inputs, engine.profile)
        self._constant = {
            "kind": "prediction",
            "endpoint": endpoint,
            "model": model,
            "version": version,
            "package": engine.digest,
        }

    def lines(self, request_id: str, batch: Batch, answer: Answer) -> bytes:
        """The records of a batch, each with its line break."""
        time = datetime.now(UTC)
        parts = [()] * batch.rows if answer.contributions is None else answer.contributions
        return b"".join(
            orjson.dumps(
                self._constant
                | {
                    "id": record_id(request_id, row, batch.rows),
                    "time": time,
                    "inputs": self._shown(values),
                    "input_digest": digest_json(values),
                    "score": answer.score[row],
                    "decision": answer.decision[row],
                    "reasons": reasons(parts[row], self._names),
                },
                option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY,
            )
            for row, values in enumerate(self._rows(batch))
        )

    def _rows(self, batch: Batch) -> list[dict[str, Value]]:
        return [dict(zip(self._names, values, strict=True)) for values in zip(*batch.columns, strict=True)]

    def _shown(self, row: dict[str, Value]) -> dict[str, Shown]:
        return row | {name: {"bin": bin_of(row[name])} for name, bin_of in self._bins.items()}


class Recorder:
    """Writes records into a folder, in one of the two modes of the seam.

    ``complete``: on the disk before the answer leaves, else no answer. ``sampled``: never in an answer's way; what
    cannot be written is dropped, counted and reported.
    """

    def __init__(self, folder: Path, mode: Mode, segment_bytes: int, report: Callable[[int], None]) -> None:
        """Make the folder.

        :param report: told how many records were dropped since the last call, at most once a second.
        :raises OSError: when the folder cannot be made.
        """
        self._complete = mode == "complete"
        self._segments = Segments(folder, "prediction", segment_bytes, durable=self._complete)
        self._appender = Appender(self._segments.write, "records", self._dropped)
        self._report = report
        self._unreported = 0
        self._reported_at = 0.0

    async def write(self, lines: bytes, count: int) -> None:
        """Write the records of one request.

        :raises NotRecorded: in mode ``complete``, when they are not on the disk.
        """
        if not self._complete:
            self._appender.put(lines, count)
            return
        try:
            await self._appender.commit(lines)
        except OSError as error:
            raise NotRecorded(
                f"The decision could not be recorded ({error.strerror}) and is therefore withheld.",
                "Send it again later.",
            ) from error

    async def close(self) -> None:
        """Write what is left, and report what was dropped."""
        await self._appender.close()
        self._segments.close()
        if self._unreported:
            self._tell()

    def _dropped(self, count: int) -> None:
        self._unreported += count
        if monotonic() - self._reported_at >= 1:
            self._tell()

    def _tell(self) -> None:
        self._report(self._unreported)
        self._unreported = 0
        self._reported_at = monotonic()


def _bins(inputs: tuple[Input, ...], profile: Profile | None) -> dict[str, Callable[[Value], int]]:
    features: dict[str, FeatureProfile] = {feature.name: feature for feature in profile.features} if profile else {}
    personal = [column.name for column in inputs if column.personal]
    if missing := [name for name in personal if name not in features]:
        raise ConfigError(
            f"The model package has no profile of the personal inputs {', '.join(missing)}, so they cannot be recorded "
            "without the person appearing.",
            "Train and register the model again.",
        )
    return {name: features[name].bin_of for name in personal}
