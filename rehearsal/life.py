"""The whole life of a stack and a model on a cloud's fake: provisioned, trained, judged, served, watched, destroyed.

The cloud's real SDK asks the fake, Pulumi makes what the stack's real program says, the training job and the server
really run under the cloud's contract. Nothing that is signed here is good for another stack: the key is the fake's own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from pydantic import Field

from trivet.core.document import Document
from trivet.core.errors import GateRefused, NotReady, PlatformError, TrivetError
from trivet.core.inference import Decided, Value
from trivet.core.progress import Progress
from trivet.core.specs import EndpointState
from trivet.governance.approval import Person
from trivet.rehearsal.rigs.package import make_package
from trivet.rehearsal.stages import STAGES, Stage, stage_of, surroundings
from trivet.workflows import stack as stacks
from trivet.workflows.ask import predict, rows_of, serving_of
from trivet.workflows.bench import Bench, workbench
from trivet.workflows.init import scaffold
from trivet.workflows.project import ProjectFiles
from trivet.workflows.release import approve, deploy, read_judged, register
from trivet.workflows.run import RunReport, run
from trivet.workflows.score import score
from trivet.workflows.watch import monitor, verify_ledger

EXAMPLE = Path(__file__).parent.parent / "examples" / "loan_approval"
GOOD, BAD = "default", "strict"  # variants of the example, by what its gate says of them
WRONG = 0.2  # by how much the broken package's golden scores are off
ROWS = 50

Asked = list[tuple[dict[str, Value], Decided]]  # rows, and what the endpoint said of each


class Proof(Document):
    """One step, what it showed, and how many seconds it took."""

    step: str
    showed: str
    seconds: float


class Rehearsal(Document):
    """What was rehearsed, on what, and what that proves."""

    cloud: str
    title: str
    engine: str
    evidence: str
    proves: str
    proves_not: str
    steps: tuple[Proof, ...]
    operations: dict[str, int]
    seconds: float


class Rehearsed(Document):
    """What became of one cloud among all."""

    cloud: str
    report: Rehearsal | None = Field(description="None where it failed.")
    error: str | None = Field(description="In a sentence, where it failed.")


@dataclass
class _Stand:
    """What the steps of one rehearsal share."""

    stage: Stage
    root: Path
    stack: str
    project: ProjectFiles
    progress: Progress
    proofs: list[Proof] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """A step; what is put into the list it showed."""
        showed: list[str] = []
        begun = monotonic()
        with self.progress.step(title) as note:
            yield showed
            note("; ".join(showed))
        self.proofs.append(Proof(step=title, showed="; ".join(showed), seconds=round(monotonic() - begun, 1)))


def rehearse(cloud: str, progress: Progress, folder: Path | None = None) -> Rehearsal:
    """Live the whole life once. What it leaves in ``folder`` is for looking at; without one, nothing is left.

    :raises Unsupported: for a cloud without a fake.
    :raises PlatformError: when a step shows something else than it should.
    """
    begun = monotonic()
    with tempfile.TemporaryDirectory(prefix=f"trivet-{cloud}-") as scratch:
        place = folder or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        with stage_of(cloud)(place) as stage, surroundings(stage.environment):
            root = place / "project"
            root.mkdir()
            scaffold(root)
            stand = _Stand(stage, root, f"{cloud}-rehearsal", ProjectFiles.read(EXAMPLE), progress)
            engine = _live(stand)
            return Rehearsal(
                cloud=cloud,
                title=stage.title,
                engine=engine,
                evidence=stage.evidence,
                proves=stage.proves,
                proves_not=stage.proves_not,
                steps=tuple(stand.proofs),
                operations=dict(stage.operations()),
                seconds=round(monotonic() - begun, 1),
            )


def rehearse_all(
    progress: Progress, folder: Path | None, begins: Callable[[str], object]
) -> tuple[list[Rehearsed], TrivetError | None]:
    """Live it once on every cloud that has a fake, one after the other, whatever becomes of the others.

    :param begins: told the title of each cloud before its rehearsal.
    :returns: what became of each, and the first error.
    """
    outcomes: list[Rehearsed] = []
    first: TrivetError | None = None
    for cloud in STAGES:
        begins(stage_of(cloud).title)
        try:
            report = rehearse(cloud, progress, folder and folder / cloud)
            outcomes.append(Rehearsed(cloud=cloud, report=report, error=None))
        except TrivetError as error:
            first = first or error
            outcomes.append(Rehearsed(cloud=cloud, report=None, error=str(error)))
    return outcomes, first


def _live(stand: _Stand) -> str:
    try:
        engine = _provision(stand)
        with workbench(stand.root, stand.stack, progress=stand.progress) as bench:
            report = _run(stand, bench)
            answers = _ask(stand, bench, report)
            _score(stand, bench, report, answers)
            _refused(stand, bench)
            _rolled_back(stand, bench, report)
            _watch(stand, bench)
        _again(stand)
    except TrivetError as error:
        try:
            _destroy(stand)
        except TrivetError as left:  # what went wrong first is what is told
            error.add_note(f"Taking it down failed, too: {left}")
        raise
    _destroy(stand)
    return engine


def _provision(stand: _Stand) -> str:
    with stand.step("Provision the stack") as showed:
        change = stacks.up(stand.root, stand.stack, [stand.project], config=stand.stage.config)
        showed.append(change.summary)
    return change.engine


def _run(stand: _Stand, bench: Bench) -> RunReport:
    """The workflow, which tells its own steps."""
    begun = monotonic()
    report = run(bench, stand.project, GOOD)
    _demand(report.outcome == "released", f"the workflow ended {report.outcome}")
    showed = f"{report.version} of {report.rows} rows, gate {report.gate.verdict}, released"
    stand.proofs.append(Proof(step="Run the workflow", showed=showed, seconds=round(monotonic() - begun, 1)))
    return report


def _ask(stand: _Stand, bench: Bench, report: RunReport) -> Asked:
    from trivet.data.snapshot import read_rows, read_snapshot

    with stand.step(f"Ask about {ROWS} applications") as showed:
        serving = serving_of(bench.platform, report.package)
        rows = read_rows(bench.platform.store, read_snapshot(bench.platform.store, report.snapshot)).head(ROWS)
        chosen = rows_of(rows.to_dict("records"), serving)  # pyright: ignore[reportArgumentType]
        answers = predict(bench.platform, chosen, stand.project.settings.endpoint)
        _demand(len(answers) == ROWS, f"{len(answers)} answers came to {ROWS} rows")
        positive = sum(one.decision == serving.decision.positive for one in answers)
        showed.append(f"{positive} of {ROWS} {serving.decision.positive}")
    return list(zip(chosen, answers, strict=True))


def _score(stand: _Stand, bench: Bench, report: RunReport, asked: Asked) -> None:
    """The same rows without an endpoint."""
    with stand.step(f"Score {ROWS} applications in a job") as showed, tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch, "rows.jsonl"), Path(scratch, "answers.jsonl")
        source.write_text("".join(f"{json.dumps(row)}\n" for row, _ in asked))
        version = bench.platform.models.get(f"{stand.project.settings.model}/{report.version.version}")  # type: ignore[union-attr]
        scored = score(bench, version, source, out)
        scores = [json.loads(line)["score"] for line in out.read_text().splitlines()]
        alike = sum(one == answer.score for one, (_, answer) in zip(scores, asked, strict=True))
        _demand(alike == ROWS, f"only {alike} of {ROWS} scores are the endpoint's")
        showed.append(f"{scored.rows} scores, each the endpoint's")


def _refused(stand: _Stand, bench: Bench) -> None:
    with stand.step("See the gate refuse a bad candidate") as showed:
        before = _state(stand, bench)
        try:
            run(bench, stand.project, BAD)
        except GateRefused as refused:
            showed.append(refused.message)
        else:
            raise PlatformError(f"The gate let the variant {BAD} through, which it must not.")
        _demand(_state(stand, bench).releases == before.releases, "the endpoint serves another release now")


def _rolled_back(stand: _Stand, bench: Bench, report: RunReport) -> None:
    """A package whose answers are not what it says of itself: approved by a person, and taken back by the cloud."""
    with stand.step("See a broken release taken back") as showed, tempfile.TemporaryDirectory() as scratch:
        before = _state(stand, bench)
        good = bench.platform.models.get(f"{stand.project.settings.model}/{report.version.version}")  # type: ignore[union-attr]
        make_package(Path(scratch, "package"), name=stand.project.settings.model, golden_error=WRONG)
        judged = read_judged(bench, good)
        version = register(bench, stand.project.settings.model, Path(scratch, "package"), judged, {})
        version = approve(bench, version, judged, Person("rehearsal", "rehearsal", "to see it taken back"))
        try:
            deploy(bench, version)
        except NotReady as error:
            showed.append(error.message)
        else:
            raise PlatformError("The broken release went out, which it must not.")
        after = _state(stand, bench)
        _demand(after.releases == before.releases, f"the endpoint does not serve {good} any more")
        showed.append(f"{good} still serves")


def _watch(stand: _Stand, bench: Bench) -> None:
    with stand.step("Watch, and verify the ledger") as showed:
        findings = [one for found in monitor(bench).values() for one in found]
        _demand(bool(findings), "the monitors found nothing to say")
        showed.append(f"{len(findings)} findings, {verify_ledger(bench).entries} entries of the ledger are sound")


def _again(stand: _Stand) -> None:
    with stand.step("Provision again, and see nothing change") as showed:
        changes = stacks.up(stand.root, stand.stack, config=stand.stage.config).changes
        changed = {what: count for what, count in changes.items() if what != "same" and count}
        _demand(not changed, f"what the runtime did made the stack differ: {changed}")
        showed.append(f"{changes.get('same', 0)} unchanged")


def _destroy(stand: _Stand) -> None:
    with stand.step("Destroy everything") as showed:
        change = stacks.destroy(stand.root, stand.stack)
        left = stand.stage.left()
        _demand(not left, f"this is left: {', '.join(left)}")
        showed.append(f"{change.changes.get('delete', 0)} deleted, nothing is left")


def _state(stand: _Stand, bench: Bench) -> EndpointState:
    return bench.platform.endpoints.state(stand.project.settings.endpoint)


def _demand(met: bool, otherwise: str) -> None:
    if not met:
        raise PlatformError(f"The rehearsal failed: {otherwise}.", "Keep its folder with --keep, and look at the logs.")
