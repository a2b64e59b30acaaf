"""Property paths as Pulumi's documentation has them, and what is kept or compared at them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.core.errors import ConfigError
from trivet.infra.engine.paths import ANY, differ, keep, parse
from trivet.infra.engine.values import reveal, secret

NAMES = st.sampled_from("abc")
TREES = st.recursive(
    st.integers(0, 2), lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3)
)
OBJECTS = st.dictionaries(NAMES, TREES, max_size=3)
PATHS = st.lists(NAMES | st.integers(0, 2) | st.just(ANY), min_size=1, max_size=3).map(tuple)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("root", ("root",)),
        ("root.nested", ("root", "nested")),
        ('root["nested"]', ("root", "nested")),
        ("root.double.nest", ("root", "double", "nest")),
        ('root["double"].nest', ("root", "double", "nest")),
        ("root.array[0]", ("root", "array", 0)),
        ("root.array[100]", ("root", "array", 100)),
        ("root.array[0].nested", ("root", "array", 0, "nested")),
        ("root.nested.array[0].double[1]", ("root", "nested", "array", 0, "double", 1)),
        ('root["key with \\"escaped\\" quotes"]', ("root", 'key with "escaped" quotes')),
        ('root["key with a ."]', ("root", "key with a .")),
        ('["root key with \\"escaped\\" quotes"].nested', ('root key with "escaped" quotes', "nested")),
        ('["root key with a ."][100]', ("root key with a .", 100)),
        ("root.array[*].field", ("root", "array", ANY, "field")),
        ('root.*["a"]', ("root", ANY, "a")),
        ("*", (ANY,)),
    ],
)
def test_paths_of_the_documentation(text, parts):
    assert parse(text) == parts


@pytest.mark.parametrize("text", ["", "a[", "a[x]", 'a["b', "a]", "[]"])
def test_what_is_no_path(text):
    with pytest.raises(ConfigError, match="path"):
        parse(text)


@given(st.lists(st.text(min_size=1) | st.integers(0, 99), min_size=1))
def test_any_name_can_be_written(parts):
    def written(part: Any) -> str:
        return f"[{part}]" if isinstance(part, int) else '["' + part.replace("\\", "\\\\").replace('"', '\\"') + '"]'

    assert parse("".join(map(written, parts))) == tuple(parts)


@given(PATHS, OBJECTS, OBJECTS)
def test_what_is_kept_does_not_differ_and_all_else_is_new(path, old, new):
    before = json.dumps([old, new])
    try:
        kept = keep(path, old, new)
    except LookupError:
        assert differ(path, old, new)
        return
    assert json.dumps([old, new]) == before
    assert keep(path, old, kept) == kept
    assert keep(path, new, new) == new
    assert set(kept) - set(new) <= {path[0]} | (set(old) if path[0] == ANY else set())
    if len(path) == 1:
        assert not differ(path, old, kept) or isinstance(path[0], int)


@given(PATHS, OBJECTS, OBJECTS)
def test_only_what_differs_is_said_to(path, old, new):
    assert not differ(path, old, old)
    assert differ(path, old, new) == differ(path, new, old)
    if old == new:
        assert not differ(path, old, new)
    assert differ((), old, new) == (old != new)


def test_a_secret_stays_one():
    new = {"tags": secret({"kept": 2, "taken": 2})}
    kept = keep(("tags", "kept"), {"tags": secret({"kept": 1})}, new)
    assert kept == {"tags": secret({"kept": 1, "taken": 2})}
    assert differ(("tags", "kept"), {"tags": {"kept": 1}}, new)
    assert reveal(kept)["tags"]["kept"] == 1
    assert keep(("tags", "pw"), {"tags": secret({"pw": "old"})}, {"tags": {"pw": "new"}}) == {
        "tags": secret({"pw": "old"})
    }
    with pytest.raises(LookupError):
        keep(("tags", "kept"), {"tags": {"kept": 1}}, {})
