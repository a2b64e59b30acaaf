"""What the stand-ins refuse: mistakes in a program, what they do not serve, and every place but a rehearsal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from trivet.core.errors import ConfigError, PlatformError, TrivetError
from trivet.rehearsal.plugins import guards, sdk
from trivet.rehearsal.plugins.checks import check_inputs
from trivet.rehearsal.plugins.guards import REHEARSAL, STORE
from trivet.rehearsal.plugins.packages import MODULES, package
from trivet.rehearsal.plugins.path import rehearsing

from .conftest import Stack


def failures(token: str, inputs: dict[str, Any]) -> dict[str, str]:
    return dict(check_inputs(sdk.declared(token), inputs).failures)


def warnings(token: str, inputs: dict[str, Any]) -> dict[str, str]:
    return dict(check_inputs(sdk.declared(token), inputs).warnings)


ENDPOINT = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
ACCOUNT = "azure-native:storage:StorageAccount"
COMPUTE = "azure-native:machinelearningservices:Compute"
GROUP = {"resourceGroupName": "lending", "workspaceName": "ml"}


@pytest.mark.parametrize(
    ("token", "inputs", "found"),
    [
        (ENDPOINT, {}, {"productionVariants": "is required and missing"}),
        (
            ENDPOINT,
            {"productionVariants": [{"modelNam": "loan"}]},
            {"productionVariants[0].modelNam": "is not known; did you mean 'modelName'?"},
        ),
        (
            ENDPOINT,
            {"productionVariants": [{"serverlessConfig": {"memorySizeInMb": 2048}}]},
            {"productionVariants[0].serverlessConfig.maxConcurrency": "is required and missing"},
        ),
        (ENDPOINT, {"productionVariants": {}}, {"productionVariants": "must be a list, not 'dict'"}),
        (
            ENDPOINT,
            {"productionVariants": [{"initialInstanceCount": "2"}]},
            {"productionVariants[0].initialInstanceCount": "must be a whole number, not '2'"},
        ),
        (
            ENDPOINT,
            {"productionVariants": [{"initialInstanceCount": 1.5}]},
            {"productionVariants[0].initialInstanceCount": "must be a whole number, not 1.5"},
        ),
        ("aws:s3/bucket:Bucket", {"tags": ["a"]}, {"tags": "must be a map, not 'list'"}),
        ("aws:s3/bucket:Bucket", {"forceDestroy": "yes"}, {"forceDestroy": "must be true or false, not 'yes'"}),
        ("aws:s3/bucket:Bucket", {"bukket": "a"}, {"bukket": "is not known; did you mean 'bucket'?"}),
        ("aws:s3/bucket:Bucket", {"bucket": 3}, {"bucket": "must be text, not 3"}),
        (
            "gcp:storage/bucket:Bucket",
            {"location": "EU", "encryption": "key"},
            {"encryption": "must be an object, not 'key'"},
        ),
        (ACCOUNT, {"resourceGroupName": "a", "kind": "StorageV2", "sku": {}}, {"sku.name": "is required and missing"}),
        (
            COMPUTE,  # a union: the member that fits best says what is wrong
            {
                **GROUP,
                "properties": {
                    "computeType": "AmlCompute",
                    "properties": {"vmSiz": "a", "scaleSettings": {"maxNodeCount": 1}},
                },
            },
            {"properties.properties.vmSiz": "is not known; did you mean 'vmSize'?"},
        ),
    ],
)
def test_mistakes_and_what_is_said_of_them(token, inputs, found):
    assert failures(token, inputs) == found


def test_values_that_come_later_and_of_an_enum():
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert failures(ENDPOINT, {"productionVariants": unknown, "tags": {"a": unknown}}) == {}
    account = {"resourceGroupName": "lending", "sku": {"name": "Standard_GRS"}, "kind": "StorageV2"}
    assert failures(ACCOUNT, account) == warnings(ACCOUNT, account) == {}
    account["kind"] = "StorageV22"
    assert failures(ACCOUNT, account) == {}
    assert warnings(ACCOUNT, account) == {
        "kind": "'StorageV22' is none of the values that the SDK knows; did you mean 'StorageV2'?"
    }


def test_a_program_is_told_its_mistakes_before_anything_is_made(stack: Stack):
    program = """
import pulumi_aws as aws
aws.s3.BucketVersioning("a", bucket="b", versioning_configuration={"status": "Enabled", "mfa_deletes": "x"})
"""
    for verb in (stack.preview, stack.up):
        with pytest.raises(ConfigError, match=r"versioningConfiguration\.mfa.?[dD]eletes: is not known; did you mean"):
            verb(program)


def test_a_program_is_warned_of_a_value_that_the_sdk_does_not_know(stack: Stack):
    program = """
