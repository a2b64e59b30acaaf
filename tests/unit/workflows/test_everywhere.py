"""One release on several stacks, or on none; and the same rows to both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivet import api
from trivet.core.errors import ConfigError, GateRefused, NotFound, NotReady
from trivet.core.modelpackage import package_key
from trivet.core.project import ServingOptions
from trivet.core.specs import (
    AwsEndpoint,
    EndpointNative,
    EndpointSpec,
    EndpointStatus,
    LocalEndpoint,
    ModelVersion,
    Release,
)
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.rigs.judged import judgement, register_judged
from trivet.rehearsal.rigs.package import make_package, score
from trivet.workflows import everywhere
from trivet.workflows.everywhere import FOLDER
from trivet.workflows.release import judged_key

from .conftest import Two

pytestmark = pytest.mark.slow

Stacks = Callable[..., Two]
BOTH = ("one", "other")


def on_both(two: Two, number: int) -> ModelVersion:
    """Approved on both stacks."""
    version, _ = (two.judged(stack, number=number) for stack in BOTH)
    return version


def served(two: Two) -> list[list[str]]:
    """Digests, by stack."""
    return [[one.digest for one in rig.platform.endpoints.state("first").releases] for rig in (two.one, two.other)]


def plans(two: Two) -> list[Path]:
    return list((two.root / ".trivet" / FOLDER).iterdir())


def champions(two: Two) -> list[list[str]]:
    return [
        [str(one) for one in rig.platform.models.list("loan") if "champion" in one.aliases]
        for rig in (two.one, two.other)
    ]


def test_both_serve_it(stacks: Stacks) -> None:
    two = stacks()
    version = on_both(two, 1)
    states = api.deploy_everywhere("loan/1", BOTH, root=two.root)
    assert [state.status for state in states] == [EndpointStatus.READY] * 2
    assert served(two) == [[version.digest]] * 2
    assert champions(two) == [["loan/1"]] * 2
    assert plans(two) == []
    for stack in BOTH:
        [entry] = two.bench(stack).ledger.entries("release")
        assert entry.body["digest"] == version.digest


def lose_package(two: Two, version: ModelVersion) -> None:
    """So that it can be served on ``one`` only."""
    for key in two.other.platform.store.list(f"{package_key(version.digest)}/"):
        two.other.platform.store.delete(key)


def test_where_one_fails_each_serves_what_it_served(stacks: Stacks) -> None:
    two = stacks()
    first, second = on_both(two, 1), on_both(two, 2)
    api.deploy("loan/1", "one", root=two.root)
    lose_package(two, second)
    with pytest.raises(NotFound, match=r"^other: .* Every stack serves what it served before\."):
        api.deploy_everywhere("loan/2", BOTH, root=two.root)
    assert served(two) == [[first.digest], []]
    assert champions(two) == [["loan/1"], []]
    assert plans(two) == []
    assert [entry.body["model"] for entry in two.bench("one").ledger.entries("release")] == ["loan/1"]


def test_what_could_not_be_given_back_is_said_and_remembered(stacks: Stacks) -> None:
    two = stacks()
    first, second = on_both(two, 1), on_both(two, 2)
    api.deploy("loan/1", "one", root=two.root)
    lose_package(two, second)
    hidden = two.one.home / "store" / package_key(first.digest)
    hidden.rename(two.root / "hidden")
    with pytest.raises(NotFound, match=r"one could not be given back what it served: The store has no model package"):
        api.deploy_everywhere("loan/2", BOTH, root=two.root)
    (two.root / "hidden").rename(hidden)
    with pytest.raises(NotFound, match="Every stack serves what it served before"):
        api.deploy_everywhere("loan/2", BOTH, root=two.root)
    assert served(two) == [[first.digest], []]
    assert plans(two) == []


def command(*more: str) -> list[str]:
    return [sys.executable, "-m", "trivet", *more, "--json"]


def killed_between(two: Two) -> None:
    """One has it, the other not yet."""
    environment = python_environment(dict(os.environ)) | {"TRIVET_FAULT": "everywhere.one"}
    stacks = [part for stack in BOTH for part in ("--stack", stack)]
    done = subprocess.run(command("deploy", "loan/2", *stacks), cwd=two.root, env=environment, capture_output=True)
    assert done.returncode == -9


def test_a_call_that_was_killed_is_finished_by_the_next(stacks: Stacks) -> None:
    two = stacks()
    on_both(two, 1)
    second = on_both(two, 2)
    killed_between(two)
    assert served(two) == [[second.digest], []]
    api.deploy_everywhere("loan/2", BOTH, root=two.root)
    assert served(two) == [[second.digest]] * 2
    assert plans(two) == []


def test_a_call_that_was_killed_is_undone_where_the_next_fails(stacks: Stacks) -> None:
    two = stacks()
    first, second = on_both(two, 1), on_both(two, 2)
    api.deploy("loan/1", "one", root=two.root)
    killed_between(two)
    lose_package(two, second)
    with pytest.raises(NotFound):
        api.deploy_everywhere("loan/2", BOTH, root=two.root)
    assert served(two) == [[first.digest], []]


def test_nothing_is_changed_where_one_has_not_approved_it(stacks: Stacks) -> None:
    two = stacks()
    two.judged("one", number=1)
    two.judged("other", number=1, approver=None)
    with pytest.raises(GateRefused, match="is not approved"):
        api.deploy_everywhere("loan/1", BOTH, root=two.root)
    assert served(two) == [[], []]


def test_it_is_the_same_package_whatever_its_number(stacks: Stacks) -> None:
    two = stacks()
    two.judged("other", number=2)
    version = on_both(two, 1)
    api.deploy_everywhere("loan/1", BOTH, root=two.root)
    assert served(two) == [[version.digest]] * 2
    assert champions(two) == [["loan/1"], ["loan/2"]]


def test_a_stack_that_lacks_the_package_is_told_how_to_get_it(stacks: Stacks) -> None:
    two = stacks()
    two.judged("one", number=1)
    two.judged("other", number=2)
    with pytest.raises(ConfigError, match=r"other does not have.*models promote loan/1 --from one --to other"):
        api.deploy_everywhere("loan/1", BOTH, root=two.root)
    with pytest.raises(ConfigError, match="named twice"):
        api.deploy_everywhere("loan/1", ("one", "one"), root=two.root)
    assert served(two) == [[], []]


def test_a_paused_endpoint_is_left_alone(stacks: Stacks) -> None:
    two = stacks()
    first = on_both(two, 1)
    on_both(two, 2)
    api.deploy("loan/1", "other", root=two.root)
    api.pause("other", endpoint="first", root=two.root)
    with pytest.raises(NotReady, match="first of other is stopped"):
        api.deploy_everywhere("loan/2", BOTH, root=two.root)
    assert [one.digest for one in api.resume("other", endpoint="first", root=two.root).releases] == [first.digest]


def test_a_plan_that_others_have_finished_is_forgotten(stacks: Stacks) -> None:
    two = stacks()
    on_both(two, 1)
    second, third = on_both(two, 2), on_both(two, 3)
    api.deploy_everywhere("loan/1", BOTH, root=two.root)
    killed_between(two)
    api.deploy("loan/2", "other", root=two.root)
    lose_package(two, third)
    with pytest.raises(NotFound, match="Every stack serves what it served before"):
        api.deploy_everywhere("loan/3", BOTH, root=two.root)
    assert served(two) == [[second.digest]] * 2


def test_what_somebody_else_deployed_meanwhile_is_theirs(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    two = stacks()
    on_both(two, 1)
    second, third = on_both(two, 2), on_both(two, 3)
    api.deploy_everywhere("loan/1", BOTH, root=two.root)
    lose_package(two, second)
    undo = everywhere._undo

    def later(*given: Any) -> list[str]:
        spec = EndpointSpec(name="first", releases=(Release(model="loan", version=3, digest=third.digest),))
        two.one.platform.endpoints.apply(spec)
        return undo(*given)

    monkeypatch.setattr(everywhere, "_undo", later)
    with pytest.raises(NotFound, match=r"one could not be given back.*loan/3 now, which somebody else deployed"):
        api.deploy_everywhere("loan/2", BOTH, root=two.root)
    assert served(two)[0] == [third.digest]


def deployed(two: Two, *more: str) -> subprocess.CompletedProcess[bytes]:
    environment = python_environment(dict(os.environ))
    return subprocess.run(command("deploy", *more), cwd=two.root, env=environment, capture_output=True)


def test_what_a_machine_has_of_its_own_is_said_on_the_command_line(stacks: Stacks) -> None:
    two = stacks()
    on_both(two, 1)
    done = deployed(two, "loan/1", "--stack", "one", "--native", "restarts_per_minute=9", "--instances", "1")
    assert done.returncode == 0, done.stderr
    held = two.one.platform.endpoints.held("first")
    assert held
    assert held.native.local.restarts_per_minute == 9
    assert [entry.body["traffic"] for entry in two.bench("one").ledger.entries("release")] == [100]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--traffic", "10"), b"has no traffic split: one process serves one release"),
        (("--shadow",), b"has no shadow traffic: one process serves one release"),
        (("--instances", "2-3"), b"has no autoscaling: there is one machine"),
        (("--instances", "3-2"), b"Write --instances 2-4, or --instances 2."),
        (("--native", "instance_type=ml.m5.large"), b"native is not valid: local.instance_type"),
        (("--traffic", "10", "--shadow"), b"A shadow has no share of the traffic."),
    ],
)
def test_what_a_machine_cannot_do_is_refused_in_a_sentence(
    stacks: Stacks, options: tuple[str, ...], sentence: bytes
) -> None:
    two = stacks()
    two.judged("one", number=1)
    done = deployed(two, "loan/1", "--stack", "one", *options)
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr
    assert two.one.platform.endpoints.held("first") is None


def test_a_project_that_scales_on_a_cloud_is_served_here_by_one_machine(stacks: Stacks) -> None:
    two = stacks()
    native = EndpointNative(aws=AwsEndpoint(instance_type="ml.m5.xlarge"), local=LocalEndpoint(restarts_per_minute=7))
    serving = ServingOptions(minimum_instances=2, maximum_instances=4, native=native)
    make_package(two.root / "package")
    said = judgement().model_copy(update={"serving": serving})
    register_judged(two.bench("one"), two.root / "package", judged=said)
    assert api.deploy("loan/1", "one", root=two.root).status is EndpointStatus.READY
    held = two.one.platform.endpoints.held("first")
    assert held
    assert held.native.local.restarts_per_minute == 7


def test_what_was_judged_before_there_was_anything_to_say_of_serving_is_deployed(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged("one", number=1)
    store, key = two.one.platform.store, judged_key(version.digest)
    store.put(key, json.dumps({k: v for k, v in json.loads(store.get(key)).items() if k != "serving"}).encode())
    assert api.deploy("loan/1", "one", root=two.root).status is EndpointStatus.READY


ROWS = ({"amount": 100.0, "income": 50.0}, {"amount": 20.0, "income": 80.0}, {"amount": 100.0, "income": 20.0})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("amount,income\n" + "".join(f"{row['amount']},{row['income']}\n" for row in ROWS))
    return path


def test_the_same_package_on_two_stacks_agrees_on_every_row(stacks: Stacks, table: Path) -> None:
    two = stacks()
    version = on_both(two, 1)
    api.deploy_everywhere("loan/1", BOTH, root=two.root)
    done = subprocess.run(
        command("endpoints", "compare", *BOTH, "--input", str(table), "--endpoints", "first", "first"),
        cwd=two.root,
        env=python_environment(dict(os.environ)),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["agreed"], told["largest_difference"]) == (3, 3, 0.0)
    assert [side["digest"] for side in told["sides"]] == [version.digest] * 2
    assert [side["requests"] for side in told["sides"]] == [2, 2]  # the first makes the connection
    assert all(0 < side["median_ms"] <= side["p95_ms"] for side in told["sides"])


def test_two_models_differ_by_what_they_say(stacks: Stacks, table: Path) -> None:
    two = stacks()
    two.judged("one", number=0)
    two.judged("other", number=100)
    for stack in BOTH:
        api.deploy("loan/1", stack, root=two.root)
    found = api.compare(table, BOTH, endpoints=("first", "first"), batch=2, root=two.root)
    pairs = [(score(row, 0.0), score(row, 2.0)) for row in ROWS]
    assert found.agreed == sum((one >= 0.5) == (other >= 0.5) for one, other in pairs) < len(ROWS)
    assert found.largest_difference == pytest.approx(max(abs(one - other) for one, other in pairs), abs=1e-6)
    assert not found.same_package
    assert [side.requests for side in found.sides] == [1, 1]


def test_what_cannot_be_compared_is_said(stacks: Stacks, table: Path) -> None:
    two = stacks()
    on_both(two, 1)
    with pytest.raises(ConfigError, match="is itself"):
        api.compare(table, ("one", "one"), endpoints=("first", "first"), root=two.root)
    with pytest.raises(NotReady, match=r"two has no outputs yet.*one of those that are up: one, other"):
        api.compare(table, ("one", "two"), endpoints=("first", "first"), root=two.root)
    api.deploy("loan/1", "one", root=two.root)
    with pytest.raises(NotReady, match="Endpoint first is empty"):
        api.compare(table, BOTH, endpoints=("first", "first"), root=two.root)
    api.deploy("loan/1", "other", root=two.root)
    table.write_text("amount,income\n")
    with pytest.raises(ConfigError, match="has no rows"):
        api.compare(table, BOTH, endpoints=("first", "first"), root=two.root)


def test_a_row_that_one_refuses_is_told_and_left_out(stacks: Stacks, table: Path) -> None:
    two = stacks()
    on_both(two, 1)
    api.deploy_everywhere("loan/1", BOTH, root=two.root)
    table.write_text("amount,income\n100,50\n-1,50\n20,80\n")
    found = api.compare(table, BOTH, endpoints=("first", "first"), root=two.root)
    assert (found.rows, found.agreed) == (2, 2)
    [sentence] = found.refused
    assert sentence.startswith("Row 2: ")
