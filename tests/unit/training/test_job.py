"""Jobs that fail say why, and candidates are compared with what is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trivet.core.datacontract import Column, DataContract, Tag, Tolerance
from trivet.core.errors import ConfigError, IntegrityError, JobFailed
from trivet.core.modelpackage import Package
from trivet.core.project import Variant
from trivet.data.collect import Collected
from trivet.data.frames import read_frame
from trivet.data.snapshot import take_snapshot
from trivet.data.validate import validate
from trivet.training.evaluation import Evaluation
from trivet.training.params import TrainParams
from trivet.training.runtime.evaluate import out_of_fold_scores
from trivet.training.runtime.rows import Rows, read_rows
from trivet.training.runtime.served import compare
from trivet.training.submit import Served, Trained

CONTRACT = DataContract(
    name="other",
    columns=(
        Column(name="a", type="number"),
        Column(name="b", type="number"),
        Column(name="y", type="integer", minimum=0, maximum=1, tags=(Tag.TARGET,)),
    ),
    tolerance=Tolerance(min_rows=10),
)
TRAIN = """
from sklearn.linear_model import LogisticRegression

def train(frame, params):
    if params.get("break"):
        raise ValueError("it is broken")
    return LogisticRegression(C=params.get("C", 1.0)).fit(frame[list(params.features)], frame[params.target])
"""
DEFAULT = {"default": Variant(threshold=0.5)}


def text(rows: int, seed: int = 0) -> str:
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(draw.normal(size=(rows, 2)).round(4), columns=["a", "b"])
    table["y"] = (table["a"] + draw.normal(size=rows) > 0).astype(int)
    return table.to_csv(index=False)


@pytest.fixture(scope="module")
def bench(make_workbench: Any) -> Any:
    return make_workbench(text(300), CONTRACT, TRAIN)


@pytest.fixture(scope="module")
def served(bench: Any) -> Trained:
    return bench.train(bench.plan(DEFAULT))


def test_a_failing_train_fails_the_job_with_its_sentence(bench: Any) -> None:
    plan = bench.plan({"default": Variant(params={"break": True}, threshold=0.5)})
    with pytest.raises(JobFailed, match=r"failed: train\.py, line 6 failed: ValueError: it is broken\. Correct it"):
        bench.train(plan)
    [ended] = [done for done in bench.platform.jobs.ended.values() if done.returncode]
    assert ended.returncode == 3
    assert "Traceback" in ended.stderr


def test_the_same_training_is_not_run_twice(bench: Any, served: Trained) -> None:
    before = len(bench.platform.jobs.ended)
    again = bench.train(bench.plan(DEFAULT))
    assert len(bench.platform.jobs.ended) == before
    assert again.digest == served.digest


def test_the_job_compares_with_the_served_release_on_the_same_rows(bench: Any, served: Trained) -> None:
    keys = [key for key in bench.platform.store.list("training/") if key.endswith("/package/manifest.json")]
    [key] = [key for key in keys if Package(served.package).manifest.canonical() == bench.platform.store.get(key)]
    release = Served(package=key.removesuffix("/manifest.json"), evaluation=served.evaluation_key)
    plan = bench.plan({"default": Variant(threshold=0.5), "other": Variant(params={"C": 1e-4}, threshold=0.5)})
    found = bench.train(plan, served=release).evaluation
    assert found.served is not None
    assert (found.served.basis, found.served.rows, found.served.served) == ("same rows", 300, served.digest)
    assert found.metrics("default")["auc_difference_to_served"] == (0.0, 0.0, 0.0)
    value, low, high = found.metrics("other")["auc_difference_to_served"]
    assert value is not None
    assert low is not None
    assert high is not None
    assert low <= value <= high
    assert (low, high) != (0, 0)


class Situation:
    """A later snapshot of the same project, and its scores."""

    def __init__(self, bench: Any, data: str, folder: Path) -> None:
        collected = Collected(data.encode(), f"sha256:{'1' * 64}", "rows.csv")
        validation = validate(read_frame(collected, CONTRACT), CONTRACT)
        snapshot = take_snapshot(bench.platform.store, CONTRACT, collected, validation)
        bench_plan = bench.plan(DEFAULT)
        facts = {"digest": snapshot.digest, "data": snapshot.data, "rows": snapshot.rows, "quarantined": 0}
        self.plan = bench_plan.model_copy(update={"snapshot": bench_plan.snapshot.model_copy(update=facts)})
        folder.mkdir()
        (folder / "data.parquet").write_bytes(bench.platform.store.get(f"{snapshot.key}/data.parquet"))
        self.rows: Rows = read_rows(folder, self.plan)
        self.scores = out_of_fold_scores(fit_logistic, self.rows, self.plan)


def fit_logistic(frame: pd.DataFrame, params: TrainParams) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(frame[list(params.features)], frame[params.target])


def test_new_rows_are_what_a_later_snapshot_compares_on(bench: Any, served: Trained, tmp_path: Path) -> None:
    later = text(300) + text(250, seed=1).partition("\n")[2]
    now = Situation(bench, later, tmp_path / "snapshot")
    found = compare(served.package, served.scores.parent, now.rows, now.scores, now.plan)
    assert (found.basis, found.rows) == ("new rows", 250)
    assert found.served_auc is not None
    assert found.served_auc.value > 0.7
    difference = found.differences["default"]
    assert difference.low <= difference.value <= difference.high
    assert abs(difference.value) < 0.05


@pytest.mark.parametrize(("new", "why"), [(0, "Only 0 rows are new"), (99, "Only 99 rows are new")])
def test_too_few_new_rows_are_said_to_be_too_few(
    bench: Any, served: Trained, tmp_path: Path, new: int, why: str
) -> None:
    known, others = text(300).splitlines(keepends=True), text(100, seed=1).splitlines(keepends=True)[1:]
    now = Situation(bench, "".join([*known, known[1], *others[:new]]), tmp_path / "snapshot")
    found = compare(served.package, served.scores.parent, now.rows, now.scores, now.plan)
    assert found.basis == "none"
    assert why in found.note
    assert found.differences == {}


def test_a_release_of_unknown_rows_is_said_not_to_be_comparable(bench: Any, served: Trained, tmp_path: Path) -> None:
    now = Situation(bench, text(300), tmp_path / "snapshot")
    found = compare(served.package, tmp_path / "nothing", now.rows, now.scores, now.plan)
    assert (found.basis, found.differences) == ("none", {})
    assert "which rows it learned from is not known" in found.note


def test_too_few_of_an_outcome_for_the_folds_is_said(bench: Any, tmp_path: Path) -> None:
    rows = "a,b,y\n" + "".join(f"{number},1,{int(number < 2)}\n" for number in range(40))
    with pytest.raises(ConfigError, match="rarer outcome has 2 rows, too few for 3 folds"):
        Situation(bench, rows, tmp_path / "snapshot")


def test_another_snapshot_than_the_plan_names_is_refused(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "data.parquet").write_bytes(b"other")
    with pytest.raises(IntegrityError, match="not what the plan says"):
        read_rows(tmp_path, bench.plan(DEFAULT))


def test_an_evaluation_knows_its_candidates_only(served: Trained) -> None:
    assert isinstance(served.evaluation, Evaluation)
    with pytest.raises(KeyError):
        served.evaluation.metrics("other")
