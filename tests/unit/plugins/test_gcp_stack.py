"""The stack on Google Cloud on the stand-ins: made, found the same, changed, and gone but for what Google keeps."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from trivet.core.errors import ConfigError, PlatformError
from trivet.core.outputs import Outputs
from trivet.rehearsal.fakes.gcp import Fake
from trivet.rehearsal.plugins.gcp.fake import Fake as Asked
from trivet.rehearsal.plugins.gcp.rules import AUDIT, BURNT, ROLES
from trivet.rehearsal.plugins.kinds import stable_digits

from .conftest import Stack, changed
from .test_aws_stack import values_of

CONFIG = {
    "cloud": "gcp",
    "environment": "dev",
    "region": "europe-west3",
    "account": "rehearsal-project",
    "endpoints": '[{"name": "loan", "team": "credit", "budget": 100}, "fraud"]',
    "alert_emails": '["ml@example.com"]',
    "repository": "acme/models",
    "budget": "1000",
    "tags": '{"cost-center": "17"}',
    "database": "create",
}
PROGRAM = """
from trivet.infra import settings
from trivet.infra.export import export
from trivet.infra.stacks.gcp import Stack

pulumi.export("trivet", export(Stack(pulumi.get_stack(), settings.Settings.of(json.loads(r'''%s''')))))
"""


def program(**config: str) -> str:
    return PROGRAM % json.dumps(CONFIG | config)


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    with Fake(tmp_path_factory.mktemp("gcp"), {}) as fake:
        yield fake


@pytest.fixture
def cloud(google: Fake, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The fake, empty, and named in the environment."""
    google.reset()
    for name, value in google.environment.items():
        monkeypatch.setenv(name, value)
    return Asked(os.environ["STORAGE_EMULATOR_HOST"])


def left(stack: Stack) -> list[str]:
    """What is in the store but names that Google does not give again, and which services of the project log."""
    kept = (BURNT, AUDIT)
    return [f"{one.token} {one.id}" for one in stack.store.all() if not one.token.startswith(kept)]


KEPT = [
    f"gcp:projects/iAMMember:IAMMember rehearsal-project/{role}/serviceAccount:service-{number}@{domain}"
    f".iam.gserviceaccount.com"
    for number in [stable_digits("rehearsal-project")]
    for domain, (_, role) in sorted(ROLES.items(), key=lambda one: one[1][1])
]
"""Roles with which Google's own services work for the project: whatever else is there needs them."""


def lying(cloud: Asked) -> list[str]:
    """What is still in the fake, but rings and keys."""
    here = "/v1/projects/rehearsal-project/locations/europe-west3"
    buckets = cloud.ask("GET", "/storage/v1/b", project="rehearsal-project").get("items", [])
    return [one["name"] for one in [*buckets, *cloud.ask("GET", f"{here}/endpoints").get("endpoints", [])]]


