"""Our rules on the stack: silent on every profile, and loud on every fault."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from trivet.clouds.gcpnames import labels
from trivet.core.leftovers import ENVIRONMENT_TAG, MANAGED_TAG, STACK_TAG
from trivet.governance.rules import RULES, Graph, Resource, Setting, violations
from trivet.governance.rules.aws import account, database, identity, network
from trivet.governance.rules.documents import statements

from .graphs import PROFILES, graph
from .mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_stack_violates_no_rule(profile):
    assert graph(profile).violations() == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_every_fault_violates_a_rule(mutation):
    assert mutation.seeded().violations()


def test_every_rule_has_a_fault_that_it_finds():
    found = set()
    for mutation in MUTATIONS:
        found |= {one.rule.id for one in mutation.seeded().violations()}
    assert {one.id for one in RULES} - found == set()


def test_rules_are_told_apart_and_say_whose_demand_they_are():
    assert len({one.id for one in RULES}) == len(RULES)
    assert all(one.sentence and one.control for one in RULES)


def test_a_rule_of_one_resource_knows_types_that_the_sdk_has():
    from trivet.rehearsal.plugins import sdk

    for type_ in {type_ for one in RULES for type_ in one.types}:
        if not type_.startswith("pulumi:"):
            assert sdk.declared(type_).token == type_


def test_an_outsider_s_list_needs_no_more_than_types_names_and_inputs():
    """No engine, no references: a bucket and what guards it find each other by the bucket's name."""
    bucket = Resource("aws:s3/bucket:Bucket", "mine", {"bucket": "mine-1"})
    alone = {one.message for one in violations(RULES, [bucket], Setting("prod"))}
    assert "nothing keeps the public out of it" in alone
    flags = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)
    block = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    closed = Resource(block, "closed", {"bucket": "mine-1", **flags})
    other = Resource(block, "closed", {"bucket": "other", **flags})
    assert "nothing keeps the public out of it" not in {
        one.message for one in violations(RULES, [bucket, closed], Setting("prod"))
    }
    assert "nothing keeps the public out of it" in {
        one.message for one in violations(RULES, [bucket, other], Setting("prod"))
    }


def test_a_stack_on_another_cloud_is_left_alone():
    local = [Resource("trivet:local:Stack", "local", {}), Resource("pulumi-python:dynamic:Resource", "store", {})]
    assert violations(RULES, local, Setting("prod", regulated=True)) == []


@pytest.mark.parametrize(
    ("setting", "days", "wrong"),
    [(Setting("dev"), 1, False), (Setting("dev"), 0, True), (Setting("prod"), 6, True), (Setting("prod"), 7, False)],
)
def test_a_rule_asks_more_of_a_stack_that_matters(setting, days, wrong):
    found = database.backups.of(Resource(database.INSTANCE, "db", {"backupRetentionPeriod": days}), setting)
    assert bool(list(found)) is wrong


def test_what_takes_no_resource_is_what_the_stack_s_roles_list():
    from trivet.infra.stacks.aws.grants import WILDCARDS

    assert set(WILDCARDS) == identity.RESOURCELESS


