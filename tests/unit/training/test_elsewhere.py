"""Models that were trained elsewhere: wrapped when they are ONNX, converted when somebody trusts the pickle."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from trivet.core.errors import ConfigError, IntegrityError, NotFound, UsageError
from trivet.core.modelpackage import CARD, SERVING, Decision, Package, Serving
from trivet.serving.engine import Engine
from trivet.training.cardfacts import CardFacts
from trivet.training.convert import convert
from trivet.training.registerable import as_package
from trivet.training.runtime.graphs import feeds, run
from trivet.training.submit import Trained

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    return pd.DataFrame(draw.normal(size=(200, 2)), columns=["a", "b"]).assign(k=draw.choice(["x", "y"], 200))


@pytest.fixture(scope="module")
def labels(table: pd.DataFrame) -> np.ndarray:
    return np.where(table["a"] + (table["k"] == "x") > 0.3, "good", "bad")


@pytest.fixture(scope="module")
def numeric(table: pd.DataFrame, labels: np.ndarray) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(table[["a", "b"]], labels)


@pytest.fixture(scope="module")
def mixed(table: pd.DataFrame, labels: np.ndarray) -> Any:
    columns = make_column_transformer((SimpleImputer(), ["a", "b"]), (OneHotEncoder(), ["k"]))
    return make_pipeline(columns, LogisticRegression()).fit(table, labels)


def score(package: Path, table: pd.DataFrame) -> np.ndarray:
    opened = Package(package)
    serving = Serving.model_validate_json(opened.read(SERVING))
    return run(opened.read("model.onnx"), feeds(table, serving.inputs), "score")


def test_a_model_package_is_registered_as_it_is(trained: Trained, tmp_path: Path) -> None:
    assert as_package(trained.package, tmp_path / "out", name="loan") == trained.package
    assert not (tmp_path / "out").exists()


def test_a_changed_package_is_refused(trained: Trained, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(trained.package), str(copy)], check=True)
    (copy / "model.onnx").write_bytes(b"other")
    with pytest.raises(IntegrityError):
        as_package(copy, tmp_path / "out", name="loan")


@pytest.mark.parametrize("zipmap", [True, False])
def test_a_matrix_model_takes_the_columns_of_its_signature(
    mlflow: SimpleNamespace, numeric: Any, table: pd.DataFrame, tmp_path: Path, zipmap: bool
) -> None:
    graph = to_onnx(numeric, table[["a", "b"]].to_numpy(np.float32)[:1], options={"zipmap": zipmap})
    given = mlflow.infer_signature(table[["a", "b"]])
    mlflow.onnx.save_model(graph, str(tmp_path / "saved"), signature=given, pip_requirements=["onnx"])
    decision = Decision(threshold=0.4, positive="good", negative="bad")
    package = as_package(tmp_path / "saved", tmp_path / "out", name="theirs", decision=decision)
    np.testing.assert_allclose(score(package, table), numeric.predict_proba(table[["a", "b"]])[:, 1], atol=1e-5)
    engine = Engine.open(package)
    engine.self_test()
    assert engine.features == ("a", "b")
    assert engine.serving.decision == decision
    card = CardFacts.model_validate_json(Package(package).read(CARD))
    assert "trained elsewhere" in card.limits[0]
    assert mlflow.pyfunc.load_model(str(package)).predict(table[["a", "b"]].astype("float32"))["score"].shape == (200,)


def test_a_model_with_an_input_a_column_keeps_them(mixed: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    narrow = table.astype({"a": "float32", "b": "float32"})
    saved = save_graph(tmp_path / "saved", to_onnx(mixed, narrow.head(1), options={"zipmap": False}))
    with pytest.raises(ConfigError, match=r"takes texts \(k\).*Save it with an input_example"):
        as_package(saved, tmp_path / "out", name="theirs")
    info = "saved_input_example_info: {artifact_path: example.json, type: dataframe, pandas_orient: split}\n"
    (saved / "MLmodel").write_text((saved / "MLmodel").read_text() + info)
    (saved / "example.json").write_text(table.head(3).to_json(orient="split", index=False))
    package = as_package(saved, tmp_path / "out", name="theirs")
    np.testing.assert_allclose(score(package, table), mixed.predict_proba(table)[:, 1], atol=1e-5)
    serving = Serving.model_validate_json(Package(package).read(SERVING))
    assert {column.name: column.type for column in serving.inputs} == {"a": "number", "b": "number", "k": "category"}
    Engine.open(package).self_test()


def test_numbers_of_other_kinds_are_cast(tmp_path: Path) -> None:
    kinds = {"a": TensorProto.DOUBLE, "n": TensorProto.INT64}
    takes = [helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in kinds.items()]
    nodes = [
        helper.make_node("Cast", ["n"], ["real"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["a", "real"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["p"]),
    ]
    gives = [helper.make_tensor_value_info("p", TensorProto.DOUBLE, [None, 1])]
    graph = helper.make_model(
        helper.make_graph(nodes, "g", takes, gives), opset_imports=[helper.make_opsetid("", 18)], ir_version=8
    )
    package = as_package(save_graph(tmp_path / "saved", graph), tmp_path / "out", name="theirs")
    rows = pd.DataFrame({"a": [0.5, -0.5], "n": [1.0, -1.0]})
    np.testing.assert_allclose(score(package, rows), 1 / (1 + np.exp(-rows.sum(axis=1))), atol=1e-6)
    serving = Serving.model_validate_json(Package(package).read(SERVING))
    assert [column.type for column in serving.inputs] == ["number", "integer"]


def test_a_matrix_without_names_is_refused(
    mlflow: SimpleNamespace, numeric: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    graph = to_onnx(numeric, table[["a", "b"]].to_numpy(np.float32)[:1])
    mlflow.onnx.save_model(graph, str(tmp_path / "saved"), pip_requirements=["onnx"])
    with pytest.raises(ConfigError, match=r"a matrix of 2 numbers, .* names 0 columns\. .*infer_signature"):
        as_package(tmp_path / "saved", tmp_path / "out", name="theirs")


def test_a_model_that_gives_no_probability_is_refused(
    mlflow: SimpleNamespace, table: pd.DataFrame, tmp_path: Path
) -> None:
    plain = LinearRegression().fit(table[["a"]], 50 + table["a"])
    graph = to_onnx(plain, table[["a"]].to_numpy(np.float32)[:1])
    given = mlflow.infer_signature(table[["a"]])
    mlflow.onnx.save_model(graph, str(tmp_path / "saved"), signature=given, pip_requirements=["onnx"])
    with pytest.raises(ConfigError, match="which is no probability"):
        as_package(tmp_path / "saved", tmp_path / "out", name="theirs")
    assert not (tmp_path / "out").exists()


def save_graph(folder: Path, graph: onnx.ModelProto) -> Path:
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors:\n  onnx:\n    data: model.onnx\n")
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    return folder


def small_graph(*outputs: tuple[str, int, list[int | None]], external: bool = False) -> onnx.ModelProto:
    takes = helper.make_tensor_value_info("a", TensorProto.FLOAT, [None, 1])
    gives = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs]
    nodes = [helper.make_node("Identity", ["a"], [name]) for name, _, _ in outputs]
    constant = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    if external:
        constant.ClearField("float_data")
        constant.data_location = TensorProto.EXTERNAL
        constant.external_data.add(key="location", value="weights.bin")
    graph = helper.make_graph(nodes, "g", [takes], gives, [constant])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize(
    ("graph", "complaint"),
    [
        (small_graph(("x", TensorProto.FLOAT, [None, 1]), ("y", TensorProto.FLOAT, [None, 1])), "it gives x, y"),
        (small_graph(("x", TensorProto.FLOAT, [None, 3])), "it gives x"),
        (small_graph(("x", TensorProto.FLOAT, [None, 1]), external=True), "takes values from another file"),
    ],
)
def test_other_graphs_are_refused_in_a_sentence(tmp_path: Path, graph: onnx.ModelProto, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        as_package(save_graph(tmp_path / "saved", graph), tmp_path / "out", name="theirs")


def test_what_is_no_model_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="has no MLmodel"):
        as_package(tmp_path, tmp_path / "out", name="x")
    (tmp_path / "MLmodel").write_text("flavors: [")
    with pytest.raises(ConfigError, match="is no YAML"):
        as_package(tmp_path, tmp_path / "out", name="x")
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    with pytest.raises(ConfigError, match="is not valid: flavors"):
        as_package(tmp_path, tmp_path / "out", name="x")
    (tmp_path / "MLmodel").write_text("flavors: {pytorch: {}, python_function: {}}\n")
    with pytest.raises(ConfigError, match="no ONNX form; its flavors are pytorch, python_function"):
        as_package(tmp_path, tmp_path / "out", name="x")


class Trap:
    """Unpickling this leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.fixture
