"""The evidence of a run, written where a person can open it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from trivet.core.files import write_atomic
from trivet.core.findings import GateReport
from trivet.core.modelpackage import CARD, LINEAGE, Lineage, Package, package_key
from trivet.core.specs import EndpointState, ModelVersion
from trivet.governance.evidence import Candidate, DataFacts, Evidence, LedgerHead, release_report
from trivet.governance.lineage import chain
from trivet.governance.modelcard import ModelCard
from trivet.workflows.bench import Bench
from trivet.workflows.project import ProjectFiles
from trivet.workflows.release import read_judged

REPORT, EVIDENCE, CARD_PAGE = "release.html", "evidence.json", "modelcard.html"


def write_reports(
    bench: Bench,
    project: ProjectFiles,
    variant: str,
    *,
    data: DataFacts,
    gates: Sequence[GateReport],
    lineage: Lineage,
    package: Path,
    version: ModelVersion | None,
    endpoint: EndpointState | None,
) -> Path:
    """Write the release report, its data and, for a registered version, the model card; the report's path."""
    head = bench.ledger.head()
    links = chain(lineage, version, endpoint)
    evidence = Evidence(
        model=project.settings.model,
        endpoint=project.settings.endpoint,
        intended_use=project.settings.intended_use,
        profile=bench.profile,
        data=data,
        policy=project.policy,
        candidates=tuple(
            Candidate(name=gate.candidate, description=project.variants[gate.candidate].description, report=gate)
            for gate in gates
        ),
        chosen=variant,
        version=version,
        approval=version.approval if version else None,
        lineage=links,
        descriptions={name: project.contract[name].description for name in project.features},
        ledger=LedgerHead(seq=head.seq, hash=head.hash) if head else None,
        time=bench.now(),
    )
    folder = bench.home / "reports" / f"{project.settings.name}-{variant}-{Package(package).digest[7:19]}"
    write_atomic(folder / EVIDENCE, evidence.model_dump_json(indent=2))
    if version:
        write_atomic(folder / CARD_PAGE, model_card(bench, version).html())
    write_atomic(folder / REPORT, release_report(evidence))
    return folder / REPORT


def model_card(bench: Bench, version: ModelVersion) -> ModelCard:
    """What the registry knows of a version: its package's card, what the gate said, who approved it and why.

    :raises NotFound: for a version that no gate has judged.
    """
    judged = read_judged(bench, version)
    prefix = package_key(version.digest)
    facts = json.loads(bench.platform.store.get(f"{prefix}/{CARD}"))
    lineage = Lineage.model_validate_json(bench.platform.store.get(f"{prefix}/{LINEAGE}"))
    return ModelCard(
        version=version,
        intended_use=str(facts.get("intended_use", "")),
        facts=facts,
        policy=judged.policy,
        gate=judged.gate,
        approval=version.approval,
        lineage=chain(lineage, version),
    )
