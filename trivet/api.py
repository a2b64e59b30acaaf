"""The verbs of the command line, in Python. Each takes a stack's name and finds the project root from the working
directory; ``root`` says otherwise.

>>> import trivet
>>> trivet.up("local", ("examples/loan_approval",))  # doctest: +SKIP
>>> report = trivet.run("examples/loan_approval")  # doctest: +SKIP
>>> trivet.predict([{...}])  # doctest: +SKIP

What a verb needs is imported when it is called: ``predict``, ``status``, ``logs`` and ``outputs`` import neither
Pulumi nor MLflow nor scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.layout import project_root

if TYPE_CHECKING:
    from trivet.core.checkup import Check
    from trivet.core.findings import Finding
    from trivet.core.inference import Decided, Value
    from trivet.core.leftovers import Left
    from trivet.core.outputs import Outputs
    from trivet.core.progress import Progress
    from trivet.core.specs import EndpointState, ModelVersion
    from trivet.governance.ledger import Entry
    from trivet.governance.modelcard import ModelCard
    from trivet.governance.verification import Verification
    from trivet.infra.driver import Options
    from trivet.infra.holds import Hold
    from trivet.workflows.retrain import Retraining
    from trivet.workflows.run import RunReport
    from trivet.workflows.stack import StackChange
    from trivet.workflows.watch import Status

LOCAL = "local"


def up(
    stack: str = LOCAL,
    projects: Sequence[Path | str] = (),
    *,
    config: Mapping[str, str] | None = None,
    options: Options | None = None,
    cost: bool = False,
    root: Path | None = None,
    progress: Progress | None = None,
) -> StackChange:
    """Create or update a stack; ``projects`` adds their endpoints, ``config`` sets keys of the ``trivet`` namespace,
    ``cost`` asks for the list price of a month without use.

    :raises ConfigError: naming every setting that is wrong.
    :raises GateRefused: when a mandatory policy of ``options`` is violated.
    :raises Locked: naming who else is at the stack.
    """
    from trivet.workflows import stack as stacks
    from trivet.workflows.project import ProjectFiles

    files = [ProjectFiles.read(Path(project)) for project in projects]
    return stacks.up(root or project_root(), stack, files, config, progress, options, cost=cost)


def preview(
    stack: str = LOCAL,
    *,
    options: Options | None = None,
    cost: bool = False,
    root: Path | None = None,
    progress: Progress | None = None,
) -> StackChange:
    """What ``up`` would change; ``cost`` asks for the list price of a month without use."""
    from trivet.workflows import stack as stacks

    return stacks.preview(root or project_root(), stack, progress, options, cost=cost)


def migrate(stack: str, engine: str, *, root: Path | None = None) -> Path:
    """Hand a stack over to the other engine, ``pulumi`` or ``embedded``; returns where its former state lies.

    :raises IntegrityError: when the new engine does not say the same of it; it is as it was then.
    """
    from trivet.workflows import stack as stacks

    return stacks.migrate(root or project_root(), stack, engine)


def held(stack: str = LOCAL, *, root: Path | None = None) -> list[Hold]:
    """What of a stack is protected from ``destroy`` or would outlive it, and how to let go of it."""
    from trivet.workflows import stack as stacks

    return stacks.held(root or project_root(), stack)


def destroy(stack: str = LOCAL, *, root: Path | None = None, progress: Progress | None = None) -> StackChange:
    """Destroy a stack with everything in it.

    :raises Held: before anything is deleted, when something is protected; its ``holds`` say what.
    """
    from trivet.workflows import stack as stacks

    return stacks.destroy(root or project_root(), stack, progress)


def audit(stack: str = LOCAL, *, root: Path | None = None, progress: Progress | None = None) -> list[Left]:
    """What is left of a stack on its cloud, destroyed or not, and until when; changes nothing."""
    from trivet.workflows import stack as stacks

    return stacks.audit(root or project_root(), stack, progress)


def environment(stack: str = LOCAL, *, root: Path | None = None) -> dict[str, str]:
    """The variables with which plain ``pulumi`` commands act on the same stack."""
    from trivet.workflows import stack as stacks

    return stacks.environment(root or project_root(), stack)


def outputs(stack: str | None = None, *, file: Path | None = None, root: Path | None = None) -> Outputs:
    """Where a stack keeps what.

    :raises NotReady: when it is not up.
    """
    from trivet.connect import read_outputs

    return read_outputs(stack, file, root)


def init(
    name: str,
    source: Path,
    target: str,
    *,
    positive: str = "",
    protected: tuple[str, ...] = (),
    folder: Path | None = None,
) -> Path:
    """Write a new project for the table in ``source``; its folder."""
    from trivet.workflows.init import init as write

    return write(name, source, target, positive=positive, protected=protected, folder=folder or Path.cwd()).folder


def run(
    project: Path | str,
    stack: str | None = None,
    *,
    variant: str = "default",
    root: Path | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Run a project's workflow up to its endpoint.

    :raises DataContractBroken: when the data is not what was promised.
    :raises GateRefused: when the gate or the approval rule holds it back.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.project import ProjectFiles
    from trivet.workflows.run import run as execute

    files = ProjectFiles.read(Path(project))
    with workbench(root or project_root(), stack, progress=progress) as bench:
        return execute(bench, files, variant)


def run_if_needed(
    project: Path | str,
    stack: str | None = None,
    *,
    variant: str = "default",
    root: Path | None = None,
    progress: Progress | None = None,
) -> Retraining:
    """Run a project's workflow when an alarm or the schedule asks for it; says why it did or did not."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.project import ProjectFiles
    from trivet.workflows.retrain import run_if_needed as execute

    files = ProjectFiles.read(Path(project))
    with workbench(root or project_root(), stack, progress=progress) as bench:
        return execute(bench, files, variant)