def trap(tmp_path: Path) -> tuple[Path, Path]:
    """A folder whose pickle is a trap, and the file that shows that it sprang."""
    folder, sprung = tmp_path / "trap", tmp_path / "sprung"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(Trap(sprung)))
    (folder / "MLmodel").write_text(
        "flavors:\n  sklearn: {pickled_model: model.pkl, serialization_format: pickle, sklearn_version: '1'}\n"
        "  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl}\n"
        "saved_input_example_info: {artifact_path: example.json, type: dataframe, pandas_orient: split}\n"
    )
    (folder / "example.json").write_text(json.dumps({"columns": ["a"], "data": [[1.0]]}))
    return folder, sprung


def test_a_pickle_is_never_opened_but_by_convert(trap: tuple[Path, Path], tmp_path: Path) -> None:
    folder, sprung = trap
    with pytest.raises(ConfigError, match=r"runs code when it is loaded.*models convert .*trap --out FOLDER --trust-p"):
        as_package(folder, tmp_path / "out", name="x")
    with pytest.raises(UsageError, match="--trust-pickle"):
        convert(folder, tmp_path / "out", trust_pickle=False)
    assert not sprung.exists()
    with pytest.raises(ConfigError, match="no binary classifier"):
        convert(folder, tmp_path / "out", trust_pickle=True)
    assert sprung.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("form", "name"), [("pickle", "mixed"), ("skops", "numeric")])
