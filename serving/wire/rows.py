"""Protocols in which a request is a list of rows and the answer a prediction a row: KServe v1, Vertex AI, Azure ML.

A row is an array in the order of the model's inputs or an object by their names; ``null`` is a missing value. Asked by
``{"parameters": {"contributions": true}}``, a prediction holds what each feature contributed.

Sources: https://kserve.github.io/website, data plane v1; Vertex AI, "Custom container requirements"; Azure ML, "Deploy
MLflow models to online endpoints" (``input_data``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from trivet.serving.engine import Answer
from trivet.serving.errors import BadInput
from trivet.serving.spelling import Form, spelled_ids
from trivet.serving.wire import v2
from trivet.serving.wire.base import (
    JSON,
    Asked,
    Encoded,
    Fields,
    Identity,
    Wire,
    a_flag,
    an_array,
    an_object,
    checked_id,
    colons,
    parameters_of,
    parse,
    refuse_twins,
    with_contributions,
)

TABLES = ("input_data", "dataframe_split")  # {"columns": [...], "data": [[...]]}
TENSOR = {"name", "datatype", "shape"}  # members by which one knows a tensor
PREDICTION = Form(b'{"id":', b',"score":', b',"decision":', b"", b"}\n")
LISTS = ("instances", "data", "inputs", "input_data", "dataframe_records")


def decode_instances(body: bytes, _: Fields) -> Asked:
    """Read ``{"instances": [...]}``.

    :raises BadInput: when it is not that.
    """
    request = an_object(parse(body), "The body")
    if "instances" not in request:
        raise BadInput("The request has no instances.")
    rows = an_array(request["instances"], "instances")
    _refuse_twins(body, request, rows)
    return asked(rows, request)


def decode_any(body: bytes, fields: Fields) -> Asked:
    """Read rows under any of the names that clouds and MLflow give them, or a bare list of rows.

    A request of the Open Inference Protocol is read and answered as such, as Triton's containers do on these routes:
    a client that goes through its cloud's front says the same everywhere.

    :raises BadInput: when there is none of them, or more than one.
    """
    request = parse(body)
    if type(request) is list:
        _refuse_twins(body, {}, request)
        return asked(request, {})
    request = an_object(request, "The body")
    given = [name for name in dict.fromkeys((*LISTS, *TABLES)) if name in request]
    if len(given) != 1:
        raise BadInput(f"The request has {' and '.join(given) or 'no rows'}; give one of {', '.join(LISTS)}.")
    [name] = given
    value = request[name]
    if name == "inputs" and _are_tensors(value):
        return v2.decode(body, fields)
    if name in TABLES and type(value) is dict:
        _refuse_twins(body, request, (), len(value))
        return asked(_table(value, name), request)
    rows = an_array(value, name)
    _refuse_twins(body, request, rows)
    return asked(rows, request)


def _are_tensors(value: Any) -> bool:
    return type(value) is list and all(type(one) is dict and one.keys() >= TENSOR for one in value[:1])


def _refuse_twins(body: bytes, request: Mapping[str, Any], rows: Sequence[Any], inside: int = 0) -> None:
    """Refuse a body in which an object names a member twice.

    :param inside: how many members there are in an object that has the rows.
    """
    more = colons(body) - len(request) - inside
    if more > 0:
        parts = (*rows, request.get("parameters"))
        if more > members_of(parts):
            refuse_twins(len(request) + inside + members_of(parts), body)


def members_of(rows: Sequence[Any]) -> int:
    """How many members those rows have that are objects."""
    return sum([len(row) for row in rows if type(row) is dict])


def asked(rows: list[Any], request: Mapping[str, Any]) -> Asked:
    """Rows and what the rest of the request says of them."""
    if len(request) < 2:  # there is no rest
        return Asked(rows=rows)
    parameters = parameters_of(request, "The request")
    wanted = with_contributions(a_flag(parameters, "contributions"))
    return Asked(checked_id(request.get("id")), rows=rows, outputs=wanted)


def encode(asked: Asked, answer: Answer, identity: Identity, request_id: str) -> Encoded:
    """``{"predictions": [...]}`` and which model they are of; tensors are answered by tensors."""
    if asked.tensors is not None:
        return v2.encode(asked, answer, identity, request_id)
    found = b",".join(predictions(answer, identity, request_id))
    return Encoded(b'{"predictions":[%b],%b,%b}' % (found, identity.model_members, identity.package_member))


def predictions(answer: Answer, identity: Identity, request_id: str) -> list[bytes]:
    """A JSON object a row; its id is that of its record."""
    rows = len(answer.decision)
    more = [b""] * rows if answer.contributions is None else _parts(answer.contributions, identity.features)
    return PREDICTION.lines(rows, spelled_ids(request_id, rows), answer.spelled, answer.said, more)


def _parts(contributions: np.ndarray, features: tuple[str, ...]) -> list[bytes]:
    option = orjson.OPT_SERIALIZE_NUMPY
    return [
        b',"contributions":' + orjson.dumps(dict(zip(features, parts, strict=True)), option=option)
        for parts in contributions
    ]


INSTANCES = Wire(frozenset((b"", JSON)), decode_instances, encode)
ANY_ROWS = Wire(frozenset((b"", JSON)), decode_any, encode)


def _table(value: Mapping[str, Any], name: str) -> list[Any]:
    """The rows of ``{"columns": [...], "data": [[...]]}`` as objects by name; ``index`` is of no interest."""
    columns, data = an_array(value.get("columns"), f"{name}: columns"), an_array(value.get("data"), f"{name}: data")
    if not all(type(column) is str for column in columns) or len(set(columns)) != len(columns):
        raise BadInput(f"{name}: columns are names, each of them once.")
    for at, row in enumerate(data):
        if type(row) is not list or len(row) != len(columns):
            raise BadInput(f"Row {at} of {name} does not have a value for each of its columns.")
    return [dict(zip(columns, row, strict=True)) for row in data]
