"""The same rows to the endpoints of two stacks, of whatever clouds: whether they decide alike, and how fast each is."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter

from pydantic import Field

from trivet.core.document import Document
from trivet.core.errors import ConfigError, NotReady
from trivet.core.inference import Decided, Value
from trivet.core.platform import Platform
from trivet.workflows.ask import ask, only_endpoint, released, serving_of
from trivet.workflows.rowfiles import rows_in

P95 = 94  # of the 99 points between hundredths


class Side(Document):
    """One of the two endpoints."""

    stack: str
    cloud: str
    endpoint: str
    model: str
    digest: str
    requests: int = Field(description="That were timed: the first, which makes the connection, is not.")
    median_ms: float = Field(description="Of a request, as this machine waits for it.")
    p95_ms: float


class Comparison(Document):
    """What two endpoints said of the same rows."""

    sides: tuple[Side, Side]
    rows: int = Field(description="That both decided on.")
    agreed: int = Field(description="Rows on which both decided alike.")
    largest_difference: float = Field(description="Of two scores of a row, over these rows.")
    refused: tuple[str, ...] = Field(default=(), description="What was not decided on by both, and why.")

    @property
    def agreement(self) -> float:
        """Share of the rows on which both decided alike."""
        return self.agreed / self.rows if self.rows else 0.0

    @property
    def same_package(self) -> bool:
        """Whether both serve the same bytes."""
        return self.sides[0].digest == self.sides[1].digest


class Asked:
    """An endpoint, and how long its answers took."""

    def __init__(self, platform: Platform, endpoint: str) -> None:
        """:raises NotReady: when it serves nothing."""
        self._platform = platform
        self._name = only_endpoint(platform, endpoint)
        state = platform.endpoints.state(self._name)
        self._release = released(state)
        if len(state.releases) > 1:
            raise NotReady(
                f"Endpoint {self._name} of {platform.outputs.stack} serves several releases at once.",
                "Compare when one of them has taken over.",
            )
        self.serving = serving_of(platform, self._release.digest)
        self._seconds: list[float] = []

    def ask(self, rows: Sequence[Mapping[str, Value]]) -> list[Decided]:
        """One request."""
        begin = perf_counter()
        answers = ask(self._platform, self._name, self.serving, rows)
        self._seconds.append(perf_counter() - begin)
        return answers

    def side(self) -> Side:
        """What it was, and how fast.

        :raises NotReady: when it serves something else by now.
        """
        outputs = self._platform.outputs
        if released(self._platform.endpoints.state(self._name)) != self._release:
            raise NotReady(f"What {outputs.stack} serves changed meanwhile.", "Compare again.")
        timed = self._seconds[1:] or self._seconds
        ends = timed * 2 if len(timed) == 1 else timed  # quantiles wants two
        return Side(
            stack=outputs.stack,
            cloud=outputs.cloud,
            endpoint=self._name,
            model=f"{self._release.model}/{self._release.version}",
            digest=self._release.digest,
            requests=len(timed),
            median_ms=1000 * statistics.median(timed),
            p95_ms=1000 * statistics.quantiles(ends, n=100, method="inclusive")[P95],
        )


def compare(
    platforms: tuple[Platform, Platform], source: Path, endpoints: tuple[str, str] = ("", ""), *, batch: int = 1
) -> Comparison:
    """Ask both about every row of a CSV or JSON-lines file, ``batch`` rows a request, in turn; who begins alternates.

    Both take these requests for real ones: they are in their records, if they keep any.

    :raises ConfigError: for a file that will not do for either of them.
    :raises NotReady: when one of them serves nothing, several releases, or another one in the end.
    """
    left, right = (Asked(platform, name) for platform, name in zip(platforms, endpoints, strict=True))
    rows = agreed = first = 0
    largest, refused = 0.0, []
    for turn, both in enumerate(zip(_batches(source, left, batch), _batches(source, right, batch), strict=True)):
        pairs = list(zip((left, right), both, strict=True))
        first += len(both[0])
        try:
            answers = {one: one.ask(part) for one, part in (pairs if turn % 2 == 0 else reversed(pairs))}
        except ConfigError as error:
            refused.append(f"Row {first}{f' or one of {batch - 1} before it' if batch > 1 else ''}: {error.message}")
            continue
        for one, other in zip(answers[left], answers[right], strict=True):
            rows += 1
            agreed += one.decision == other.decision
            largest = max(largest, abs(one.score - other.score))
    if not first:
        raise ConfigError(f"{source.name} has no rows.", "Give at least one.")
    if not rows:
        raise ConfigError(f"Not one row of {source.name} was decided on by both. {refused[0]}")
    return Comparison(
        sides=(left.side(), right.side()),
        rows=rows,
        agreed=agreed,
        largest_difference=largest,
        refused=tuple(refused),
    )


def _batches(source: Path, asked: Asked, batch: int) -> Iterator[list[dict[str, Value]]]:
    rows = rows_in(source, asked.serving)
    while part := list(islice(rows, batch)):
        yield part
