from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trivet.core.errors import ConfigError, IntegrityError, NotFound, NotReady
from trivet.core.inference import decided, request_of
from trivet.core.modelpackage import MODEL, SERVING, Serving
from trivet.core.platform import Platform
from trivet.core.specs import EndpointSpec, EndpointStatus, ModelVersion, Release
from trivet.rehearsal.rigs import Rig
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, INPUTS, make_package, score

Registered = Callable[[], ModelVersion]
SpecOf = Callable[[str, ModelVersion], EndpointSpec]


@pytest.fixture
def endpoint(platform: Platform) -> Iterator[str]:
    """An endpoint that serves nothing yet."""
    name = min(platform.outputs.endpoints)
    platform.endpoints.delete(name)
    yield name
    platform.endpoints.delete(name)


def test_an_endpoint_begins_empty(platform: Platform, endpoint: str) -> None:
    state = platform.endpoints.state(endpoint)
    assert (state.name, state.status, state.releases) == (endpoint, EndpointStatus.EMPTY, ())
    with pytest.raises(NotReady):
        platform.endpoints.invoke(endpoint, {"inputs": []})


def test_apply_serves_the_release_and_reads_it_back(
    rig: Rig, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    version = registered()
    state = rig.platform.endpoints.apply(spec_of(endpoint, version))
    assert state.status is EndpointStatus.READY
    assert state.releases == (Release(model=version.name, version=version.version, digest=version.digest),)
    assert re.match(r"https?://", state.url)
    assert rig.reconnect().endpoints.state(endpoint) == state


def test_invoke_decides_as_the_model_says(
    platform: Platform, endpoint: str, new_package: Callable[[], Path], spec_of: SpecOf
) -> None:
    package = new_package()
    serving = Serving.read(package / SERVING)
    version = platform.models.register("loan", package, author="ada", tags={})
    platform.endpoints.apply(spec_of(endpoint, version))
    response = platform.endpoints.invoke(endpoint, request_of(GOLDEN_ROWS, serving, "four"))
    assert response["id"] == "four"
    for row, answer in zip(GOLDEN_ROWS, decided(response, INPUTS), strict=True):
        expected = score(row, serving.intercept)
        assert answer.score == pytest.approx(expected, abs=1e-5)
        assert answer.decision == ("approve" if expected >= 0.5 else "deny")


def test_a_wrong_request_is_the_callers_mistake(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    platform.endpoints.apply(spec_of(endpoint, registered()))
    with pytest.raises(ConfigError, match="inputs"):
        platform.endpoints.invoke(endpoint, {"inputs": []})
    with pytest.raises(ConfigError, match="income"):
        only = {"name": "amount", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}
        platform.endpoints.invoke(endpoint, {"inputs": [only]})


def test_apply_twice_changes_nothing(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    spec = spec_of(endpoint, registered())
    assert platform.endpoints.apply(spec) == platform.endpoints.apply(spec)


def test_another_release_takes_over_and_the_first_may_come_back(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    one, two = registered(), registered()
    for version in (one, two, one):
        state = platform.endpoints.apply(spec_of(endpoint, version))
        assert [(release.version, release.digest) for release in state.releases] == [(version.version, version.digest)]


def test_a_release_that_cannot_serve_leaves_the_one_before_alone(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf, tmp_path: Path
) -> None:
    good = registered()
    platform.endpoints.apply(spec_of(endpoint, good))
    make_package(tmp_path / "wrong", golden_error=0.1)
    wrong = platform.models.register("loan", tmp_path / "wrong", author="ada", tags={})
    with pytest.raises(NotReady, match="golden"):
        platform.endpoints.apply(spec_of(endpoint, wrong))
    state = platform.endpoints.state(endpoint)
    assert state.status is EndpointStatus.READY
    assert [release.digest for release in state.releases] == [good.digest]
    assert "golden" in state.reason
    assert platform.endpoints.apply(spec_of(endpoint, good)).status is EndpointStatus.READY


def test_a_first_release_that_cannot_serve_fails_and_a_good_one_follows(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf, tmp_path: Path
) -> None:
    make_package(tmp_path / "wrong", golden_error=0.2)
    wrong = platform.models.register("loan", tmp_path / "wrong", author="ada", tags={})
    with pytest.raises(NotReady, match="golden"):
        platform.endpoints.apply(spec_of(endpoint, wrong))
    state = platform.endpoints.state(endpoint)
    assert (state.status, state.releases) == (EndpointStatus.FAILED, ())
    assert "golden" in state.reason
    assert platform.endpoints.apply(spec_of(endpoint, registered())).status is EndpointStatus.READY


def test_a_package_that_was_changed_in_the_store_is_not_served(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    version = registered()
    platform.store.put(f"{version.key}/{MODEL}", b"another model")
    with pytest.raises(IntegrityError):
        platform.endpoints.apply(spec_of(endpoint, version))
    assert platform.endpoints.state(endpoint).status is EndpointStatus.EMPTY


def test_a_package_that_is_not_in_the_store_is_not_found(platform: Platform, endpoint: str) -> None:
    release = Release(model="loan", version=1, digest=f"sha256:{'0' * 64}")
    with pytest.raises(NotFound, match="sha256:"):
        platform.endpoints.apply(EndpointSpec(name=endpoint, releases=(release,)))


def test_delete_takes_the_release_off_and_is_idempotent(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    platform.endpoints.apply(spec_of(endpoint, registered()))
    platform.endpoints.delete(endpoint)
    platform.endpoints.delete(endpoint)
    assert platform.endpoints.state(endpoint).status is EndpointStatus.EMPTY
    with pytest.raises(NotReady):
        platform.endpoints.invoke(endpoint, {"inputs": []})


def test_two_endpoints_do_not_disturb_each_other(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    other = max(platform.outputs.endpoints)
    one, two = registered(), registered()
    platform.endpoints.apply(spec_of(endpoint, one))
    platform.endpoints.apply(spec_of(other, two))
    assert [release.digest for release in platform.endpoints.state(endpoint).releases] == [one.digest]
    platform.endpoints.delete(endpoint)
    assert [release.digest for release in platform.endpoints.state(other).releases] == [two.digest]
    platform.endpoints.delete(other)


def test_an_endpoint_has_a_log(platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf) -> None:
    platform.endpoints.apply(spec_of(endpoint, registered()))
    assert any("ready" in line for line in platform.endpoints.logs(endpoint))


@pytest.mark.parametrize("verb", ["state", "delete", "logs"])
def test_an_endpoint_that_the_stack_does_not_have_is_not_found(platform: Platform, verb: str) -> None:
    with pytest.raises(NotFound, match="nobody"):
        getattr(platform.endpoints, verb)("nobody")


def test_apply_and_invoke_know_the_stacks_endpoints_too(platform: Platform) -> None:
    release = Release(model="loan", version=1, digest=f"sha256:{'0' * 64}")
    with pytest.raises(NotFound, match="nobody"):
        platform.endpoints.apply(EndpointSpec(name="nobody", releases=(release,)))
    with pytest.raises(NotFound, match="nobody"):
        platform.endpoints.invoke("nobody", {})


def test_a_pause_frees_the_machines_and_resume_serves_the_same(
    rig: Rig, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    version = registered()
    rig.platform.endpoints.apply(spec_of(endpoint, version))
    for _ in range(2):
        assert rig.platform.endpoints.pause(endpoint).status is EndpointStatus.STOPPED
        with pytest.raises(NotReady):
            rig.platform.endpoints.invoke(endpoint, {"inputs": []})
    assert rig.reconnect().endpoints.state(endpoint).status is EndpointStatus.STOPPED
    for _ in range(2):
        state = rig.reconnect().endpoints.resume(endpoint)
        assert state.status is EndpointStatus.READY
        assert [release.digest for release in state.releases] == [version.digest]


def test_another_release_ends_a_pause(
    platform: Platform, endpoint: str, registered: Registered, spec_of: SpecOf
) -> None:
    one, two = registered(), registered()
    platform.endpoints.apply(spec_of(endpoint, one))
    platform.endpoints.pause(endpoint)
    state = platform.endpoints.apply(spec_of(endpoint, two))
    assert (state.status, [release.digest for release in state.releases]) == (EndpointStatus.READY, [two.digest])


def test_what_serves_nothing_can_neither_be_paused_nor_resumed(platform: Platform, endpoint: str) -> None:
    assert platform.endpoints.pause(endpoint).status is EndpointStatus.EMPTY
    with pytest.raises(NotReady):
        platform.endpoints.resume(endpoint)
