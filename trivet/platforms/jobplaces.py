"""What holds for a job on every cloud: where it may take from and leave things, and what makes it reproducible."""

from __future__ import annotations

import re

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
