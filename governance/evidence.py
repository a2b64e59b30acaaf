"""The release report: one page that shows why a release was allowed to, or why it was not, with its evidence."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from trivet.core.document import Document
from trivet.core.findings import GateReport
from trivet.core.policy import Policy, Profile
from trivet.core.specs import Approval, ModelVersion
from trivet.governance.figures import measure_tables
from trivet.governance.gate import bounds_of
from trivet.governance.lineage import Link
from trivet.governance.rendering import render

NOT_PROVED = (
    "That the model treats later applicants as it treated those of the snapshot. Out-of-fold scores tell how this way "
    "of training does on rows that it has not seen, from the same time and place.",
    "That the recorded outcomes are right. Where an outcome is itself a decision that people once made, a model that "
    "repeats it repeats its injustice, and every rate that takes it for the truth inherits that.",
    "That people who belong to two groups at once are treated alike: groups are judged one at a time, because their "
    "intersections hold too few rows.",
    "That mistakes fall alike. The bound on false denials compares the shares of people who deserve a yes and get "
    "it; where denials are rare, the raw ratio of false denials beside it may be far from 1 all the same.",
    "That all verdicts hold together: each interval stands for itself, uncorrected for how many there are.",
    "That a reason is a cause. Reasons are the model's own contributions, exact for what it computed.",
    "That any law is met. The bounds are a policy with an owner and a source; what law asks is for counsel to say.",
    "That nobody who can write both the ledger and its anchors has forged both.",
)


class DataFacts(Document):
    """What the model was trained on, and what was left out."""

    name: str
    description: str
    row: str = Field(description="What one row stands for.")
    source: str
    licence: str
    contract: str = Field(description="Digest of the data contract.")
    snapshot: str = Field(description="Digest of the rows that were kept.")
    rows_read: int
    rows_kept: int
    quarantine: dict[str, int] = Field(default={}, description="Rows by the reason for which they were left out.")
    missing: dict[str, int] = Field(default={}, description="Kept rows that lack a value, by column.")


class Candidate(Document):
    """One variant with what the gate said of it."""

    name: str
    description: str = ""
    report: GateReport


class LedgerHead(Document):
    """The newest entry of the ledger when the report was written."""

    seq: int
    hash: str


class Evidence(Document):
    """Everything that the release report tells."""

    model: str
    endpoint: str
    intended_use: str
    profile: Profile
    data: DataFacts
    policy: Policy
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    chosen: str = Field(description="Name of the candidate that the release is about.")
    version: ModelVersion | None = Field(default=None, description="None where nothing was registered.")
    approval: Approval | None = Field(default=None, description="None where nobody approved.")
    lineage: tuple[Link, ...] = ()
    descriptions: dict[str, str] = Field(default={}, description="What each feature is, from the data contract.")
    ledger: LedgerHead | None = None
    limits: tuple[str, ...] = Field(default=(), description="What this project does not prove, beside NOT_PROVED.")
    time: AwareDatetime

    @property
    def candidate(self) -> Candidate:
        """The candidate that the release is about."""
        return next(candidate for candidate in self.candidates if candidate.name == self.chosen)

    @property
    def released(self) -> bool:
        """Whether there is a version that somebody approved."""
        return self.version is not None and self.approval is not None and self.approval.status == "approved"

    @property
    def stand_ins(self) -> dict[str, dict[str, float]]:
        """The candidate's stand-ins: feature, then group, then AUC; the strongest feature first."""
        found: dict[str, dict[str, float]] = {}
        for stand_in in self.candidate.report.stand_ins:
            found.setdefault(stand_in.feature, {})[stand_in.group] = stand_in.auc
        return found

    def cost(self, candidate: Candidate) -> float:
        """Its accuracy less that of the most accurate candidate, as a difference of shares: never above 0."""
        return candidate.report.accuracy - max(other.report.accuracy for other in self.candidates)


def release_report(evidence: Evidence) -> str:
    """The report as one HTML page without scripts or outside resources."""
    bounds = bounds_of(evidence.policy)
    return render(
        "release.html.j2",
        evidence=evidence,
        bounds=bounds,
        tables={candidate.name: measure_tables(candidate.report, evidence.policy) for candidate in evidence.candidates},
        not_proved=(*evidence.limits, *NOT_PROVED),
    )
