"""The entry script of Azure ML's own scoring server: as its documentation has it, over the package's graph."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

session: Any = None
columns: list[tuple[str, Any]] = []


def init() -> None:
    """Load the model; the server calls it once."""
    global session
    folder = Path(os.environ["AZUREML_MODEL_DIR"])
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    inputs = json.loads((folder / "serving.json").read_text())["inputs"]
    columns[:] = [(one["name"], object if one["type"] == "category" else np.float32) for one in inputs]


def run(raw_data: str) -> dict[str, Any]:
    """Score the rows of ``{"data": [[...]]}``; what fails here, the server answers with 500."""
    rows = json.loads(raw_data)["data"]
    feed = {
        name: np.array([[np.nan if row[at] is None else row[at]] for row in rows], dtype=kind)
        for at, (name, kind) in enumerate(columns)
    }
    [scores] = session.run(["score"], feed)
    return {"predictions": [{"score": float(score)} for score in scores]}
