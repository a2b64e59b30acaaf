"""Everything that the runtime makes bears the stack's labels and its user's, and budgets find it by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from google.cloud.aiplatform.constants.base import SUPPORTED_REGIONS

from trivet.clouds.gcp import REGIONS
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import EndpointSpec, JobSpec, JobState, ScoringSpec
from trivet.platforms.gcp.labels import whose
from trivet.rehearsal.rigs.gcp import OWN, STACK, GcpRig

KINDS = ("customJobs", "models")


def borne(rig: GcpRig, wanted: str | None = None) -> dict[str, dict[str, Mapping[str, str]]]:
    """The labels by name of all that Vertex AI has, by what it is."""
    return {
        kind: {
            one["name"]: one.get("labels", {})
            for one in rig.clients.pages("aiplatform", f"v1/{rig.clients.parent}/{kind}", kind, filter=wanted)
        }
        for kind in KINDS
    }


def test_everything_bears_them_and_what_is_of_an_endpoint_its_name_and_its_team(
    rig: GcpRig,
    platform: Platform,
    job: Callable[..., JobSpec],
    spec_of: Callable[..., EndpointSpec],
    ended: Callable[[JobRef], JobState],
    empty: str,
    new_name: Callable[[], str],
) -> None:
    name, [release] = new_name(), spec_of(1).releases
    before = borne(rig)
    platform.store.put(f"scoring/{name}/rows.csv", b"1,2\n")
    scoring = ScoringSpec(name=name, release=release, input=f"scoring/{name}", output=f"outputs/{name}")
    for ref in (platform.jobs.submit(job()), platform.jobs.score(scoring)):
        assert ended(ref) is JobState.SUCCEEDED
    platform.endpoints.apply(spec_of(1))
    ours = borne(rig, whose(rig.outputs.project, STACK))
    new = {kind: {one: every[one] for one in every if one not in before[kind]} for kind, every in borne(rig).items()}
    assert all(new.values())
    assert [one for kind in KINDS for one in new[kind] if one not in ours[kind]] == []
    assert [one for every in new.values() for one, there in every.items() if not OWN.items() <= there.items()] == []
    of_endpoint = {"trivet-endpoint": empty, "trivet-team": "risk", "trivet-model-version": str(release.version)}
    assert [there for there in new["models"].values() if of_endpoint.items() <= there.items()]
    assert not any("trivet-endpoint" in there for there in new["customJobs"].values())


def test_the_stack_s_regions_are_those_that_the_sdk_knows() -> None:
    assert set(REGIONS) <= SUPPORTED_REGIONS
