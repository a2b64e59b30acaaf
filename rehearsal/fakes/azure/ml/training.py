"""A job that runs: its code, its inputs and outputs as folders, its command in a shell, its files taken back."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isodate

from trivet.rehearsal.fakes.azure.ml.places import place_of
from trivet.rehearsal.fakes.azure.ml.state import find_resource, now
from trivet.rehearsal.fakes.azure.names import SUBSCRIPTION
from trivet.rehearsal.fakes.containers import Container

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.azure.ml.jobs import Job
    from trivet.rehearsal.fakes.images import Image

GRACE = 30.0  # seconds from SIGTERM to SIGKILL; not documented for jobs, so Kubernetes' own
LONGEST = 21 * 86400.0  # seconds; guide "Manage quotas": a job's lifetime
_TICK = 0.05
OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
EXPRESSION = re.compile(r"\$\{\{\s*(inputs|outputs)\.([\w.-]+)\s*\}\}")


class _End(Exception):
    """The job is over: its state, and the sentence of its error."""

    def __init__(self, status: str, message: str = "") -> None:
        super().__init__(message)
        self.status, self.message = status, message


def run(job: Job) -> None:
    """Have a job live, from its queue to its end."""
    try:
        end = _lived(job)
    except _End as over:
        end = over
    except Exception as error:
        end = _End("Failed", f"{type(error).__name__}: {error}")
        if not job.ml.closed.is_set():
            _finish(job, end)
            raise  # a mistake of this fake's
    _finish(job, end)


def _finish(job: Job, end: _End) -> None:
    with job.ml.lock:
        job.error, job.ended = end.message, now()
    job.enter(end.status)


def _lived(job: Job) -> _End:
    for status in ("Queued", "Preparing"):
        job.enter(status)
        if job.cancelled.wait(job.ml.world.settings.queued):
            raise _End("Canceled")
    image = _image(job)
    folder = job.ml.world.scratch(f"job-{job.name}")
    try:
        named = _folders(job, folder)
        container = _launch(job, image, folder, named)
        with job.ml.lock:
            job.begun = now()
        job.enter("Running")
        why = _watch(job, container)
        if not job.ml.closed.is_set():
            job.enter("Finalizing")
            _take(job, folder, named)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if why:
        raise _End("Canceled", why if why != "cancelled" else "")
    if container.code:
        raise _End("Failed", f"Execution failed. User process exited with status code {container.code}.")
    return _End("Completed")


def _image(job: Job) -> Image:
    """The image of the environment, whose entry point the command takes the place of."""
    found = find_resource(job.ml, job.shown["environmentId"], "environments")
    uri = (found.properties.get("image") if found else None) or ""
    image = job.ml.world.images.find(uri)
    if image is None:
        raise _End("Failed", f"The image {uri or '(none)'} cannot be pulled: push it, and name it as it was pushed.")
    return image


def _folders(job: Job, folder: Path) -> dict[tuple[str, str], str]:
    """What each input and output is in the command: a literal's value, or a path."""
    storage, named = job.ml.world.storage, {}
    (folder / "code").mkdir()
    if code := job.shown.get("codeId"):
        found = find_resource(job.ml, code, "codes")
        if found is not None:
            place_of(job.ml, job.workspace, found.properties["codeUri"]).fill(storage, folder / "code")
    for name, one in (job.shown.get("inputs") or {}).items():
        named["inputs", name] = str(one.get("value", "")) if "value" in one else _input(job, folder, name, one)
    for name in job.outputs:
        (folder / "outputs" / name).mkdir(parents=True)
        named["outputs", name] = str(folder / "outputs" / name)
    return named


def _input(job: Job, folder: Path, name: str, one: dict[str, Any]) -> str:
    place = place_of(job.ml, job.workspace, one["uri"])
    if one.get("mode") == "Direct":
        return one["uri"]
    there = folder / "inputs" / name
    there.mkdir(parents=True)
    place.fill(job.ml.world.storage, there)
    if place.is_file(job.ml.world.storage):
        return str(there / place.path.rpartition("/")[2])
    return str(there)


def substituted(command: str, named: dict[tuple[str, str], str]) -> str:
    """A command with its expressions; what is in ``$[[ ]]`` falls away where an input of it is not given."""

    def optional(found: re.Match[str]) -> str:
        given = all(key in named for key in EXPRESSION.findall(found[1]))
        return found[1] if given else ""

    command = OPTIONAL.sub(optional, command)
    return EXPRESSION.sub(lambda found: named.get((found[1], found[2]), found[0]), command)


def _launch(job: Job, image: Image, folder: Path, named: dict[tuple[str, str], str]) -> Container:
    group = job.workspace.resource.id.split("/")[4]
    contract = {
        "AZUREML_RUN_ID": job.name,
        "AZUREML_ROOT_RUN_ID": job.name,
        "AZUREML_ARM_SUBSCRIPTION": SUBSCRIPTION,
        "AZUREML_ARM_RESOURCEGROUP": group,
        "AZUREML_ARM_WORKSPACE_NAME": job.workspace.resource.name,
        "AZUREML_ARM_PROJECT_NAME": job.shown["experimentName"],
    }
    own = {name: substituted(value, named) for name, value in (job.shown.get("environmentVariables") or {}).items()}
    environment = {**image.environment, **job.ml.world.environment(), **own, **contract}
    command = substituted(job.shown["command"], named)
    runtime, closed = job.ml.world.runtime, job.ml.closed
    try:
        return runtime.start(folder / "code", ["bash", "-c", command], environment, job.note, closed)
    except OSError as error:
        raise _End("Failed", f"The command could not be started: {error.strerror}.") from error


def _watch(job: Job, container: Container) -> str:
    """Wait for its end; why it was ended, or an empty text when it ended by itself."""
    limit = (job.shown.get("limits") or {}).get("timeout")
    deadline = time.monotonic() + (isodate.parse_duration(limit).total_seconds() if limit else LONGEST)
    why = ""
    while not why and container.wait(_TICK) is None:
        if job.cancelled.is_set():
            why = "cancelled"
        elif time.monotonic() >= deadline:
            why = "The job ran longer than limits.timeout and was cancelled."
    if why:
        container.stop(GRACE * job.ml.world.settings.grace)
    return why


def _take(job: Job, folder: Path, named: dict[tuple[str, str], str]) -> None:
    storage = job.ml.world.storage
    for (kind, name), path in named.items():
        if kind == "outputs":
            job.outputs[name].take(storage, Path(path))
    own = folder / "code" / "outputs"
    if own.is_dir():
        base = job.artifacts
        base._replace(path=f"{base.path}/outputs").take(storage, own)