def train(
    project: Path | str,
    stack: str | None = None,
    *,
    variant: str = "default",
    root: Path | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Train and judge a candidate, and register nothing."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.project import ProjectFiles
    from trivet.workflows.run import train as execute

    files = ProjectFiles.read(Path(project))
    with workbench(root or project_root(), stack, progress=progress) as bench:
        return execute(bench, files, variant)


def models(name: str = "", stack: str | None = None, *, root: Path | None = None) -> list[ModelVersion]:
    """Every version of one model or of all, newest first."""
    from trivet.connect import connect

    with connect(stack, root=root) as platform:
        return list(platform.models.list(name))


def model_card(reference: str, stack: str | None = None, *, root: Path | None = None) -> ModelCard:
    """What the registry knows of a version."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.report import model_card as card

    with workbench(root or project_root(), stack) as bench:
        return card(bench, bench.platform.models.get(reference))


def register(
    path: Path,
    stack: str | None = None,
    *,
    name: str = "",
    project: Path | str | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
) -> ModelVersion:
    """Register a model package, or an MLflow model folder in ONNX form, that was made elsewhere.

    ``project`` puts it before that project's gate; without one it can be registered, but not approved.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.bring import register_folder
    from trivet.workflows.project import ProjectFiles

    files = ProjectFiles.read(Path(project)) if project else None
    with workbench(root or project_root(), stack, progress=progress) as bench:
        return register_folder(bench, path, name, files)


def approve(
    reference: str, reason: str, stack: str | None = None, *, reject: bool = False, root: Path | None = None
) -> ModelVersion:
    """Approve or reject a version as the current actor.

    :raises GateRefused: when the policy does not allow it.
    """
    from trivet.governance.approval import Person
    from trivet.workflows import release
    from trivet.workflows.bench import workbench

    with workbench(root or project_root(), stack) as bench:
        version = bench.platform.models.get(reference)
        person = Person(bench.actor.name, bench.actor.identity, reason)
        if reject:
            return release.reject(bench, version, person)
        return release.approve(bench, version, release.read_judged(bench, version), person)


def convert(
    path: Path, out: Path, *, trust_pickle: bool, sample: Path | None = None, progress: Progress | None = None
) -> Path:
    """Convert a pickled scikit-learn model to a model package in a process of its own; its folder."""
    from trivet.workflows.bring import convert as execute

    return execute(path, out, trust_pickle=trust_pickle, sample=sample, progress=progress)


def registry_ui(stack: str | None = None, *, root: Path | None = None) -> str:
    """The command that opens MLflow's pages on the local registry."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.bring import registry_ui as command

    with workbench(root or project_root(), stack) as bench:
        return command(bench)


def deploy(
    reference: str,
    stack: str | None = None,
    *,
    endpoint: str = "",
    root: Path | None = None,
    progress: Progress | None = None,
) -> EndpointState:
    """Serve an approved version.

    :raises GateRefused: when nobody approved it.
    :raises NotReady: when it did not become ready; what served before goes on.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.release import deploy as execute

    with workbench(root or project_root(), stack, progress=progress) as bench:
        with bench.progress.step(f"Deploy {reference}") as note:
            state = execute(bench, bench.platform.models.get(reference), endpoint)
            note(state.url)
        return state


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


def doctor(stack: str | None = None, *, outputs: Path | None = None, root: Path | None = None) -> list[Check]:
    """Look whether work on a stack can begin: identity, rights, quotas, and what the stack should have."""
    from trivet.connect import connect

    with connect(stack, outputs, root) as platform:
        return list(platform.doctor())


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


def ledger_entries(stack: str | None = None, *, root: Path | None = None) -> list[Entry]:
    """Every entry of the ledger, oldest first."""
    from trivet.workflows.bench import workbench

    with workbench(root or project_root(), stack) as bench:
        return list(bench.ledger.entries())


def ledger_verify(stack: str | None = None, *, root: Path | None = None) -> Verification:
    """Check the ledger's chain, its anchors and the records that it names.

    :raises IntegrityError: naming everything that does not agree.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.watch import verify_ledger

    with workbench(root or project_root(), stack) as bench:
        return verify_ledger(bench)


def ledger_export(target: Path, stack: str | None = None, *, root: Path | None = None) -> int:
    """Write every entry as a line of JSON; how many."""
    from trivet.core.files import write_atomic
    from trivet.workflows.bench import workbench

    with workbench(root or project_root(), stack) as bench:
        lines = list(bench.ledger.export())
    write_atomic(target, "".join(f"{line}\n" for line in lines), mode=0o644)
    return len(lines)