@pytest.mark.parametrize(
    ("said", "anybody"),
    [
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": ["arn:aws:iam::1:root", "*"]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::1:root"}}, False),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": "1"}}}, False),
        ({"Principal": "*", "Condition": {"StringEquals": {"AWS:PrincipalOrgID": ["o-1"]}}}, False),
        ({"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalAccount": "*"}}}, True),
        ({"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalOrgID": "o-*"}}}, True),
        ({"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:*:*:*"}}}, True),
        ({"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:*:123456789012:*"}}}, False),
        ({"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::mine"}}}, False),
        ({"Principal": "*", "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "1"}}}, True),
        ({"Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
        ({"Principal": "*", "Condition": {"ForAllValues:StringEquals": {"aws:PrincipalAccount": "1"}}}, True),
        ({"Principal": "*", "Condition": {"StringEqualsIfExists": {"aws:PrincipalAccount": "1"}}}, True),
    ],
)
def test_who_a_statement_is_for(said, anybody):
    [one] = statements({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", **said}})
    assert one.is_for_anybody is anybody


def policy(*said: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in said]})


def wrong(type_: str, **inputs: object) -> set[str]:
    """Which rules over one resource it violates."""
    return {one.rule.id for one in violations(RULES, [Resource(type_, "x", inputs)], Setting("prod")) if one.resource}


@pytest.mark.parametrize(
    ("said", "rules"),
    [
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}, set()),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::*"}, {"iam-resources"}),
        ({"Action": "s3:Get?bject", "Resource": "arn:aws:s3:::data/*"}, {"iam-actions"}),
        ({"NotAction": "iam:CreateUser", "Resource": "arn:aws:s3:::data"}, {"iam-actions"}),
        ({"Action": ["ecr:GetAuthorizationToken"], "Resource": "*"}, set()),
        ({"Action": ["ecr:GetAuthorizationToken", "ecr:PutImage"], "Resource": "*"}, {"iam-resources"}),
    ],
)
@pytest.mark.parametrize("way", ["policy", "inline"])
def test_what_a_policy_may_say(said, rules, way):
    if way == "policy":
        assert wrong(identity.POLICY, policy=policy(said)) == rules
    else:
        trust = policy({"Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "sts:AssumeRole"})
        assert wrong(identity.ROLE, assumeRolePolicy=trust, inlinePolicies=[{"policy": policy(said)}]) == rules


@pytest.mark.parametrize(
    ("condition", "fine"),
    [
        ({"StringEquals": {"gh:sub": "repo:a/b:environment:prod", "gh:aud": "sts"}}, True),
        ({"StringEquals": {"gh:sub": "repo:a/b:ref:x", "gh:aud": "sts"}, "StringLike": {"gh:sub": "repo:*"}}, True),
        ({"StringLike": {"gh:sub": "repo:a/b:*"}, "StringEquals": {"gh:aud": "sts"}}, False),
        ({"StringEquals": {"gh:sub": "repo:a/b:*", "gh:aud": "sts"}}, False),
        ({"StringEquals": {"gh:sub": "repo:a/b:environment:prod"}}, False),
        ({"StringEquals": {"gh:aud": "sts"}}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("action", ["sts:AssumeRoleWithWebIdentity", "sts:*"])
def test_whose_token_becomes_a_role(condition, fine, action):
    said = {"Principal": {"Federated": "arn:aws:iam::1:oidc-provider/gh"}, "Action": action, "Condition": condition}
    assert ("iam-oidc" not in wrong(identity.ROLE, assumeRolePolicy=policy(said))) is fine


@pytest.mark.parametrize(
    ("range_", "open_"),
    [("0.0.0.0/0", True), ("128.0.0.0/1", True), ("::/0", True), ("10.0.0.0/8", False), ("10.80.0.0/16", False)],
)
def test_how_wide_a_range_may_be(range_, open_):
    field = "cidrIpv6" if ":" in range_ else "cidrIpv4"
    assert ("vpc-groups" in wrong(network.INGRESS, **{field: range_})) is open_
    inline = {"ipv6CidrBlocks" if ":" in range_ else "cidrBlocks": [range_]}
    assert ("vpc-groups" in wrong(network.GROUP, ingress=[inline])) is open_


class Unknown(LookupError):
    """What the policy pack's own values raise where a preview does not know them."""


class Unknowable(dict):
    def get(self, *_: object) -> None:
        raise Unknown


def test_a_value_that_nobody_knows_yet_hides_nothing_else_that_the_rule_finds():
    log = Resource(network.FLOW_LOG, "log", Unknowable(), refers={"vpcId": ["first"]})
    graph = Graph([Resource(network.VPC, "first", {}), Resource(network.VPC, "second", {}), log])
    found = []
    for part in network.logged.of_stack(graph, Setting("prod")):
        with suppress(Unknown):
            found += [(resource and resource.name, message) for resource, message in part]
    assert found == [("second", "no log keeps all of its traffic")]


@pytest.mark.parametrize(
    ("setting", "asked"),
    [
        (Setting("prod"), True),
        (Setting("staging"), True),
        (Setting("dev", regulated=True), True),
        (Setting("dev"), False),
    ],
)
def test_a_stack_that_matters_has_a_budget(setting: Setting, asked: bool):
    found = violations(RULES, [Resource("aws:ec2/vpc:Vpc", "a", {})], setting)
    assert ("budget-there" in {one.rule.id for one in found}) is asked


def test_the_tags_that_rules_ask_for_are_those_that_the_stack_gives():
    assert account.OWN_TAGS == (STACK_TAG, ENVIRONMENT_TAG, MANAGED_TAG)


def test_labels_are_looked_for_as_google_cloud_has_them():
    bearing = {"trivet-stack": "a", "trivet-environment": "prod", "trivet-managed-by": "pulumi"} | labels(
        {"Cost Center": "17"}
    )
    provider = Resource("pulumi:providers:gcp", "gcp", {"project": "p", "defaultLabels": json.dumps(bearing)})
    for asked, found in (("Cost Center", []), ("Owner", ["the default labels lack owner"])):
        wrong = violations(RULES, [provider], Setting("prod", required_tags=(asked,)))
        assert [one.message for one in wrong if one.rule.id == "gcp-labels"] == found


def test_rules_need_nothing_but_the_standard_library():
    script = (
        "import sys; sys.path.append(sys.argv[1]); import trivet.governance.rules; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    command = [sys.executable, "-S", "-I", "-c", script, str(ROOT)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(said.replace("'", '"')) == ["__main__", "trivet"]
