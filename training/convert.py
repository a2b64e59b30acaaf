"""Pickled scikit-learn models to model packages, in a process of their own: the only one that ever opens a pickle."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from trivet.core.errors import ConfigError, JobFailed, UsageError
from trivet.training.mlflowfolder import read_mlmodel
from trivet.training.submit import FAILED, REPRODUCIBLE

COMMAND = ("-P", "-m", "trivet.training.runtime.convert")
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH")


def convert(
    folder: Path,
    into: Path,
    *,
    trust_pickle: bool,
    name: str = "",
    sample: Path | None = None,
    timeout: timedelta = timedelta(minutes=10),
) -> Path:
    """Convert the scikit-learn model that MLflow saved in ``folder`` and write its package to ``into``.

    Equal scores are proved on the rows of ``sample`` (CSV), or else on the model's own input example. The process has
    none of this one's environment but its paths: no credential of the shell reaches what the pickle may run.

    :raises UsageError: when the pickle is not trusted.
    :raises ConfigError: when ``into`` exists, the model is of another kind, or it cannot be converted; the sentence
        names the estimator and what to do.
    :raises JobFailed: when the process dies otherwise.
    """
    if not trust_pickle:
        raise UsageError(
            f"Loading {folder} runs whatever code its file holds.", "If you trust who wrote it, add --trust-pickle."
        )
    if "sklearn" not in read_mlmodel(folder).flavors:
        raise ConfigError(
            f"{folder} holds no scikit-learn model.", "Convert only what `trivet models register` refuses."
        )
    if into.exists():
        raise ConfigError(f"{into} exists.", "Name a folder that does not.")
    command = [sys.executable, *COMMAND, str(folder.resolve()), str(into.resolve()), name or folder.resolve().name]
    try:
        done = subprocess.run(
            [*command, *([str(sample.resolve())] if sample else [])],
            env={**{key: os.environ[key] for key in PASSED_ON if key in os.environ}, **REPRODUCIBLE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout.total_seconds(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise JobFailed(f"The conversion of {folder} took longer than {timeout}.") from error
    if done.returncode:
        raise _failure(folder, done.stderr)
    return into


def _failure(folder: Path, said: str) -> ConfigError | JobFailed:
    lines = [line for line in said.splitlines() if line.strip()] or ["it said nothing."]
    for line in reversed(lines):
        if line.startswith(FAILED):
            return ConfigError(line.removeprefix(FAILED))
    return JobFailed(f"The conversion of {folder} failed: {lines[-1].strip()}")
