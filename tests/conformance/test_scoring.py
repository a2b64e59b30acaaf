"""Batch scoring: files in, files out, the same on every cloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from trivet.core.capabilities import Capability
from trivet.core.errors import ConfigError, NotFound
from trivet.core.inference import decided, request_of
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import EndpointSpec, JobSpec, JobState, ModelVersion, ScoringSpec
from trivet.core.waiting import wait_for
from trivet.rehearsal.rigs.package import INPUTS, serving_of

from .conftest import holds_or_is_refused

Scoring = Callable[..., ScoringSpec]
Ended = Callable[[JobRef], JobState]
Registered = Callable[[], ModelVersion]

ROWS = [{"amount": 10.0 * number, "income": 7.0 * (number % 13)} for number in range(40)]
LINES = "".join(f"{json.dumps(row)}\n" for row in ROWS)
CELLS = "".join(f"{row['amount']},{row['income']}\n" for row in ROWS)
BOM = "\ufeff"  # with which files of some programs begin
MANY = 200_000  # lines of a job that is not over at once

scored = holds_or_is_refused(Capability.BATCH_SCORING)


def answers(platform: Platform, spec: ScoringSpec, file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in platform.store.get(f"{spec.output}/{file}.out").splitlines()]


@scored
def test_every_row_of_every_file_has_its_answer_in_its_place(
    platform: Platform, scoring: Scoring, ended: Ended, registered: Registered
) -> None:
    version = registered()
    spec = scoring({"a.jsonl": LINES, "deep/b.jsonl": LINES[: LINES.index("\n")]}, version)
    ref = platform.jobs.score(spec)
    assert ended(ref) is JobState.SUCCEEDED
    assert platform.store.list(f"{spec.output}/") == [f"{spec.output}/a.jsonl.out", f"{spec.output}/deep/b.jsonl.out"]
    found = answers(platform, spec, "a.jsonl")
    assert len(found) == len(ROWS)
    of = {"model_name": "loan", "model_version": str(version.version), "package": version.digest}
    assert all(one.items() >= of.items() for one in found)
    assert {one["decision"] for one in found} == {"approve", "deny"}
    assert answers(platform, spec, "deep/b.jsonl") == found[:1]


@scored
def test_a_row_is_answered_as_over_an_endpoint(
    platform: Platform,
    scoring: Scoring,
    ended: Ended,
    registered: Registered,
    spec_of: Callable[[str, ModelVersion], EndpointSpec],
) -> None:
    version, endpoint = registered(), min(platform.outputs.endpoints)
    platform.endpoints.apply(spec_of(endpoint, version))
    serving = serving_of("loan", 0.0)
    expected = []
    for row in ROWS:
        [one] = decided(platform.endpoints.invoke(endpoint, request_of([row], serving)), INPUTS)
        expected.append((one.score, one.decision))
    platform.endpoints.delete(endpoint)
    for file, text in (("rows.jsonl", f"{BOM}{LINES}"), ("rows.csv", f"{BOM}{CELLS}")):
        spec = scoring({file: text}, version)
        assert ended(platform.jobs.score(spec)) is JobState.SUCCEEDED
        assert [(one["score"], one["decision"]) for one in answers(platform, spec, file)] == expected


@scored
def test_a_row_that_the_model_does_not_take_has_its_error_and_the_job_goes_on(
    platform: Platform, scoring: Scoring, ended: Ended
) -> None:
    wrong = {
        3: ('{"amount": 1}', "lacks income"),
        4: ('{"amount": -1, "income": 2}', "amount is below the minimum"),
        5: ('{"amount": "much", "income": 2}', "amount takes numbers only"),
        6: ("no JSON", "no JSON"),
        7: ("", "empty"),
        20: ('{"amount": 1, "amount": 1, "income": 2}', "twice"),
    }
    lines = LINES.splitlines()
    for at, (line, _) in wrong.items():
        lines[at] = line
    spec = scoring({"rows.jsonl": "\n".join(lines)})
    assert ended(platform.jobs.score(spec)) is JobState.SUCCEEDED
    found = answers(platform, spec, "rows.jsonl")
    assert len(found) == len(lines)
    assert [at for at, one in enumerate(found) if "error" in one] == list(wrong)
    for at, (_, words) in wrong.items():
        assert words in found[at]["error"]
        assert found[at].keys() == {"error", "model_name", "model_version", "package"}


@scored
def test_a_quote_or_a_return_in_one_line_moves_no_answer_to_another(
    platform: Platform, scoring: Scoring, ended: Ended
) -> None:
    good = CELLS.splitlines()[:4]
    lines = [good[0], '"1', '",2', *good[1:], "5,5\r6,6", good[0]]
    spec = scoring({"twisted.csv": "\n".join(lines), "plain.csv": "\n".join(good)})
    assert ended(platform.jobs.score(spec)) is JobState.SUCCEEDED
    expected, found = answers(platform, spec, "plain.csv"), answers(platform, spec, "twisted.csv")
    assert ["error" in one for one in found] == [False, True, True, False, False, False, True, False]
    assert [one for one in found if "error" not in one] == [*expected, expected[0]]


@scored
def test_the_same_name_is_the_same_job(platform: Platform, scoring: Scoring, ended: Ended) -> None:
    spec = scoring({"rows.csv": CELLS})
    ref = platform.jobs.score(spec)
    assert ref == JobRef(spec.name)
    assert ended(ref) is JobState.SUCCEEDED
    platform.store.delete(f"{spec.output}/rows.csv.out")
    assert platform.jobs.score(spec) == ref
    assert platform.jobs.state(ref) is JobState.SUCCEEDED
    assert platform.store.list(f"{spec.output}/") == []


@scored
def test_a_name_is_a_job_of_one_kind(
    platform: Platform, scoring: Scoring, job: Callable[..., JobSpec], ended: Ended
) -> None:
    spec = scoring({"rows.csv": CELLS})
    other = job("pass")
    for ref in (platform.jobs.score(spec), platform.jobs.submit(other)):
        assert ended(ref) is JobState.SUCCEEDED
    with pytest.raises(ConfigError, match="another kind"):
        platform.jobs.submit(other.model_copy(update={"name": spec.name}))
    with pytest.raises(ConfigError, match="another kind"):
        platform.jobs.score(spec.model_copy(update={"name": other.name}))


@scored
def test_a_job_that_scores_can_be_cancelled_and_run_again(platform: Platform, scoring: Scoring, ended: Ended) -> None:
    spec = scoring({"many.csv": CELLS * (MANY // len(ROWS)), "z.csv": CELLS})
    ref = platform.jobs.score(spec)
    assert platform.jobs.state(ref) is JobState.RUNNING
    platform.jobs.cancel(ref)
    platform.jobs.cancel(ref)
    assert ended(ref) is JobState.CANCELLED
    platform.store.put(f"{spec.input}/many.csv", CELLS.encode())
    assert platform.jobs.score(spec) == ref
    assert ended(ref) is JobState.SUCCEEDED
    assert len(answers(platform, spec, "many.csv")) == len(ROWS)
    assert answers(platform, spec, "many.csv") == answers(platform, spec, "z.csv")


@scored
def test_a_job_that_scores_for_too_long_fails_and_says_so(platform: Platform, scoring: Scoring, ended: Ended) -> None:
    spec = scoring({"many.csv": CELLS * (5 * MANY // len(ROWS))}, timeout=timedelta(seconds=1))
    ref = platform.jobs.score(spec)
    assert ended(ref) is JobState.FAILED
    wait_for(lambda: "longer than its 1 s" in "".join(platform.jobs.logs(ref)) or None, "The reason", seconds=10)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"rows.csv": ""}, "empty"),
        ({"rows.csv": "1\n"}, "has 1 values, not the 2"),
        ({"rows.csv": "amount,income\n1,2\n"}, "begins with a header"),
        ({"rows.csv": b"PAR1\xff\xfe"}, "no text in UTF-8"),
        ({"rows.jsonl": "1,2\n"}, "no JSON"),
        ({"rows.jsonl": "7\n"}, "neither an object nor an array"),
        ({"rows.jsonl": "[1]\n"}, "has 1 values, not the 2"),
        ({"rows.jsonl": '{"amount": 1}\n'}, "lacks income"),
        ({"rows.jsonl": '{"amount": 1, "income": 1, "age": 1}\n'}, "has 'age'; the model takes amount, income"),
        ({"rows.jsonl": LINES, "rows.csv": CELLS}, "of the kind .csv, .jsonl"),
        ({"rows.parquet": "PAR1"}, "of the kind .parquet"),
        ({"rows.csv": "1" * (1 << 20 | 1)}, "more than"),
    ],
    ids=str,
)
@scored
def test_files_that_cannot_be_scored_are_refused_at_once(
    platform: Platform, scoring: Scoring, files: dict[str, str], sentence: str
) -> None:
    spec = scoring(files)
    with pytest.raises(ConfigError, match=sentence):
        platform.jobs.score(spec)
    with pytest.raises(NotFound):
        platform.jobs.state(JobRef(spec.name))


@scored
def test_what_is_not_there_or_lies_wrong_is_refused_at_once(platform: Platform, scoring: Scoring) -> None:
    good = scoring({"rows.csv": CELLS})
    unknown = good.release.model_copy(update={"digest": f"sha256:{'0' * 64}"})
    for fields, wrong, sentence in (
        ({"release": unknown}, NotFound, "no package"),
        ({"input": "scoring/nothing"}, NotFound, "nothing to score"),
        ({"input": "../outside"}, ConfigError, "no key"),
        ({"output": "packages/mine"}, ConfigError, "may not leave its output"),
        ({"input": "outputs/a", "output": "outputs/a/b"}, ConfigError, "lies among the input"),
    ):
        with pytest.raises(wrong, match=sentence):
            platform.jobs.score(good.model_copy(update=fields))
    with pytest.raises(NotFound):
        platform.jobs.state(JobRef(good.name))
