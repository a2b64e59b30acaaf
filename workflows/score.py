"""A file in, a file of answers out, without an endpoint: upload, score as a job, wait, fetch, and leave nothing.

The job's name begins with a digest of the rows and of the release. While its rows lie in the store a scoring is not
over: the same file scored by the same release is the same job then, and a call that was cut off goes on where it was.
Rows and answers, which are people's data, leave the store when the answers have become the user's file; the next
scoring of the same file is another job.
"""

from __future__ import annotations

import csv
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TextIO
from uuid import uuid4

from trivet.core.canonical import digest_file, digest_json
from trivet.core.document import Document
from trivet.core.errors import ConfigError, GateRefused, JobFailed, NotFound, PlatformError
from trivet.core.faults import point
from trivet.core.platform import Platform, Store
from trivet.core.refs import JobRef
from trivet.core.specs import JobState, ModelVersion, Release, ScoringNative, ScoringSpec
from trivet.core.waiting import wait_for
from trivet.governance.approval import command
from trivet.platforms.scoring import FAILED, SUFFIX
from trivet.workflows.ask import serving_of
from trivet.workflows.bench import Bench
from trivet.workflows.rowfiles import appearing, lines_in, refuse_same

INPUT, OUTPUT, ROWS = "scoring", "outputs", "rows.jsonl"
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

    A row that the model does not take has an error in place of a decision. When the call is interrupted, or has waited
    for too long, the job is cancelled; the same call goes on as far as the cloud can. The ledger holds who scored how
    many rows by what.

    :raises GateRefused: when the version was rejected, or is not approved and this is no stack for development.
    :raises ConfigError: for a file that cannot be scored, or answers that cannot be written.
    :raises JobFailed: when the job ended without a result, or did not end.
    """
    refuse_same(source, target)
    _admit(bench, version)
    platform, steps = bench.platform, bench.progress
    with appearing(target) as out:
        with steps.step(f"Upload {source.name}") as note:
            task = _uploaded(platform, version, source, timeout, native or ScoringNative())
            note(f"{task.rows} rows")
        with steps.step(f"Score with {version}") as note:
            point("score.uploaded")
            job = _started(platform, task.spec)
            note(job.id)
            _await(platform, job, task.spec)
        with steps.step(f"Fetch {target.name}") as note:
            errors = _fetched(platform.store, task, out, as_csv=target.suffix == ".csv")
            note(f"{errors} with an error")
        _record(bench, version, task, errors)
    point("score.written")
    _forget(platform.store, task.spec)
    return Scored(job=job.id, model=str(version), digest=version.digest, rows=task.rows, errors=errors, out=str(target))


class Task(NamedTuple):
    """A job for a file whose rows are in the store."""

    spec: ScoringSpec
    rows: int
    digest: str  # of the rows, as they are there


def _admit(bench: Bench, version: ModelVersion) -> None:
    approval = version.approval
    if approval and approval.status == "approved":
        return
    if approval is None and bench.profile == "dev":  # where one may look before one approves
        return
    said = "was rejected" if approval else f"is not approved, which {bench.profile} asks for"
    way = f"Somebody may run `{command(str(version), bench.platform.outputs.stack)}`."
    raise GateRefused(f"{version} {said}.", way)


def _uploaded(
    platform: Platform, version: ModelVersion, source: Path, timeout: timedelta, native: ScoringNative
) -> Task:
    with tempfile.TemporaryDirectory(prefix="trivet-score-") as folder:
        path = Path(folder, ROWS)
        lines = lines_in(source, serving_of(platform, version.digest))
        first = next(lines, None)
        if first is None:
            raise ConfigError(f"{source.name} has no rows.", "Give at least one.")
        with path.open("w", encoding="utf-8") as file:
            rows = sum(file.write(f"{line}\n") > 0 for line in chain([first], lines))
        digest = digest_file(path)
        name = _name(platform, digest_json([version.name, version.version, version.digest, digest])[7:31])
        spec = ScoringSpec(
            name=name,
            release=Release(model=version.name, version=version.version, digest=version.digest),
            input=f"{INPUT}/{name}",
            output=f"{OUTPUT}/{name}",
            timeout=timeout,
            native=native,
        )
        platform.check(spec)
        platform.store.put(f"{spec.input}/{ROWS}", path)
    return Task(spec, rows, digest)


def _name(platform: Platform, what: str) -> str:
    """The name of the job that scores this and is not over; else a new one, for a name is a job for ever."""
    for key in platform.store.list(f"{INPUT}/score-{what}-"):
        name = PurePosixPath(key).parent.name
        if not _is_spent(platform, name):
            return name
        platform.store.delete(key)
    return f"score-{what}-{uuid4().hex[:8]}"


def _is_spent(platform: Platform, name: str) -> bool:
    """Whether a job has done its work and somebody has taken its answers away."""
    try:
        state = platform.jobs.state(JobRef(name))
    except NotFound:
        return False
    return state is JobState.SUCCEEDED and not platform.store.list(f"{OUTPUT}/{name}/")


def _started(platform: Platform, spec: ScoringSpec) -> JobRef:
    try:
        return platform.jobs.score(spec)
    except ConfigError:  # it will not do: nobody comes back for it
        _forget(platform.store, spec)
        raise


def _await(platform: Platform, job: JobRef, spec: ScoringSpec) -> None:
    seconds = (spec.timeout + GRACE).total_seconds()
    end = time.monotonic() + seconds

    def ended() -> JobState | None:
        state = platform.jobs.state(job)
        if state is JobState.RUNNING and time.monotonic() > end:
            late = f"The job {job.id} had not ended after {seconds / 60:.0f} minutes and was cancelled."
            raise JobFailed(late, "Call again with more time, or on larger machines.")
        return None if state is JobState.RUNNING else state

    try:
        state = wait_for(ended, f"The job {job.id}", seconds=math.inf)
    except (KeyboardInterrupt, JobFailed):  # it would go on, and cost, with nobody who waits for it
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


def _fetched(store: Store, task: Task, out: TextIO, *, as_csv: bool) -> int:
    """Write the answers; how many of them are errors.

    :raises PlatformError: when there are not as many as rows.
    """
    write = _table(out) if as_csv else out.write
    rows = errors = 0
    for line in _lines(store.stream(f"{task.spec.output}/{ROWS}{SUFFIX}")):
        write(line)
        rows += 1
        errors += line.startswith('{"error"')
    if rows != task.rows:
        raise PlatformError(f"The job {task.spec.name} answered {rows} of {task.rows} rows.", "Look at its log.")
    return errors


def _record(bench: Bench, version: ModelVersion, task: Task, errors: int) -> None:
    """Write to the ledger, once a job, who had what scored: before the answers are anybody's."""
    body = {
        "job": task.spec.name,
        "digest": version.digest,
        "rows": task.digest,
        "count": task.rows,
        "errors": errors,
        "identity": bench.actor.identity,
    }
    bench.ledger.append("scoring", bench.actor.name, str(version), body, once=True)


def _forget(store: Store, spec: ScoringSpec) -> None:
    """Remove answers and rows, rows last: while they are there the same call comes back to finish this."""
    for prefix in (spec.output, spec.input):
        for key in store.list(f"{prefix}/"):
            store.delete(key)


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
