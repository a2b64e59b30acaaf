"""What the engine loads, what it refuses to load, and what it says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from trivet.core.errors import IntegrityError, NotReady
from trivet.core.modelpackage import (
    CONTRIBUTIONS,
    GOLDEN,
    MODEL,
    SERVING,
    SIGNATURE,
    Decision,
    Golden,
    Input,
    Serving,
    seal,
)
from trivet.core.signing import new_key, public_key
from trivet.serving.engine import Engine
from trivet.serving.errors import BadInput, ModelFailed
from trivet.serving.onnxfile import refuse_external_data
from trivet.serving.tensors import Batch, Checker, Tensor


def tensors(rows: list[dict[str, Any]]) -> list[Tensor]:
    """The fixture's rows as tensors."""
    return [
        Tensor(name, "BYTES" if name == "purpose" else "FP32", [len(rows), 1], [row[name] for row in rows])
        for name in ("amount", "income", "term", "purpose")
    ]


def checked(check: Checker, tensors: list[Tensor]) -> Batch:
    """The rows of one request."""
    return check.batch([check.tensors(tensors)])


@pytest.fixture(scope="module")
def engine(made) -> Engine:
    return Engine.open(made.folder, made.public_key)


@pytest.fixture
def copy(made, tmp_path: Path) -> Path:
    """A package that a test may spoil."""
    return Path(shutil.copytree(made.folder, tmp_path / "copy"))


def test_scores_are_those_of_scikit_learn(engine, made):
    rows = len(made.frame)
    answer = engine.predict(checked(engine.check, tensors(made.rows(rows))), contributions=True)
    assert np.abs(answer.score - made.scores(rows)).max() < 1e-5
    assert answer.decision == ["1" if score >= 0.5 else "0" for score in answer.score]
    log_odds = answer.contributions.sum(axis=1) + made.serving.intercept
    assert np.abs(1 / (1 + np.exp(-log_odds)) - answer.score).max() < 1e-5


def test_the_digest_is_the_sealed_one(engine, made):
    engine.self_test()
    assert engine.digest == made.digest


