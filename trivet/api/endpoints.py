"""Endpoints: deploy a version, ask it, look after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.errors import ConfigError
from trivet.core.layout import project_root

if TYPE_CHECKING:
    from trivet.core.findings import Finding
    from trivet.core.inference import Decided, Value
    from trivet.core.progress import Progress
    from trivet.core.specs import EndpointState, Instances
    from trivet.workflows.compare import Comparison
    from trivet.workflows.deployment import Deployment
    from trivet.workflows.score import Scored
    from trivet.workflows.watch import Status


def deploy(
    reference: str,
    stack: str | None = None,
    *,
    endpoint: str = "",
    instances: Instances | None = None,
    native: Mapping[str, str] | None = None,
    traffic: int | None = None,
    shadow: bool = False,
    root: Path | None = None,
    progress: Progress | None = None,
) -> EndpointState:
    """Serve an approved version: alone, or beside what serves now. Of machines, what is not said stays as it is.

    :param instances: between how many machines, where the cloud scales; none: as the project says.
    :param native: options of the stack's own cloud, such as ``instance_type``, over those of the project.
    :param traffic: percent that it gets; what serves now keeps the rest.
    :param shadow: it gets a copy of the requests, and what serves now goes on.
    :raises GateRefused: when nobody approved it.
    :raises Unsupported: when the cloud does not do what is asked.
    :raises NotReady: when it did not become ready; what served before goes on.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.release import deploy as execute

    how = _deployment(instances, native, traffic, shadow)
    with workbench(root or project_root(), stack, progress=progress) as bench:
        with bench.progress.step(f"Deploy {reference}") as note:
            state = execute(bench, bench.platform.models.get(reference), endpoint, how)
            note(state.url)
        return state


def deploy_everywhere(
    reference: str,
    stacks: Sequence[str],
    *,
    endpoint: str = "",
    instances: Instances | None = None,
    native: Mapping[str, str] | None = None,
    traffic: int | None = None,
    shadow: bool = False,
    root: Path | None = None,
    progress: Progress | None = None,
) -> list[EndpointState]:
    """Serve an approved version on several stacks, as ``deploy`` does on one, or leave each as it was.

    :param reference: in the first of ``stacks``; the others serve the same package.
    :raises ConfigError: when one of them does not have it.
    :raises GateRefused: when one of them has not approved it.
    :raises NotReady: when one of them did not become ready; each serves what it served, unless the message says not.
    """
    from trivet.connect import outputs_file
    from trivet.workflows.bench import workbench
    from trivet.workflows.everywhere import deploy_everywhere as execute

    here, how = root or project_root(), _deployment(instances, native, traffic, shadow)
    with ExitStack() as opened:
        benches = [
            opened.enter_context(workbench(here, stack, outputs=outputs_file(here, stack), progress=progress))
            for stack in stacks
        ]
        return execute(benches, reference, endpoint, how)


def _deployment(
    instances: Instances | None, native: Mapping[str, str] | None, traffic: int | None, shadow: bool
) -> Deployment:
    from trivet.core.specs import Instances
    from trivet.workflows.deployment import Deployment

    given = {"instances": instances or Instances(), "native": dict(native or {}), "traffic": traffic, "shadow": shadow}
    return Deployment.parse(given, "The deployment")


def compare(
    source: Path,
    stacks: tuple[str, str],
    *,
    endpoints: tuple[str, str] = ("", ""),
    batch: int = 1,
    root: Path | None = None,
) -> Comparison:
    """Ask the endpoints of two stacks about every row of a CSV or JSON-lines file, ``batch`` rows a request."""
    from trivet.connect import connect, outputs_file
    from trivet.workflows.compare import compare as execute

    if stacks[0] == stacks[1] and endpoints[0] == endpoints[1]:
        raise ConfigError(f"An endpoint of {stacks[0]} is itself.", "Name two stacks, or two endpoints of one.")
    here = root or project_root()
    one, other = (outputs_file(here, stack) for stack in stacks)
    with connect(stacks[0], one, here) as left, connect(stacks[1], other, here) as right:
        return execute((left, right), source, endpoints, batch=batch)


