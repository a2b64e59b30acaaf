"""The same inputs give the same model package."""

from __future__ import annotations

import filecmp
import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trivet.core.datacontract import Column, DataContract, Tag
from trivet.core.errors import ConfigError
from trivet.core.project import Variant
from trivet.training.source import pack_source
from trivet.training.submit import Trained, job_spec

BOOSTED = """
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def train(frame, params):
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["kind"]), remainder="passthrough")
    model = make_pipeline(columns, GradientBoostingClassifier(n_estimators=20, subsample=0.8))
    return model.fit(frame[list(params.features)], frame[params.target])
"""
CONTRACT = DataContract(
    name="other",
    columns=(
        Column(name="self", type="number"),
        Column(name="size", type="number"),
        Column(name="kind", type="category", nullable=True, allowed=("a", "b")),
        Column(name="hired", type="category", allowed=("no", "yes"), tags=(Tag.TARGET,)),
    ),
)


def rows() -> str:
    draw = np.random.default_rng(0)
    lines = ["self,size,kind,hired"]
    for number, size in draw.normal(size=(300, 2)).round(3):
        kind = draw.choice(["a", "b", ""])
        hired = "yes" if number + (kind == "a") + draw.normal() > 0 else "no"
        lines.append(f"{number},{size},{kind},{hired}")
    return "\n".join(lines)


def same_files(left: Path, right: Path) -> None:
    names = sorted(path.relative_to(left).as_posix() for path in left.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(right).as_posix() for path in right.rglob("*") if path.is_file())
    assert filecmp.cmpfiles(left, right, names, shallow=False)[1:] == ([], [])


@pytest.mark.slow
def test_two_trainings_in_two_places_give_one_digest(trained: Trained, loan_again: Any, loan_plan: Any) -> None:
    again = loan_again.train(loan_plan)
    same_files(trained.package, again.package)
    assert again.digest == trained.digest
    assert again.evaluation == trained.evaluation


@pytest.mark.slow
def test_a_model_that_draws_lots_is_reproducible_too(make_workbench: Any) -> None:
    """Seeds are set for it; skl2onnx's order of nodes is fixed by the job's PYTHONHASHSEED."""
    first, second = (make_workbench(rows(), CONTRACT, BOOSTED) for _ in range(2))
    plan = first.plan({"default": Variant(threshold=0.5)})
    assert plan == second.plan({"default": Variant(threshold=0.5)})
    one, two = first.train(plan), second.train(plan)
    same_files(one.package, two.package)
    assert one.digest == two.digest


def test_the_same_training_is_the_same_job(loan: Any, loan_plan: Any) -> None:
    spec = job_spec(loan_plan, loan.source, loan.snapshot)
    assert job_spec(loan_plan, loan.source, loan.snapshot) == spec
    other_seed = loan_plan.model_copy(update={"seed": 1})
    assert job_spec(other_seed, loan.source, loan.snapshot).name != spec.name
    assert spec.environment["PYTHONHASHSEED"] == "0"
    assert spec.environment["OMP_NUM_THREADS"] == "1"


def test_a_packed_source_depends_on_its_content_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "helpers").mkdir(parents=True)
        (tmp_path / name / "train.py").write_text("import helpers\n")
        (tmp_path / name / "helpers" / "__init__.py").write_text("")
        (tmp_path / name / "notes.txt").write_text(name)
        (tmp_path / name / "tests").mkdir()
        (tmp_path / name / "tests" / "__init__.py").write_text(name)
    (tmp_path / "two" / "train.py").chmod(0o755)
    one, two = pack_source(tmp_path / "one"), pack_source(tmp_path / "two")
    assert one == two
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(one.data))) as archive:
        assert archive.getnames() == ["helpers/__init__.py", "train.py"]
    (tmp_path / "two" / "helpers" / "__init__.py").write_text("x = 1\n")
    assert pack_source(tmp_path / "two").digest != one.digest


def test_a_source_without_train_or_with_links_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no train\.py.*train\(frame, params\)"):
        pack_source(tmp_path)
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "train.py").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is a link"):
        pack_source(tmp_path)
