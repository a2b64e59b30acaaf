"""The model package: written by MLflow's own code, completed with what serving, monitoring and auditors need, sealed.

Nothing in it says when, where or by whom it was made: the same inputs in the same environment on the same CPU
architecture give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from mlflow.models import Model, ModelSignature
from mlflow.onnx import save_model
from mlflow.types import ColSpec, Schema, TensorSpec

from trivet.core.canonical import digest_json
from trivet.core.datacontract import DataContract, Tag
from trivet.core.document import Document
from trivet.core.files import write_atomic
from trivet.core.inference import SCORE
from trivet.core.modelpackage import (
    CONTRIBUTIONS,
    LINEAGE,
    SERVING,
    Input,
    Lineage,
    Serving,
    seal,
)

CONDA, PYTHON_ENV, REQUIREMENTS = "conda.yaml", "python_env.yaml", "requirements.txt"
LOADERS = ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")  # what `mlflow.pyfunc.load_model` needs for ONNX
NO_TIME = "1970-01-01 00:00:00"  # a time would make every package another one


def inputs_of(names: Sequence[str], contract: DataContract) -> tuple[Input, ...]:
    """The inputs of a model that takes these columns of the contract."""
    return tuple(
        Input(
            name=column.name,
            type=column.type,
            nullable=column.nullable,
            minimum=column.minimum,
            maximum=column.maximum,
            allowed=column.allowed,
            personal=Tag.PERSONAL in column.tags,
        )
        for column in map(contract.__getitem__, names)
    )


def write_package(
    folder: Path,
    *,
    model: onnx.ModelProto,
    contributions: onnx.ModelProto | None,
    serving: Serving,
    lineage: Lineage,
    documents: dict[str, Document],
    versions: dict[str, str],
) -> str:
    """Write a sealed package to ``folder``, which must not exist, and return its digest.

    ``documents`` are the others of its JSON files, by name.
    """
    save_model(
        model,
        str(folder),
        mlflow_model=_mlmodel(lineage, serving),
        conda_env=_conda(versions),
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    _write_python_env(folder, versions)
    if contributions is not None:
        write_atomic(folder / CONTRIBUTIONS, contributions.SerializeToString(deterministic=True), mode=0o644)
    for name, document in {**documents, SERVING: serving, LINEAGE: lineage}.items():
        write_atomic(folder / name, document.canonical(), mode=0o644)
    return seal(folder)


def _mlmodel(lineage: Lineage, serving: Serving) -> Model:
    """MLflow's description of the model; what it would draw or read off the clock comes from what went in."""
    types = {"category": np.dtype(str), "number": np.dtype("float32"), "integer": np.dtype("float32")}
    takes: list[ColSpec | TensorSpec] = [
        TensorSpec(types[column.type], (-1, 1), column.name) for column in serving.inputs
    ]
    gives: list[ColSpec | TensorSpec] = [TensorSpec(np.dtype("float32"), (-1,), SCORE)]
    return Model(
        signature=ModelSignature(Schema(takes), Schema(gives)),
        model_uuid=digest_json([lineage.model_dump(), serving.model_dump()])[7:39],
        utc_time_created=NO_TIME,
    )


def _conda(versions: dict[str, str]) -> dict[str, Any]:
    python = f"python={versions['python']}"
    pins = [f"{name}=={versions[name]}" for name in LOADERS]
    return {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": [python, "pip", {"pip": pins}]}


def _write_python_env(folder: Path, versions: dict[str, str]) -> None:
    """Replace MLflow's own, which names the version of pip that happens to be installed."""
    environment = {"python": versions["python"], "build_dependencies": ["pip"], "dependencies": [f"-r {REQUIREMENTS}"]}
    (folder / PYTHON_ENV).write_text(yaml.safe_dump(environment, sort_keys=False))
