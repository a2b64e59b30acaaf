"""What a cloud claims it does; what it does not claim it refuses with its sentence. One act for each capability."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from trivet.core.capabilities import Capability, Support
from trivet.core.errors import Unsupported
from trivet.core.specs import EndpointSpec, MetricPoint, Release, WorkflowSpec
from trivet.platforms.scheduled import keep, task_key
from trivet.rehearsal.rigs import Rig


class Bench:
    """What an act may use."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.rig: Rig = request.getfixturevalue("rig")
        self.platform = self.rig.platform
        self._value = request.getfixturevalue

    def release(self, traffic: int = 100) -> Release:
        if self.platform.cloud.claims[Capability.MODELS].support is Support.REFUSED:
            pytest.fail("no cloud without a registry can have endpoints")
        version = self._value("registered")()
        return Release(model=version.name, version=version.version, digest=version.digest, traffic=traffic)

    def apply(self, **fields: object) -> None:
        name = min(self.platform.outputs.endpoints)
        given = {"name": name, "releases": (self.release(),)} | fields
        spec = EndpointSpec.model_validate(given)
        assert self.platform.endpoints.apply(spec).releases == spec.releases
        self.platform.endpoints.delete(name)

    def run_job(self) -> None:
        ref = self.platform.jobs.submit(self._value("job")("pass"))
        assert self._value("ended")(ref) == "succeeded"

    def score(self) -> None:
        files = self._value("scoring")({"rows.csv": "100,50\n"})
        assert self._value("ended")(self.platform.jobs.score(files)) == "succeeded"

    def schedule(self, every: timedelta | None) -> None:
        spec = WorkflowSpec(name=self._value("new_name")(), command=("python", "-c", "pass"), every=every)
        self.platform.workflows.delete(self.platform.workflows.apply(spec))

    def schedule_job(self) -> None:
        name = next(iter(self.platform.outputs.native.schedules), "nightly")
        key = keep(self.platform, self._value("job")("pass").model_copy(update={"name": name}))
        assert key == task_key(name) and b'"command"' in self.platform.store.get(key)


def store(bench: Bench) -> None:
    bench.platform.store.put("capability", b"stored")
    assert bench.platform.store.get("capability") == b"stored"


def metrics(bench: Bench) -> None:
    now = datetime.now(UTC)
    bench.platform.metrics.put([MetricPoint(name="capability", value=1, time=now)])
    assert len(bench.platform.metrics.query("capability", now)) == 1


# Accelerators and private networks are asked for by no spec yet: the claim itself must hold or refuse.
ACTS: dict[Capability, Callable[[Bench], object]] = {
    Capability.STORE: store,
    Capability.JOBS: Bench.run_job,
    Capability.BATCH_SCORING: Bench.score,
    Capability.MODELS: Bench.release,
    Capability.ENDPOINTS: Bench.apply,
    Capability.WORKFLOWS: lambda bench: bench.schedule(None),
    Capability.SCHEDULES: lambda bench: bench.schedule(timedelta(days=1)),
    Capability.SCHEDULED_JOBS: Bench.schedule_job,
    Capability.METRICS: metrics,
    Capability.TRAFFIC_SPLIT: lambda bench: bench.apply(releases=(bench.release(90), bench.release(10))),
    Capability.SHADOW_TRAFFIC: lambda bench: bench.apply(shadow=bench.release()),
    Capability.AUTOSCALING: lambda bench: bench.apply(maximum_instances=2),
    Capability.SCALE_TO_ZERO: lambda bench: bench.apply(minimum_instances=0),
    Capability.ACCELERATORS: lambda bench: bench.platform.cloud.check(Capability.ACCELERATORS),
    Capability.PRIVATE_NETWORK: lambda bench: bench.platform.cloud.check(Capability.PRIVATE_NETWORK),
}

if untested := set(Capability) - set(ACTS):
    raise pytest.UsageError(f"No act tries these capabilities: {', '.join(sorted(untested))}.")


@pytest.mark.parametrize("capability", Capability)
def test_a_claim_holds_and_what_is_not_claimed_is_refused(
    request: pytest.FixtureRequest, rig: Rig, capability: Capability
) -> None:
    claim = rig.platform.cloud.claims[capability]
    if claim.support is not Support.REFUSED:
        ACTS[capability](Bench(request))
        return
    with pytest.raises(Unsupported) as refusal:
        ACTS[capability](Bench(request))
    assert claim.note in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_what_is_refused_leaves_the_endpoint_as_it_was(request: pytest.FixtureRequest, rig: Rig) -> None:
    name = min(rig.platform.outputs.endpoints)
    before = rig.platform.endpoints.state(name)
    bench = Bench(request)
    for capability, claim in rig.platform.cloud.claims.items():
        if claim.support is Support.REFUSED:
            with pytest.raises(Unsupported):
                ACTS[capability](bench)
    assert rig.platform.endpoints.state(name) == before
