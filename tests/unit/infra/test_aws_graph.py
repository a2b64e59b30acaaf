"""The graph of the AWS stack under mocks: what each profile makes, that nothing is open, and what its roles may do."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from fnmatch import fnmatchcase
from typing import Any

import pytest

from trivet.core.errors import ConfigError
from trivet.core.outputs import Outputs
from trivet.infra.settings import Settings
from trivet.infra.stacks.aws import Stack
from trivet.infra.stacks.aws.grants import actions_of

from .graphs import Builder, builder, built

TAGS = {"owner": "credit"}
BASE = {
    "cloud": "aws",
    "environment": "prod",
    "region": "eu-central-1",
    "account": "123456789012",
    "endpoints": json.dumps([{"name": "loan", "team": "credit", "budget": 100, "repository": "credit/loan"}, "fraud"]),
    "alert_emails": '["ml@example.com"]',
    "repository": "acme/models",
    "budget": "1000",
    "tags": json.dumps(TAGS),
}
OFF = dict.fromkeys(("network", "database", "images", "oidc", "audit", "catalog"), "off")
USE = {
    "network": '{"vpc": "vpc-1", "subnets": ["subnet-1", "subnet-2"], "security_group": "sg-1"}',
    "key": '{"arn": "arn:aws:kms:eu-central-1:123456789012:key/1"}',
    "database": '{"url": "postgresql://db:5432/trivet", "resource_id": "db-1"}',
    "images": '{"url": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shared"}',
    "oidc": '{"arn": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}',
    "alerts": '{"topic": "arn:aws:sns:eu-central-1:123456789012:ours"}',
    "alert_emails": "[]",
    "audit": "off",
    "catalog": "off",
}
PASSED = ("trainer", "server-loan", "server", "monitor", "workflow")
GIVEN = ("trainer", "server", "monitor", "workflow", "scheduler", "deployer")
NIGHTLY = '[{"name": "nightly", "at": "rate(1 day)"}]'
UNKNOWN_PRICE = {"aws": {"instance_type": "ml.x9.large", "most_cost": 1}}
UNPRICED = json.dumps([{"name": "nightly", "at": "rate(1 day)", "native": UNKNOWN_PRICE}])
PROFILES = {
    "dev": {"environment": "dev"},
    "database": {"environment": "dev", "database": "create"},
    "staging": {"environment": "staging"},
    "prod": {},
    "regulated": {"regulated": "true"},
    "off": {"environment": "dev", "batch": "off", **OFF},
    "scheduled": {"schedules": NIGHTLY},
    "use": USE,
}
BEYOND = {
    "roles": {
        "identity": json.dumps({one: f"arn:aws:iam::123456789012:role/{one}" for one in GIVEN}),
        "endpoints": '["loan", "fraud"]',
        "repository": None,
        "schedules": NIGHTLY,
    },
}
"""Profiles with endpoints of no team."""


def run(profile: str) -> dict[str, Any]:
    chosen = {name: value for name, value in (BASE | (PROFILES | BEYOND)[profile]).items() if value is not None}
    return built(profile, chosen)


def graph(profile: str) -> dict[str, dict[str, Any]]:
    return run(profile)["resources"]


def of(profile: str, kind: str) -> dict[str, dict[str, Any]]:
    return {name.split("::")[1]: one for name, one in graph(profile).items() if one["type"].rsplit(":", 1)[-1] == kind}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_outputs_are_what_the_platform_reads(profile):
    outputs = Outputs.parse(run(profile)["output"], "The stack's output")
    assert outputs.native.cloud == "aws" and list(outputs.endpoints) == ["loan", "fraud"]
    assert outputs.store.startswith("s3://") and outputs.endpoints["loan"].port == 443
    assert outputs.native.alarms["loan"] == (f"trivet-{profile}-loan-errors", f"trivet-{profile}-loan-latency")
    assert outputs.native.tags == TAGS and outputs.native.teams == {"loan": "credit"}


def test_two_builds_are_the_same():
    with closing(Builder("aws")) as another:
        assert another.build("prod", BASE | PROFILES["prod"]) == run("prod")


def test_a_preview_makes_the_same_graph():
    foreseen = builder("aws").build("prod", BASE | PROFILES["prod"], "preview", home="/nonexistent")
    assert foreseen["resources"].keys() == graph("prod").keys()


def test_what_is_used_or_off_is_not_made():
    kinds = Counter(one["type"].rsplit(":", 1)[-1] for one in graph("use").values())
    assert not kinds.keys() & {
        "Vpc",
        "Subnet",
        "Instance",
        "Repository",
        "OpenIdConnectProvider",
        "Trail",
        "VpcEndpoint",
    }
    assert list(of("use", "Key")) == ["signing-key"]
    assert of("use", "BucketServerSideEncryptionConfiguration")["store-encryption"]["rules"][0][
        "applyServerSideEncryptionByDefault"
    ]["kmsMasterKeyId"].endswith("key/1")
    kinds = Counter(one["type"].rsplit(":", 1)[-1] for one in graph("off").values())
    assert not kinds.keys() & {"Vpc", "SecurityGroup", "Instance", "Repository", "OpenIdConnectProvider", "Trail"}
    assert "deployer" not in of("off", "Role")


@pytest.mark.parametrize("profile", PROFILES)
def test_buckets_are_closed_versioned_and_encrypted(profile):
    for name in of(profile, "Bucket"):
        closed = of(profile, "BucketPublicAccessBlock")[f"{name}-closed"]
        assert all(value is True for key, value in closed.items() if key.startswith(("block", "ignore", "restrict")))
        assert of(profile, "BucketVersioning")[f"{name}-versions"]["versioningConfiguration"]["status"] == "Enabled"
        assert of(profile, "BucketServerSideEncryptionConfiguration")[f"{name}-encryption"]
        denied = json.loads(of(profile, "BucketPolicy")[f"{name}-policy"]["policy"])["Statement"][:2]
        assert [one["Effect"] for one in denied] == ["Deny", "Deny"]
    assert len(of(profile, "Bucket")) == 3


def test_a_regulated_stack_locks_its_records():
    assert of("regulated", "Bucket")["records"]["objectLockEnabled"] is True
    lock = of("regulated", "BucketObjectLockConfiguration")["records-lock"]["rule"]["defaultRetention"]
    assert lock == {"mode": "COMPLIANCE", "days": 3653}
    assert not of("prod", "BucketObjectLockConfiguration")


def test_the_database_is_private_encrypted_and_has_no_password_of_ours():
    instance = of("prod", "Instance")["database"]
    assert instance["storageEncrypted"] and instance["multiAz"] and instance["deletionProtection"]
    assert instance["publiclyAccessible"] is False and instance["manageMasterUserPassword"] is True
    assert instance["iamDatabaseAuthenticationEnabled"] is True and "password" not in instance
    assert instance["backupRetentionPeriod"] == 35
    parameters = {
        one["name"]: one["value"] for one in of("prod", "ParameterGroup")["database-parameters"]["parameters"]
    }
    assert parameters["rds.force_ssl"] == "1"
    assert not of("dev", "Instance")
    small = of("database", "Instance")["database"]
    assert not (small["multiAz"] or small["deletionProtection"]) and small["instanceClass"] == "db.t4g.micro"


def test_dev_has_fewer_endpoints_of_services_in_one_zone_and_reaches_the_store_all_the_same():
    def services(profile: str) -> dict[str, int]:
        private = [one for one in of(profile, "VpcEndpoint").values() if one["vpcEndpointType"] == "Interface"]
        return {
            one["serviceName"].removeprefix("com.amazonaws.eu-central-1."): len(one["subnetIds"]) for one in private
        }

    assert services("dev") == {"sagemaker.api": 1, "monitoring": 1, "kms": 1}
    assert set(services("prod").values()) == {2} and services("prod").keys() > services("dev").keys()
    assert of("dev", "VpcEndpoint")["s3"]["vpcEndpointType"] == "Gateway"
    assert len(of("dev", "Subnet")) == 2  # a database wants two zones, and subnets cost nothing


@pytest.mark.parametrize(("region", "letters"), [("eu-central-1", "ab"), ("ap-northeast-1", "ac")])
def test_subnets_lie_in_zones_that_the_account_has_and_stay_there(region, letters):
    """The first and the second zone, by the names that they always had; another later takes no subnet away."""
    made = built("zones", BASE | {"region": region})
    keys = [f"aws:ec2/subnet:Subnet::subnet-{place}" for place in "ab"]
    assert [made["resources"][key]["availabilityZone"] for key in keys] == [f"{region}{one}" for one in letters]
    assert all(made["options"][key]["ignoreChanges"] == ["availabilityZone"] for key in keys)


def test_a_region_with_too_few_zones_for_the_account_is_named():
    refused = built("zones", BASE | {"region": "ca-west-1"}, "preview")["refused"]
    assert "ca-west-1 has 1 zones that the account 123456789012 may use" in refused
    assert "name a network of yours in trivet:network" in refused


def test_config_may_name_the_services_itself():
    made = built("x", BASE | {"private_services": '["kms", "sts"]'})["resources"]
    assert {name.split("::")[1] for name in made if "VpcEndpoint" in name} == {"s3", "kms", "sts"}


@pytest.mark.parametrize("stack", ["gcp-prod", "azure", "Local.test", "gcp2"])
def test_a_stack_named_after_another_cloud_is_refused(stack):
    answer = built(stack, BASE)
    assert "and its cloud is aws" in answer["refused"] and answer["registered"] == []


def test_nothing_is_open_to_the_world():
    text = json.dumps(list(graph("prod").values()))
    assert "0.0.0.0/0" not in text and "::/0" not in text
    assert not of("prod", "InternetGateway") and not of("prod", "NatGateway")
    assert all(one["mapPublicIpOnLaunch"] is False for one in of("prod", "Subnet").values())


def statements(profile: str) -> dict[str, list[dict[str, Any]]]:
    policies = of(profile, "Policy")
    return {name: json.loads(one["policy"])["Statement"] for name, one in policies.items()}


@pytest.mark.parametrize("profile", PROFILES)
def test_roles_have_wildcards_only_where_aws_knows_nothing_narrower(profile):
    from trivet.infra.stacks.aws.grants import WILDCARDS

    for name, rights in statements(profile).items():
        for one in rights:
            actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
            assert not any("*" in action for action in actions), (name, one)
            if "*" in (one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]):
                assert set(actions) <= WILDCARDS.keys(), (name, one)


@pytest.mark.parametrize(("role", "repository"), [("deployer", "acme/models"), ("deployer-loan", "credit/loan")])
def test_only_its_own_repository_and_environment_may_deploy(role, repository):
    trust = json.loads(of("prod", "Role")[role]["assumeRolePolicy"])["Statement"][0]
    assert trust["Condition"]["StringEquals"] == {
        "token.actions.githubusercontent.com:sub": f"repo:{repository}:environment:prod",
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
    }


def test_an_endpoint_of_a_team_has_roles_of_its_own_and_hands_no_other_s():
    roles = of("prod", "Role")
    assert {name for name in roles if name.startswith(("server", "deployer"))} == {
        *("server", "server-loan"),
        *("deployer", "deployer-loan"),
    }
    for name in ("server-loan", "deployer-loan"):
        assert roles[name]["tags"] == {"trivet:endpoint": "loan", "trivet:team": "credit"}
    [passing] = [one for one in statements("prod")["deployer-loan-policy"] if one["Action"] == "iam:PassRole"]
    assert not any(arn.endswith(":server") for arn in passing["Resource"])
    assert any(arn.endswith(":server-loan") for arn in passing["Resource"])
    native = run("prod")["output"]["native"]
    assert {name: arn.rpartition(":")[2] for name, arn in native["server_roles"].items()} == {
        "loan": "server-loan",
        "fraud": "server",
    }
    assert native["deployer_roles"].keys() == {"loan"}


def test_roles_and_a_topic_that_are_used_are_named_and_nothing_of_theirs_is_made():
    kinds = Counter(one["type"].rsplit(":", 1)[-1] for one in graph("roles").values())
    assert not kinds.keys() & {"Policy", "RolePolicyAttachment", "OpenIdConnectProvider"}
    assert not any(name in of("roles", "Role") for name in GIVEN)
    native = run("roles")["output"]["native"]
    given = {one: f"arn:aws:iam::123456789012:role/{one}" for one in GIVEN}
    assert {one: native[f"{one}_role"] for one in GIVEN if one != "server"} == {
        one: arn for one, arn in given.items() if one != "server"
    }
    assert native["server_roles"] == dict.fromkeys(("loan", "fraud"), given["server"])
    target = of("roles", "Schedule")["schedule-nightly"]["target"]
    assert (target["roleArn"], json.loads(target["input"])["RoleArn"]) == (given["scheduler"], given["trainer"])
    assert not {"Topic", "TopicPolicy", "TopicSubscription"} & {
        one["type"].rsplit(":", 1)[-1] for one in graph("use").values()
    }
    topic = json.loads(USE["alerts"])["topic"]
    assert run("use")["output"]["native"]["alerts"] == topic
    assert of("use", "MetricAlarm")["errors-loan"]["alarmActions"] == [topic]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"identity": BEYOND["roles"]["identity"]}, "loan asks for roles of its own, and trivet:identity names"),
        (BEYOND["roles"] | {"repository": "acme/models"}, "trivet:repository asks for a role, and trivet:identity"),
        ({"identity": '{"trainer": "arn:aws:iam::123456789012:role/trainer"}'}, "server is missing"),
        ({"alerts": USE["alerts"]}, "alert_emails would change the topic that trivet:alerts names"),
        ({"alerts": "off"}, "alerts cannot be 'off' on AWS"),
    ],
)
def test_what_would_change_what_is_used_is_refused(config, told):
    with pytest.raises(ConfigError, match=told):
        Stack.check(Settings.of(BASE | config), "trivet-prod")


@pytest.mark.parametrize("profile", PROFILES)
def test_no_policy_is_longer_than_iam_takes(profile):
    """6,144 characters without white space; IAM user guide, "IAM and AWS STS quotas"."""
    for name, one in of(profile, "Policy").items():
        assert len(json.dumps(json.loads(one["policy"]), separators=(",", ":"))) <= 6144, name


def test_roles_are_passed_to_sagemaker_alone():
    for name in ("workflow-policy", "deployer-policy", "deployer-loan-policy", "scheduler-policy"):
        [passing] = [one for one in statements("prod")[name] if one["Action"] == "iam:PassRole"]
        assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        assert all(arn.rpartition(":")[2] in PASSED for arn in passing["Resource"])


def test_only_who_may_make_a_model_may_score_with_it():
    for name, rights in statements("prod").items():
        allowed = actions_of(rights)
        assert ("sagemaker:CreateTransformJob" in allowed) == (name in ("deployer-policy", "deployer-loan-policy"))
        if "sagemaker:CreateTransformJob" in allowed:
            assert {"sagemaker:CreateModel", "sagemaker:DescribeModel", "sagemaker:AddTags"} <= allowed


def test_a_schedule_is_made_where_one_is_asked_for_and_nothing_of_it_elsewhere():
    for kind in ("Schedule", "ScheduleGroup", "Queue"):
        assert of("scheduled", kind) and not of("prod", kind)
    assert of("scheduled", "EventRule").keys() == {"batch-failed", "scheduled-failed"} and not of("off", "EventRule")
    schedule, queue = of("scheduled", "Schedule")["schedule-nightly"], of("scheduled", "Queue")["undelivered"]
    assert schedule["kmsKeyArn"] and queue["kmsMasterKeyId"] and schedule["target"]["deadLetterConfig"]["arn"]
    alarm = of("scheduled", "MetricAlarm")["undelivered"]
    assert alarm["dimensions"] == {"QueueName": queue["name"]} and alarm["alarmActions"]


def test_schedules_start_only_jobs_of_the_stack_and_only_for_its_own_group():
    [trust] = json.loads(of("scheduled", "Role")["scheduler"]["assumeRolePolicy"])["Statement"]
    group = of("scheduled", "ScheduleGroup")["schedules"]["name"]
    arn = f"arn:aws:scheduler:eu-central-1:123456789012:schedule-group/{group}"
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012", "aws:SourceArn": arn}}
    rights = {one["Sid"]: one for one in statements("scheduled")["scheduler-policy"]}
    request = json.loads(of("scheduled", "Schedule")["schedule-nightly"]["target"]["input"])
    job = f"arn:aws:sagemaker:eu-central-1:123456789012:training-job/{request['TrainingJobName']}"
    assert fnmatchcase(job, rights["Start"]["Resource"][0]) and request["RoleArn"] in rights["Pass"]["Resource"]
    assert rights["Keep"]["Resource"][0].endswith(f":{of('scheduled', 'Queue')['undelivered']['name']}")
    assert request["TrainingJobName"].endswith("-nightly-<aws.scheduler.execution-id>")


def test_the_trail_tells_no_topic_of_the_files_that_it_delivers():
    """The topic of alarms does not let CloudTrail publish, so that the trail could not be made."""
    assert of("prod", "Trail")["trail"].keys().isdisjoint({"snsTopicName"})
    sent = json.loads(of("prod", "TopicPolicy")["alerts-policy"]["policy"])["Statement"]
    assert not [one for one in sent if "cloudtrail.amazonaws.com" in one["Principal"]["Service"]]


def test_eventbridge_reaches_the_encrypted_topic_under_no_condition_and_others_for_the_account_alone():
    """Conditions on EventBridge's own are not supported there, and its messages would be lost unheard."""
    topic = json.loads(of("prod", "TopicPolicy")["alerts-policy"]["policy"])["Statement"]
    key = json.loads(of("prod", "Key")["data-key"]["policy"])["Statement"]
    for statements in (topic, key):
        [events] = [one for one in statements if "events.amazonaws.com" in one["Principal"].get("Service", ())]
        assert events["Principal"] == {"Service": "events.amazonaws.com"} and "Condition" not in events
    assert {"kms:Decrypt", "kms:GenerateDataKey*"} == {*events["Action"]}
    own = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert [one["Condition"] for one in topic if one["Sid"] != "Events"] == [own]


