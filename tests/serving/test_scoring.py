"""Lines of a file to lines of answers: one for one, whatever a line holds, and the same as over an endpoint."""

from __future__ import annotations

import csv
import io
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.serving.engine import Engine
from trivet.serving.scoring import Scorer
from trivet.serving.service import Service

from . import containers
from .exact import ROWS, scorecard, truth

run = containers.run_containers
JSONL, CSV = b"application/jsonlines", b"text/csv"
OBJECTS = [orjson.dumps(row) for row in ROWS]
ODD = st.one_of(
    st.sampled_from([b"", b"  ", b'"', b'"a', b"[]", b"{}", b"[1,2,3,4]", b'{"term":1,"term":2}', b"\xff"]),
    st.sampled_from([b"\r", b'"1', b'",2', b"5,5\r6,6", b"5,5\r\r", b"\xef\xbb\xbf"]),
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")),
    st.sampled_from(OBJECTS),
)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    made = scorecard(tmp_path_factory.mktemp("package") / "loan")
    return Scorer(Service(Engine.open(made.folder), "loan", "7"))


def cells(row: dict[str, object]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(["" if value is None else value for value in row.values()])
    return out.getvalue().encode()


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        (JSONL, OBJECTS),
        (JSONL, [orjson.dumps(list(row.values())) for row in ROWS]),
        (JSONL, [line + b"\r" for line in OBJECTS]),
        (CSV, [cells(row) for row in ROWS]),
        (CSV, [cells(row) + b"\r" for row in ROWS]),
    ],
)
@pytest.mark.parametrize("times", [1, 700])
def test_each_line_has_the_answer_of_its_row(scorer: Scorer, form: bytes, lines: list[bytes], times: int) -> None:
    answers = scorer.score(lines * times, form)
    assert answers.errors == 0
    expected = [truth(row) for row in ROWS] * times
    for line, wanted in zip(answers.lines, expected, strict=True):
        assert json.loads(line) == {
            "score": wanted.score,
            "decision": wanted.decision,
            "model_name": "loan",
            "model_version": "7",
            "package": scorer.engine.digest,
        }


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lines_of_csv_that_are_no_rows_move_none_of_the_others(scorer: Scorer, mark: bytes) -> None:
    good = [cells(row) for row in ROWS]
    # Read together, the quote takes a row away, and the bare return adds one.
    lines = [mark + good[0], b'"1', b'",2,3,car', *good[1:], good[0] + b"\r" + good[1], good[2]]
    answers = scorer.score(lines, CSV)
    wrong = [1, 2, len(lines) - 2]
    assert [at for at, line in enumerate(answers.lines) if "error" in json.loads(line)] == wrong
    assert answers.errors == len(wrong)
    found = [json.loads(line)["score"] for at, line in enumerate(answers.lines) if at not in wrong]
    assert found == [truth(row).score for row in (*ROWS, ROWS[2])]


def test_quotes_and_returns_within_a_line_of_csv_are_those_of_its_row(scorer: Scorer) -> None:
    row = dict(ROWS[0])
    lines = [cells(row), cells(row).replace(b"car", b'"car"'), cells(row) + b"\r", cells(row) + b"\r\r"]
    assert len(set(scorer.score(lines, CSV).lines)) == 1
    assert scorer.score(lines, CSV).errors == 0


def test_the_mark_of_a_file_in_utf_8_is_no_part_of_its_first_row(scorer: Scorer) -> None:
    lines = [b"\xef\xbb\xbf" + OBJECTS[0], *OBJECTS]
    answers = scorer.score(lines, JSONL)
    assert (answers.errors, answers.lines[0]) == (0, answers.lines[1])


@given(st.lists(ODD, min_size=1, max_size=30), st.sampled_from([JSONL, CSV]))
@settings(deadline=None)
def test_a_line_has_the_answer_that_it_has_alone(scorer: Scorer, lines: list[bytes], form: bytes) -> None:
    answers = scorer.score(lines, form)
    assert answers.lines == [scorer.score([line], form).lines[0] for line in lines]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in answers.lines)
    assert sum("error" in json.loads(line) for line in answers.lines) == answers.errors


def test_a_container_of_a_batch_answers_line_by_line(run, made, client):
    container = run(
        TRIVET_MODEL=str(made.folder),
        TRIVET_PUBLIC_KEY=made.public_key,
        TRIVET_PRESET="sagemaker-batch",
        TRIVET_MODEL_VERSION="3",
    )
    url = f"{container.url}/invocations"
    row = orjson.dumps(made.rows(1)[0])
    body, kind = row + b"\nwrong\n" + row + b"\n", {"content-type": "application/jsonlines"}
    response = client.post(url, content=body, headers=kind | {"accept": "application/jsonlines"})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/jsonlines")
    first, wrong, last = map(json.loads, response.text.splitlines())
    assert first == last
    assert (first["model_version"], first["package"]) == ("3", made.digest)
    assert "no JSON" in wrong["error"]
    assert client.post(url, content=body, headers=kind | {"accept": "text/csv"}).status_code == 406
    assert client.post(url, content=body, headers={"content-type": "application/json"}).status_code == 415
    told = client.get(f"{container.url}/execution-parameters").json()
    assert told == {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 1}
    assert client.get(f"{container.url}/ping").status_code == 200


def test_a_batch_whose_time_is_over_gets_no_more_answers_and_the_log_says_so(run, made, client):
    container = run(
        TRIVET_MODEL=str(made.folder),
        TRIVET_PUBLIC_KEY=made.public_key,
        TRIVET_PRESET="sagemaker-batch",
        TRIVET_BATCH_SECONDS="0.001",
    )
    body, kind = orjson.dumps(made.rows(1)[0]), {"content-type": "application/jsonlines"}
    assert client.post(f"{container.url}/invocations", content=body, headers=kind).status_code == 400
    assert container.line("too long")["message"].startswith("The batch took longer than its 0.001 s.")
