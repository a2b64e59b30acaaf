"""Which changes replace and which update, what counts as one, and names that are chosen."""

from __future__ import annotations

import json

import pytest

from trivet.infra.engine.values import UNKNOWN
from trivet.rehearsal.plugins import compare, naming, sdk
from trivet.rehearsal.plugins.listing import all_kinds
from trivet.rehearsal.plugins.packages import fixed, package, replacements

KINDS = {kind.token: kind for kind in all_kinds()}


@pytest.mark.parametrize(
    ("token", "replaces", "updates"),
    [
        ("aws:ecr/repository:Repository", "name encryptionConfigurations[0].kmsKey", "imageTagMutability tags.a"),
        ("aws:ec2/subnet:Subnet", "vpcId cidrBlock availabilityZone", "mapPublicIpOnLaunch"),
        ("aws:sagemaker/model:Model", "primaryContainer.image vpcConfig.subnets[1]", "tags"),
        ("aws:rds/instance:Instance", "engine dbName storageEncrypted", "instanceClass password"),
        ("aws:kms/key:Key", "customerMasterKeySpec multiRegion", "policy enableKeyRotation"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "securityGroupId", "fromPort cidrIpv4"),
        ("aws:sagemaker/featureGroup:FeatureGroup", "featureDefinitions[0].featureName", "tags"),
        ("gcp:storage/bucket:Bucket", "location name project", "labels versioning.enabled"),
        ("gcp:kms/cryptoKey:CryptoKey", "keyRing purpose versionTemplate.protectionLevel", "rotationPeriod"),
        ("gcp:vertex/aiEndpoint:AiEndpoint", "encryptionSpec.kmsKeyName location", "displayName trafficSplit"),
        ("gcp:secretmanager/secret:Secret", "replication", "labels"),
        ("azure-native:storage:StorageAccount", "accountName location isHnsEnabled", "sku.name tags"),
        (
            "azure-native:machinelearningservices:Compute",
            "workspaceName properties.properties.vmSize properties.computeType",
            "properties.properties.scaleSettings.maxNodeCount",
        ),
        ("azure-native:keyvault:Vault", "properties.tenantId", "properties.networkAcls.bypass"),
    ],
)
def test_which_changes_make_another_object(token: str, replaces: str, updates: str):
    paths = fixed(KINDS[token])
    for path in replaces.split():
        answer = compare.response({path: "update"}, paths, delete_first=False)
        assert list(answer.replaces) == [path.split(".")[0].split("[")[0]], path
        assert answer.detailedDiff[path].kind == compare._KINDS.UPDATE_REPLACE
    for path in updates.split():
        answer = compare.response({path: "update"}, paths, delete_first=True)
        assert list(answer.replaces) == [] and list(answer.diffs) and not answer.deleteBeforeReplace, path


def test_every_path_that_replaces_is_one_of_the_sdk_s():
    assert sum(map(len, map(replacements, KINDS))) > 140
    for token, kind in KINDS.items():
        known = {*sdk.declared(token).inputs, "project", "location", "region"}
        assert {path.split(".")[0] for path in fixed(kind)} <= known, token


def test_differences_are_told_by_their_paths():
    old = {"a": {"b": 1, "c": 2}, "d": [1, 2], "e": "x", "__defaults": ["e"], "tags": {"k/l": "1"}}
    new = {"a": {"b": 1, "c": 3}, "d": [1], "f": UNKNOWN, "tags": {"k/l": "2"}}
    assert compare.changes(compare.without_provider_s_own(old), new) == {
        "a.c": "update",
        "d[1]": "delete",
        "e": "delete",
        "f": "add",
        'tags["k/l"]': "update",
    }


def test_documents_are_compared_by_what_they_say():
    one, other = json.dumps({"a": 1, "b": [2]}), json.dumps({"b": [2], "a": 1}, indent=2)
    assert compare.is_equal(one, other)
    assert not compare.is_equal(one, json.dumps({"a": 2}))
    assert not compare.is_equal("{", "{ ")


def test_what_a_service_adds_is_no_change_and_what_it_lost_is():
    declared = sdk.declared("aws:cloudwatch/metricAlarm:MetricAlarm").inputs
    found = {"alarmActions": ["b", "a"], "tags": {"a": "1", "b": "2"}}
    assert compare.settled(["a", "b"], found["alarmActions"], declared["alarmActions"]) == ["a", "b"]
    assert compare.settled(["a"], found["alarmActions"], declared["alarmActions"]) == ["b", "a"]
    assert compare.settled({"a": "1"}, found["tags"], declared["tags"]) == found["tags"]
    variants = sdk.declared("aws:sagemaker/endpointConfiguration:EndpointConfiguration").inputs["productionVariants"]
    known, more = [{"modelName": "a"}], [{"modelName": "a", "initialVariantWeight": 1.0}]
    assert compare.settled(known, more, variants) == known
    assert compare.settled(known, [{"modelName": "b", "initialVariantWeight": 1.0}], variants) == [{"modelName": "b"}]


def test_a_chosen_name_stays_until_the_object_is_made_anew():
    first = naming.with_name({}, {}, "name", "data-1234567")
    assert first == {"name": "data-1234567", "__defaults": ["name"]}
    assert naming.with_name({}, first, "name", "data-7654321") == first
    assert naming.with_name({"name": "mine"}, first, "name", "data-7654321") == {"name": "mine"}
    assert naming.with_name({}, {"name": "mine"}, "name", "data-7654321")["name"] == "data-7654321"
    assert naming.random_end(b"seed", "urn", 7) == naming.random_end(b"seed", "urn", 7)
    assert naming.random_end(b"seed", "urn", 7) != naming.random_end(b"seed", "other", 7)


@pytest.mark.parametrize("name", ["aws", "gcp", "azure-native"])
def test_a_plugin_gives_the_version_of_the_sdk(name: str):
    served = package(name)
    assert served.version.split(".")[0] == {"aws": "7", "gcp": "10", "azure-native": "3"}[name]
    assert all(token.startswith(f"{name}:") for token in (*served.kinds, *served.functions))
