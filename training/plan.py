"""The plan: everything that a training job is told beside its data and its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, Self

from pydantic import Field, model_validator

from trivet.core.datacontract import DataContract, Tag
from trivet.core.document import Document
from trivet.core.inference import CONTRIBUTIONS, SCORE
from trivet.core.modelpackage import Decision
from trivet.core.project import Project, Variant

PLAN = "plan.json"
SHA256 = r"^sha256:[0-9a-f]{64}$"


class SnapshotLike(Protocol):
    """What a training needs to know of a snapshot; ``data.snapshot.Snapshot`` is one."""

    @property
    def digest(self) -> str: ...
    @property
    def data(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def quarantined(self) -> int: ...


class Candidate(Document):
    """One way to train and decide."""

    name: str
    params: dict[str, Any] = {}
    threshold: float = Field(ge=0, le=1)


class SnapshotFacts(Document):
    """The snapshot that is trained on; ``data`` is the digest of its Parquet file."""

    digest: str = Field(pattern=SHA256)
    data: str = Field(pattern=SHA256)
    rows: int
    quarantined: int


class Plan(Document):
    """What to train, what to measure and which candidate becomes the model package."""

    version: Literal[1] = 1
    model: str
    intended_use: str
    contract: DataContract
    features: tuple[str, ...] = Field(min_length=1)
    decision: Decision
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    package: str = Field(description="Name of the candidate that is packed.")
    seed: int
    folds: int = Field(ge=2)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    snapshot: SnapshotFacts
    source: str = Field(pattern=SHA256, description="Digest of the packed source.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        names = [candidate.name for candidate in self.candidates]
        if len(set(names)) < len(names):
            raise ValueError("a candidate is named twice")
        if self.package not in names:
            raise ValueError(f"there is no candidate {self.package} to pack")
        if barred := sorted(set(self.features) - set(self.contract.features)):
            raise ValueError(f"the data contract bars or lacks these features: {', '.join(barred)}")
        if taken := sorted({SCORE, CONTRIBUTIONS} & set(self.features)):
            raise ValueError(
                f"no feature may be named {' or '.join(taken)}: that is an output of every model; rename it"
            )
        return self

    @property
    def packaged(self) -> Candidate:
        """The candidate that is packed."""
        return next(candidate for candidate in self.candidates if candidate.name == self.package)

    @property
    def protected(self) -> tuple[str, ...]:
        """Columns that are audited and never features."""
        return self.contract.tagged(Tag.PROTECTED)


def make_plan(
    project: Project,
    contract: DataContract,
    variants: Mapping[str, Variant],
    *,
    package: str,
    snapshot: SnapshotLike,
    source: str,
    confidence: float = 0.95,
) -> Plan:
    """Plan the training of a project on a snapshot, for the packed source with the digest ``source``.

    ``variants`` are the candidates to measure, with all their parameters; ``package`` names the one that is packed.

    :raises ConfigError: when a feature is barred, or ``package`` is no variant.
    """
    threshold = project.decision.threshold
    candidates = [
        {"name": name, "params": own.params, "threshold": threshold if own.threshold is None else own.threshold}
        for name, own in variants.items()
    ]
    facts = {name: getattr(snapshot, name) for name in SnapshotFacts.model_fields}
    plan = {
        "model": project.model,
        "intended_use": project.intended_use,
        "contract": contract,
        "features": project.features or contract.features,
        "decision": project.decision,
        "candidates": candidates,
        "package": package,
        "seed": project.seed,
        "folds": project.folds,
        "confidence": confidence,
        "snapshot": facts,
        "source": source,
    }
    return Plan.parse(plan, f"The training plan of {project.name}")
