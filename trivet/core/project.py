"""The project's settings (``trivet.yaml``): where the data lies, what is trained and where it is served."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from trivet.core.document import Document
from trivet.core.modelpackage import Decision
from trivet.core.records import Mode
from trivet.core.specs import NAME


class FileSource(Document):
    """A CSV or Parquet file, relative to the project's folder."""

    kind: Literal["file"]
    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class PackageSource(Document):
    """A data file that an installed Python package carries."""

    kind: Literal["package"]
    package: str
    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


Source = Annotated[FileSource | PackageSource, Field(discriminator="kind")]


class Variant(Document):
    """A candidate beside the default: other parameters or another threshold."""

    description: str = ""
    params: dict[str, Any] = {}
    threshold: float | None = Field(default=None, ge=0, le=1)


class Retrain(Document):
    """When `trivet run --if-needed` retrains."""

    every: timedelta = Field(default=timedelta(days=30), description="Age of the served model that asks for a new one.")
    cooldown: timedelta = Field(default=timedelta(hours=24), description="Least time between two trainings.")
    minimum_labels: int = Field(default=200, ge=0, description="Labels since the last training, without which none.")


class Drift(Document):
    """Thresholds of the drift monitor, on the population stability index corrected for sample size."""

    warn: float = Field(default=0.1, gt=0)
    alarm: float = Field(default=0.25, gt=0)
    minimum_sample: int = Field(default=100, ge=1)
    window: timedelta = timedelta(days=7)
    source: str = "Siddiqi 2006, Credit Risk Scorecards: 0.1 and 0.25, a convention of credit scoring"


class Project(Document):
    """The whole file."""

    name: str = Field(pattern=NAME)
    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    endpoint: str = Field(pattern=NAME)
    intended_use: str = Field(min_length=3)
    source: Source
    features: tuple[str, ...] | None = Field(default=None, description="None: every column that may be a feature.")
    decision: Decision
    params: dict[str, Any] = {}
    seed: int = 0
    folds: int = Field(default=5, ge=2)
    variants: dict[str, Variant] = {}
    records: Mode = "complete"
    retrain: Retrain = Retrain()
    drift: Drift = Drift()
