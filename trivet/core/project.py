"""The project's settings (``trivet.yaml``): where the data lies, what is trained and where it is served."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from trivet.core.document import Document
from trivet.core.modelpackage import Decision
from trivet.core.records import Mode
from trivet.core.specs import NAME, EndpointNative, Instances, JobNative


class FileSource(Document):
    """A CSV or Parquet file, relative to the project's folder."""

    kind: Literal["file"]
    path: str = Field(description="Relative to the project's folder.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file as it lies there.")


class PackageSource(Document):
    """A data file that an installed Python package carries."""

    kind: Literal["package"]
    package: str = Field(description="Import name of the package.")
    path: str = Field(description="Relative to the package.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file as it lies there.")


Source = Annotated[FileSource | PackageSource, Field(discriminator="kind")]


class Variant(Document):
    """A candidate beside the default: other parameters or another threshold."""

    description: str = Field(default="", description="What it tries, in a sentence.")
    params: dict[str, Any] = Field(default={}, description="Laid over those of the default.")
    threshold: float | None = Field(default=None, ge=0, le=1, description="Instead of the decision's.")


class Retrain(Document):
    """When `trivet run --if-needed` retrains."""

    every: timedelta = Field(default=timedelta(days=30), description="Age of the served model that asks for a new one.")
    cooldown: timedelta = Field(default=timedelta(hours=24), description="Least time between two trainings.")
    minimum_labels: int = Field(default=200, ge=0, description="Labels since the last training, without which none.")


class Drift(Document):
    """Thresholds of the drift monitor, on the population stability index corrected for sample size."""

    warn: float = Field(default=0.1, gt=0, description="From here on the finding is `warn`.")
    alarm: float = Field(default=0.25, gt=0, description="From here on it is `alarm`.")
    minimum_sample: int = Field(default=100, ge=1, description="With fewer predictions it is `unknown`.")
    window: timedelta = Field(default=timedelta(days=7), description="How far back predictions count.")
    source: str = Field(
        default="Siddiqi 2006, Credit Risk Scorecards: 0.1 and 0.25, a convention of credit scoring",
        description="Where the thresholds come from.",
    )


class ServingOptions(Instances):
    """How a release of the project is served. Each cloud takes of it what it has, so that one file does for all."""

    native: EndpointNative = Field(default=EndpointNative(), description="By cloud: what only that one has.")


class TrainingOptions(Document):
    """How a training of the project runs."""

    timeout: timedelta = Field(default=timedelta(hours=1), gt=timedelta(0), description="After which it is ended.")
    native: JobNative = Field(default=JobNative(), description="By cloud: machines, spot, the most it may cost.")


class Project(Document):
    """The whole file."""

    name: str = Field(pattern=NAME, description="The project's own name.")
    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Its name in the registry.")
    endpoint: str = Field(pattern=NAME, description="The endpoint that serves it.")
    intended_use: str = Field(min_length=3, description="What the model is for and what not; on the model card.")
    source: Source = Field(description="Where the data lies.")
    features: tuple[str, ...] | None = Field(default=None, description="None: every column that may be a feature.")
    decision: Decision = Field(description="How a score becomes a decision.")
    params: dict[str, Any] = Field(default={}, description="Handed to `train` as they are.")
    seed: int = Field(default=0, description="Of the folds, and handed to `train`.")
    folds: int = Field(default=5, ge=2, description="Of the out-of-fold scores that the gate judges.")
    variants: dict[str, Variant] = Field(default={}, description="Candidates beside the default, by name.")
    records: Mode = Field(default="complete", description="complete: no answer without its record on the disk.")
    retrain: Retrain = Field(default=Retrain(), description="When `trivet run --if-needed` trains.")
    drift: Drift = Field(default=Drift(), description="When a difference from training is a finding.")
    training: TrainingOptions = Field(default=TrainingOptions(), description="How long, and on what machines.")
    serving: ServingOptions = Field(
        default=ServingOptions(), description="How many machines, of what kind, and how a release takes over."
    )