def spoil_bytes(folder: Path) -> None:
    data = bytearray((folder / MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / MODEL).write_bytes(data)


def spoil_unread_file(folder: Path) -> None:
    described = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(described.replace("onnx", "ONNX", 1))


def remove(folder: Path) -> None:
    (folder / CONTRIBUTIONS).unlink()


def add(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "more.py").write_text("")


def link(folder: Path) -> None:
    (folder / MODEL).rename(folder.parent / "elsewhere")
    (folder / MODEL).symlink_to(folder.parent / "elsewhere")


def link_hard(folder: Path) -> None:
    os.link(folder / MODEL, folder.parent / "elsewhere")


def grow(folder: Path) -> None:
    with (folder / MODEL).open("ab") as file:
        file.write(b"\0")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize("spoil", [spoil_bytes, spoil_unread_file, remove, add, link, link_hard, grow, pipe])
def test_a_spoiled_package_is_refused(copy, spoil, made):
    Engine.open(copy, made.public_key)
    spoil(copy)
    with pytest.raises(IntegrityError):
        Engine.open(copy, made.public_key)


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(IntegrityError, match="no model package"):
        Engine.open(tmp_path)


def test_anothers_signature_is_refused(made):
    with pytest.raises(IntegrityError, match="not made with the stack's key"):
        Engine.open(made.folder, public_key(new_key()))


def test_a_missing_signature_is_refused_only_where_one_is_required(copy, made):
    (copy / SIGNATURE).unlink()
    Engine.open(copy)
    with pytest.raises(IntegrityError, match="not signed"):
        Engine.open(copy, made.public_key)


def test_a_resealed_package_needs_a_new_signature(copy, made):
    spoil_unread_file(copy)
    seal(copy)
    Engine.open(copy)
    with pytest.raises(IntegrityError, match="signature"):
        Engine.open(copy, made.public_key)


@pytest.mark.parametrize("name", [MODEL, SERVING, GOLDEN, CONTRIBUTIONS])
def test_a_sealed_package_without_a_needed_file_is_refused(copy, name):
    (copy / name).unlink()
    seal(copy)
    with pytest.raises(IntegrityError, match=name):
        Engine.open(copy)


@pytest.mark.parametrize("name", [MODEL, SERVING, GOLDEN])
def test_a_sealed_package_with_nonsense_is_refused(copy, name):
    (copy / name).write_bytes(b"{}")
    seal(copy)
    with pytest.raises(IntegrityError, match=name):
        Engine.open(copy)


def test_a_graph_with_other_inputs_than_declared_is_refused(copy, made):
    renamed = made.serving.model_copy(
        update={"inputs": (made.serving.inputs[0].model_copy(update={"name": "sum"}), *made.serving.inputs[1:])}
    )
    (copy / SERVING).write_bytes(renamed.canonical())
    seal(copy)
    with pytest.raises(IntegrityError, match="inputs"):
        Engine.open(copy)


@pytest.mark.parametrize("change", [{"scores": (0.5,) * 4}, {"scores": ()}])
def test_another_golden_score_is_not_ready(copy, change):
    golden = Golden.read(copy / GOLDEN).model_copy(update=change)
    (copy / GOLDEN).write_bytes(golden.canonical())
    seal(copy)
    with pytest.raises(NotReady, match="golden"):
        Engine.open(copy).self_test()


@pytest.mark.parametrize("row", [{"amount": 1.0}, {"amount": -1.0, "income": 1.0, "term": 1, "purpose": "car"}])
def test_a_golden_request_that_is_no_request_is_not_ready(copy, row):
    (copy / GOLDEN).write_bytes(Golden(rows=(row,), scores=(0.5,)).canonical())
    seal(copy)
    with pytest.raises(NotReady, match="golden"):
        Engine.open(copy).self_test()


def test_contributions_that_do_not_add_up_are_not_ready(copy, made):
    wrong = made.serving.model_copy(update={"intercept": made.serving.intercept + 1})
    (copy / SERVING).write_bytes(wrong.canonical())
    seal(copy)
    with pytest.raises(NotReady, match="add up"):
        Engine.open(copy).self_test()


def test_an_infinite_score_never_leaves(infinite):
    engine = Engine.open(infinite.folder)
    engine.self_test()
    row = {"amount": 0.0, "income": 50.0, "term": 12, "purpose": "car"}
    with pytest.raises(ModelFailed, match="finite"):
        engine.predict(checked(engine.check, tensors([row])), contributions=False)


def with_external(place: str) -> onnx.ModelProto:
    """A model that takes the values of one tensor from ``/etc/hostname``."""
    tensor = numpy_helper.from_array(np.ones(1, dtype=np.float32), "outside")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    info = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    constant = helper.make_node("Constant", [], ["y"], value=tensor)
    inner = helper.make_graph([constant], "inner", [], [info])
    if place == "initializer":
        graph = helper.make_graph([helper.make_node("Identity", ["outside"], ["y"])], "g", [], [info], [tensor])
    elif place == "attribute":
        graph = inner
    else:
        condition = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True)))
        choice = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
        graph = helper.make_graph([condition, choice], "g", [], [info])
    model = helper.make_model(graph)
    if place == "function":
        model.graph.ClearField("node")
        model.graph.node.append(helper.make_node("Make", [], ["y"], domain="own"))
        model.functions.append(helper.make_function("own", "Make", [], ["y"], [constant], model.opset_import))
    return model


@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph", "function"])
def test_external_data_is_refused_wherever_it_hides(place):
    with pytest.raises(IntegrityError, match="another file"):
        refuse_external_data(with_external(place).SerializeToString(), MODEL)


def test_a_model_with_its_data_inside_is_not_refused(made):
    for name in (MODEL, CONTRIBUTIONS):
        refuse_external_data((made.folder / name).read_bytes(), name)


@pytest.mark.parametrize("data", [b"\x3a\xff\xff\xff\xff\x0f", b"\x3a\x05a", b"\xff" * 12, b"\x0b", b"\x80"])
def test_bytes_that_are_no_protocol_buffer_are_refused(data):
    with pytest.raises(IntegrityError, match="not an ONNX model"):
        refuse_external_data(data, MODEL)