def test_a_pickled_model_is_converted_with_equal_scores(
    mlflow: SimpleNamespace, request: pytest.FixtureRequest, table: pd.DataFrame, tmp_path: Path, form: str, name: str
) -> None:
    saved, model = tmp_path / "saved", request.getfixturevalue(name)
    rows = table[list(model.feature_names_in_)]
    mlflow.sklearn.save_model(
        model,
        str(saved),
        serialization_format=form,
        input_example=rows.head(5),
        signature=mlflow.infer_signature(rows),
        pip_requirements=["scikit-learn"],
    )
    with pytest.raises(ConfigError, match="models convert"):
        as_package(saved, tmp_path / "no", name="theirs")
    package = convert(saved, tmp_path / "out", trust_pickle=True, name="theirs")
    assert as_package(package, tmp_path / "no", name="theirs") == package
    np.testing.assert_allclose(score(package, rows), model.predict_proba(rows)[:, 1], atol=1e-5)
    serving = Serving.model_validate_json(Package(package).read(SERVING))
    assert (serving.name, serving.decision.positive, serving.decision.negative) == ("theirs", "good", "bad")
    assert not serving.contributions
    Engine.open(package).self_test()


@pytest.mark.slow
def test_a_sample_replaces_the_example_and_gives_reasons(
    mlflow: SimpleNamespace, mixed: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    saved, sample = tmp_path / "saved", tmp_path / "rows.csv"
    mlflow.sklearn.save_model(mixed, str(saved), serialization_format="pickle", pip_requirements=["scikit-learn"])
    table.to_csv(sample, index=False)
    with pytest.raises(ConfigError, match=r"no input example.*--sample FILE\.csv"):
        convert(saved, tmp_path / "out", trust_pickle=True)
    package = convert(saved, tmp_path / "out", trust_pickle=True, sample=sample)
    engine = Engine.open(package)
    engine.self_test()
    assert engine.serving.contributions
    assert engine.serving.name == "saved"
    with pytest.raises(ConfigError, match="out exists"):
        convert(saved, tmp_path / "out", trust_pickle=True, sample=sample)


@pytest.mark.slow
def test_an_estimator_that_cannot_be_converted_is_named(mlflow: SimpleNamespace, tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np, pandas as pd, mlflow.sklearn\n"
        "from sklearn.semi_supervised import LabelPropagation\n"
        "rows = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=['a', 'b'])\n"
        "model = LabelPropagation().fit(rows, (rows.a > 0).astype(int))\n"
        "mlflow.sklearn.save_model(model, sys.argv[1], serialization_format='pickle', input_example=rows.head(3),"
        " pip_requirements=['scikit-learn'])\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "saved")], check=True, capture_output=True)
    with pytest.raises(ConfigError, match=r"LabelPropagation cannot be converted to ONNX.*Use one that skl2onnx"):
        convert(tmp_path / "saved", tmp_path / "out", trust_pickle=True)
    assert not (tmp_path / "out").exists()
