"""Least privilege: what the verbs and the containers ask of Google Cloud, against what the stack's roles allow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.platforms.cases import BAD, ENDPOINT
from trivet.core.errors import NotReady
from trivet.core.refs import JobRef
from trivet.core.specs import Approval, EndpointNative, EndpointSpec, GcpEndpoint, JobSpec, MetricPoint, ScoringSpec
from trivet.infra.stacks.gcp.grants import PERMISSIONS, PROJECT, RIGHTS
from trivet.platforms.gcp import doctor
from trivet.rehearsal.rigs.gcp import GcpRig
from trivet.rehearsal.rigs.package import make_package

AIPLATFORM = {  # "Vertex AI IAM permissions", Vertex AI; whoever gets an operation needs leave to get what it is about
    "CreateCustomJob": "customJobs.create",
    "GetCustomJob": "customJobs.get",
    "ListCustomJobs": "customJobs.list",
    "CancelCustomJob": "customJobs.cancel",
    "UploadModel": "models.upload",
    "GetModel": "models.get",
    **dict.fromkeys(("ListModels", "ListModelVersions"), "models.list"),
    **dict.fromkeys(("UpdateModel", "MergeVersionAliases"), "models.update"),
    **dict.fromkeys(("DeleteModel", "DeleteModelVersion"), "models.delete"),
    "GetEndpoint": "endpoints.get",
    **dict.fromkeys(("UpdateEndpoint", "MutateDeployedModel"), "endpoints.update"),
    "DeployModel": "endpoints.deploy",
    "UndeployModel": "endpoints.undeploy",
    **dict.fromkeys(("Predict", "RawPredict"), "endpoints.predict"),
}
OTHERS = {  # "IAM permissions" of each service; roles and permissions of Cloud Monitoring
    "AsymmetricSign": "cloudkms.cryptoKeyVersions.useToSign",
    "CreateTimeSeries": "monitoring.timeSeries.create",
    "ListTimeSeries": "monitoring.timeSeries.list",
    "ListAlerts": "monitoring.alerts.list",
    "entries.list": "logging.logEntries.list",
}
STORAGE = {  # "IAM permissions for JSON methods", Cloud Storage
    "objects.get": ("storage.objects.get",),
    "objects.list": ("storage.objects.list",),
    "objects.insert": ("storage.objects.create", "storage.objects.delete"),
    "objects.delete": ("storage.objects.delete",),
}
ASKED_BESIDE = {
    "logging.views.access": "with every entries.list that reads a log bucket through its view",
    "monitoring.metricDescriptors.create": "with the first timeSeries.create of a metric that nobody has described",
    "monitoring.metricDescriptors.list": "before a metric gets another label, which no verb of this test gives it",
}
"""Rights that Google Cloud asks for beside the call's own, and which therefore no call shows."""
SERVICES = ("aiplatform.", "cloudkms.", "logging.", "monitoring.")

Call = dict[str, str]


@pytest.fixture(scope="module")
def calls(
    rig: GcpRig,
    job: Callable[..., JobSpec],
    ended: Callable[[JobRef], Any],
    spec_of: Callable[..., EndpointSpec],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Call]:
    """What was asked while every verb was called once."""
    specs = {number: spec_of(number) for number in (1, 2, BAD)}
    rig.fake.forget_calls()
    with rig.reconnect() as platform:
        platform.store.put("rights/data/rows", b"1")
        platform.store.get("rights/data/rows")
        ref = platform.jobs.submit(job("print('up', flush=True)", inputs={"data": "rights/data"}))
        ended(ref)
        assert "up" in list(platform.jobs.logs(ref))
        platform.jobs.cancel(platform.jobs.submit(job("import time; time.sleep(600)")))
        platform.store.put("scoring/rights/rows.csv", b"1,2\n")
        release = specs[1].releases[0]
        ended(
            platform.jobs.score(ScoringSpec(name="rights", release=release, input="scoring/rights", output="outputs/r"))
        )
        _models(platform, tmp_path_factory.mktemp("rights") / "package")
        _endpoints(platform, specs)
        now = datetime.now(UTC)
        platform.metrics.put([MetricPoint(name="rights", value=1.0, time=now)])
        platform.metrics.query("rights", now - timedelta(minutes=5))
    return rig.fake.calls()


