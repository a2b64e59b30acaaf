"""MLflow model folders that others made: what ``MLmodel`` says, read without MLflow and without opening the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from trivet.core.datacontract import ColumnType
from trivet.core.document import describe
from trivet.core.errors import ConfigError, NotFound
from trivet.core.modelpackage import Input

if TYPE_CHECKING:
    import pandas as pd

MLMODEL = "MLmodel"
NUMBERS: dict[str, ColumnType] = {
    **dict.fromkeys(("double", "float", "float32", "float64"), "number"),
    **dict.fromkeys(("long", "integer", "boolean", "int64", "int32", "int8", "bool"), "integer"),
    **dict.fromkeys(("string", "str", "object"), "category"),
}


class Signature(BaseModel):
    """What the model takes, as MLflow writes it: JSON in YAML."""

    model_config = ConfigDict(extra="ignore")

    inputs: list[dict[str, Any]] = []

    @field_validator("inputs", mode="before")
    @classmethod
    def _unpacked(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value or []


class MlModel(BaseModel):
    """The parts of an ``MLmodel`` file that matter here."""

    model_config = ConfigDict(extra="ignore")

    flavors: dict[str, dict[str, Any]] = Field(min_length=1)
    signature: Signature | None = None
    saved_input_example_info: dict[str, Any] | None = None

    def columns(self) -> tuple[Input, ...]:
        """The named columns of the signature; none where it names none.

        :raises ConfigError: for a column of a type that is neither number nor text.
        """
        given = self.signature.inputs if self.signature else []
        return tuple(_input(column) for column in given if "name" in column)


def read_mlmodel(folder: Path) -> MlModel:
    """Read ``MLmodel``.

    :raises NotFound: when the folder has none.
    :raises ConfigError: when it is not valid.
    """
    path = folder / MLMODEL
    if not path.is_file():
        raise NotFound(f"{folder} is no MLflow model: it has no {MLMODEL}.", "Name the folder that mlflow saved.")
    try:
        return MlModel.model_validate(yaml.safe_load(path.read_text()))
    except ValidationError as error:
        raise ConfigError(f"{path} is not valid: {describe(error)}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {error}.") from error


def example_of(folder: Path, described: MlModel) -> pd.DataFrame | None:
    """The table that MLflow saved as the model's input example, if there is one."""
    import pandas as pd

    info = described.saved_input_example_info or {}
    path = (folder / str(info.get("artifact_path", ""))).resolve()
    if info.get("type") != "dataframe" or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return pd.DataFrame(content["data"], columns=content.get("columns"))


def _input(column: dict[str, Any]) -> Input:
    kind = str(column["tensor-spec"]["dtype"] if column.get("type") == "tensor" else column.get("type"))
    if kind not in NUMBERS:
        raise ConfigError(
            f"The model's input {column['name']} is of type {kind}, which is neither a number nor a text.",
            "Save the model with columns of numbers and texts.",
        )
    return Input(name=column["name"], type=NUMBERS[kind], nullable=not column.get("required", True))
