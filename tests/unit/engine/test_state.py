"""Order, integrity and the files of a state."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.core.errors import IntegrityError, NotFound, Unsupported
from trivet.infra.engine.checkpoint import Backend, StateFile, encode
from trivet.infra.engine.crypt import Vault
from trivet.infra.engine.state import Resource, State, in_order, make_urn, verify
from trivet.infra.engine.values import secret

VAULT = Vault.new(lambda: "passphrase")
TYPE = "pulumi-python:dynamic:File"


def urn(name: str, parent: str = "") -> str:
    return make_urn("dev", "trial", parent, TYPE, name)


def resource(name: str, *needs: str, **fields: object) -> Resource:
    return Resource(urn(name), custom=True, type=TYPE, id=name, dependencies=tuple(map(urn, needs)), **fields)


B = replace(resource("b"), id="")


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return Backend(f"file://{tmp_path}", tmp_path).create("trial", "dev", VAULT)


def opened(salt: str | None) -> Vault:
    return VAULT


@st.composite
def graphs(draw: st.DrawFn) -> list[Resource]:
    """Resources in a valid order, some of them waiting to be deleted."""
    resources: list[Resource] = []
    for number in range(draw(st.integers(0, 8))):
        known = sorted({item.urn.rsplit("::", 1)[-1] for item in resources})
        needs = draw(st.lists(st.sampled_from(known), unique=True, max_size=3)) if known else []
        resources.append(resource(f"r{number}", *needs, delete=draw(st.booleans())))
    return resources


@given(graphs(), st.randoms())
def test_any_order_becomes_valid_and_a_valid_one_stays(resources, random):
    verify(resources)
    keyed = dict(enumerate(resources))
    assert [item for _, item in in_order(keyed)] == resources

    shuffled = list(keyed.items())
    random.shuffle(shuffled)
    ordered = [item for _, item in in_order(dict(shuffled))]
    verify(ordered)
    assert sorted(item.urn for item in ordered) == sorted(item.urn for item in resources)


@pytest.mark.parametrize(
    ("resources", "match"),
    [
        ([resource("a", "b"), resource("b")], "comes before"),
        ([item for _, item in in_order({0: resource("a", "b"), 1: resource("b", "a")})], "comes before"),  # a cycle
        ([resource("a", "ghost")], "ghost"),
        ([resource("a"), resource("a")], "twice"),
        ([replace(resource("a"), type="other:index:Type")], "recorded with type"),
        ([replace(resource("a"), urn="no urn")], "recorded with type"),
        ([replace(resource("a"), custom=False)], "has an id"),
    ],
)
def test_what_pulumi_would_refuse_is_refused(resources, match):
    with pytest.raises(IntegrityError, match=match):
        verify(resources)


def test_urns_carry_the_types_of_parents_but_the_stacks():
    stack = make_urn("dev", "trial", "", "pulumi:pulumi:Stack", "trial-dev")
    group = make_urn("dev", "trial", stack, "a:b:Group", "g")
    inner = make_urn("dev", "trial", group, "a:b:Inner", "i")
    assert group == "urn:pulumi:dev::trial::a:b:Group::g"
    assert inner == "urn:pulumi:dev::trial::a:b:Group$a:b:Inner::i"
    assert make_urn("dev", "trial", inner, "x:y:Z", "n") == "urn:pulumi:dev::trial::a:b:Group$a:b:Inner$x:y:Z::n"


def test_every_field_survives_the_file(file):
    full = resource(
        "a",
        inputs={"text": "t", "hidden": secret({"a": 1})},
        outputs={"n": 1.5, "list": [secret("x"), None]},
        protect=True,
        property_dependencies={"text": []},
        additional_secret_outputs=("n",),
        aliases=(urn("b"),),
        retain_on_delete=True,
        ignore_changes=("text",),
        created="2026-01-01T00:00:00.000000Z",
    )
    with file.writing(opened) as state:
        state.put({None: full})

    assert list(file.load(opened).resources.values()) == [full]
    written = json.loads(file.path.read_bytes())
    assert written["version"] == 3
    assert written["checkpoint"]["stack"] == "organization/trial/dev"
    entry = written["checkpoint"]["latest"]["resources"][0]
    assert entry.keys() >= {"urn", "custom", "type", "retainOnDelete", "additionalSecretOutputs"}
    assert "parent" not in entry


def test_a_journal_is_replayed_and_its_torn_end_left_out(file):
    with file.writing(opened) as state:
        state.put({None: resource("a")})
        state.begin("creating", B)
    base = file.path.read_bytes()

    with file.writing(opened) as state:
        assert list(state.pending) == [B.object]
        state.put({None: resource("b", "a")}, B)
        entries = file.path.with_name("dev.journal").read_bytes()
    file.path.write_bytes(base)

    for end in range(len(entries)):  # as after a crash in the middle of a write
        file.path.with_name("dev.journal").write_bytes(entries[:end])
        state = file.load(opened)
        assert list(state.pending) == [B.object]
        assert [item.name for item in state.resources.values()] == ["a"]
    file.path.with_name("dev.journal").write_bytes(entries)
    assert [item.name for item in file.load(opened).resources.values()] == ["a", "b"]

    with file.writing(opened) as state:
        state.put({1: None})
    file.path.with_name("dev.journal").write_bytes(entries)  # of an earlier state: it has been folded in
    assert [item.name for item in file.load(opened).resources.values()] == ["a"]


def test_an_operation_that_is_named_twice_ends_once(file):
    with file.writing(opened) as state:
        state.begin("creating", B)
        state.put({None: resource("b")}, B, B)
        assert not state.pending
        assert [item.name for item in state.resources.values()] == ["b"]


def test_a_file_that_is_no_state_is_refused(file):
    for content in ("", "{}", "[]", '{"version": 3}', '{"version": 3, "checkpoint": {"latest": {"resources": [{}]}}}'):
        file.path.write_text(content)
        with pytest.raises(IntegrityError):
            file.load(opened)
    file.path.write_text('{"version": 4, "checkpoint": {"latest": {}}}')
    with pytest.raises(Unsupported, match="version 4"):
        file.load(opened)
    file.remove()
    with pytest.raises(NotFound):
        file.load(opened)


def test_what_the_engine_does_not_implement_in_a_state_is_named():
    entry = resource("a").to_json(VAULT) | {"viewOf": "urn"}
    with pytest.raises(Unsupported, match="'viewOf'"):
        Resource.from_json(entry, VAULT)
    assert Resource.from_json(resource("a").to_json(VAULT) | {"sourcePosition": "x", "initErrors": []}, VAULT)


def test_a_rename_is_followed_by_references():
    state = State([resource("a"), resource("b", "a")], [], VAULT)
    state.put({0: replace(resource("z"), aliases=(urn("a"),))})
    ordered = [item for _, item in state.ordered()]
    verify(ordered)
    assert ordered[1].dependencies == (urn("z"),)
    assert "pending_operations" not in encode(state)
