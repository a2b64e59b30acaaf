"""Training as a job: what goes in, and what comes out.

The job's name is a digest of everything that goes in, the versions of the packages among it, so the same training is
the same job, and asking for it twice trains once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath

from trivet.core.canonical import digest_json
from trivet.core.errors import JobFailed, PlatformError
from trivet.core.modelpackage import Package
from trivet.core.platform import Platform, Store
from trivet.core.refs import JobRef
from trivet.core.specs import JobNative, JobSpec, JobState
from trivet.core.waiting import wait_for
from trivet.training.environment import versions
from trivet.training.evaluation import EVALUATION, SCORES, Evaluation
from trivet.training.plan import PLAN, Plan, SnapshotLike
from trivet.training.source import PackedSource

PACKAGE_FOLDER, EVALUATION_FOLDER = "package", "evaluation"
SNAPSHOT_CHANNEL, PLAN_CHANNEL = "snapshot", "plan"
SERVED_CHANNEL, SERVED_EVALUATION_CHANNEL = "served", "served-evaluation"
GRACE = timedelta(minutes=5)  # beyond a job's own timeout, for the cloud to say that it has ended

COMMAND = ("python", "-P", "-m", "trivet.training.runtime")
REPRODUCIBLE = {
    "PYTHONHASHSEED": "0",  # skl2onnx names nodes in the order of sets
    "OMP_NUM_THREADS": "1",  # sums of floats depend on how they are split
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass(frozen=True)
class Served:
    """The release that is served now: key prefixes of its model package and of the evaluation that it came with."""

    package: str
    evaluation: str


@dataclass(frozen=True)
class Submitted:
    """A training that was asked for; ``output`` is the key prefix of what it leaves.

    ``timeout`` is how long it may take, and may wait for spare machines before.
    """

    job: JobRef
    output: str
    timeout: timedelta


@dataclass(frozen=True)
class Trained:
    """A finished training, with its files in a folder of this machine. ``scores`` is the path of scores.parquet.

    ``evaluation_key`` is where the evaluation stays in the store: what a later training compares itself with.
    """

    package: Path
    digest: str
    evaluation: Evaluation
    scores: Path
    evaluation_key: str


def submit(
    platform: Platform,
    plan: Plan,
    source: PackedSource,
    snapshot: SnapshotLike,
    *,
    served: Served | None = None,
    timeout: timedelta = timedelta(hours=1),
    native: JobNative | None = None,
) -> Submitted:
    """Start the training, or find it where it was started before; do not wait.

    :raises Unsupported: when the platform's cloud has no jobs.
    """
    spec = job_spec(plan, source, snapshot, served=served, timeout=timeout, native=native)
    platform.check(spec)
    platform.store.put(source.key, source.data)
    platform.store.put(f"{spec.inputs[PLAN_CHANNEL]}/{PLAN}", plan.canonical())
    waits = spec.native.waits(platform.cloud.name)
    return Submitted(platform.jobs.submit(spec), spec.output, timeout + waits)


def job_spec(
    plan: Plan,
    source: PackedSource,
    snapshot: SnapshotLike,
    *,
    served: Served | None = None,
    timeout: timedelta = timedelta(hours=1),
    native: JobNative | None = None,
) -> JobSpec:
    """The job that carries out a plan."""
    inputs = {SNAPSHOT_CHANNEL: snapshot.key, PLAN_CHANNEL: f"plans/{plan.content_digest().removeprefix('sha256:')}"}
    if served:
        inputs |= {SERVED_CHANNEL: served.package, SERVED_EVALUATION_CHANNEL: served.evaluation}
    name = f"train-{digest_json([source.key, inputs, versions()])[7:31]}"
    return JobSpec(
        name=name,
        source=source.key,
        command=COMMAND,
        inputs=inputs,
        output=f"training/{name}",
        environment=REPRODUCIBLE,
        timeout=timeout,
        native=native or JobNative(),
    )


def collect_result(
    platform: Platform,
    submitted: Submitted,
    folder: Path,
    *,
    progress: Callable[[float], None] = lambda _: None,
) -> Trained:
    """Wait for the training and fetch what it left into ``folder``; ``progress`` is told the seconds so far.

    :raises JobFailed: when it ended without a result; the sentence has the last line of its log.
    :raises NotReady: when it takes longer than its timeout.
    :raises IntegrityError: when the model package is not what its manifest says.
    """

    def ended() -> JobState | None:
        state = platform.jobs.state(submitted.job)
        return None if state is JobState.RUNNING else state

    what = f"The training {submitted.job.id}"
    patience = (submitted.timeout + GRACE).total_seconds()
    if (state := wait_for(ended, what, seconds=patience, progress=progress)) is not JobState.SUCCEEDED:
        raise JobFailed(
            f"{what} {_ending(platform, submitted.job, state)}", f"The whole log: trivet logs --job {submitted.job.id}"
        )
    _fetch(platform.store, submitted.output, folder)
    package = Package(folder / PACKAGE_FOLDER)
    package.verify()
    evaluation = Evaluation.read(folder / EVALUATION_FOLDER / EVALUATION)
    return Trained(
        package=package.folder,
        digest=package.digest,
        evaluation=evaluation,
        scores=folder / EVALUATION_FOLDER / SCORES,
        evaluation_key=f"{submitted.output}/{EVALUATION_FOLDER}",
    )


def _ending(platform: Platform, job: JobRef, state: JobState) -> str:
    if state is JobState.CANCELLED:
        return "was cancelled."
    said = [line.strip() for line in platform.jobs.logs(job) if line.strip()]
    own = [line.removeprefix(FAILED) for line in said if line.startswith(FAILED)]
    return f"failed: {(own or said or ['it said nothing.'])[-1]}"


FAILED = "Training failed: "  # begins the line in which the runtime says why


def _fetch(store: Store, prefix: str, folder: Path) -> None:
    for key in store.list(f"{prefix}/"):
        name = PurePosixPath(key.removeprefix(f"{prefix}/"))
        if name.is_absolute() or ".." in name.parts:
            raise PlatformError(f"The store gives the key {key!r}, which leaves its folder.")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.get(key))
