"""What a model takes and gives, as JSON Schema, and requests that it really answers: all from its model package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from trivet.core.inference import CONTRIBUTIONS, DECISION, SCORE, request_of
from trivet.core.modelpackage import Golden, Input, Serving
from trivet.serving.tensors import FINITE, MATRIX_TYPES, datatype
from trivet.serving.wire.base import MAX_ID
from trivet.serving.wire.rows import LISTS, TABLES
from trivet.serving.wire.v2 import MAX_NAME

Json = dict[str, Any]
ROWS_IN_EXAMPLE = 2
DIGEST: Json = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$", "description": "Digest of the model package."}
PARAMETERS: Json = {"type": ["object", "null"]}
FLAG: Json = {"type": ["boolean", "null"]}
ROWS: Json = {"type": "integer", "minimum": 1}


class Packed(Protocol):
    """The engine of a model, as far as it is described here."""

    serving: Serving
    golden: Golden
    digest: str


class Described(Protocol):
    """A model that is served."""

    model: str
    version: str

    @property
    def engine(self) -> Packed:
        """What it runs on."""
        ...


def value_of(column: Input) -> Json:
    """One value of an input; a number without bounds is as large as its 32 bits hold."""
    allowed: list[Any] | None = None
    if column.type == "category":
        schema: Json = {"type": "string"}
        if column.allowed is not None:
            allowed = [str(one) for one in column.allowed]
    else:
        schema = {
            "type": column.type,
            "minimum": -FINITE if column.minimum is None else _short(column.minimum),
            "maximum": FINITE if column.maximum is None else _short(column.maximum),
        }
        if column.allowed:
            allowed = [_short(float(one)) for one in column.allowed]
    if allowed is not None:
        schema["enum"] = [*allowed, None] if column.nullable else allowed
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
    return schema


def schemas_of(service: Described) -> dict[str, Json]:
    """Every schema of one model, under names that begin with its own and hold a dot."""
    name, serving = service.model, service.engine.serving
    columns = serving.inputs
    return {
        f"{name}.Row": {
            "type": "object",
            "description": "A row by the names of the model's inputs; null is a missing value.",
            "properties": {column.name: value_of(column) for column in columns},
            "required": [column.name for column in columns],
            "additionalProperties": False,
            "examples": [dict(row) for row in service.engine.golden.rows],
        },
        f"{name}.Values": {
            "description": "A row in the order of the model's inputs.",
            **_tuple([value_of(column) for column in columns]),
        },
        f"{name}.Rows": {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [ref(f"{name}.Row"), ref(f"{name}.Values")]},
        },
        f"{name}.Table": _table(columns),
        f"{name}.Instances": _object({"instances": ref(f"{name}.Rows"), **_asked_with()}, ["instances"]),
        f"{name}.AnyRows": _any_rows(name),
        f"{name}.InferRequest": _infer_request(serving),
        f"{name}.InferResponse": _infer_response(service),
        f"{name}.Prediction": _prediction(serving),
        f"{name}.Predictions": _object(
            {
                "predictions": {"type": "array", "minItems": 1, "items": ref(f"{name}.Prediction")},
                "model_name": {"const": name},
                "model_version": {"type": "string", "examples": [service.version]},
                "package": DIGEST,
            },
            ["predictions", "model_name", "model_version", "package"],
        ),
        f"{name}.Metadata": _metadata(name),
    }


def ref(schema: str) -> Json:
    """Where a schema of the document is."""
    return {"$ref": f"#/components/schemas/{schema}"}


# --- examples


def example_rows(service: Described) -> list[Json]:
    """Rows that the package was sealed with an answer for; they are nobody's."""
    return [dict(row) for row in service.engine.golden.rows[:ROWS_IN_EXAMPLE]]


def example_values(service: Described) -> list[list[Any]]:
    """The same, in the order of the inputs."""
    names = [column.name for column in service.engine.serving.inputs]
    return [[row[name] for name in names] for row in example_rows(service)]


def example_infer(service: Described) -> Json:
    """The same as a request of the Open Inference Protocol."""
    return request_of(example_rows(service), service.engine.serving, "example")


def example_matrix(service: Described) -> Json | None:
    """The same as one tensor, where all inputs are numbers and none of these is missing."""
    values = example_values(service)
    if not all_numbers(service.engine.serving) or any(None in row for row in values):
        return None
    shape = [len(values), len(values[0])]
    return {"inputs": [{"name": "rows", "shape": shape, "datatype": "FP32", "data": values}]}


# --- the Open Inference Protocol


def all_numbers(serving: Serving) -> bool:
    """Whether a request may be one tensor."""
    return all(column.type != "category" for column in serving.inputs)


def output_names(serving: Serving) -> list[str]:
    """What can be asked for."""
    return [SCORE, DECISION, *([CONTRIBUTIONS] if serving.contributions else [])]


def _infer_request(serving: Serving) -> Json:
    inputs = _tuple([_tensor(column) for column in serving.inputs])
    inputs["description"] = "A tensor for each input of the model. Any order will do."
    if all_numbers(serving):
        inputs = {"anyOf": [inputs, _tuple([_matrix(serving)])]}
    wanted = _object(
        {"name": {"enum": output_names(serving)}, "parameters": PARAMETERS | _flags("binary_data")}, ["name"]
    )
    outputs = {
        "type": ["array", "null"],
        "items": wanted,
        "description": "Each once; none asks for score and decision.",
    }
    properties = {"id": _id(), "parameters": PARAMETERS | _flags("binary_data_output")}
    return _object({**properties, "inputs": inputs, "outputs": outputs}, ["inputs"])


