"""What may be registered: a model package as it is, or an MLflow model in ONNX form, wrapped into one.

Nothing is ever unpickled here. What only exists as a pickle is refused, with the command that converts it.
"""

from __future__ import annotations

from pathlib import Path

from trivet.core.errors import ConfigError
from trivet.core.modelpackage import MANIFEST, Decision, Package
from trivet.training.mlflowfolder import MlModel, read_mlmodel

HALF = Decision(threshold=0.5)


def as_package(folder: Path, into: Path, *, name: str, decision: Decision = HALF) -> Path:
    """The model package for ``folder``: itself where it is one, else one that is written to ``into``.

    ``into`` must not exist. ``name`` and ``decision`` are those of a wrapped model; a package has its own.

    :raises IntegrityError: when it is a package, but not what its manifest says.
    :raises NotFound: when it is no MLflow model folder either.
    :raises ConfigError: when it holds no ONNX, with the command that converts it; or when its ONNX takes or gives
        something that no score can be made of.
    """
    if (folder / MANIFEST).is_file():
        Package(folder).verify()
        return folder
    described = read_mlmodel(folder)
    if "onnx" not in described.flavors:
        raise _no_onnx(folder, described)
    from trivet.training.runtime.foreign import wrap

    wrap(folder, described, into, name=name, decision=decision)
    return into


def _no_onnx(folder: Path, described: MlModel) -> ConfigError:
    if "sklearn" in described.flavors:
        return ConfigError(
            f"{folder} holds a scikit-learn model in a form that runs code when it is loaded.",
            f"If you trust who wrote it: trivet models convert {folder} --out FOLDER --trust-pickle",
        )
    return ConfigError(
        f"{folder} has no ONNX form; its flavors are {', '.join(described.flavors)}.",
        "Export the model to ONNX and save it with mlflow.onnx.save_model.",
    )
