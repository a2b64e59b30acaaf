"""What SageMaker's containers find at ``/opt/ml``."""

from __future__ import annotations

from pathlib import Path

from trivet.rehearsal.fakes.containers import Mounts

ML = Path("/opt/ml")


def of_job(folder: Path) -> Mounts:
    """Of a training job: a folder of its own."""
    return Mounts({str(ML): folder}, variables={"TRIVET_ML": str(folder)})


def of_server(folder: Path) -> Mounts:
    """Of a server, whose model is for reading only; "Use your own inference code with hosting services"."""
    inside, model = str(ML / "model"), folder / "model"
    return Mounts({str(ML): folder, inside: model}, frozenset({inside}), {"TRIVET_MODEL": str(model)})
