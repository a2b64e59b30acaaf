"""What holds for a job on every cloud: where it may take from and leave things, and what makes it reproducible."""

from __future__ import annotations

import os
import re
from pathlib import Path

from trivet.core.errors import ConfigError
from trivet.core.layout import JOB_OUTPUTS
from trivet.core.specs import JobSpec
from trivet.platforms.store import check_key

CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,64}")  # SageMaker's rule is the narrowest

# The same inputs must give the same bytes: hash order and the order of floating-point sums are fixed.
REPRODUCIBLE = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

VERTEX = "CLOUD_ML_JOB_ID"  # which every job of Vertex AI has
VERTEX_CHECKPOINTS = "AIP_CHECKPOINT_DIR"  # a gs:// address
BUCKETS, ELSEWHERE = "/gcs", "TRIVET_GCS"  # where Vertex AI mounts buckets, and where a job is told that they are


def vertex_checkpoints() -> Path | None:
    """The folder of a job of Vertex AI in which what it leaves is there when it begins again; none on other clouds.

    It is a bucket: good for files that are written whole, and not for those that grow.
    Source: Vertex AI, "Prepare training code" and "Use Cloud Storage as a mounted file system".
    """
    address = os.environ.get(VERTEX_CHECKPOINTS)
    if not address:
        return None
    folder = Path(os.environ.get(ELSEWHERE, BUCKETS), address.removeprefix("gs://"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_places(spec: JobSpec) -> None:
    """Refuse now what would fail when the job has done its work.

    :raises ConfigError: for a key that not every cloud can hold, a channel that is no plain name, and an output where
        the identity of jobs may write nothing: packages, verdicts and the ledger are not for jobs to change.
    """
    for key in (spec.source, spec.output, *spec.inputs.values()):
        check_key(key)
    for channel in spec.inputs:
        if not CHANNEL.fullmatch(channel):
            raise ConfigError(f"{channel!r} is no name of an input channel.", "Use a plain name.")
    check_output(spec.output)


def check_output(key: str) -> None:
    """Refuse a key prefix under which the identity of jobs may write nothing.

    :raises ConfigError: naming those under which it may.
    """
    if not key.startswith(tuple(f"{folder}/" for folder in JOB_OUTPUTS)):
        folders = " or ".join(f"{folder}/" for folder in JOB_OUTPUTS)
        raise ConfigError(f"A job may not leave its output under {key!r}.", f"Choose a key under {folders}.")
