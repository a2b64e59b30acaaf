"""The end-to-end workflow: collect, validate, snapshot, train, evaluate, gate, register, approve, deploy.

No step remembers how far it came: each is idempotent by the digest of what goes into it, so a run that was cut short
is finished by asking for it again, and one that was finished changes nothing.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Literal

from trivet.core import faults
from trivet.core.document import Document
from trivet.core.errors import GateRefused, NotFound
from trivet.core.findings import GateReport
from trivet.core.locks import lock
from trivet.core.modelpackage import LINEAGE, Lineage, Package, package_key
from trivet.core.specs import EndpointState, ModelVersion
from trivet.data.snapshot import read_rows
from trivet.governance.approval import admit
from trivet.governance.gate import judge
from trivet.training.evaluation import score_column
from trivet.training.plan import Plan, make_plan
from trivet.training.source import pack_source
from trivet.training.submit import Served, Trained, collect_result, submit
from trivet.workflows.ask import only_endpoint
from trivet.workflows.bench import Bench
from trivet.workflows.prepare import Prepared, prepare
from trivet.workflows.project import DEFAULT_VARIANT, ProjectFiles
from trivet.workflows.release import Judged, approve, deploy, judged_key, register
from trivet.workflows.report import write_reports

Outcome = Literal["released", "judged"]


class RunReport(Document):
    """What a run did, and where its evidence lies."""

    project: str
    variant: str
    outcome: Outcome
    snapshot: str
    rows: int
    quarantined: int
    package: str
    package_folder: str
    gates: tuple[GateReport, ...]
    version: ModelVersion | None = None
    endpoint: EndpointState | None = None
    report: str

    @property
    def gate(self) -> GateReport:
        """What the gate said of the candidate that the run is about."""
        return next(gate for gate in self.gates if gate.candidate == self.variant)


@dataclass(frozen=True)
class Candidate:
    """A trained and judged candidate, not registered yet."""

    prepared: Prepared
    plan: Plan
    trained: Trained
    gates: tuple[GateReport, ...]
    judged: Judged

    @property
    def lineage(self) -> Lineage:
        """What its package was made from."""
        return Lineage.model_validate_json(Package(self.trained.package).read(LINEAGE))


def run(bench: Bench, project: ProjectFiles, variant: str = DEFAULT_VARIANT) -> RunReport:
    """Take one candidate of a project all the way to its endpoint.

    :raises DataContractBroken: when the data is not what was promised; nothing is registered.
    :raises GateRefused: when the gate or the approval rule holds it back; the report says why.
    :raises Locked: while another run of the same model is under way.
    """
    project.variant(variant)
    only_endpoint(bench.platform, project.settings.endpoint)
    with lock(bench.home / "locks" / f"run-{project.settings.model}.lock", f"model {project.settings.model}"):
        candidate = make_candidate(bench, project, variant)
        return _release(bench, project, variant, candidate)


def train(bench: Bench, project: ProjectFiles, variant: str = DEFAULT_VARIANT) -> RunReport:
    """Train and judge a candidate, and register nothing."""
    with lock(bench.home / "locks" / f"run-{project.settings.model}.lock", f"model {project.settings.model}"):
        candidate = make_candidate(bench, project, variant)
        return _told(bench, project, variant, candidate, "judged")


def make_candidate(bench: Bench, project: ProjectFiles, variant: str) -> Candidate:
    """Everything up to the gate's verdict, which goes to the ledger whatever it is."""
    prepared = prepare(bench, project)
    plan, served, trained = _train(bench, project, variant, prepared)
    with bench.progress.step("Judge every candidate by the policy") as note:
        gates = _judge(bench, project, prepared, trained)
        note(", ".join(f"{gate.candidate} {gate.verdict}" for gate in gates))
    chosen = next(gate for gate in gates if gate.candidate == variant)
    judged = Judged(
        project=project.settings.name,
        endpoint=project.settings.endpoint,
        records=project.settings.records,
        policy=project.policy,
        gate=chosen,
        plan=plan.content_digest(),
        evaluation=trained.evaluation_key,
        drift=project.settings.drift,
        serving=project.settings.serving,
        served=(served.package, served.evaluation) if served else None,
    )
    bench.note("run", project.settings.name, {"plan": judged.plan, "package": trained.digest, "variant": variant})
    bench.note(
        "gate",
        trained.digest,
        {
            "candidate": f"{project.settings.name}/{variant}",
            "verdict": chosen.verdict,
            "threshold": chosen.threshold,
            "reasons": list(chosen.reasons),
            "policy": project.policy.content_digest(),
            "snapshot": prepared.snapshot.digest,
        },
    )
    faults.point("run.judged-candidate")
    return Candidate(prepared, plan, trained, gates, judged)