import pulumi_azure_native as azure
group = azure.resources.ResourceGroup("a")
azure.storage.StorageAccount("a", resource_group_name=group.name, kind="StorageV22", sku={"name": "Standard_GRS"})
"""
    assert stack.up(program)["create"] == 3
    assert any("kind: 'StorageV22' is none of the values" in line for line in stack.lines)


ORPHAN = """
from pulumi_azure_native.storage import BlobContainer
BlobContainer("a", account_name="a", resource_group_name="none")
"""
TWICE = """
from pulumi_gcp.logging import Metric
Metric("a", name="m", filter="f")
Metric("b", name="m", filter="f")
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import pulumi_aws as aws\naws.lambda_.Function('a', role='r')", "has no aws:lambda/function:Function"),
        ("import pulumi_aws as aws\naws.s3.get_bucket('a')", "has no aws:s3/getBucket:getBucket"),
        (
            ORPHAN,
            "needs /subscriptions/.*resourceGroups/none, which is not there",
        ),
        (
            TWICE,
            "m already exists",
        ),
        (
            "import pulumi_aws as aws\naws.Provider('a', region='eu-west-1', endpoints=[{'s3': 'https://s3.amazonaws.com'}])",
            "not on this machine",
        ),
        (
            "import pulumi_aws as aws\naws.Provider('a', region='eu-west-1', allowed_account_ids=['1'])",
            "none of those allowed",
        ),
    ],
)
def test_what_is_not_served_or_not_there_is_said_by_name(stack: Stack, program: str, said: str):
    with pytest.raises(TrivetError, match=said):
        stack.up(program)


def test_nothing_answers_where_the_fake_should_be(stack: Stack, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(PlatformError, match=r"Nothing answers at http://127\.0\.0\.1:9"):
        stack.up("import pulumi_aws as aws\naws.s3.Bucket('a')")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with pytest.raises(TrivetError, match="names no endpoint for AWS's service 'sts'"):
        stack.up()


def run(name: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    folder = next(path for path in environment["PATH"].split(os.pathsep) if path.endswith("bin"))
    command = [f"{folder}/pulumi-resource-{name}", "127.0.0.1:1"]
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("name", MODULES)
def test_a_plugin_starts_in_a_rehearsal_only(name: str, tmp_path: Path):
    environment = rehearsing(tmp_path)
    for missing, said in ((REHEARSAL, "runs in rehearsals only"), (STORE, "Name one in TRIVET_REHEARSAL_STORE")):
        ended = run(name, {key: value for key, value in environment.items() if key != missing})
        assert ended.returncode == 2 and ended.stdout == ""
        assert said in ended.stderr and ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ENDPOINT_URL", "https://s3.eu-central-1.amazonaws.com"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1.example.org"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1@example.org"),
        ("AWS_ENDPOINT_URL", "HTTP://10.0.0.1:5000"),
        ("GOOGLE_STORAGE_CUSTOM_ENDPOINT", "https://storage.googleapis.com"),
        ("ARM_METADATA_HOSTNAME", "management.azure.com"),
    ],
)
def test_a_plugin_does_not_start_where_an_endpoint_is_elsewhere(variable: str, value: str, tmp_path: Path):
    ended = run("aws", {**rehearsing(tmp_path), variable: value})
    assert ended.returncode == 3
    assert f"{variable} names" in ended.stderr and "not on this machine" in ended.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1/x", "http://[::1]:2", "http://127.8.8.8"])
def test_loopback_endpoints_are_taken(url: str):
    guards.require_loopback({"endpoints": [{"s3": url}], "name": "https"})


def test_no_credentials_of_the_user_s_are_read(fresh: str, tmp_path: Path, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.setenv(name, "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (tmp_path / "config").write_text("[profile production]\nendpoint_url = https://example.org\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    account: Any = package("aws").configure({"region": "eu-central-1"}, guards_store(tmp_path))
    client = account.clients.client("s3")
    assert client._request_signer._credentials.access_key == "rehearsal"
    assert client.meta.endpoint_url == fresh


def guards_store(folder: Path) -> Any:
    from trivet.rehearsal.plugins.store import Store

    return Store(folder / "store")


def test_a_plugin_ends_with_what_started_it(tmp_path: Path):
    environment = rehearsing(tmp_path)
    starter = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([{str(tmp_path / 'bin' / 'pulumi-resource-gcp')!r}], stdout=subprocess.PIPE)\n"
        "print(child.pid, child.stdout.readline(), flush=True)\nsys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starter], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin and parent.stdout
    child = psutil.Process(int(parent.stdout.readline().split()[0]))
    parent.kill()
    parent.communicate()
    child.wait(20)


def test_a_wrong_command_line(capfd):
    ended = subprocess.run(
        [sys.executable, "-m", "trivet.rehearsal.plugins", "kubernetes"], text=True, capture_output=True
    )
    assert ended.returncode == 2 and "aws, gcp, azure-native" in ended.stderr