def _models(platform: Any, package: Path) -> None:
    make_package(package, intercept=8.5)
    version = platform.models.register("rights", package, author="ada", tags={})
    approval = Approval(
        actor="ada", status="approved", reason="good", identity="a test", time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    platform.models.tag(version, tags={"a": "1"}, approval=approval, alias="champion")
    platform.models.get("rights@champion")
    platform.models.list("rights")


def _endpoints(platform: Any, specs: dict[int, EndpointSpec]) -> None:
    careful = EndpointNative(gcp=GcpEndpoint(rollout="canary", step=10, bake=timedelta(seconds=0.2)))
    platform.endpoints.apply(specs[1])
    platform.endpoints.apply(specs[2].model_copy(update={"maximum_instances": 2, "native": careful}))
    with suppress(NotReady):
        platform.endpoints.apply(specs[BAD])
    platform.endpoints.apply(specs[2].model_copy(update={"maximum_instances": 3}))
    platform.endpoints.state(ENDPOINT)
    tensor = {"shape": [1, 1], "datatype": "FP32", "data": [50.0]}
    inputs = [{"name": "amount", **tensor}, {"name": "income", **tensor}]
    platform.endpoints.invoke(ENDPOINT, {"inputs": inputs})
    list(platform.endpoints.logs(ENDPOINT))
    platform.endpoints.pause(ENDPOINT)
    platform.endpoints.resume(ENDPOINT)
    platform.endpoints.delete(ENDPOINT)


def needed(call: Call) -> tuple[str, ...]:
    """The rights that a call needs."""
    service, operation = call["service"], call["operation"]
    if service == "storage":
        return STORAGE[operation]
    if operation == "GetOperation":
        kind = call["resource"].split("/")[-4]  # projects/P/locations/L/KIND/ID/operations/N
        return (f"aiplatform.{kind}.get",)
    return (f"aiplatform.{AIPLATFORM[operation]}",) if operation in AIPLATFORM else (OTHERS[operation],)


def allowed(what: str) -> set[str]:
    """What an identity may do anywhere."""
    return {permission for right in RIGHTS[what] for permission in PERMISSIONS[right.role]}


def test_the_deployer_may_do_what_the_verbs_ask(calls: list[Call]) -> None:
    used = {permission for one in calls for permission in needed(one)}
    assert {"aiplatform.customJobs.create", "monitoring.alerts.list", "storage.objects.create"} <= used
    assert used <= allowed("deployer")


def test_the_deployer_may_do_nothing_in_these_services_that_no_verb_asks(calls: list[Call]) -> None:
    used = {permission for one in calls for permission in needed(one)}
    granted = {one for one in allowed("deployer") if one.startswith(SERVICES)}
    assert granted - used == ASKED_BESIDE.keys()


def test_doctor_asks_for_rights_that_a_deployer_has() -> None:
    assert set(doctor.PERMISSIONS) <= allowed("deployer")


@pytest.mark.parametrize("what", ["trainer", "server"])
def test_a_user_s_code_measures_nothing_and_reads_no_ledger(what: str) -> None:
    assert not {
        one for one in allowed(what) if one.startswith(("monitoring.", "aiplatform.", "cloudsql.", "cloudkms."))
    }
    assert "storage.buckets.get" not in allowed(what)
    assert [one.role for one in RIGHTS[what] if one.place == PROJECT] == ["worker"]


def test_only_who_writes_the_ledger_may_log_in_to_its_database() -> None:
    assert {what for what in RIGHTS if "cloudsql.instances.login" in allowed(what)} == {"monitor", "deployer"}
