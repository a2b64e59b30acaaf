"""`trivet init`: any table with a binary target gives four files that are valid and that keep every row of it."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from trivet.core.datacontract import Tag
from trivet.core.errors import ConfigError
from trivet.data.collect import collect
from trivet.data.frames import read_frame
from trivet.data.validate import validate
from trivet.workflows.init import init, scaffold
from trivet.workflows.project import ProjectFiles

ROWS = 120  # the contract wants a hundred
Table = dict[str, list[str]]

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6)
tricky = st.sampled_from(
    ["NA", "null", "None", "yes", "no", "on", "1e3", "0x1f", "01", "True", "false", "~", "- x", "a: b", "#", "$x", '"']
)
numbers = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.integers(10**14, 10**18).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.just("NA"),
)
columns = st.one_of(
    st.lists(numbers, min_size=2, max_size=6),
    st.lists(st.sampled_from(["True", "False", ""]), min_size=2, max_size=6),
    st.lists(st.one_of(words, tricky), min_size=2, max_size=6),
    st.lists(st.sampled_from(["0", "1", ""]), min_size=2, max_size=6),
)
targets = st.one_of(
    st.sampled_from(
        [("0", "1"), ("1", "0"), ("1", "2"), ("True", "False"), ("no", "yes"), ("0.0", "1.0"), ("01", "1")]
    ),
    st.tuples(words, words),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Table, str, str]:
    """A table by column, its target and the target's positive value."""
    found = draw(st.dictionaries(names, columns, min_size=1, max_size=5))
    target = draw(names.filter(lambda name: name not in found))
    no, yes = draw(targets)
    found[target] = [no, yes, yes]
    return {name: [values[row % len(values)] for row in range(ROWS)] for name, values in found.items()}, target, yes


def write(table: Table, path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return path


@given(tables())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_every_table_gives_a_project_that_keeps_it(drawn: tuple[Table, str, str]) -> None:
    table, target, positive = drawn
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = write(table, folder / "table.csv")
        try:
            project = init("own", source, target, positive=positive, folder=folder)
        except ConfigError as error:
            known = "a binary decision needs two" in error.message or "that a model could learn from" in error.message
            assert known, error
            reject()
        assert project == ProjectFiles.read(folder / "own")
        assert (project.contract.target, project.settings.decision.positive) == (target, positive)
        assert set(project.features) <= set(table) - {target}
        collected = collect(project.settings.source, project.folder)
        validation = validate(read_frame(collected, project.contract), project.contract)
        assert validation.report.reasons == ()
        assert len(validation.accepted) == ROWS


def people(**columns: list[str]) -> Table:
    """A table with a target ``won``, a feature ``x`` and more."""
    return {"won": ["0", "1"] * 60, "x": [str(row % 7) for row in range(ROWS)], **columns}


def test_a_protected_column_is_audited_and_never_a_feature(tmp_path: Path) -> None:
    table = people(sex=(["f"] * 2 + ["m"] * 3 + ["d"]) * 20, old=["0", "0", "1"] * 40)
    project = init("own", write(table, tmp_path / "t.csv"), "won", protected=("sex", "old"), folder=tmp_path)
    assert project.features == ("x",)
    assert project.contract.tagged(Tag.PROTECTED) == ("sex", "old")
    assert project.policy.fairness
    groups = [(one.column, one.value, one.reference_value) for one in project.policy.fairness.groups]
    assert groups == [("sex", "d", "m"), ("old", 1.0, 0.0)]


def test_what_a_model_cannot_learn_from_is_left_out_and_named(tmp_path: Path) -> None:
    rows = range(ROWS)
    table = people(number=[str(row) for row in rows], same=["a"] * ROWS, text=[f"text {row}" for row in rows])
    project = init("own", write(table, tmp_path / "t.csv"), "won", folder=tmp_path)
    assert project.features == ("x",)
    assert "number, same, text" in (tmp_path / "own" / "trivet.yaml").read_text()


def test_the_same_table_again_is_the_same_project(tmp_path: Path) -> None:
    source = write(people(), tmp_path / "t.csv")
    for folder in (tmp_path / "a", tmp_path / "b"):
        init("own", source, "won", folder=folder)
    texts = [{path.name: path.read_bytes() for path in folder.glob("own/*")} for folder in tmp_path.glob("[ab]")]
    assert texts[0] == texts[1] != {}


def test_the_program_is_written_where_no_parent_has_one(tmp_path: Path) -> None:
    inner = tmp_path / "deep" / "inner"
    scaffold(tmp_path)
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in written} == {"Pulumi.yaml", "__main__.py", ".gitignore"}
    inner.mkdir(parents=True)
    scaffold(inner)
    scaffold(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == written
    program = next(path for path in written if path.name == "__main__.py")
    compile(program.read_text(), program, "exec")


def test_the_text_of_train_py_is_python(tmp_path: Path) -> None:
    init("own", write(people(), tmp_path / "t.csv"), "won", folder=tmp_path)
    space: dict[str, object] = {}
    exec(compile((tmp_path / "own" / "train.py").read_text(), "train.py", "exec"), space)
    assert callable(space["train"])


def spaced(path: Path) -> None:
    path.write_text("won,x y\n0,1\n1,2\n")


def binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00won")


def empty(path: Path) -> None:
    path.write_text("")


def lone(path: Path) -> None:
    path.write_text("won\n0\n1\n")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spaced, "'x y'"),
        (binary, "cannot be read"),
        (empty, "cannot be read"),
        (lone, "no column beside won"),
        (Path.unlink, "There is no file"),
    ],
)
def test_a_file_that_will_not_do_is_refused_and_leaves_nothing(
    tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    source = write(people(), tmp_path / "t.csv")
    spoil(source)
    with pytest.raises(ConfigError, match=told):
        init("own", source, "won", folder=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"t.csv"}
