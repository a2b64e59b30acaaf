"""The data contract: a dataset's schema, its quality rules and what its columns are to people.

Everything that checks rows is built from this document: the pandera schema that guards training, the model's
signature, and the server's check of a request, which needs no pandas.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from trivet.core.document import Document

ColumnType = Literal["number", "integer", "category"]


class Tag(StrEnum):
    """What a column is, beyond its type."""

    TARGET = "target"  # what the model learns to predict
    PROTECTED = "protected"  # membership of a protected group: audited, never a feature
    PERSONAL = "personal"  # about a person: never written to records as it is
    LEAK = "leak"  # known only after the decision: barred from features


NEVER_FEATURES = frozenset({Tag.TARGET, Tag.PROTECTED, Tag.LEAK})


class Column(Document):
    """One column: its type, the values it may hold, and its tags."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", description="As in the file.")
    type: ColumnType = Field(description="A category is text.")
    description: str = Field(default="", description="In words that an applicant understands: reasons use them.")
    tags: tuple[Tag, ...] = Field(default=(), description="target, protected, personal, leak.")
    nullable: bool = Field(default=False, description="Whether a value may be missing.")
    minimum: float | None = Field(default=None, description="The least value.")
    maximum: float | None = Field(default=None, description="The greatest value.")
    allowed: tuple[str | float, ...] | None = Field(default=None, description="The only values.")
    placeholders: tuple[float | str, ...] = Field(
        default=(),
        description="Values that stand for 'unknown' and are no measurement: such a row is quarantined.",
    )

    @model_validator(mode="after")
    def _bounds_fit_type(self) -> Self:
        if self.type == "category" and (self.minimum is not None or self.maximum is not None):
            raise ValueError(f"column {self.name}: a category has no minimum or maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"column {self.name}: minimum is above maximum")
        return self

    @property
    def is_feature(self) -> bool:
        """Whether a model may see this column."""
        return not NEVER_FEATURES & set(self.tags)


class Check(Document):
    """A rule over several columns: the name of a registered check and its parameters."""

    check: str = Field(description="Name of a registered check.")
    columns: tuple[str, ...] = Field(description="The columns that it looks at, in the check's order.")
    params: dict[str, Any] = Field(default={}, description="The check's parameters.")


class Tolerance(Document):
    """How much of a dataset may be in quarantine before the contract counts as broken."""

    max_share: float = Field(default=0.05, ge=0, le=1, description="Of rows in quarantine.")
    min_rows: int = Field(default=100, ge=1, description="Of rows that must be left.")


class DataContract(Document):
    """A dataset's schema and quality rules."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="The dataset's name.")
    version: int = Field(default=1, ge=1, description="Counts up with every change.")
    description: str = Field(default="", description="What the dataset is.")
    row: str = Field(default="", description="What one row stands for.")
    source: str = Field(default="", description="Where the data comes from, with its citation.")
    licence: str = Field(default="", description="On what terms it may be used, as far as known.")
    columns: tuple[Column, ...] = Field(min_length=2, description="Every column, in the file's order.")
    checks: tuple[Check, ...] = Field(default=(), description="Rules over several columns.")
    tolerance: Tolerance = Field(default=Tolerance(), description="When the contract counts as broken.")

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        names = [column.name for column in self.columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"columns named twice: {', '.join(twice)}")
        targets = [column.name for column in self.columns if Tag.TARGET in column.tags]
        if len(targets) != 1:
            raise ValueError(f"exactly one column must be tagged target, found {targets or 'none'}")
        for check in self.checks:
            if missing := set(check.columns) - set(names):
                raise ValueError(f"check {check.check} names unknown columns: {', '.join(sorted(missing))}")
        return self

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def target(self) -> str:
        """Name of the target column."""
        return self.tagged(Tag.TARGET)[0]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns that a model may see, in order."""
        return tuple(column.name for column in self.columns if column.is_feature)

    def tagged(self, tag: Tag) -> tuple[str, ...]:
        """Names of the columns with a tag, in order."""
        return tuple(column.name for column in self.columns if tag in column.tags)
