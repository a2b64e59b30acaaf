"""The reading side of records: growing segments, torn lines, late labels."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.core.canonical import digest
from trivet.core.errors import IntegrityError
from trivet.core.modelpackage import Profile
from trivet.core.records import Label, Prediction
from trivet.monitoring import capture

from .conftest import NOW, PACKAGE, START, Write, predictions_of


@pytest.fixture
def made(applications: pd.DataFrame, profile: Profile) -> list[Prediction]:
    return list(predictions_of(applications.iloc[:20], profile))


def label(number: int, hours: int = 0, value: str = "1") -> Label:
    return Label(id=f"r{number}", time=START + timedelta(hours=hours), label=value)


def test_a_segment_is_sealed_up_to_its_last_whole_line(tmp_path: Path, write: Write, made: list[Prediction]) -> None:
    path = write("prediction", 1, made, torn=b'{"id":"half')
    (segment,) = capture.segments(tmp_path)
    whole = path.read_bytes()[: -len(b'{"id":"half')]
    assert (segment.name, segment.size, segment.rows) == (path.name, len(whole), 20)
    assert segment.digest == digest(whole)


def test_an_empty_segment_is_not_sealed(tmp_path: Path, write: Write) -> None:
    write("prediction", 1, [], torn=b"{")
    assert capture.segments(tmp_path) == []
    assert capture.segments(tmp_path / "missing") == []


def test_what_was_sealed_stays_sealed_while_the_segment_grows(
    tmp_path: Path, write: Write, made: list[Prediction]
) -> None:
    write("prediction", 1, made[:5])
    (before,) = capture.segments(tmp_path)
    write("prediction", 1, made)
    (after,) = capture.segments(tmp_path)
    sizes = [before.size, after.size, after.size + 1]
    assert capture.prefix_digests(tmp_path, before.name, sizes) == [before.digest, after.digest, None]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.lists(st.integers(0, 400)))
def test_prefix_digests_are_those_of_the_prefixes(tmp_path: Path, data: bytes, drawn: list[int]) -> None:
    (tmp_path / "segment").write_bytes(data)
    sizes = sorted(drawn)
    assert capture.prefix_digests(tmp_path, "segment", sizes) == [
        f"sha256:{sha256(data[:size]).hexdigest()}" if size <= len(data) else None for size in sizes
    ]


@pytest.mark.parametrize("name", ["../outside", "gone.jsonl", "/etc/hostname"])
def test_a_segment_elsewhere_or_nowhere_has_no_digest(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_bytes(b"x")
    folder = tmp_path / "records"
    folder.mkdir()
    assert capture.prefix_digests(folder, name, [0, 1]) == [None, None]


def test_a_window_holds_its_start_and_not_its_end(tmp_path: Path, write: Write, made: list[Prediction]) -> None:
    write("prediction", 1, made[:10])
    write("prediction", 2, made[10:], torn=b'{"kind":"predic')
    found = list(capture.predictions(tmp_path, made[3].time, made[15].time))
    assert [one.id for one in found] == [f"r{number}" for number in range(3, 15)]
    assert list(capture.predictions(tmp_path, START, NOW, package=PACKAGE)) == made
    assert list(capture.predictions(tmp_path, START, NOW, package="sha256:another")) == []
    assert capture.last_prediction(tmp_path, "loan") == made[-1].time
    assert capture.last_prediction(tmp_path, "another") is None


def test_no_records_are_no_last_prediction(tmp_path: Path) -> None:
    assert capture.last_prediction(tmp_path, "loan") is None


def test_labels_find_their_predictions_and_the_newest_counts(
    tmp_path: Path, write: Write, made: list[Prediction]
) -> None:
    write("prediction", 1, made)
    write("label", 1, [label(2, hours=5), label(7, hours=6), label(99, hours=7)])
    write("label", 2, [label(2, hours=4, value="old"), label(7, hours=9, value="0")])
    assert {one.id: found.label for one, found in capture.labelled(tmp_path)} == {"r2": "1", "r7": "0"}
    assert capture.labels_since(tmp_path, None) == 3
    assert capture.labels_since(tmp_path, START + timedelta(hours=6)) == 2


def test_a_whole_line_that_is_no_record_is_named(tmp_path: Path, write: Write, made: list[Prediction]) -> None:
    path = write("prediction", 1, made[:2], torn=b'{"kind":"prediction"}\n')
    with pytest.raises(IntegrityError, match=f"Line 3 of the records {path.name} is no record"):
        list(capture.predictions(tmp_path, START, NOW))
