"""Least privilege: what the verbs and the containers ask of AWS, against what the stack's roles are allowed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.unit.platforms.cases import BAD
from trivet.core.errors import NotReady
from trivet.core.leftovers import ENDPOINT_TAG, PROJECT_TAG, STACK_TAG
from trivet.core.refs import JobRef
from trivet.core.specs import (
    Approval,
    AwsEndpoint,
    AwsJob,
    EndpointNative,
    EndpointSpec,
    JobNative,
    JobSpec,
    MetricPoint,
    ScoringSpec,
)
from trivet.core.waiting import wait_for
from trivet.infra.stacks.aws import grants
from trivet.infra.stacks.aws.parts import Known, Place, Served, Statement
from trivet.rehearsal.rigs.aws import ACCOUNT, ENDPOINTS, PREFIX, REGION, STACK, AwsRig
from trivet.rehearsal.rigs.package import make_package

OWN = "rehearsal"  # the access key of the rig's session
FREE = {"sts:GetCallerIdentity"}  # "No permissions are required"; API reference of STS
ASKED_BESIDE = {
    "cloudwatch:TagResource": "with every PutMetricAlarm that has tags",
}
"""Rights that AWS asks for beside the call's own, and which therefore no call shows."""
RELEASED = {"EndpointConfig": "endpoint-config", "Endpoint": "endpoint", "Model": "model"}
"""Kinds of what is released, by the ends of operations, and as ARNs say them."""
NAMING = {
    *(f"{verb}{kind}" for verb in ("Describe", "Delete") for kind in ("TrainingJob", "TransformJob", *RELEASED)),
    *("CreateTrainingJob", "CreateTransformJob", "CreateEndpoint"),
}
"""Operations whose calls are listed with the name of what they are about."""
S3 = {
    **dict.fromkeys(("ListObjects", "ListObjectsV2", "HeadBucket"), "ListBucket"),
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    **dict.fromkeys(("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"), "PutObject"),
}
"""Operations of S3 whose right has another name; Service Authorization Reference, "Amazon S3"."""

SERVER = f"-server-{ENDPOINTS[0]}"
ONLY = Served(ENDPOINTS[0], f"{PREFIX}-{ENDPOINTS[0]}")

Call = dict[str, str]
Rights = Callable[[Known], list[Statement]]


def server(known: Known) -> list[Statement]:
    """What the servers of the first endpoint may."""
    return grants.server(known, ENDPOINTS[0])


def deployer_of_one(known: Known) -> list[Statement]:
    """What the first endpoint's own repository may."""
    return grants.deployer(known, ONLY)


@pytest.fixture(scope="module")
def calls(
    rig: AwsRig,
    job: Callable[..., JobSpec],
    ended: Callable[[JobRef], Any],
    spec_of: Callable[..., EndpointSpec],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Call]:
    """What was asked while every verb was called once, by whom."""
    specs = {number: spec_of(number) for number in (1, 2, BAD)}
    rig.fake.forget_calls()
    with rig.reconnect() as platform:
        platform.store.put("rights/data/rows", b"1")
        platform.store.get("rights/data/rows")
        platform.store.create("ledger/rights", b"1")
        platform.store.delete("ledger/rights")
        main = (
            "import os; open(os.path.join(os.environ['TRIVET_OUTPUT'], 'a'), 'w').write('a'); print('up', flush=True)"
        )
        spot = JobNative(aws=AwsJob(spot=True))
        ref = platform.jobs.submit(job(main, inputs={"data": "rights/data"}, native=spot))
        ended(ref)
        assert "up" in list(platform.jobs.logs(ref))
        slow = platform.jobs.submit(job("import time; time.sleep(600)"))
        platform.jobs.cancel(slow)
        for name in ("scored", "ended"):
            platform.store.put(f"scoring/{name}/rows.csv", b"1,2\n" * 1000)
            ref = platform.jobs.score(scoring(specs[1], name))
            if name == "scored":
                ended(ref)
                list(platform.jobs.logs(ref))
            platform.jobs.cancel(ref)
        _models(platform, tmp_path_factory.mktemp("rights") / "package")
        _endpoints(rig, platform, specs)
        now = datetime.now(UTC)
        platform.metrics.put([MetricPoint(name="rights", value=1.0, time=now)])
        platform.metrics.query("rights", now - timedelta(minutes=5))
    return rig.fake.calls()


def scoring(spec: EndpointSpec, name: str) -> ScoringSpec:
    """The release of an endpoint, with which files are scored instead."""
    return ScoringSpec(name=name, release=spec.releases[0], input=f"scoring/{name}", output=f"outputs/{name}")


