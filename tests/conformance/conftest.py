"""One suite for every cloud: each test takes a ``rig``, and gets one per cloud of ``trivet.clouds``."""

from __future__ import annotations

import functools
import inspect
import io
import itertools
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from trivet.clouds import CLOUDS
from trivet.core.capabilities import Capability, Support
from trivet.core.errors import Unsupported
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import EndpointSpec, JobSpec, JobState, ModelVersion, Release, ScoringSpec
from trivet.core.waiting import wait_for
from trivet.rehearsal import live
from trivet.rehearsal.rigs import LIVE_RIGS, Rig, rig_of, without_rig
from trivet.rehearsal.rigs.package import make_package

if missing := without_rig(CLOUDS):
    raise pytest.UsageError(f"No rig makes these clouds ready: {', '.join(missing)}.")
LIVE = live.named()
if LIVE and LIVE not in LIVE_RIGS:
    raise pytest.UsageError(f"{live.LIVE} is none of: {', '.join(LIVE_RIGS)}.")


def pytest_configure(config: pytest.Config) -> None:
    if LIVE and (config.getoption("numprocesses", None) or "PYTEST_XDIST_WORKER" in os.environ):
        raise pytest.UsageError(f"{live.LIVE} makes one stack: run the tests in one process, without -n.")


def holds_or_is_refused(capability: Capability) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of what not every cloud claims: there it must be refused with the cloud's own reason, not skipped."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def either(*args: Any, rig: Rig, **fixtures: Any) -> None:
            claim = rig.platform.cloud.claims[capability]
            if "rig" in wanted:
                fixtures["rig"] = rig
            if claim.support is not Support.REFUSED:
                return test(*args, **fixtures)
            with pytest.raises(Unsupported, match=re.escape(claim.note)):
                test(*args, **fixtures)
            return None

        wanted = inspect.signature(test).parameters
        rest = [one for name, one in wanted.items() if name != "rig"]
        rig = inspect.Parameter("rig", inspect.Parameter.KEYWORD_ONLY)
        either.__signature__ = inspect.Signature([*rest, rig])  # type: ignore[attr-defined]  what pytest reads
        return either

    return decorate


@pytest.fixture(scope="session", params=[LIVE] if LIVE else sorted(CLOUDS))
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with heard(request.config):
        ready = rig_of(request.param, live=bool(LIVE))(tmp_path_factory.mktemp(request.param))
    yield ready
    with heard(request.config):
        ready.close()


@contextmanager
def heard(config: pytest.Config) -> Iterator[None]:
    """Where a real account is at stake, somebody is asked, and told what happens."""
    capture = config.pluginmanager.getplugin("capturemanager") if LIVE else None
    if capture is None:
        yield
        return
    capture.suspend(in_=True)
    try:
        yield
    finally:
        capture.resume()


@pytest.fixture(autouse=True)
def _evidence(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Every report says on what it was seen."""
    if "rig" in request.fixturenames:
        record_property("evidence", request.getfixturevalue("rig").evidence)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for some in terminalreporter.stats.values() for one in some if isinstance(one, pytest.TestReport)]
    evidence = sorted({str(value) for one in reports for name, value in one.user_properties if name == "evidence"})
    for one in evidence:
        terminalreporter.write_line(f"Evidence: {one}")


@pytest.fixture
def platform(rig: Rig) -> Platform:
    return rig.platform


@pytest.fixture(scope="session")
def new_name() -> Callable[[], str]:
    """A name that no other test has."""
    numbers = itertools.count()
    return lambda: f"name-{next(numbers)}"


@pytest.fixture(scope="session")
def new_package(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A model package that no other test has."""
    numbers = itertools.count(1)

    def make() -> Path:
        folder = tmp_path_factory.mktemp("package") / "package"
        make_package(folder, intercept=next(numbers) / 10)
        return folder

    return make


@pytest.fixture
def registered(platform: Platform, new_package: Callable[[], Path]) -> Callable[[], ModelVersion]:
    return lambda: platform.models.register("loan", new_package(), author="ada", tags={})


@pytest.fixture(scope="session")
def spec_of() -> Callable[[str, ModelVersion], EndpointSpec]:
    def make(endpoint: str, version: ModelVersion) -> EndpointSpec:
        release = Release(model=version.name, version=version.version, digest=version.digest)
        return EndpointSpec(name=endpoint, releases=(release,))

    return make


@pytest.fixture
def job(platform: Platform, new_name: Callable[[], str]) -> Callable[..., JobSpec]:
    """A job that runs ``main.py`` with the given text."""

    def make(main: str, **fields: object) -> JobSpec:
        name = new_name()
        platform.store.put(f"source/{name}.tar.gz", pack({"main.py": main}))
        given = {"name": name, "source": f"source/{name}.tar.gz", "command": ("python", "main.py")}
        return JobSpec.model_validate({**given, "output": f"outputs/{name}", **fields})

    return make


@pytest.fixture
def scoring(
    platform: Platform, registered: Callable[[], ModelVersion], new_name: Callable[[], str]
) -> Callable[..., ScoringSpec]:
    """A job that scores files of the given texts, by a release of its own where none is given."""

    def make(files: dict[str, str | bytes], version: ModelVersion | None = None, **fields: object) -> ScoringSpec:
        name = new_name()
        for file, content in files.items():
            platform.store.put(f"scoring/{name}/{file}", content.encode() if isinstance(content, str) else content)
        one = version or registered()
        release = Release(model=one.name, version=one.version, digest=one.digest)
        given = {"name": name, "release": release, "input": f"scoring/{name}", "output": f"outputs/{name}"}
        return ScoringSpec.model_validate({**given, **fields})

    return make


@pytest.fixture
def ended(rig: Rig) -> Callable[[JobRef], JobState]:
    """Wait for a job's end."""

    def wait(ref: JobRef) -> JobState:
        def probe() -> JobState | None:
            state = rig.platform.jobs.state(ref)
            return None if state is JobState.RUNNING else state

        return wait_for(probe, f"The end of {ref.id}", seconds=rig.patience, longest=rig.patience / 600)

    return wait


def pack(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()