GOOD = {"amount": 1.0, "income": None, "term": 12, "purpose": "car"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount": -0.5}, "Row 1 of input amount is below"),
        ({"amount": 1000.5}, "Row 1 of input amount is above"),
        ({"amount": None}, "Row 1 of input amount has no value"),
        ({"amount": "1"}, "amount takes numbers"),
        ({"amount": True}, "amount takes numbers"),
        ({"amount": [1]}, "amount takes numbers"),
        ({"income": 1e39}, "Row 1 of input income is above"),
        ({"income": -1e39}, "Row 1 of input income is below"),
        ({"term": 1.5}, "Row 1 of input term is no whole number"),
        ({"purpose": "boat"}, "Row 1 of input purpose is not among"),
        ({"purpose": None}, "Row 1 of input purpose has no value"),
        ({"purpose": 3}, "purpose takes strings"),
    ],
)
def test_a_wrong_value_is_refused_and_not_repeated(engine, change, message):
    checked(engine.check, tensors([GOOD]))
    with pytest.raises(BadInput, match=message) as caught:
        checked(engine.check, tensors([GOOD, GOOD | change]))
    assert "boat" not in str(caught.value)
    assert "1000.5" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t[1:], "lacks amount"),
        (lambda t: [*t, t[0]], "twice"),
        (lambda t: [*t, t[0]._replace(name="sex")], "no input 'sex'"),
        (lambda t: [t[0]._replace(datatype="FP64"), *t[1:]], "amount is FP32, not FP64"),
        (lambda t: [t[0]._replace(shape=[1]), *t[1:]], "shape"),
        (lambda t: [t[0]._replace(shape=[1, 2]), *t[1:]], "shape"),
        (lambda t: [t[0]._replace(shape=[-1, 1]), *t[1:]], "shape"),
        (lambda t: [t[0]._replace(shape=[0, 1], data=[]), *t[1:]], "at least one row"),
        (lambda t: [t[0]._replace(shape=[10**18, 1]), *t[1:]], "shape"),
        (lambda t: [*t[:3], t[3]._replace(shape=[2, 1], data=["car", "car"])], "shape"),
    ],
)
def test_wrong_tensors_are_refused(engine, spoil, message):
    with pytest.raises(BadInput, match=message):
        engine.check.tensors(spoil(tensors([GOOD])))


def checker(*inputs: Input) -> Checker:
    """A checker of these inputs alone."""
    return Checker(Serving(name="few", inputs=inputs, decision=Decision(threshold=0.5)))


def test_a_number_allowed_by_list():
    check = checker(Input(name="kind", type="number", allowed=(0.1, 2), nullable=True))
    numbers = checked(check, [Tensor("kind", "FP32", [3, 1], [0.1, 2, None])]).numbers
    assert np.array_equal(numbers, [[0.1], [2.0], [np.nan]], equal_nan=True)
    with pytest.raises(BadInput, match="Row 1 of input kind is not among"):
        checked(check, [Tensor("kind", "FP32", [2, 1], [2, 0.2])])


def test_categories_alone_and_one_that_is_missing():
    check = checker(Input(name="kind", type="category", allowed=("a", 1.0), nullable=True))
    batch = checked(check, [Tensor("kind", "BYTES", [3, 1], ["a", None, "1.0"])])
    assert batch.texts == [["a", None, "1.0"]]
    assert batch.numbers.shape == (3, 0)
    with pytest.raises(BadInput, match="Row 0 of input kind is not among"):
        checked(check, [Tensor("kind", "BYTES", [1, 1], ["b"])])
    assert checked(check, [Tensor("kind", "BYTES", [1, 1], [""])]).texts == [[None]]


MANY = checker(Input(name="x", type="number"), Input(name="y", type="number", nullable=True))


@pytest.mark.parametrize("wrong", [True, False, "1", [1.0], {}])
@pytest.mark.parametrize("rows", [2, 400])
def test_among_many_numbers_one_that_is_none_is_found(rows, wrong):
    """False and true too, which pass for 0 and 1."""
    table: list[Any] = [[0.0, 1.0] for _ in range(rows)]
    assert MANY.batch([MANY.rows(table)]).numbers.tolist() == table
    table[rows // 2] = [0.0, wrong]
    with pytest.raises(BadInput, match="Input y takes numbers only"):
        MANY.batch([MANY.rows(table)])


@given(
    values=st.lists(
        st.one_of(st.none(), st.integers(-3, 3), st.floats(-50, 50), st.floats(allow_nan=False, allow_infinity=False)),
        min_size=3,
        max_size=3,
    )
)
def test_a_row_is_judged_alike_alone_and_among_others(values):
    check = checker(
        Input(name="a", type="number", minimum=-40, maximum=2),
        Input(name="b", type="integer", nullable=True),
        Input(name="c", type="number", nullable=True, allowed=(1, 2.5)),
    )
    row, fine = check.rows([values]), check.rows([[1.0, 2, None]])
    try:
        alone = check.batch([row]).numbers[0]
    except BadInput as error:
        with pytest.raises(BadInput) as caught:
            check.batch([row, fine])
        assert str(caught.value) == str(error)
    else:
        assert np.array_equal(check.batch([fine, row]).numbers[1], alone, equal_nan=True)
