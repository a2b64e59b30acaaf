"""A file in, a file of answers out, without an endpoint: upload, score as a job, wait, fetch.

The job's name is a digest of the rows and of the release, so the same file scored by the same release is the same job,
and a call that was cut off goes on where it was.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TextIO

from trivet.core.canonical import digest_file, digest_json
from trivet.core.document import Document
from trivet.core.errors import ConfigError, GateRefused, JobFailed, PlatformError
from trivet.core.faults import point
from trivet.core.platform import Platform, Store
from trivet.core.refs import JobRef
from trivet.core.specs import JobState, ModelVersion, Release, ScoringNative, ScoringSpec
from trivet.core.waiting import wait_for
from trivet.platforms.scoring import FAILED
from trivet.workflows.ask import serving_of
from trivet.workflows.bench import Bench
from trivet.workflows.rowfiles import appearing, lines_in, refuse_same

ROWS = "rows.jsonl"
GRACE = timedelta(minutes=15)  # beyond a job's own timeout, for the cloud to find machines and to say that it has ended
COLUMNS = ("decision", "score", "error", "model_name", "model_version", "package")


class Scored(Document):
    """What became of a file."""

    job: str
    model: str
    digest: str
    rows: int
    errors: int
    out: str


def score(
    bench: Bench,
    version: ModelVersion,
    source: Path,
    target: Path,
    *,
    timeout: timedelta = timedelta(hours=1),
    native: ScoringNative | None = None,
) -> Scored:
    """Score every row of a CSV or JSON-lines file and write the answers to another, one a row in the same order.

    A row that the model does not take has an error in place of a decision. When the call is interrupted, the job is
    cancelled; the same call goes on as far as the cloud can.

    :raises GateRefused: when the version was rejected, or is not approved and this is no stack for development.
    :raises ConfigError: for a file that cannot be scored, or answers that cannot be written.
    :raises JobFailed: when the job ended without a result.
    """
    refuse_same(source, target)
    _admit(bench, version)
    platform, steps = bench.platform, bench.progress
    with appearing(target) as out:
        with steps.step(f"Upload {source.name}") as note:
            spec, rows = _uploaded(platform, version, source, timeout, native or ScoringNative())
            note(f"{rows} rows")
        with steps.step(f"Score with {version}") as note:
            point("score.uploaded")
            job = platform.jobs.score(spec)
            note(job.id)
            _await(platform, job, spec)
        with steps.step(f"Fetch {target.name}") as note:
            found, errors = _fetch(platform.store, f"{spec.output}/{ROWS}.out", out, as_csv=target.suffix == ".csv")
            if found != rows:
                raise PlatformError(f"The job {job.id} answered {found} of {rows} rows.", "Look at its log.")
            note(f"{errors} with an error")
    return Scored(job=job.id, model=str(version), digest=version.digest, rows=rows, errors=errors, out=str(target))


def _admit(bench: Bench, version: ModelVersion) -> None:
    approval = version.approval
    if approval and approval.status == "approved":
        return
    if approval is None and bench.profile == "dev":  # where one may look before one approves
        return
    said = "was rejected" if approval else f"is not approved, which {bench.profile} asks for"
    raise GateRefused(f"{version} {said}.", f"Somebody may run `trivet models approve {version} --reason '...'`.")


def _uploaded(
    platform: Platform, version: ModelVersion, source: Path, timeout: timedelta, native: ScoringNative
) -> tuple[ScoringSpec, int]:
    """The job for a file whose rows are in the store, and how many they are."""
    with tempfile.TemporaryDirectory(prefix="trivet-score-") as folder:
        path = Path(folder, ROWS)
        lines = lines_in(source, serving_of(platform, version.digest))
        first = next(lines, None)
        if first is None:
            raise ConfigError(f"{source.name} has no rows.", "Give at least one.")
        with path.open("w", encoding="utf-8") as file:
            rows = sum(file.write(f"{line}\n") > 0 for line in chain([first], lines))
        name = f"score-{digest_json([version.digest, digest_file(path)])[7:31]}"
        spec = ScoringSpec(
            name=name,
            release=Release(model=version.name, version=version.version, digest=version.digest),
            input=f"scoring/{name}",
            output=f"outputs/{name}",
            timeout=timeout,
            native=native,
        )
        platform.check(spec)
        platform.store.put(f"{spec.input}/{ROWS}", path)
    return spec, rows


def _await(platform: Platform, job: JobRef, spec: ScoringSpec) -> None:
    def ended() -> JobState | None:
        state = platform.jobs.state(job)
        return None if state is JobState.RUNNING else state

    try:
        state = wait_for(ended, f"The job {job.id}", seconds=(spec.timeout + GRACE).total_seconds())
    except KeyboardInterrupt:
        platform.jobs.cancel(job)
        raise
    if state is not JobState.SUCCEEDED:
        how = "was cancelled." if state is JobState.CANCELLED else f"failed: {_reason(platform.jobs.logs(job))}"
        raise JobFailed(f"The job {job.id} {how}", f"The whole log: trivet logs --job {job.id}")


def _reason(log: Iterable[str]) -> str:
    """What a log says of why: in the job's own line, else in its last, in which a cloud says it."""
    said = [line.strip() for line in log if line.strip()]
    own = [line.removeprefix(FAILED) for line in said if line.startswith(FAILED)]
    return (own or said or ["it said nothing."])[-1]


def _fetch(store: Store, key: str, out: TextIO, *, as_csv: bool) -> tuple[int, int]:
    """Write the answers; how many, and how many of them are errors."""
    write = _table(out) if as_csv else out.write
    rows = errors = 0
    for line in _lines(store.stream(key)):
        write(line)
        rows += 1
        errors += line.startswith('{"error"')
    return rows, errors


def _table(out: TextIO) -> Callable[[str], object]:
    table = csv.DictWriter(out, COLUMNS)
    table.writeheader()
    return lambda line: table.writerow(json.loads(line))


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    held = b""
    for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n")
        for line in whole:
            yield f"{line.decode()}\n"
