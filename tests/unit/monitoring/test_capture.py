"""The reading side of records, in a folder and in an object store: growing segments, torn lines, late labels."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.core.canonical import digest
from trivet.core.errors import IntegrityError
from trivet.core.modelpackage import Profile
from trivet.core.records import Label, Prediction, object_key
from trivet.monitoring import capture
from trivet.monitoring.segments import FolderRecords
from trivet.rehearsal.s3 import S3

from .conftest import NOW, PACKAGE, START, Place, predictions_of


@pytest.fixture
def made(applications: pd.DataFrame, profile: Profile) -> list[Prediction]:
    return list(predictions_of(applications.iloc[:20], profile))


def label(number: int, hours: int = 0, value: str = "1") -> Label:
    return Label(id=f"r{number}", time=START + timedelta(hours=hours), label=value)


def test_a_segment_is_sealed_up_to_its_last_whole_line(place: Place, made: list[Prediction]) -> None:
    name = place.write("prediction", 1, made, torn=b'{"id":"half')
    (segment,) = place.records.unsealed([])
    whole = place.get(name)[: -len(b'{"id":"half')]
    assert (segment.name, segment.size, segment.rows) == (name, len(whole), 20)
    assert segment.digest == digest(whole)
    assert list(place.records.unsealed({(name, len(whole))})) == []


def test_an_empty_segment_is_not_sealed(place: Place) -> None:
    assert list(place.records.unsealed([])) == []
    place.write("label", 1, [], torn=b"{")
    assert list(place.records.unsealed([])) == []


def test_predictions_and_labels_are_sealed_and_nothing_else(place: Place, made: list[Prediction]) -> None:
    names = [place.write("prediction", 1, made), place.write("label", 1, [label(2)])]
    place.records.write("findings/latest.json", b"[]\n")
    assert {segment.name for segment in place.records.unsealed([])} == set(names)


def test_what_was_sealed_stays_sealed_while_a_segment_grows(tmp_path: Path, made: list[Prediction]) -> None:
    lines = [record.canonical() + b"\n" for record in made]
    file, records = tmp_path / "prediction-1.jsonl", FolderRecords(tmp_path)
    file.write_bytes(b"".join(lines[:5]))
    (before,) = records.unsealed([])
    file.write_bytes(b"".join(lines))
    (after,) = records.unsealed({(before.name, before.size)})
    sizes = [before.size, after.size, after.size + 1]
    assert records.prefix_digests(before.name, sizes) == [before.digest, after.digest, None]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.lists(st.integers(0, 400)))
def test_prefix_digests_are_those_of_the_prefixes(place: Place, data: bytes, drawn: list[int]) -> None:
    place.put("segment", data)
    sizes = sorted(drawn)
    assert place.records.prefix_digests("segment", sizes) == [
        f"sha256:{sha256(data[:size]).hexdigest()}" if size <= len(data) else None for size in sizes
    ]


def test_a_segment_nowhere_has_no_digest(place: Place) -> None:
    assert place.records.prefix_digests("predictions/gone.jsonl", [0, 1]) == [None, None]


@pytest.mark.parametrize("name", ["../outside", "gone.jsonl", "/etc/hostname"])
def test_a_segment_out_of_the_folder_has_no_digest(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_bytes(b"x")
    folder = tmp_path / "records"
    folder.mkdir()
    assert FolderRecords(folder).prefix_digests(name, [0, 1]) == [None, None]


def test_a_window_holds_its_start_and_not_its_end(place: Place, made: list[Prediction]) -> None:
    place.write("prediction", 1, made[:10])
    place.write("prediction", 2, made[10:], torn=b'{"kind":"predic')
    found = list(capture.predictions(place.records, "loan", made[3].time, made[15].time))
    assert [one.id for one in found] == [f"r{number}" for number in range(3, 15)]
    assert list(capture.predictions(place.records, "loan", START, NOW, package=PACKAGE)) == made
    assert list(capture.predictions(place.records, "loan", START, NOW, package="sha256:another")) == []
    assert list(capture.predictions(place.records, "another", START, NOW)) == []
    assert capture.last_prediction(place.records, "loan", NOW) == made[-1].time
    assert capture.last_prediction(place.records, "another", NOW) is None


def test_no_records_are_no_last_prediction(place: Place) -> None:
    assert capture.last_prediction(place.records, "loan", NOW) is None


def at(made: Prediction, time: datetime, number: int) -> Prediction:
    return made.model_copy(update={"time": time, "id": f"at-{number}"})


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=1), timedelta(days=30), timedelta(days=400)])
def test_the_newest_prediction_is_found_however_long_ago_it_was(
    place: Place, made: list[Prediction], ago: timedelta
) -> None:
    newest = NOW - ago
    older = [at(made[0], newest - timedelta(minutes=minutes), minutes) for minutes in (50, 30)]
    place.write("prediction", 1, [at(made[0], newest, 1), older[0]])
    place.write("prediction", 2, [older[1]])
    place.write("prediction", 3, [at(made[0], newest - timedelta(days=3), 3)])
    assert capture.last_prediction(place.records, "loan", NOW) == newest


def test_an_object_that_was_written_first_may_hold_the_newest(place: Place, made: list[Prediction]) -> None:
    """Of two that were under way at once, the later name may have the earlier record."""
    for seconds, written in ((4, 5), (3, 6)):
        line = at(made[0], NOW + timedelta(seconds=seconds), seconds).canonical() + b"\n"
        time = NOW + timedelta(seconds=written)
        name = object_key("predictions/loan", time, "host-1", 1) if place.in_store else f"prediction-{seconds}-1.jsonl"
        place.put(name, line)
    assert capture.last_prediction(place.records, "loan", NOW) == NOW + timedelta(seconds=4)


def test_a_window_asks_the_store_for_its_own_days_and_segments_only(
    place: Place, made: list[Prediction], request: pytest.FixtureRequest
) -> None:
    if not place.in_store:
        names = [
            place.write("prediction", number, [at(made[0], NOW - timedelta(days=number), number)]) for number in (0, 5)
        ]
        place.put(names[0], b"not a record\n")  # begun after the window: not read
        found = capture.predictions(place.records, "loan", NOW - timedelta(days=9), NOW - timedelta(days=2))
        assert [one.id for one in found] == ["at-5"]
        return
    for days in range(10):
        time = NOW - timedelta(days=days)
        place.write("prediction", days, [at(made[0], time, days)])
        other = at(made[0], time, days).model_copy(update={"endpoint": "other"})
        place.write("prediction", days, [other])
    s3: S3 = request.getfixturevalue("s3")
    s3.asked.clear()
    found = list(capture.predictions(place.records, "loan", NOW - timedelta(days=2, hours=1), NOW))
    assert [one.id for one in found] == ["at-2", "at-1"]  # the window does not hold its end
    gets = [path for _, path in s3.asked if path.endswith(".jsonl")]
    assert len(gets) == 3
    assert all("/predictions/loan/" in path for path in gets)
    assert len(s3.asked) - len(gets) == 3  # one list a day


def test_labels_find_their_predictions_and_the_newest_counts(place: Place, made: list[Prediction]) -> None:
    place.write("prediction", 1, made)
    place.write("label", 1, [label(2, hours=5), label(7, hours=6), label(99, hours=7)])
    place.write("label", 2, [label(2, hours=4, value="old"), label(7, hours=9, value="0")])
    assert {one.id: found.label for one, found in capture.labelled(place.records)} == {"r2": "1", "r7": "0"}
    assert len(list(capture.labelled(place.records, "loan"))) == 2
    assert list(capture.labelled(place.records, "another")) == []
    assert capture.labels_since(place.records, None) == 3
    assert capture.labels_since(place.records, START + timedelta(hours=6)) == 2


def test_a_whole_line_that_is_no_record_is_named(place: Place, made: list[Prediction]) -> None:
    name = place.write("prediction", 1, made[:2], torn=b'{"kind":"prediction"}\n')
    with pytest.raises(IntegrityError, match=f"Line 3 of the records {name} is no record"):
        list(capture.predictions(place.records, "loan", START, NOW))


def test_a_document_replaces_the_one_before(place: Place) -> None:
    assert place.records.read("findings/latest.json") is None
    for data in (b"[1]", b"[2]"):
        place.records.write("findings/latest.json", data)
        assert place.records.read("findings/latest.json") == data