def _models(platform: Any, package: Path) -> None:
    make_package(package, intercept=8.5)
    version = platform.models.register("rights", package, author="ada", tags={})
    approval = Approval(
        actor="ada", status="approved", reason="good", identity="a test", time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    platform.models.tag(version, tags={"a": "1"}, approval=approval, alias="champion")
    platform.models.get("rights@champion")


def _endpoints(rig: AwsRig, platform: Any, specs: dict[int, EndpointSpec]) -> None:
    name = ENDPOINTS[0]
    careful = EndpointNative(aws=AwsEndpoint(rollout="canary", step=10, bake=timedelta(seconds=60)))
    platform.endpoints.apply(specs[1].model_copy(update={"maximum_instances": 2}))
    platform.endpoints.apply(specs[2].model_copy(update={"maximum_instances": 2, "native": careful}))
    with suppress(NotReady):
        platform.endpoints.apply(specs[BAD])
    platform.endpoints.apply(specs[2])
    wanted = [{"VariantName": name, "DesiredWeight": 7.0}]
    rig.session.client("sagemaker", endpoint_url=rig.fake.endpoint).update_endpoint_weights_and_capacities(
        EndpointName=rig.outputs.endpoints[name].name, DesiredWeightsAndCapacities=wanted
    )
    platform.endpoints.apply(specs[2])
    tensor = {"shape": [1, 1], "datatype": "FP32", "data": [50.0]}
    inputs = [{"name": "amount", **tensor}, {"name": "income", **tensor}]
    platform.endpoints.invoke(name, {"inputs": inputs})
    wait_for(lambda: rig.platform.endpoints.state(name).status == "ready" or None, "It", seconds=10)
    list(platform.endpoints.logs(name))
    platform.endpoints.pause(name)
    platform.endpoints.resume(name)
    platform.endpoints.delete(name)


@pytest.fixture(scope="module")
def known(rig: AwsRig) -> Known:
    """The ARNs of what a stack like the rig's has."""
    place = Place("aws", ACCOUNT, REGION, PREFIX, f"Trivet/{PREFIX}", STACK, "rehearsal")
    group = rig.outputs.models
    fields = {
        "store": f"arn:aws:s3:::{PREFIX}-store",
        "records": f"arn:aws:s3:::{PREFIX}-records",
        "key": getattr(rig.outputs.native, "key", ""),
        "signing": rig.outputs.signing.key_id,
        "versions": f"{group.replace(':model-package-group/', ':model-package/')}/*",
        "group": group,
        "image_repository": None,
        "subnets": [],
        "security_group": None,
        "database": f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:db-1/trivet",
    }
    return Known(place=place, **{name: fields.get(name) for name in Known.__dataclass_fields__ if name != "place"})


def action(call: Call) -> str:
    """The right that a call needs."""
    operation = S3.get(call["operation"], call["operation"]) if call["service"] == "s3" else call["operation"]
    return f"{call['service']}:{operation}"


def by(calls: list[Call], principal: str) -> list[Call]:
    return [one for one in calls if one["principal"].endswith(principal)]


def test_the_deployer_may_do_what_the_verbs_ask(calls: list[Call], known: Known) -> None:
    used = {action(one) for one in by(calls, OWN)}
    assert "sagemaker:CreateTrainingJob" in used
    assert "s3:PutObject" in used
    assert used - FREE <= grants.actions_of(grants.deployer(known))


@pytest.mark.parametrize(("role", "rights"), [("-trainer", grants.trainer), (SERVER, server)])
def test_a_container_may_do_what_it_asks(calls: list[Call], known: Known, role: str, rights: Rights) -> None:
    used = {action(one) for one in by(calls, role)}
    assert used >= {"s3:PutObject"}
    assert used <= grants.actions_of(rights(known))


@pytest.mark.parametrize(
    ("principal", "rights"), [(OWN, grants.deployer), ("-trainer", grants.trainer), (SERVER, server)]
)
def test_every_object_lies_where_its_caller_may_reach_it(
    calls: list[Call], known: Known, principal: str, rights: Rights
) -> None:
    statements = rights(known)
    for one in by(calls, principal):
        if one["service"] != "s3" or one["operation"] == "DeleteObjects":  # whose keys are not in its address
            continue
        arn = f"arn:aws:s3:::{one['resource']}"
        allowed = [
            each
            for each in statements
            if action(one) in each["Action"] and any(fnmatchcase(arn, r) for r in each["Resource"])
        ]
        assert allowed, f"{action(one)} of {arn}"


def test_a_deployer_of_one_endpoint_may_do_what_the_verbs_ask_there_and_nothing_of_another(
    calls: list[Call], known: Known
) -> None:
    used = {action(one) for one in by(calls, OWN)}
    statements = deployer_of_one(known)
    assert used - FREE <= grants.actions_of(statements)
    for one in by(calls, OWN):
        kind = next((word for word in RELEASED if one["operation"].endswith(word)), None)
        if kind and one["operation"] in NAMING:
            arn = known.place.arn("sagemaker", f"{RELEASED[kind]}/{one['resource']}")
            assert allows(statements, action(one), arn, {}), f"{action(one)} of {arn}"
    other = known.place.arn("sagemaker", f"endpoint/{PREFIX}-{ENDPOINTS[1]}")
    assert not allows(statements, "sagemaker:UpdateEndpoint", other, {})
    longer = known.place.arn("sagemaker", f"model/{PREFIX}-{ENDPOINTS[0]}-eu-123456789012")
    assert not allows(statements, "sagemaker:DeleteModel", longer, {ENDPOINT_TAG: f"{ENDPOINTS[0]}-eu"})
    assert allows(statements, "sagemaker:DeleteModel", longer, {ENDPOINT_TAG: ENDPOINTS[0]})
    theirs = f"{known.records}/predictions/{ENDPOINTS[1]}/2026/one.jsonl"
    assert not allows(statements, "s3:GetObject", theirs, {})
    assert not allows(server(known), "s3:PutObject", theirs, {})
    assert allows(statements, "s3:GetObject", theirs.replace(ENDPOINTS[1], ENDPOINTS[0]), {})


def test_the_deployer_may_do_nothing_in_these_services_that_no_verb_asks(calls: list[Call], known: Known) -> None:
    used = {action(one) for one in by(calls, OWN)}
    services = ("sagemaker:", "application-autoscaling:", "cloudwatch:", "logs:")
    allowed = {one for one in grants.actions_of(grants.deployer(known)) if one.startswith(services)}
    assert allowed - used == ASKED_BESIDE.keys()


def test_only_who_writes_the_ledger_may_log_in_to_its_database(known: Known) -> None:
    roles = (grants.trainer, server, grants.monitor, grants.workflow, grants.scheduler, grants.deployer)
    may = {role.__name__ for role in roles if "rds-db:connect" in grants.actions_of(role(known))}
    assert may == {"monitor", "deployer"}


def test_what_the_runtime_names_has_the_stacks_prefix(calls: list[Call]) -> None:
    """Roles may touch what begins with it."""
    found = [one["resource"] for one in by(calls, OWN) if one["operation"] in NAMING]
    assert len(found) > len(NAMING)
    assert [name for name in found if not name.startswith(f"{PREFIX}-")] == []


def allows(statements: list[dict[str, Any]], wanted: str, arn: str, tags: dict[str, str]) -> bool:
    """Whether IAM would let it, by the tags that the resource bears: none of what is not there."""
    for one in statements:
        compared = one.get("Condition", {}).get("StringEqualsIfExists", {})
        bears = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
        if (
            wanted in one["Action"]
            and any(fnmatchcase(arn, each) for each in one["Resource"])
            and all(bears.get(key, value) == value for key, value in compared.items())
        ):
            return True
    return False


@pytest.mark.parametrize("kind", ["endpoint", "endpoint-config", "model", "training-job", "transform-job", "alarm"])
def test_what_is_anothers_is_refused_though_its_name_begins_like_ours(known: Known, kind: str) -> None:
    service, between = ("cloudwatch", ":") if kind == "alarm" else ("sagemaker", "/")
    word = "".join(part.capitalize() for part in kind.split("-"))
    verbs = ("Stop",) if kind.endswith("job") else ("Delete",)
    wanted = [f"{service}:{verb}{word}{'s' if kind == 'alarm' else ''}" for verb in verbs]
    wanted.append("cloudwatch:TagResource" if kind == "alarm" else "sagemaker:AddTags")  # else it becomes ours first
    arn = known.place.arn(service, f"{kind}{between}{PREFIX}-eu-loan")
    ours = {STACK_TAG: STACK, PROJECT_TAG: "rehearsal"}
    statements = grants.deployer(known)
    for one in wanted:
        assert allows(statements, one, arn, ours) and allows(statements, one, arn, {})
        assert not allows(statements, one, arn, ours | {STACK_TAG: f"{STACK}-eu"})
        assert not allows(statements, one, arn, ours | {PROJECT_TAG: "another"})
