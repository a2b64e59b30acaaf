"""Lines of rows to lines of answers, one for one: what batch scoring is made of, on any cloud. Knows no transport.

An answer is a JSON object with ``score`` and ``decision``, or with ``error`` where the row is not one that the model
takes, and with the model that it is of. A row's score is, to the last bit, that of the row alone over an endpoint.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from trivet.core.errors import TrivetError
from trivet.serving.errors import BadInput, ModelFailed, NotAcceptable
from trivet.serving.service import Call, Done, Outcome, Service
from trivet.serving.spelling import Form
from trivet.serving.wire import sagemaker
from trivet.serving.wire.base import Asked, Fields, Wire
from trivet.serving.wire.sagemaker import CSV, LINES, LINES_TOO, media_type

NO_ROW = "The line is no row."
ALONE = "Row 0 "  # as which the only row of a line is known to whoever checks it


class Answers(NamedTuple):
    """A line an answer, each with its end, and how many of them hold an error."""

    lines: list[bytes]
    errors: int


class Scorer:
    """One model. Safe to use from several threads."""

    def __init__(self, service: Service) -> None:
        identity = service.identity
        self.engine = service.engine
        self.name, self.fields = service.name, service.fields
        self.inline_bytes = 0  # a batch is never answered in passing
        self._ending = b",%b,%b}\n" % (identity.model_members, identity.package_member)
        self._form = Form(b'{"score":', b',"decision":', self._ending)

    def score(self, lines: Sequence[bytes], form: bytes) -> Answers:
        """An answer to each line, which is the one that the line has alone.

        :param lines: without their ends; of more than one row each, or of none, is wrong. The mark of UTF-8 that files
            of some programs begin with is no part of a row.
        :param form: their content type, which is that of JSON lines or of CSV.
        """
        most = self.engine.most_together
        found: list[bytes] = []
        errors = 0
        for at in range(0, len(lines), most):
            answers = self._some([line.removeprefix(BOM_UTF8) for line in lines[at : at + most]], form)
            found += answers.lines
            errors += answers.errors
        return Answers(found, errors)

    def infer(self, calls: Sequence[Call]) -> Outcome:
        """Answer requests whose bodies are lines, as ``Service`` does requests of one protocol."""
        return Outcome([self._answered(call) for call in calls], [])

    def _answered(self, call: Call) -> Done | Exception:
        try:
            lines = call.body.removesuffix(b"\n").split(b"\n")
            call.wire.decode(b"", call.fields)
            answers = self.score(lines, media_type(call.fields[b"content-type"]))
        except TrivetError as error:
            return error
        return Done(call.id, len(lines), b"".join(answers.lines), LINES, ())

    def _some(self, lines: Sequence[bytes], form: bytes) -> Answers:
        """Together where all of them are right; else by halves, down to the one that is wrong."""
        try:
            return Answers(self._together(lines, form), 0)
        except (BadInput, ModelFailed) as error:
            if len(lines) == 1:
                return Answers([self._error(lines[0], error)], 1)
        half = len(lines) // 2
        left, right = self._some(lines[:half], form), self._some(lines[half:], form)
        return Answers(left.lines + right.lines, left.errors + right.errors)

    def _together(self, lines: Sequence[bytes], form: bytes) -> list[bytes]:
        asked = _read(lines, form)
        check = self.engine.check
        values = check.rows(asked.rows or ()) if asked.cells is None else check.cells(asked.cells)
        if values.rows != len(lines):  # an empty line among those of JSON
            raise BadInput(NO_ROW)
        answer = self.engine.predict(check.batch([values]), contributions=False)
        return self._form.filled(len(lines), answer.spelled, answer.said).splitlines(keepends=True)

    def _error(self, line: bytes, error: TrivetError) -> bytes:
        told = error.message if line.strip() else "The line is empty."
        if told.startswith(ALONE):
            told = f"The row {told.removeprefix(ALONE)}"
        return b'{"error":%b%b' % (orjson.dumps(told), self._ending)


def _read(lines: Sequence[bytes], form: bytes) -> Asked:
    """The rows of lines.

    :raises BadInput: when one of them is not in that form, or one of CSV is not exactly one row.
    """
    fields, body = {b"content-type": form}, b"\n".join(lines)
    if form != CSV or _is_plain(lines, body):
        return sagemaker.decode(body, fields)
    found: list[Sequence[str]] = []
    for line in lines:
        cells = sagemaker.decode(line, fields).cells or ()
        if len(cells) != 1:
            raise BadInput(NO_ROW)
        found += cells
    return Asked(cells=found)


def _is_plain(lines: Sequence[bytes], body: bytes) -> bool:
    """Whether the rows of CSV are its lines: a quote may hold the end of one, a bare return is an end, and of a line
    with nothing on it the reader makes a row or none.
    """
    returns = body.count(b"\r\n") + body.endswith(b"\r")
    return b'"' not in body and body.count(b"\r") == returns and b"" not in lines and b"\r" not in lines


def _decode(_: bytes, fields: Fields) -> Asked:
    """Nothing: lines are read where they are scored. What the client accepts is looked at.

    :raises NotAcceptable: when it accepts no JSON lines.
    """
    accepted = media_type(fields.get(b"accept", b""))
    if accepted not in (b"", b"*/*", b"application/*", LINES, LINES_TOO):
        raise NotAcceptable(f"Lines are answered in {LINES.decode()}.", "Accept it.")
    return Asked()


WIRE = Wire(frozenset((LINES, LINES_TOO, CSV)), _decode, sagemaker.encode_reply)
"""What the route of a batch takes; its answers a ``Scorer`` makes."""