def test_names_fit_their_services():
    most = {"Role": 64, "Policy": 128, "ModelPackageGroup": 63, "Bucket": 63, "Instance": 63}
    keys = {"ModelPackageGroup": "modelPackageGroupName", "Bucket": "bucket", "Instance": "identifier"}
    for kind, limit in most.items():
        for one in of("regulated", kind).values():
            assert len(one[keys.get(kind, "name")]) <= limit


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"account": "12"}, "'12' in trivet:account is not an account id of 12 digits"),
        ({"account": ""}, "no account is named"),
        ({"endpoints": '["loan-"]'}, "'loan-' is no name here"),
        ({"prefix": "9lives"}, "ames would begin with '9lives-x'"),
        ({"environment": "test"}, "Input should be 'dev', 'staging' or 'prod'"),
        ({"required_tags": '["auditor"]'}, "required tags are missing: auditor"),
        ({"tags": '{"aws:x": "1"}'}, "no tags that every cloud takes"),
        ({"region": "nowhere-1"}, "no region of aws"),
        ({"region": "eu-centrall-1"}, "did you mean eu-central-1?"),
        ({"network": '{"vpc": "vpc-1"}'}, "subnets is missing"),
        ({"network": "off"}, "database needs a network"),
        ({"key": "off"}, "trivet:key cannot be 'off' on AWS: choose create or use"),
        ({"audit": '{"arn": "arn:aws:cloudtrail:eu-central-1:123456789012:trail/t"}'}, "trivet:audit cannot be 'use'"),
        ({"batch": '{"arn": "arn:aws:sns:eu-central-1:123456789012:t"}'}, "choose create or off"),
        ({"schedules": '[{"name": "%s", "at": "rate(1 day)"}]' % ("a" * 40)}, "longer than SageMaker takes"),
        ({"schedules": NIGHTLY, "images": "off"}, "so the schedule 'nightly' has no image"),
        ({"schedules": UNPRICED}, "The price of ml.x9.large in eu-central-1 is not known"),
        ({"images": '{"url": "ghcr.io/lending/models"}'}, "no repository of ECR"),
        ({"images": '{"arn": "x"}'}, "url is missing, arn is unknown"),
        ({"database": '{"url": "postgresql://db/x", "id": "x"}'}, "id is unknown"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_made(config, message):
    answer = built("x", BASE | config)
    assert message in answer["refused"]
    assert answer["registered"] == [], "what was registered before that"
