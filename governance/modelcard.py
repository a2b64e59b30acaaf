"""The model card as the registry knows it: what training wrote, and what was decided about it since."""

from __future__ import annotations

from pydantic import JsonValue

from trivet.core.document import Document
from trivet.core.findings import GateReport
from trivet.core.policy import Policy
from trivet.core.specs import Approval, ModelVersion
from trivet.governance.evidence import NOT_PROVED
from trivet.governance.figures import measure_tables
from trivet.governance.gate import bounds_of
from trivet.governance.lineage import Link
from trivet.governance.rendering import render


class ModelCard(Document):
    """A model card. ``facts`` is what the package's own card says, as it stands there."""

    version: ModelVersion
    intended_use: str
    facts: dict[str, JsonValue]
    policy: Policy
    gate: GateReport
    approval: Approval | None = None
    lineage: tuple[Link, ...] = ()
    limits: tuple[str, ...] = ()

    def html(self) -> str:
        """The card as one HTML page without scripts or outside resources."""
        return render(
            "modelcard.html.j2",
            card=self,
            bounds=bounds_of(self.policy),
            tables=measure_tables(self.gate, self.policy),
            not_proved=(*self.limits, *NOT_PROVED),
        )

    def markdown(self) -> str:
        """The card as Markdown."""
        return render(
            "modelcard.md.j2", card=self, bounds=bounds_of(self.policy), not_proved=(*self.limits, *NOT_PROVED)
        )