def test_the_stack_is_made_found_the_same_and_leaves_only_what_google_keeps(stack: Stack, cloud: Asked):
    foreseen = stack.preview(program())
    made = stack.up()
    assert made == foreseen and made["create"] > 120
    outputs = Outputs.parse(stack.outputs()["trivet"], "The stack's output")
    assert outputs.native.cloud == "gcp" and outputs.native.gcp_project == "rehearsal-project"
    bucket = cloud.ask("GET", f"/storage/v1/b/{outputs.store.removeprefix('gs://')}")
    assert bucket["versioning"]["enabled"] and bucket["encryption"]["defaultKmsKeyName"] == outputs.native.key
    assert bucket["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    assert bucket["labels"]["cost-center"] == "17" and bucket["labels"]["trivet-stack"] == "dev-rehearsal"
    public = cloud.ask("GET", f"/v1/{outputs.signing.private_key.removeprefix('gcpkms://')}/publicKey")
    assert public["pem"] == outputs.signing.public_key and public["algorithm"] == "EC_SIGN_P256_SHA256"
    shell = outputs.endpoints["loan"]
    endpoint = cloud.ask("GET", f"/v1/projects/rehearsal-project/locations/europe-west3/endpoints/{shell.name}")
    assert endpoint["displayName"] == "lending-dev-rehearsal-loan"

    assert stack.up() == {}
    stack.driver.refresh()
    assert stack.up() == {}
    # What is enabled stays so, and is let go of all the same.
    assert stack.driver.destroy()["delete"] == made["create"]
    assert sorted(left(stack)) == KEPT and lying(cloud) == []
    logging = {one.inputs["service"].partition(".")[0] for one in stack.store.all() if one.token == AUDIT}
    assert logging == {"aiplatform", "cloudkms", "storage"}, "another stack's, too"
    versions = cloud.ask("GET", f"/v1/{outputs.native.key}/cryptoKeyVersions")["cryptoKeyVersions"]
    assert {one["state"] for one in versions} == {"DESTROY_SCHEDULED"}


def test_a_quota_stays_as_it_was_asked_for_when_the_stack_goes(stack: Stack, cloud: Asked):
    stack.up(program(quotas='{"CustomModelTrainingCPUs": 64}'))
    stack.driver.destroy()
    here = "projects/rehearsal-project/locations/global/quotaPreferences/custommodeltrainingcpus-europe-west3"
    assert [one for one in left(stack) if one.endswith(here)]


def test_where_records_outlive_the_stack_so_do_their_key_and_the_leave_to_use_it(stack: Stack, cloud: Asked):
    stack.up(program(regulated="true", protect="false"))
    key = stack.outputs()["trivet"]["native"]["key"]
    stack.driver.destroy()
    kept = [one for one in left(stack) if "CryptoKeyIAMMember" in one and key in one]
    assert [one for one in kept if "gs-project-accounts" in one], kept
    versions = cloud.ask("GET", f"/v1/{key}/cryptoKeyVersions")["cryptoKeyVersions"]
    assert {one["state"] for one in versions} == {"ENABLED"}


def test_the_stack_can_be_made_again_where_it_was(stack: Stack, cloud: Asked):
    """Names of rings, keys, pools, roles, instances and log buckets are not given again: each making has its own."""
    stack.up(program())
    stack.driver.destroy()
    assert stack.up()["create"] > 120
    assert changed(stack.driver.preview()) == {}


def test_what_the_runtime_changes_is_left_alone_and_what_guards_a_bucket_is_mended(stack: Stack, cloud: Asked):
    stack.up(program())
    outputs = Outputs.parse(stack.outputs()["trivet"], "The stack's output")
    shell = f"/v1/projects/rehearsal-project/locations/europe-west3/endpoints/{outputs.endpoints['loan'].name}"
    labels = cloud.ask("GET", shell)["labels"] | {"release": "3"}
    cloud.ask("PATCH", shell, {"labels": labels}, updateMask="labels")
    stack.driver.refresh()
    assert stack.up() == {}
    store = f"/storage/v1/b/{outputs.store.removeprefix('gs://')}"
    cloud.ask("PATCH", store, {"versioning": {"enabled": False}})
    stack.driver.refresh()
    assert stack.up() == {"update": 1}
    assert cloud.ask("GET", store)["versioning"]["enabled"] is True


def test_another_endpoint_touches_no_other_part(stack: Stack, cloud: Asked):
    stack.up(program())
    more = '[{"name": "loan", "team": "credit", "budget": 100}, "fraud", "churn"]'
    assert stack.up(program(endpoints=more)) == {"create": 5, "update": 1}  # itself, four policies; the dashboard


def test_what_a_profile_protects_is_named_before_anything_is_destroyed(stack: Stack, cloud: Asked):
    stack.up(program(environment="staging"))
    with pytest.raises(ConfigError, match="Protected, and so not deleted") as refused:
        stack.driver.destroy()
    assert "database" in str(refused.value) and "store" in str(refused.value)
    assert changed(stack.driver.preview()) == {}


def test_no_secret_is_in_the_state(stack: Stack, cloud: Asked):
    stack.up(program())
    exported = stack.driver.export()
    assert "PRIVATE KEY" not in json.dumps(exported)
    named = ("password", "passwordWo", "rootPassword", "rootPasswordWo", "authToken")
    assert not [found for found in values_of(exported, named) if found not in ("", None)]


RING = "import pulumi_gcp as gcp\nring = gcp.kms.KeyRing('ring', name='mine', location='europe-west3')\n"
KEYED = f"""{RING}
key = gcp.kms.CryptoKey("key", key_ring=ring.id, rotation_period="7776000s")
gcp.storage.Bucket("data", location="EUROPE-WEST3", encryption={{"default_kms_key_name": key.id}})
"""
POLICY = """
import pulumi_gcp as gcp
gcp.monitoring.AlertPolicy("silent", display_name="silent", combiner="OR", conditions=[{
    "display_name": "silent",
    "condition_absent": {"duration": "120s", "filter": '%smetric.type = "custom.googleapis.com/trivet/x/verdict"'},
}])
"""
QUOTAS = """
import pulumi_gcp as gcp
said = {"parent": "projects/lending", "service": "compute.googleapis.com", "quota_id": "CPUS"}
asked = {"quota_config": {"preferred_value": "64"}, "dimensions": {"region": "europe-west3"}}
mine = gcp.cloudquota.SQuotaPreference("mine", name="mine", **said, **asked)
gcp.cloudquota.SQuotaPreference(
    "other", name="other", **said, **asked, opts=pulumi.ResourceOptions(depends_on=[mine])
)
"""
AGENT = """
import pulumi_gcp as gcp
agent = gcp.projects.ServiceIdentity("agent", service="pubsub.googleapis.com")
gcp.pubsub.Topic("alerts", opts=pulumi.ResourceOptions(depends_on=[agent]))
"""
API = """
import pulumi_gcp as gcp
api = gcp.projects.Service("api", service="compute.googleapis.com")
gcp.dns.ManagedZone("zone", dns_name="a.example.", opts=pulumi.ResourceOptions(depends_on=[api]))
"""
BUDGET = """
import pulumi_gcp as gcp
gcp.billing.Budget("budget", billing_account=gcp.organizations.get_project().billing_account, amount={
    "specified_amount": {"units": "100"},
})
"""
RULE = """
import pulumi_gcp as gcp
net = gcp.compute.Network("net", auto_create_subnetworks=False)
gcp.compute.GlobalForwardingRule("apis", name="to-google", target="all-apis", network=net.id, load_balancing_scheme="")
"""


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (KEYED, "gs-project-accounts.iam.gserviceaccount.com may not use"),
        (POLICY % 'resource.type = "global" AND ', "Cannot find metric"),
        (POLICY % "", 'must specify a restriction on "resource.type"'),
        (AGENT, "has no role in the project"),
        (API, "dns.googleapis.com has not been used in project"),
        (BUDGET, "names no billing account"),
        (RULE, "1 to 20 small letters and digits"),
        (QUOTAS, "mine is there for CPUS already"),
        ("import pulumi_gcp as gcp\ngcp.pubsub.Topic('t', labels={'2024-team': 'a'})", "'2024-team' is no label"),
        ("import pulumi_gcp as gcp\ngcp.serviceaccount.Account('a', account_id='short')", "6 to 30 small letters"),
        (
            "import pulumi_gcp as gcp\ngcp.iam.WorkloadIdentityPool('a', workload_identity_pool_id='gcp-pool')",
            "not beginning with gcp-",
        ),
        (
            "import pulumi_gcp as gcp\ngcp.projects.IAMMember('a', project='lending', role='roles/viewer', "
            "member='serviceAccount:none@lending.iam.gserviceaccount.com')",
            "does not exist",
        ),
    ],
)
def test_what_breaks_a_first_up_on_google_cloud_breaks_it_here(stack: Stack, program: str, says: str):
    with pytest.raises(PlatformError, match=says):
        stack.up(program)


def test_a_key_ring_s_name_is_given_once(stack: Stack):
    stack.up(RING)
    stack.driver.destroy()
    with pytest.raises(PlatformError, match="its name is not given again"):
        stack.up(RING)
