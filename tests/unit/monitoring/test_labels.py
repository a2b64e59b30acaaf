"""Labels from a file, found again beside their predictions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from trivet.core.canonical import digest
from trivet.core.errors import ConfigError
from trivet.core.modelpackage import Profile
from trivet.monitoring.capture import labelled, labels_since
from trivet.monitoring.labels import add_labels
from trivet.monitoring.segments import FolderRecords

from .conftest import NOW, START, Place, predictions_of


def test_labels_of_a_file_join_their_predictions(
    place: Place, tmp_path: Path, applications: pd.DataFrame, profile: Profile
) -> None:
    place.write("prediction", 1, list(predictions_of(applications.iloc[:3], profile)))
    source = tmp_path / "outcomes.csv"
    source.write_text("id,label\nr1,approve\nr9,deny\n")
    brought = add_labels(source, place.records, NOW)
    assert (brought.rows, brought.file) == (2, digest(source.read_bytes()))
    assert {name for name, *_ in place.records.lines("label")} == {brought.segment}
    assert digest(b"".join(line for *_, line in place.records.lines("label"))) == brought.digest
    assert [(one.id, found.label, found.time) for one, found in labelled(place.records)] == [("r1", "approve", NOW)]
    assert labels_since(place.records, START) == 2


@pytest.mark.parametrize("text", ["id,outcome\nr1,1\n", "id,label\nr1,\n", "id,label\n,1\n", ""])
def test_a_file_that_is_no_list_of_labels_is_refused_whole(tmp_path: Path, text: str) -> None:
    source = tmp_path / "outcomes.csv"
    source.write_text(text)
    with pytest.raises(ConfigError):
        add_labels(source, FolderRecords(tmp_path / "records"), NOW)
    assert not list(tmp_path.glob("records/*"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        add_labels(tmp_path / "none.csv", FolderRecords(tmp_path), NOW)
