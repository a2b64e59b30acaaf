"""Registered models that a gate has judged, for where training and judging are not the point."""

from __future__ import annotations

from pathlib import Path

import yaml

from trivet.core.findings import GateReport, Measure, Verdict
from trivet.core.modelpackage import Package
from trivet.core.policy import Policy
from trivet.core.project import Drift
from trivet.core.specs import ModelVersion
from trivet.governance.approval import Person
from trivet.workflows.bench import Bench
from trivet.workflows.release import Judged, approve, register

POLICY = Path(__file__).parents[2] / "examples" / "loan_approval" / "policy.yaml"
BEN = Person("ben", "operating-system account ben (uid 1001)", "Read the report; the reserve covers it.")


def judgement(verdict: Verdict = Verdict.PASS, endpoint: str = "first") -> Judged:
    """What a gate said by the example's policy."""
    measure = Measure(
        name="selection_ratio",
        group="black",
        reference="white",
        value=0.9,
        low=0.85,
        high=0.95,
        bound=0.8,
        rows=200,
        verdict=verdict,
    )
    reasons = () if verdict is Verdict.PASS else ("The selection ratio of black against white is 0.9.",)
    return Judged(
        project="loan",
        endpoint=endpoint,
        records="complete",
        policy=Policy.parse(yaml.safe_load(POLICY.read_text()), POLICY.name),
        gate=GateReport(
            candidate="default", threshold=0.5, verdict=verdict, measures=(measure,), accuracy=0.9, reasons=reasons
        ),
        drift=Drift(),
        plan="",
        evaluation="",
        served=None,
    )


def register_judged(
    bench: Bench, package: Path, *, approver: Person | None = BEN, judged: Judged | None = None
) -> ModelVersion:
    """Register a package as a run does: judged, noted, and approved by somebody, or by nobody."""
    judged = judged or judgement()
    bench.note("gate", Package(package).digest, {"verdict": judged.gate.verdict, "reasons": list(judged.gate.reasons)})
    version = register(bench, "loan", package, judged, {"project": "loan"})
    return approve(bench, version, judged, approver) if approver else version