def _tensor(column: Input) -> Json:
    value = value_of(column)
    return _object(
        {
            "name": {"const": column.name},
            "datatype": {"const": datatype(column)},
            "shape": _tuple([ROWS, {"const": 1}]),
            "data": {"anyOf": [_list(value), _list(_tuple([value]))]},
            "parameters": PARAMETERS,
        },
        ["name", "datatype", "shape", "data"],
    )


def _matrix(serving: Serving) -> Json:
    values = [value_of(column) for column in serving.inputs]
    names = [column.name for column in serving.inputs]
    return _object(
        {
            "name": {"type": "string", "maxLength": MAX_NAME - len(MATRIX_TYPES[0]), "not": {"enum": names}},
            "datatype": {"enum": list(MATRIX_TYPES)},
            "shape": _tuple([ROWS, {"const": len(values)}]),
            "data": _list(_tuple(values)) | {"description": "Row by row; may be flat as well."},
            "parameters": PARAMETERS,
        },
        ["name", "datatype", "shape", "data"],
    )


def _infer_response(service: Described) -> Json:
    serving = service.engine.serving
    words = {"type": "string", "enum": _words(serving)}
    outputs = [_output(SCORE, "FP32", 1, {"type": "number"}), _output(DECISION, "BYTES", 1, words)]
    if serving.contributions:
        outputs.append(_output(CONTRIBUTIONS, "FP32", 2, {"type": "number"}))
    return _object(
        {
            "model_name": {"const": service.model},
            "model_version": {"type": "string", "examples": [service.version]},
            "id": {"type": "string", "description": "That of the request, or one that the server gave it."},
            "parameters": _object({"package": DIGEST}, ["package"]),
            "outputs": {"type": "array", "minItems": 1, "items": {"oneOf": outputs}},
        },
        ["model_name", "model_version", "id", "parameters", "outputs"],
    )


def _output(name: str, kind: str, sizes: int, value: Json) -> Json:
    shape = _list(ROWS) | {"minItems": sizes, "maxItems": sizes}
    return _object(
        {"name": {"const": name}, "datatype": {"const": kind}, "shape": shape, "data": _list(value)},
        ["name", "datatype", "shape", "data"],
    )


def _metadata(name: str) -> Json:
    tensor = _object(
        {
            "name": {"type": "string"},
            "datatype": {"enum": ["FP32", "BYTES"]},
            "shape": {"type": "array", "items": {"type": "integer"}, "description": "-1 stands for rows."},
        },
        ["name", "datatype", "shape"],
    )
    return _object(
        {
            "name": {"const": name},
            "versions": {"type": "array", "items": {"type": "string"}},
            "platform": {"type": "string"},
            "parameters": _object({"package": DIGEST}, ["package"]),
            "inputs": {"type": "array", "items": tensor},
            "outputs": {"type": "array", "items": tensor},
        },
        ["name", "versions", "platform", "parameters", "inputs", "outputs"],
    )


# --- rows


def _any_rows(name: str) -> Json:
    """Exactly one of the names that clouds and MLflow give to rows."""
    choices = []
    for key in dict.fromkeys((*LISTS, *TABLES)):
        forms = [ref(f"{name}.Rows")] if key in LISTS else []
        forms += [ref(f"{name}.Table")] if key in TABLES else []
        others = {other: False for other in (*LISTS, *TABLES) if other != key}
        choices.append(
            _object({key: {"anyOf": forms} if len(forms) > 1 else forms[0], **others, **_asked_with()}, [key])
        )
    return {"anyOf": [*choices, ref(f"{name}.Rows")]}


def _table(columns: Sequence[Input]) -> Json:
    """Columns may stand in any order; described are those in the order of the model's inputs."""
    return _object(
        {
            "columns": {"const": [column.name for column in columns], "description": "Any order will do."},
            "data": _list(_tuple([value_of(column) for column in columns])),
        },
        ["columns", "data"],
    )


def _prediction(serving: Serving) -> Json:
    properties: Json = {
        "id": {"type": "string", "description": "Under which this row is recorded."},
        "score": {"type": "number", "description": f"Probability of {serving.decision.positive}."},
        "decision": {"type": "string", "enum": _words(serving)},
    }
    if serving.contributions:
        names = [column.name for column in serving.inputs]
        parts = _object({name: {"type": "number"} for name in names}, names)
        note = "What each input adds to the score's log-odds; only where asked for."
        properties["contributions"] = parts | {"description": note}
    return _object(properties, ["id", "score", "decision"])


def _asked_with() -> Json:
    return {"id": _id(), "parameters": PARAMETERS | _flags("contributions")}


# --- parts


def _words(serving: Serving) -> list[str]:
    return [serving.decision.positive, serving.decision.negative]


def _id() -> Json:
    return {"type": ["string", "null"], "maxLength": MAX_ID, "description": "The id of the request, and of its record."}


def _flags(*names: str) -> Json:
    return {"properties": dict.fromkeys(names, FLAG)}


def _object(properties: Mapping[str, Any], required: Sequence[str]) -> Json:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _list(items: Json) -> Json:
    return {"type": "array", "minItems": 1, "items": items}


def _tuple(items: Sequence[Json]) -> Json:
    return {
        "type": "array",
        "prefixItems": list(items),
        "items": False,
        "minItems": len(items),
        "maxItems": len(items),
    }


def _short(value: float) -> float | int:
    """A whole number without its decimals."""
    return int(value) if value == int(value) else value
