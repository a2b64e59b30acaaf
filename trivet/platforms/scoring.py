"""What holds for batch scoring on every cloud: which files can be scored, looked at before anything is started."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType

from trivet.core.document import Document
from trivet.core.errors import ConfigError, NotFound
from trivet.core.modelpackage import SERVING, Serving, package_key
from trivet.core.platform import Store
from trivet.core.specs import ScoringSpec
from trivet.platforms.jobplaces import check_output
from trivet.platforms.store import check_key

FORMS: Mapping[str, str] = MappingProxyType({".jsonl": "application/jsonlines", ".csv": "text/csv"})
"""The content type of a file, by how its name ends."""
SUFFIX = ".out"  # SageMaker's own, and so everybody's
MOST_LINE = 1 << 20  # bytes
TASK = "TRIVET_SCORING"  # in whose environment the scorer finds its task
FAILED = "Scoring failed: "  # begins the line in which it says why


class ScoringTask(Document):
    """What is scored by what, and where it goes: what the scorer is told."""

    model: str
    version: str
    digest: str
    public_key: str
    store: str
    input: str
    output: str


def scoring_task(spec: ScoringSpec, store: str, public_key: str) -> ScoringTask:
    """What the scorer is told.

    :param store: its URL.
    :param public_key: of the stack: what scores is signed by its owner.
    """
    release = spec.release
    return ScoringTask(
        model=release.model,
        version=str(release.version),
        digest=release.digest,
        public_key=public_key,
        store=store,
        input=spec.input,
        output=spec.output,
    )


def check_scoring(spec: ScoringSpec, store: Store) -> str:
    """Refuse now what would fail later, from the first line of every file; returns the content type of them all.

    :raises NotFound: when the store does not hold the model's package, or nothing to score.
    :raises ConfigError: for a place that will not do, files of several kinds, and a file that is empty, not what its
        name says, or not for this model.
    """
    _check_places(spec)
    serving = _serving(spec, store)
    keys = store.list(f"{spec.input}/")
    if not keys:
        raise NotFound(f"The store has nothing to score under {spec.input!r}.", "Put files there first.")
    kinds = {PurePosixPath(key).suffix for key in keys}
    if not kinds <= FORMS.keys() or len(kinds) != 1:
        there = ", ".join(sorted(kind or "no ending" for kind in kinds))
        raise ConfigError(
            f"The files under {spec.input!r} are of the kind {there}.", f"Put either {' or '.join(FORMS)} there."
        )
    [kind] = kinds
    check = _check_object if kind == ".jsonl" else _check_cells
    for key in keys:
        check(key, _first_line(key, store), [column.name for column in serving.inputs])
    return FORMS[kind]


def _check_places(spec: ScoringSpec) -> None:
    check_key(spec.input)
    check_key(spec.output)
    check_output(spec.output)
    if f"{spec.output}/".startswith(f"{spec.input}/"):
        raise ConfigError(
            f"The output {spec.output!r} lies among the input {spec.input!r}.", "Choose a key outside of it."
        )


def _serving(spec: ScoringSpec, store: Store) -> Serving:
    release = spec.release
    try:
        return Serving.model_validate_json(store.get(f"{package_key(release.digest)}/{SERVING}"))
    except NotFound as error:
        raise NotFound(
            f"The store has no package {release.digest[:19]} of model {release.model}/{release.version}.",
            "Register it first.",
        ) from error


def _first_line(key: str, store: Store) -> str:
    """The first line of a file; no more of it is read than that takes."""
    begin = b""
    for chunk in store.stream(key):
        begin += chunk
        if b"\n" in chunk or len(begin) > MOST_LINE:
            break
    line = begin.partition(b"\n")[0]
    if not line.strip():
        raise ConfigError(f"{key} is empty, or begins with an empty line.", "Put a row on every line.")
    if len(line) > MOST_LINE:
        raise ConfigError(f"The first line of {key} has more than {MOST_LINE} bytes.", "Put a row on every line.")
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{key} is no text in UTF-8.", "Give it the name that it should have.") from error


def _check_object(key: str, line: str, inputs: Sequence[str]) -> None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{key} is no file of JSON lines: its first line is no JSON.", "Correct it.") from error
    if isinstance(row, list):
        _check_width(key, len(row), inputs)
    elif not isinstance(row, dict):
        raise ConfigError(f"The first line of {key} is neither an object nor an array.", "Write one a line.")
    elif missing := [name for name in inputs if name not in row]:
        raise ConfigError(f"The first line of {key} lacks {', '.join(missing)}.", "Give every input of the model.")
    elif more := [name for name in row if name not in inputs]:
        raise ConfigError(
            f"The first line of {key} has {more[0][:64]!r}; the model takes {', '.join(inputs)}.", "Leave it out."
        )


def _check_cells(key: str, line: str, inputs: Sequence[str]) -> None:
    try:
        [row] = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as error:
        raise ConfigError(f"{key} is no CSV: its first line cannot be read.", "Correct it.") from error
    if set(row) & set(inputs):
        raise ConfigError(
            f"{key} begins with a header.", f"Leave it out: cells stand in the order {', '.join(inputs)}."
        )
    _check_width(key, len(row), inputs)


def _check_width(key: str, width: int, inputs: Sequence[str]) -> None:
    if width != len(inputs):
        raise ConfigError(
            f"The first line of {key} has {width} values, not the {len(inputs)} of the model's inputs.",
            f"Give {', '.join(inputs)}.",
        )
