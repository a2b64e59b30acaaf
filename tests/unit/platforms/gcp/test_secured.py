"""With which key all is encrypted that the runtime makes, as whom it runs, and in which network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trivet.core.errors import PlatformError
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import EndpointSpec, JobSpec, JobState, ModelVersion, ScoringSpec
from trivet.platforms.gcp.session import GcpPlatform
from trivet.rehearsal.fakes.gcp import LOCATION, PROJECT
from trivet.rehearsal.rigs.gcp import GcpRig

ATTACHMENT = f"projects/{PROJECT}/regions/{LOCATION}/networkAttachments/jobs"
SpecOf = Callable[..., EndpointSpec]


@pytest.fixture
def attached(rig: GcpRig) -> Iterator[GcpPlatform]:
    """The platform of a stack whose jobs have a network attachment."""
    native: Any = rig.outputs.native
    outputs = rig.outputs.model_copy(update={"native": native.model_copy(update={"attachment": ATTACHMENT})})
    yield GcpPlatform(outputs, rig.clients)


def described(platform: Any, ref: JobRef) -> Any:
    return platform.jobs.newest(ref).described


def test_jobs_run_with_the_stack_s_key_and_account_and_in_its_network(
    attached: GcpPlatform,
    job: Callable[..., JobSpec],
    spec_of: SpecOf,
    ended: Callable[[JobRef], JobState],
    new_name: Callable[[], str],
) -> None:
    name, [release] = new_name(), spec_of(1).releases
    attached.store.put(f"scoring/{name}/rows.csv", b"1,2\n")
    scoring = ScoringSpec(name=name, release=release, input=f"scoring/{name}", output=f"outputs/{name}")
    native: Any = attached.outputs.native
    for ref in (attached.jobs.submit(job()), attached.jobs.score(scoring)):
        found = described(attached, ref)
        assert found["encryptionSpec"] == {"kmsKeyName": native.key}
        assert found["jobSpec"]["serviceAccount"] == native.trainer
        assert found["jobSpec"]["pscInterfaceConfig"] == {"networkAttachment": ATTACHMENT}
        assert ended(ref) is JobState.SUCCEEDED


def test_models_and_what_serves_them_have_the_stack_s_key_and_account(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, version_of: Callable[[int], ModelVersion]
) -> None:
    version_of(1)
    platform.endpoints.apply(spec_of(1, 2, traffic=(50, 50)))
    native: Any = rig.outputs.native
    models = list(rig.clients.pages("aiplatform", f"v1/{rig.clients.parent}/models", "models"))
    assert {"trivet-endpoint" in one["labels"] for one in models} == {True, False}
    assert [one["encryptionSpec"] for one in models] == [{"kmsKeyName": native.key}] * len(models)
    shell = rig.outputs.endpoints[empty].name
    there = rig.clients.get("aiplatform", f"v1/{rig.clients.parent}/endpoints/{shell}")["deployedModels"]
    assert [one["serviceAccount"] for one in there] == [native.server] * 2


def test_a_key_that_encrypts_no_more_is_told(rig: GcpRig, platform: Platform, job: Callable[..., JobSpec]) -> None:
    native: Any = rig.outputs.native
    primary = f"v1/{native.key}/cryptoKeyVersions/1"
    rig.clients.patch("cloudkms", primary, {"state": "DISABLED"}, "state")
    try:
        with pytest.raises(PlatformError, match="useToEncrypt"):
            platform.jobs.submit(job())
    finally:
        rig.clients.patch("cloudkms", primary, {"state": "ENABLED"}, "state")


def test_an_account_that_was_deleted_is_told(rig: GcpRig, spec_of: SpecOf, empty: str) -> None:
    native: Any = rig.outputs.native
    gone = native.model_copy(update={"server": f"gone@{PROJECT}.iam.gserviceaccount.com"})
    platform = GcpPlatform(rig.outputs.model_copy(update={"native": gone}), rig.clients)
    with pytest.raises(PlatformError, match=r"iam\.serviceAccounts\.actAs"):
        platform.endpoints.apply(spec_of(1))
