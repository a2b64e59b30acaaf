"""Files of rows in, files of answers out."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core.errors import ConfigError
from trivet.core.inference import Decided, Value
from trivet.core.modelpackage import Decision, Input, Serving
from trivet.data.frames import MISSING
from trivet.platforms.scoring import MOST_LINE
from trivet.workflows.rowfiles import lines_in, refuse_same, rows_in, writer_of

SERVING = Serving(
    name="own",
    inputs=(
        Input(name="age", type="integer"),
        Input(name="income", type="number", nullable=True),
        Input(name="town", type="category", nullable=True, allowed=("Aix", "NA")),
    ),
    decision=Decision(threshold=0.5),
)
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1).filter(
    lambda text: text == "NA" or text not in MISSING
)
rows = st.lists(
    st.fixed_dictionaries({"age": numbers, "income": numbers, "town": st.one_of(st.none(), texts)}), max_size=5
)


GOOD = b'{"age": 1, "income": 2, "town": null}\n'


def read(path: Path) -> list[dict[str, Value]]:
    return list(rows_in(path, SERVING))


@given(rows, st.sampled_from(["utf-8", "utf-8-sig"]))
@settings(deadline=None)
def test_rows_come_out_of_either_form_as_they_went_in(drawn: list[dict[str, Value]], encoding: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table, lines = Path(folder, "rows.csv"), Path(folder, "rows.jsonl")
        with table.open("w", newline="", encoding=encoding) as file:
            writer = csv.DictWriter(file, ["town", "else", "income", "age"])
            writer.writeheader()
            writer.writerows({**row, "else": "1"} for row in drawn)
        lines.write_text("".join(f"{json.dumps({**row, 'else': 1})}\n\n" for row in drawn), encoding=encoding)
        assert read(table) == read(lines) == drawn


def test_a_word_for_a_missing_value_is_one_unless_it_is_a_category(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("age,income,town\n1,NA,NA\n2,,null\n3\n")
    assert read(path) == [
        {"age": 1.0, "income": None, "town": "NA"},
        {"age": 2.0, "income": None, "town": None},
        {"age": 3.0, "income": None, "town": None},
    ]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("rows.csv", b"age,town\n1,Aix\n", "Line 1 lacks income"),
        ("rows.csv", b"", "Line 1 lacks age, income, town"),
        ("rows.csv", b'age,income,town\n1,2,"A\nix"\nold,2,Aix\n', "Line 4: age is 'old', which is no number"),
        ("rows.csv", b"age,income,town\n1,2,Aix,3\n", "Line 2 has more values than the file has columns"),
        ("rows.csv", "age,income,town\n1,2,Besançon\n".encode("latin-1"), "rows.csv cannot be read: 'utf-8'"),
        ("rows.csv", b"age,income,town\n1,2," + b"x" * 200_000, "rows.csv cannot be read: field larger"),
        ("rows.jsonl", b'{"age": 1, "income": 2, "town": null}\n{"age": 1}\n', "Line 2 lacks income, town"),
        ("rows.jsonl", b"\n{\n", "Line 2 is no JSON"),
        ("rows.jsonl", b"[1]\n", "Line 1 is no JSON object"),
        ("rows.csv", b"age,income,town,age\n1,2,Aix,3\n", "Line 1 names age twice"),
        ("rows.csv", b"age,income,town\n1,2," + b"x" * 200_000, "in line 2"),
        ("rows.csv", b"age,income,town,more\n1,2,Aix\n1,2,Aix," + b"x," * 600_000, "Line 3 has more than 1048575"),
        ("rows.jsonl", b'{"age": 1, "age": 2, "income": 2, "town": null}\n', "Line 1 is no JSON: it names a column"),
        ("rows.jsonl", GOOD + b"\n" + b"[" * 200_000, "Line 3 is nested too deeply"),
        ("rows.jsonl", GOOD + b'{"age": "' + b"x" * (1 << 20), "Line 2 has more than 1048575 bytes"),
        ("rows.xlsx", b"PK", "rows.xlsx cannot be read. Rows come from .csv and .jsonl"),
    ],
)
def test_a_file_that_cannot_be_asked_about_says_where(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ConfigError) as raised:
        read(path)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("rows.csv", b"age,income,town,age\n1,2,Aix,3\n", "Line 1 names age twice"),
        ("rows.csv", b"age,income,town\n1,2,Aix\n1,2" + b",x" * 600_000, "Line 3 has more than 1048575 bytes"),
        ("rows.csv", b"age,income,town\n1,2," + "ä".encode() * 130_000 + b",1" * 200_000, "Line 2 has more than"),
        ("rows.jsonl", GOOD + b"\n" + b"[" * 200_000, "Line 3 is nested too deeply"),
        ("rows.jsonl", GOOD + b'{"age": "' + b"x" * (1 << 20), "Line 2 has more than 1048575 bytes"),
        ("rows.jsonl", b"\n" + b"[" * 10, "Line 2 is no JSON"),
    ],
)
def test_a_line_of_which_no_answer_can_be_had_says_where(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=told):
        list(lines_in(path, SERVING))


def test_a_row_may_be_as_long_as_a_line_of_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'["' + b"x" * (MOST_LINE - 5) + b'"]\n')
    [line] = lines_in(path, SERVING)
    assert len(line) + 1 == MOST_LINE


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rows\.csv cannot be read: No such file"):
        read(tmp_path / "rows.csv")


ANSWERS = (
    Decided(id="a", score=0.25, decision="ja, später", reasons=(("age", -1.0), ("town", -0.5))),
    Decided(id="b", score=1.0, decision='"no"'),
)


def test_answers_are_written_in_either_form(tmp_path: Path) -> None:
    for path in (tmp_path / "answers.csv", tmp_path / "answers.jsonl"):
        with writer_of(path) as write:
            assert write(ANSWERS) + write(ANSWERS[:1]) == 3
    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert table[0] == {"id": "a", "decision": "ja, später", "score": "0.250000", "reasons": "age; town"}
    lines = (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()
    assert tuple(map(Decided.model_validate_json, lines)) == (*ANSWERS, ANSWERS[0])


def test_what_was_cut_short_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("before")
    with pytest.raises(KeyError), writer_of(path) as write:
        write(ANSWERS)
        raise KeyError
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("answers.csv", "before")]


def test_answers_may_not_replace_their_rows(tmp_path: Path) -> None:
    rows, link = tmp_path / "rows.csv", tmp_path / "link.csv"
    rows.write_text("age\n")
    link.symlink_to(rows)
    for target in (rows, link, tmp_path / "." / "rows.csv"):
        with pytest.raises(ConfigError, match="would replace the rows"):
            refuse_same(rows, target)
    refuse_same(rows, tmp_path / "answers.csv")


@pytest.mark.parametrize("name", ["answers.xlsx", "nowhere/answers.csv"])
def test_a_place_that_will_not_do_is_refused_before_anything_is_asked(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError), writer_of(tmp_path / name):
        raise AssertionError("the block ran")