def pause(
    stack: str | None = None, *, endpoint: str = "", outputs: Path | None = None, root: Path | None = None
) -> EndpointState:
    """Let go of an endpoint's machines, and remember what it served."""
    from trivet.connect import connect
    from trivet.workflows.ask import only_endpoint

    with connect(stack, outputs, root) as platform:
        return platform.endpoints.pause(only_endpoint(platform, endpoint))


def resume(
    stack: str | None = None, *, endpoint: str = "", outputs: Path | None = None, root: Path | None = None
) -> EndpointState:
    """Serve again what an endpoint served before its pause.

    :raises NotReady: when it was not paused, or did not become ready.
    """
    from trivet.connect import connect
    from trivet.workflows.ask import only_endpoint

    with connect(stack, outputs, root) as platform:
        return platform.endpoints.resume(only_endpoint(platform, endpoint))


def predict(
    rows: Sequence[Mapping[str, Value]],
    stack: str | None = None,
    *,
    endpoint: str = "",
    outputs: Path | None = None,
    root: Path | None = None,
) -> list[Decided]:
    """Ask an endpoint for decisions about rows of named values."""
    from trivet.connect import connect
    from trivet.workflows import ask

    with connect(stack, outputs, root) as platform:
        return ask.predict(platform, rows, endpoint)


def predict_file(
    source: Path,
    target: Path,
    stack: str | None = None,
    *,
    endpoint: str = "",
    outputs: Path | None = None,
    root: Path | None = None,
) -> int:
    """Ask about every row of a CSV or JSON-lines file and write the answers to another; how many."""
    from trivet.connect import connect
    from trivet.workflows import ask

    with connect(stack, outputs, root) as platform:
        return ask.predict_file(platform, source, target, endpoint)


def score(
    reference: str,
    source: Path,
    target: Path,
    stack: str | None = None,
    *,
    timeout: timedelta = timedelta(hours=1),
    native: Mapping[str, object] | None = None,
    outputs: Path | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Score every row of a CSV or JSON-lines file by a registered version, without an endpoint, and wait for it.

    :param native: options of the stack's own cloud, such as ``instance_type``.
    :raises GateRefused: when it was rejected, or is not approved where the stack is not for development.
    :raises JobFailed: when the job ended without a result.
    """
    from trivet.core.specs import ScoringNative
    from trivet.workflows.bench import workbench
    from trivet.workflows.score import score as execute

    with workbench(root or project_root(), stack, outputs=outputs, progress=progress) as bench:
        version = bench.platform.models.get(reference)
        options = ScoringNative.parse({bench.platform.cloud.name: dict(native or {})}, "native")
        return execute(bench, version, source, target, timeout=timeout, native=options)


def status(stack: str | None = None, *, outputs: Path | None = None, root: Path | None = None) -> Status:
    """What serves, what was found and whether a training is due."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.watch import status as look

    with workbench(root or project_root(), stack, outputs=outputs) as bench:
        return look(bench)


def logs(
    stack: str | None = None,
    *,
    endpoint: str = "",
    job: str = "",
    outputs: Path | None = None,
    root: Path | None = None,
) -> Iterator[str]:
    """The lines that an endpoint's server, or a ``job`` such as a training, wrote."""
    from trivet.connect import connect
    from trivet.core.refs import JobRef
    from trivet.workflows.ask import only_endpoint

    with connect(stack, outputs, root) as platform:
        if job:
            yield from platform.jobs.logs(JobRef(job))
        else:
            yield from platform.endpoints.logs(only_endpoint(platform, endpoint))


def monitor(
    stack: str | None = None,
    *,
    labels: Path | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Compare what the endpoints see with what their models were trained on; ``labels`` adds outcomes first."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.watch import monitor as look

    with workbench(root or project_root(), stack, progress=progress) as bench:
        return [finding for found in look(bench, labels).values() for finding in found]
