"""The release policy (``policy.yaml``): what the gate demands and who may let what through."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from trivet.core.document import Document


class Bound(Document):
    """A demand on one number, with its reason. A metric of the model has a ``minimum`` or a ``maximum``."""

    minimum: float | None = Field(default=None, description="The least that will do.")
    maximum: float | None = Field(default=None, description="The most that will do.")
    source: str = Field(min_length=3, description="Where the number comes from: a rule, a study or a decision.")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.minimum is None) == (self.maximum is None):
            raise ValueError("give either minimum or maximum")
        return self


class Group(Document):
    """A protected group and whom it is compared with: the rows where ``column`` equals ``value``."""

    name: str = Field(description="As reports call it.")
    column: str = Field(description="A column tagged protected.")
    value: float | str = Field(default=1, description="The column's value for the group.")
    reference_column: str = Field(description="The column that tells the reference group.")
    reference_value: float | str = Field(default=1, description="Its value for the reference group.")


class Fairness(Document):
    """Demands on every group, at the deployed threshold, on out-of-fold scores over all rows."""

    groups: tuple[Group, ...] = Field(min_length=1, description="Every group and whom it is compared with.")
    minimum_rows: int = Field(default=100, ge=1, description="A smaller group is `insufficient`.")
    selection_ratio: Bound = Field(description="Share selected in the group over that in the reference.")
    false_denial_ratio: Bound = Field(
        description="Share of the truly positive who are not denied, in the group over that in the reference."
    )
    stand_in_auc: float = Field(default=0.6, gt=0.5, le=1, description="Features above it are listed as stand-ins.")


Profile = Literal["dev", "staging", "prod", "regulated"]


class ApprovalRule(Document):
    """Who may approve in one profile, and which verdicts may be approved at all."""

    by: Literal["policy", "person"] = Field(description="Who approves.")
    accepts: tuple[Literal["pass", "inconclusive", "insufficient"], ...] = Field(
        default=("pass",), description="The verdicts that may be approved at all; never `fail`."
    )
    reason: str = Field(default="", description="Recorded with an approval by policy; required where it approves.")
    not_the_author: bool = Field(default=True, description="A person may not approve their own version.")

    @model_validator(mode="after")
    def _policy_gives_reason(self) -> Self:
        if self.by == "policy" and not self.reason:
            raise ValueError("an approval by policy needs a reason")
        return self


class Policy(Document):
    """The whole file."""

    owner: str = Field(min_length=2, description="Who answers for this policy.")
    source: str = Field(min_length=3, description="What it is based on, and what it is not.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Of every interval.")
    metrics: dict[str, Bound] = Field(min_length=1, description="Demands on the model's metrics, by name.")
    fairness: Fairness | None = Field(default=None, description="Demands on groups; none where there are none.")
    approval: dict[Profile, ApprovalRule] = Field(description="The rule of each profile.")
