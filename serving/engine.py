"""The model behind every front: verified bytes in, checked rows to decisions. Knows no transport."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from time import thread_time
from typing import NamedTuple, Self, TypeVar

import numpy as np
import onnxruntime as ort
import orjson
from pydantic import ValidationError

from trivet.core.document import Document, describe
from trivet.core.errors import IntegrityError, NotReady
from trivet.core.inference import CONTRIBUTIONS, SCORE
from trivet.core.modelpackage import CONTRIBUTIONS as CONTRIBUTIONS_FILE
from trivet.core.modelpackage import GOLDEN, MODEL, PROFILE, SERVING, Golden, Package, Profile, Serving
from trivet.serving.errors import BadInput, ModelFailed
from trivet.serving.onnxfile import refuse_external_data
from trivet.serving.onnxmatrix import MATRIX, with_matrix
from trivet.serving.spelling import spelled
from trivet.serving.tensors import MISSING_CATEGORY, Batch, Checker, datatype

ADDS_UP = 1e-4  # how far contributions may be from the score, as probability: they are summed in 32 bits
FEWEST = 2  # rows for the model: one row alone goes through other arithmetic, with another last bit, than among others
MIXED = 32  # rows on which that is tried
USED = (MODEL, CONTRIBUTIONS_FILE, SERVING, GOLDEN, PROFILE)
D = TypeVar("D", bound=Document)
ONNX_TYPES = {"FP32": "tensor(float)", "BYTES": "tensor(string)"}


class Answer(NamedTuple):
    """What the model says of a batch."""

    score: np.ndarray  # float32 [rows], finite
    spelled: list[bytes]  # each score in JSON
    decision: list[str]
    said: list[bytes]  # each decision in JSON
    contributions: np.ndarray | None  # float32 [rows, features], finite

    def rows(self, begin: int, end: int) -> Answer:
        """What it says of some rows."""
        if begin == 0 and end == len(self.decision):
            return self
        parts = None if self.contributions is None else self.contributions[begin:end]
        rows = slice(begin, end)
        return Answer(self.score[rows], self.spelled[rows], self.decision[rows], self.said[rows], parts)


class Engine:
    """One opened model package. ``predict`` may be called from several threads at once."""

    def __init__(
        self, package_digest: str, serving: Serving, golden: Golden, profile: Profile | None, graphs: dict[str, bytes]
    ) -> None:
        self.digest = package_digest
        self.serving = serving
        self.profile = profile
        self.features = tuple(column.name for column in serving.inputs)
        self.check = Checker(serving)
        self.golden = golden
        self.most_together = 1
        decision = serving.decision
        threshold = float(np.float32(decision.threshold))  # a score is compared in its own precision
        self._decision = threshold, decision.positive, decision.negative
        self._said = {text: orjson.dumps(text) for text in self._decision[1:]}
        self._model = Graph(graphs[MODEL], MODEL, serving, SCORE)
        self._reasons = (
            Graph(graphs[CONTRIBUTIONS_FILE], CONTRIBUTIONS_FILE, serving, CONTRIBUTIONS, len(self.features))
            if serving.contributions
            else None
        )

    @classmethod
    def open(cls, folder: Path, public_key: str | None = None) -> Self:
        """Verify a package and load it from the very bytes that were verified.

        :param public_key: PEM; when given, the package must carry a signature made with its private half.
        :raises IntegrityError: when a file is changed, missing, extra or linked, when the signature is missing or
            another's, or when a graph is not what ``serving.json`` says.
        """
        package = Package(folder)
        if public_key is not None:
            from trivet.core.signing import verify

            verify(package, public_key)
        package.verify(but=USED)  # what is read below is checked as it is read
        verified = {name: package.read(name) for name in USED if name in package}
        for name in (MODEL, SERVING, GOLDEN):
            if name not in verified:
                raise IntegrityError(f"The model package has no {name}.")
        serving = _document(Serving, verified, SERVING)
        if serving.contributions and CONTRIBUTIONS_FILE not in verified:
            raise IntegrityError(f"The model package has no {CONTRIBUTIONS_FILE}, which its {SERVING} promises.")
        profile = _document(Profile, verified, PROFILE) if PROFILE in verified else None
        return cls(package.digest, serving, _document(Golden, verified, GOLDEN), profile, verified)

    def predict(self, batch: Batch, *, contributions: bool) -> Answer:
        """Scores and decisions; contributions when asked for and the package has them.

        :raises ModelFailed: when the model fails or gives anything that is not a finite number.
        """
        numbers, texts = _fed(batch)
        score = self._model.run(numbers, texts)[: batch.rows]
        threshold, positive, negative = self._decision
        decided = [positive if value >= threshold else negative for value in score.tolist()]
        parts = None
        if contributions and self._reasons is not None:
            parts = self._reasons.run(numbers, texts)[: batch.rows]
        return Answer(score, spelled(score), decided, [self._said[text] for text in decided], parts)

    def contributions(self, batch: Batch) -> np.ndarray | None:
        """The contributions alone, of rows that were decided before; none where the package has none.

        :raises ModelFailed: as ``predict`` does.
        """
        return None if self._reasons is None else self._reasons.run(*_fed(batch))[: batch.rows]

    def prove_together(self, sizes: Iterable[int], seconds: float) -> None:
        """Find ``most_together``: how many rows may share a call of the model without a bit of any score being another
        than that of the row alone, as far as mixtures of golden rows can tell; one where it depends on the company.

        :param sizes: numbers of rows to try, the smallest first.
        :param seconds: of processor time after which no more are tried.
        """
        mixed = _mixed(self.check.batch([self.check.rows(self.golden.rows)]))

        def said(rows: np.ndarray) -> np.ndarray:
            answer = self.predict(mixed.only(rows), contributions=True)
            parts = answer.contributions
            return answer.score if parts is None else np.column_stack([answer.score, parts])

        end = thread_time() + seconds
        alone: list[np.ndarray] = []
        self.most_together = 1
        try:
            for row in range(mixed.rows):
                alone.append(said(np.array([row])))
                if thread_time() > end:
                    return
            expected = np.concatenate(alone)
            if (expected == expected[0]).all():
                return  # of rows that are all alike nothing can be told
            for size in sizes:
                rows = np.arange(size) % mixed.rows
                if not np.array_equal(said(rows), expected[rows]) or thread_time() > end:
                    break
                self.most_together = size
        except ModelFailed:
            self.most_together = 1

    def self_test(self) -> None:
        """Answer the golden request.

        :raises NotReady: when the answer is not the one that the package was sealed with.
        """
        golden = self.golden
        try:
            answer = self.predict(self.check.batch([self.check.rows(golden.rows)]), contributions=True)
        except (BadInput, ModelFailed) as error:
            raise NotReady(f"The model did not answer its golden request: {error.message}") from error
        same = len(golden.scores) == len(answer.score)
        if not same or np.abs(answer.score - np.array(golden.scores)).max() > golden.tolerance:
            raise NotReady("The model answered its golden request with another score.", "Train and register it again.")
        if answer.contributions is not None:
            total = answer.contributions.sum(axis=1, dtype=np.float64) + self.serving.intercept
            if np.abs(1 / (1 + np.exp(-total)) - answer.score).max() > ADDS_UP:
                raise NotReady("The model's contributions do not add up to its score.", "Train and register it again.")


def _fed(batch: Batch) -> tuple[np.ndarray, Sequence[list[str | None]]]:
    """Numbers as float32, and texts, of as many rows as the model needs to be given."""
    if batch.rows >= FEWEST:
        return batch.numbers.astype(np.float32, order="C"), batch.texts
    numbers = np.empty((FEWEST, batch.numbers.shape[1]), np.float32)
    numbers[:] = batch.numbers
    return numbers, [values * FEWEST for values in batch.texts]


def _mixed(batch: Batch) -> Batch:
    """Rows between each two of a batch, where a model has more to decide than at the far ends."""
    chance = np.random.default_rng(0)
    left, right = chance.integers(batch.rows, size=(2, MIXED))
    share = chance.random((MIXED, 1))
    numbers = share * batch.numbers[left] + (1 - share) * batch.numbers[right]
    return batch.only(left)._replace(numbers=numbers)


def _document(kind: type[D], verified: dict[str, bytes], name: str) -> D:
    try:
        return kind.model_validate_json(verified[name])
    except ValidationError as error:
        raise IntegrityError(f"{name} of the model package is not valid: {describe(error)}.") from error


class Graph:
    """One graph of a package, loaded to give one output. Takes its numbers as a matrix wherever it can."""

    def __init__(self, graph: bytes, name: str, serving: Serving, output: str, *row: int) -> None:
        """Load it.

        :param row: the shape of its output for one row.
        :raises IntegrityError: when it cannot be loaded or is not what ``serving.json`` says.
        """
        refuse_external_data(graph, name)
        self._outputs = [output]
        self._row = row
        self._numbers = [column.name for column in serving.inputs if datatype(column) != "BYTES"]
        self._texts = [column.name for column in serving.inputs if datatype(column) == "BYTES"]
        session = _session(graph, name)
        wanted = {column.name: ONNX_TYPES[datatype(column)] for column in serving.inputs}
        if {put.name: put.type for put in session.get_inputs()} != wanted:
            raise IntegrityError(f"The inputs of {name} are not those of serving.json.")
        if {put.name: put.type for put in session.get_outputs()}.get(output) != "tensor(float)":
            raise IntegrityError(f"{name} has no float32 output {output}.")
        joined = _joined(graph, name, self._numbers)
        self._matrix = joined is not None
        self._session = joined or session

    def run(self, numbers: np.ndarray, texts: Sequence[list[str | None]]) -> np.ndarray:
        """The output for ``numbers``, float32 ``[rows, numbers]``, and ``texts``, a list per category.

        :raises ModelFailed: when it fails, has another shape than it should, or holds what is not a finite number.
        """
        [output] = self._outputs
        try:
            [values] = self._session.run(self._outputs, self._feeds(numbers, texts))
        except Exception as error:  # the runtime's errors have no common base
            raise ModelFailed(f"The model failed while computing {output}.") from error
        if not isinstance(values, np.ndarray) or values.shape != (len(numbers), *self._row):
            raise ModelFailed(f"The model gave {output} in a shape that serving.json does not promise.")
        if not isfinite(
            np.add.reduce(values, axis=None, dtype=np.float64)
        ):  # what is not finite in there makes the sum so
            raise ModelFailed(f"The model gave {output} that is not a finite number.")
        return values

    def _feeds(self, numbers: np.ndarray, texts: Sequence[list[str | None]]) -> dict[str, np.ndarray]:
        if self._matrix:
            feeds = {MATRIX: numbers}
        else:
            feeds = {name: numbers[:, at : at + 1] for at, name in enumerate(self._numbers)}
        for name, values in zip(self._texts, texts, strict=True):
            known = [MISSING_CATEGORY if value is None else value for value in values]
            feeds[name] = np.array(known, dtype=object).reshape(-1, 1)
        return feeds


def _joined(graph: bytes, name: str, columns: list[str]) -> ort.InferenceSession | None:
    """The graph over a matrix; none where it cannot be said so, for then the graph as it is will do."""
    joined = with_matrix(graph, columns)
    try:
        return None if joined is None else _session(joined, name)
    except IntegrityError:
        return None


def _session(graph: bytes, name: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised; nothing is printed beside the log
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no common base
        raise IntegrityError(f"{name} cannot be loaded by ONNX Runtime {ort.__version__}.") from error
