"""SageMaker's ``/invocations``: JSON, JSON lines or CSV in by content type, and out by what the client accepts.

CSV has no header and its cells stand in the order of the model's inputs, an empty one is a missing value; out come
``score,decision`` and, where they were asked for, the contributions. What SageMaker passes on in both directions is the
field of custom attributes: ``contributions=true`` asks, and the answer says there which model gave it.
Source: SageMaker Developer Guide, "Use your own inference code" and "Common data formats for inference".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from trivet.serving.engine import Answer
from trivet.serving.errors import BadInput, NotAcceptable
from trivet.serving.wire.base import (
    JSON,
    Asked,
    Encoded,
    Fields,
    Identity,
    Wire,
    colons,
    parse,
    refuse_twins,
    with_contributions,
)
from trivet.serving.wire.rows import decode_any, encode, members_of, predictions

LINES, CSV = b"application/jsonlines", b"text/csv"
LINES_TOO = b"application/x-ndjson"
ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
INFERENCE_ID = b"x-amzn-sagemaker-inference-id"
TARGET_MODEL = b"x-amzn-sagemaker-target-model"
ANYTHING = (b"*/*", b"application/*", b"")


def decode(body: bytes, fields: Fields) -> Asked:
    """Read rows in the form that the content type names.

    :raises BadInput: when they are not in that form.
    :raises NotAcceptable: when the client accepts none of the forms of an answer.
    """
    accepted = _accepted(fields.get(b"accept", b""))
    form = media_type(fields.get(b"content-type", b""))
    if form == CSV:
        asked = Asked(cells=_cells(body))
    elif form in (LINES, LINES_TOO):
        lines = [line for line in body.split(b"\n") if line.strip()]
        rows = [parse(line) for line in lines]
        if colons(body) > members_of(rows):
            refuse_twins(members_of(rows), *lines)
        asked = Asked(rows=rows)
    else:
        asked = decode_any(body, fields)
        if asked.tensors is not None and accepted != JSON:
            raise NotAcceptable("Tensors are answered in application/json.", "Accept it.")
    attributes = fields.get(ATTRIBUTES, b"").replace(b",", b";").split(b";")
    if asked.tensors is not None:
        return asked  # which names the outputs that it wants
    if b"contributions=true" in map(bytes.strip, attributes):
        asked = asked._replace(outputs=with_contributions(True))
    return asked._replace(reply=accepted)


def encode_reply(asked: Asked, answer: Answer, identity: Identity, request_id: str) -> Encoded:
    """The answer in the form that was accepted."""
    form = JSON if asked.tensors is not None else asked.reply
    encoded = ENCODERS[form](asked, answer, identity, request_id)
    told = f"model={identity.model}/{identity.version};package={identity.package}"
    return encoded._replace(fields=((ATTRIBUTES, told.encode()),))


WIRE = Wire(frozenset((b"", JSON, LINES, LINES_TOO, CSV)), decode, encode_reply)


def media_type(value: bytes) -> bytes:
    """A content type without its parameters."""
    return value if value in (JSON, b"") else value.partition(b";")[0].strip().lower()


def _accepted(value: bytes) -> bytes:
    """The form of the answer: of those that the client accepts, the one that it prefers."""
    wanted = [(_weight(part), media_type(part)) for part in value.split(b",")]
    for weight, form in sorted(wanted, key=lambda one: -one[0]):
        if weight > 0 and (form in ENCODERS or form in ANYTHING):
            return form if form in ENCODERS else JSON
        if weight > 0 and form == LINES_TOO:
            return LINES
    raise NotAcceptable(f"This route answers in {b', '.join(ENCODERS).decode()}.", "Accept one of them.")


def _weight(part: bytes) -> float:
    for parameter in part.split(b";")[1:]:
        name, _, number = parameter.partition(b"=")
        if name.strip().lower() == b"q":
            try:
                return float(number)
            except ValueError:
                return 0.0
    return 1.0


def _cells(body: bytes) -> list[list[str]]:
    try:
        text = body.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"The body is no CSV in UTF-8: {error}.") from error
    while rows and not rows[-1]:
        rows.pop()
    return [row or [""] for row in rows]  # an empty line in the middle is a row of one missing value


def _lines(_: Asked, answer: Answer, identity: Identity, request_id: str) -> Encoded:
    return Encoded(b"".join(one + b"\n" for one in predictions(answer, identity, request_id)), LINES)


def _table(_: Asked, answer: Answer, __: Identity, ___: str) -> Encoded:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    for row, (score, decision) in enumerate(zip(answer.spelled, answer.decision, strict=True)):
        parts = [] if answer.contributions is None else [str(part) for part in answer.contributions[row]]
        rows.writerow([score.decode(), decision, *parts])
    return Encoded(out.getvalue().encode(), CSV)


ENCODERS: dict[bytes, Callable[[Asked, Answer, Identity, str], Encoded]] = {JSON: encode, LINES: _lines, CSV: _table}
