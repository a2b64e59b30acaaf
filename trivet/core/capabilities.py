"""What a cloud can do, in three words, with the reason where it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from trivet.core.errors import Unsupported
from trivet.core.naming import Naming


class Capability(StrEnum):
    """What a user may ask of a platform. Conformance has a test for each."""

    STORE = "store"
    JOBS = "jobs"
    BATCH_SCORING = "batch scoring"
    MODELS = "models"
    ENDPOINTS = "endpoints"
    WORKFLOWS = "workflows"
    SCHEDULES = "schedules"
    SCHEDULED_JOBS = "scheduled jobs"
    METRICS = "metrics"
    TRAFFIC_SPLIT = "traffic split"
    SHADOW_TRAFFIC = "shadow traffic"
    AUTOSCALING = "autoscaling"
    SCALE_TO_ZERO = "scale to zero"
    ACCELERATORS = "accelerators"
    PRIVATE_NETWORK = "private network"


class Support(StrEnum):
    """How a cloud offers a capability."""

    NATIVE = "native"  # the cloud's own service does it
    EMULATED = "emulated"  # Trivet does it on top of what the cloud has
    REFUSED = "refused"  # it cannot be had: the note says why and what to do instead


@dataclass(frozen=True)
class Claim:
    """One row of the parity table."""

    support: Support
    note: str


@dataclass(frozen=True)
class Cloud:
    """One cloud without any SDK: names, limits and capabilities."""

    name: str
    title: str
    extra: str
    regions: tuple[str, ...]
    platform: str = field(metadata={"help": "import path of the function that makes the Platform"})
    claims: Mapping[Capability, Claim]
    evidence: str = field(metadata={"help": "on what the claims were shown, and whether ever on a real account"})
    apart: Mapping[frozenset[Capability], str] = field(
        default_factory=dict[frozenset[Capability], str],
        metadata={"help": "capabilities that are had one at a time only, and why not together"},
    )
    naming: Naming | None = field(default=None, metadata={"help": "rules of names and accounts; none: any will do"})
    left: str | None = field(
        default=None, metadata={"help": "import path of a core.leftovers.Auditor; none: the cloud cannot tell"}
    )

    def __post_init__(self) -> None:
        if missing := set(Capability) - set(self.claims):
            raise ValueError(f"{self.name} says nothing about: {', '.join(sorted(missing))}")

    def check(self, *wanted: Capability) -> None:
        """Refuse what this cloud does not claim, and what it does not claim together.

        :raises Unsupported: with the reason of the first refused capability.
        """
        for capability in wanted:
            claim = self.claims[capability]
            if claim.support is Support.REFUSED:
                raise Unsupported(f"{self.title} has no {capability}: {claim.note}")
        for together, why in self.apart.items():
            if together <= set(wanted):
                both = " together with ".join(sorted(together))
                raise Unsupported(f"{self.title} has no {both}: {why}")