def _release(bench: Bench, project: ProjectFiles, variant: str, candidate: Candidate) -> RunReport:
    name = project.settings.model
    try:
        admit(candidate.judged.gate, project.policy, bench.profile, f"{name} ({variant})")
    except GateRefused as refused:
        report = _told(bench, project, variant, candidate, "judged").report
        raise GateRefused(refused.message, f"{refused.next_step} The report: {report}") from None
    with bench.progress.step("Register and sign the model package") as note:
        tags = {"project": project.settings.name, "variant": variant, "snapshot": candidate.prepared.snapshot.digest}
        version = register(bench, name, candidate.trained.package, candidate.judged, tags)
        note(f"{version}, {version.digest[:19]}")
    with bench.progress.step(f"Ask for approval in {bench.profile}") as note:
        try:
            version = approve(bench, version, candidate.judged)
        except GateRefused as refused:
            report = _told(bench, project, variant, candidate, "judged", version).report
            raise GateRefused(refused.message, f"{refused.next_step} The report: {report}") from None
        note(f"{version.approval.status} by {version.approval.actor}" if version.approval else "")
    with bench.progress.step(f"Deploy to endpoint {project.settings.endpoint}") as note:
        state = deploy(bench, version, project.settings.endpoint, keeps_split=True)
        version = bench.platform.models.get(f"{version.name}/{version.version}")
        note(state.url)
    return _told(bench, project, variant, candidate, "released", version, state)


def _train(
    bench: Bench, project: ProjectFiles, variant: str, prepared: Prepared
) -> tuple[Plan, Served | None, Trained]:
    source = pack_source(project.folder)
    plan = make_plan(
        project.settings,
        project.contract,
        project.variants,
        package=variant,
        snapshot=prepared.snapshot,
        source=source.digest,
        confidence=project.policy.confidence,
    )
    with bench.progress.step("Train and evaluate in a job of its own") as note:
        served = _served(bench, project.settings.endpoint, plan)
        options = project.settings.training
        submitted = submit(
            bench.platform,
            plan,
            source,
            prepared.snapshot,
            served=served,
            timeout=options.timeout,
            native=options.native,
        )
        faults.point("run.submitted")
        folder = bench.home / "runs" / submitted.job.id
        shutil.rmtree(folder, ignore_errors=True)
        trained = collect_result(bench.platform, submitted, folder)
        note(f"package {trained.digest[:19]}")
    return plan, served, trained


def _served(bench: Bench, endpoint: str, plan: Plan) -> Served | None:
    """What to compare with: the served release, unless it came from this very plan, or from elsewhere."""
    state = bench.platform.endpoints.state(endpoint)
    if not state.releases:
        return None
    digest = state.releases[0].digest
    try:
        judged = Judged.model_validate_json(bench.platform.store.get(judged_key(digest)))
    except NotFound:
        return None
    if judged.plan == plan.content_digest():
        return judged.served and Served(*judged.served)
    if not judged.evaluation:
        return None
    return Served(package=package_key(digest), evaluation=judged.evaluation)


def _judge(bench: Bench, project: ProjectFiles, prepared: Prepared, trained: Trained) -> tuple[GateReport, ...]:
    import pandas as pd

    rows = read_rows(bench.platform.store, prepared.snapshot)
    scores = pd.read_parquet(trained.scores)
    table = pd.concat([rows[list(project.features)], scores.drop(columns=["row", "digest"])], axis="columns")
    return tuple(
        judge(
            result.name,
            result.threshold,
            table,
            trained.evaluation.metrics(result.name),
            project.policy,
            features=project.features,
            score=score_column(result.name),
        )
        for result in trained.evaluation.candidates
    )


def _told(
    bench: Bench,
    project: ProjectFiles,
    variant: str,
    candidate: Candidate,
    outcome: Outcome,
    version: ModelVersion | None = None,
    endpoint: EndpointState | None = None,
) -> RunReport:
    path = write_reports(
        bench,
        project,
        variant,
        data=candidate.prepared.facts,
        gates=candidate.gates,
        lineage=candidate.lineage,
        package=candidate.trained.package,
        version=version,
        endpoint=endpoint,
    )
    return RunReport(
        project=project.settings.name,
        variant=variant,
        outcome=outcome,
        snapshot=candidate.prepared.snapshot.digest,
        rows=candidate.prepared.quality.accepted,
        quarantined=candidate.prepared.quality.quarantined,
        package=candidate.trained.digest,
        package_folder=str(candidate.trained.package),
        gates=candidate.gates,
        version=version,
        endpoint=endpoint,
        report=str(path),
    )
