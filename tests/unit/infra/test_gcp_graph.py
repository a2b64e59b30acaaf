"""The graph of the stack on Google Cloud under mocks: what each profile makes, what is closed, who may do what."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.oauth2.credentials import Credentials

from trivet.core.outputs import Outputs
from trivet.infra.clock import crontab
from trivet.infra.stacks.gcp.endpoint import number
from trivet.infra.stacks.gcp.grants import ACTS_AS, PERMISSIONS, RIGHTS
from trivet.infra.stacks.gcp.network import forwarding_name
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.database import login
from trivet.rehearsal.fakes.gcp.policies import broken
from trivet.rehearsal.plugins.gcp.rules import APIS, ROLES

from .graphs import built

NIGHTLY = '[{"name": "nightly", "at": "cron(30 2 * * ? *)", "timezone": "Europe/Berlin"}]'
BASE = {
    "cloud": "gcp",
    "environment": "prod",
    "region": "europe-west3",
    "account": "lending-models",
    "endpoints": json.dumps([{"name": "loan", "team": "credit", "budget": 100}, "fraud"]),
    "alert_emails": '["ml@example.com"]',
    "repository": "acme/models",
    "budget": "1000.50",
    "tags": '{"Owner": "Credit"}',
}
OFF = dict.fromkeys(("network", "database", "images", "oidc", "audit", "catalog", "batch"), "off")
KEY = "projects/shared/locations/europe-west3/keyRings/r/cryptoKeys/1"
NETWORK = {
    "network": "projects/lending-models/global/networks/shared",
    "subnet": "projects/lending-models/regions/europe-west3/subnetworks/shared",
    "attachment": "projects/lending-models/regions/europe-west3/networkAttachments/shared",
}
USE = {
    "network": json.dumps(NETWORK),
    "key": json.dumps({"id": KEY}),
    "database": '{"url": "postgresql://db:5432/trivet"}',
    "images": '{"url": "europe-west3-docker.pkg.dev/shared/models"}',
    "oidc": '{"pool": "projects/1/locations/global/workloadIdentityPools/github"}',
    "audit": "off",
    "catalog": "off",
}
PROFILES = {
    "dev": {"environment": "dev"},
    "prod": {},
    "regulated": {"regulated": "true", "owns_metadata": "true", "quotas": '{"CustomModelTrainingCPUs": 64}'},
    "off": {"environment": "dev", **OFF},
    "scheduled": {"schedules": NIGHTLY},
    "use": USE,
    "joined": {"network": USE["network"]},
}


def run(profile: str) -> dict[str, Any]:
    return built(profile, BASE | PROFILES[profile])


def graph(profile: str) -> dict[str, dict[str, Any]]:
    return run(profile)["resources"]


def of(profile: str, kind: str) -> dict[str, dict[str, Any]]:
    """By name; of some types an input is called ``type``, too, so that the key says which it is."""
    keys = {name: name.split("::") for name in graph(profile)}
    return {own: graph(profile)[name] for name, (type_, own) in keys.items() if type_.endswith(f":{kind}")}


def kinds(profile: str) -> set[str]:
    return {name.split("::")[0].rsplit(":", 1)[-1] for name in graph(profile)}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_outputs_are_what_the_platform_reads(profile):
    outputs = Outputs.parse(run(profile)["output"], "The stack's output")
    assert outputs.native.cloud == "gcp" and list(outputs.endpoints) == ["loan", "fraud"]
    assert outputs.store.startswith("gs://") and outputs.endpoints["loan"].port == 443
    assert outputs.native.alarms["loan"] == (f"trivet-{profile}-loan-errors", f"trivet-{profile}-loan-latency")
    assert outputs.native.labels == {"owner": "credit"} and outputs.native.teams == {"loan": "credit"}
    assert {outputs.native.trainer, outputs.native.server} <= {
        run(profile)["outputs"][f"gcp:serviceaccount/account:Account::{one}"]["email"] for one in ("trainer", "server")
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_every_api_that_is_called_is_enabled_first_and_left_enabled(profile):
    enabled = {one["service"].partition(".")[0] for one in of(profile, "Service").values()}
    called = {name.split(":")[1].split("/")[0] for name in graph(profile) if name.startswith("gcp:")}
    assert {APIS[module] for module in called} <= enabled
    assert not {"Budget"} & kinds(profile) or "cloudbilling" in enabled
    assert all(one["disableOnDestroy"] is False for one in of(profile, "Service").values())


@pytest.mark.parametrize("profile", PROFILES)
def test_buckets_are_closed_versioned_and_encrypted(profile):
    key = run(profile)["output"]["native"]["key"]
    assert of(profile, "Bucket").keys() == {"store", "records", "logs"}
    for name, bucket in of(profile, "Bucket").items():
        assert bucket["uniformBucketLevelAccess"] is True and bucket["publicAccessPrevention"] == "enforced"
        assert bucket["versioning"] == {"enabled": "retentionPolicy" not in bucket} and bucket["encryption"] == {
            "defaultKmsKeyName": key
        }
        assert ("logging" in bucket) == (name != "logs")


def test_records_are_kept_where_somebody_answers_for_them_and_locked_in_prod_alone():
    assert of("regulated", "Bucket")["records"]["retentionPolicy"] == {"isLocked": True, "retentionPeriod": "315619200"}
    assert of("regulated", "ProjectBucketConfig")["trail"]["locked"] is True
    assert "retentionPolicy" not in of("prod", "Bucket")["records"]
    made = built("x", BASE | {"environment": "dev", "regulated": "true"})["resources"]
    assert made["gcp:storage/bucket:Bucket::records"]["retentionPolicy"]["isLocked"] is False


def test_keys_rotate_sign_with_p256_and_lie_in_hardware_in_prod():
    data, signing = (of("prod", "CryptoKey")[f"trivet-prod-{what}"] for what in ("data", "signing"))
    assert data["rotationPeriod"] == "7776000s" and data["versionTemplate"]["protectionLevel"] == "HSM"
    assert signing["purpose"] == "ASYMMETRIC_SIGN" and "rotationPeriod" not in signing
    assert signing["versionTemplate"] == {"algorithm": "EC_SIGN_P256_SHA256", "protectionLevel": "HSM"}
    assert of("dev", "CryptoKey")["trivet-dev-data"]["versionTemplate"]["protectionLevel"] == "SOFTWARE"
    assert all("name" not in one for one in of("prod", "CryptoKey").values()), "Pulumi chooses it anew each time"


def test_each_service_that_encrypts_has_one_leave_and_no_other_has():
    granted = {one["member"] for one in of("prod", "CryptoKeyIAMMember").values() if "Encrypter" in one["role"]}
    agents = {member.removeprefix("serviceAccount:").partition("@")[2].partition(".")[0] for member in granted}
    assert agents == {
        *("gs-project-accounts", "gcp-sa-aiplatform", "gcp-sa-pubsub", "gcp-sa-artifactregistry"),
        *("gcp-sa-cloud-sql", "gcp-sa-logging", "bigquery-encryption"),
    }
    assert not [one for one in of("use", "CryptoKeyIAMMember").values() if "Encrypter" in one["role"]]


def test_what_is_used_is_open_to_services_that_are_there():
    agents = {one["service"].partition(".")[0] for one in of("use", "ServiceIdentity").values()}
    assert agents == {"aiplatform", "pubsub"}, "so that the owner of the key can let them in"
    assert {"attaching", "peering"} <= of("use", "IAMMember").keys()


def test_a_service_agent_has_its_role_before_it_does_anything():
    members = {name: one for name, one in of("prod", "IAMMember").items() if name.startswith("agent-")}
    assert {one["role"] for one in members.values()} == {
        f"roles/{one}.serviceAgent" for one in ("aiplatform", "artifactregistry", "cloudsql", "pubsub")
    }
    refers = run("prod")["refers"]
    for service in ("aiplatform", "artifactregistry", "pubsub", "sqladmin"):
        before = refers[f"gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember::key-{service}"]["member"]
        assert f"gcp:projects/iAMMember:IAMMember::agent-{service}" in before


def test_nothing_is_open_to_the_world():
    rules = of("prod", "Firewall")
    assert all(one["sourceRanges"] == ["0.0.0.0/0"] for one in [rules["deny-in"]]) and "allows" not in rules["deny-in"]
    wide = [name for name, one in rules.items() if "allows" in one and "0.0.0.0/0" in json.dumps(one)]
    assert wide == [] and of("prod", "Network")["network"]["deleteDefaultRoutesOnCreate"] is True
    assert of("prod", "Subnetwork")["subnet"]["privateIpGoogleAccess"] is True
    assert not kinds("prod") & {"Router", "RouterNat", "Route"}
    assert run("prod")["options"]["gcp:compute/networkAttachment:NetworkAttachment::attachment"]["ignoreChanges"]
    text = json.dumps(graph("prod"))
    assert "allUsers" not in text and "allAuthenticatedUsers" not in text


def test_the_database_is_private_encrypted_and_has_no_password_of_ours():
    instance = of("prod", "DatabaseInstance")["database"]
    settings = instance["settings"]
    assert settings["ipConfiguration"]["ipv4Enabled"] is False
    assert settings["ipConfiguration"]["sslMode"] == "ENCRYPTED_ONLY"
    assert settings["backupConfiguration"]["backupRetentionSettings"]["retainedBackups"] == 35
    assert settings["finalBackupConfig"] == {"enabled": True, "retentionDays": 365}
    assert settings["availabilityType"] == "REGIONAL" and instance["deletionProtection"] is True
    assert {"rootPassword", "password"}.isdisjoint(instance) and instance["encryptionKeyName"]
    users = {one["name"] for one in of("prod", "User").values()}
    assert users == {f"trivet-prod-{one}@lending-models.iam" for one in ("monitor", "deployer")}
    for what in ("monitor", "deployer"):
        whose: Any = Credentials("token").with_account(run("prod")["output"]["native"][what])
        found = login(Clients("lending-models", "europe-west3", credentials=whose), run("prod")["output"]["ledger"])
        assert found and found.user in users, "who logs in by the stack's URL is one of its users"
    assert not of("dev", "DatabaseInstance")


@pytest.mark.parametrize("profile", PROFILES)
def test_no_account_has_more_than_its_own_roles(profile):
    """Every role in the project or on a part of it is one of the stack's own, with permissions that are named.

    But those of Google's own agents, each for its own agent.
    """
    for kind in ("IAMMember", "BucketIAMMember", "RepositoryIamMember"):
        for name, one in of(profile, kind).items():
            if one["role"].endswith(".serviceAgent"):
                [domain] = [domain for domain, (_, role) in ROLES.items() if role == one["role"]]
                assert one["member"] == f"serviceAccount:service-123456789012@{domain}.iam.gserviceaccount.com"
                continue
            ours = one["role"].startswith("projects/lending-models/roles/")
            assert (
                ours or name in {"logs-delivery", "deployer-from-github", "peering"} or name.split("-as-")[0] in ACTS_AS
            ), name
    for one in of(profile, "IAMCustomRole").values():
        assert one["permissions"] and not any("*" in each or "setIamPolicy" in each for each in one["permissions"])


def test_what_acts_as_another_is_named_one_by_one():
    acting = {name for name, one in of("prod", "IAMMember").items() if one["role"] == "roles/iam.serviceAccountUser"}
    assert acting == {f"{who}-as-{whom}" for who, others in ACTS_AS.items() for whom in others}
    assert all(one["type"].startswith("gcp:serviceaccount/") for name, one in of("prod", "IAMMember").items()
               if name in acting)  # fmt: skip


def test_rights_name_roles_that_there_are_and_each_role_is_somebody_s():
    used = {right.role for rights in RIGHTS.values() for right in rights}
    assert used == PERMISSIONS.keys()


def test_a_trainer_writes_where_jobs_leave_things_and_nowhere_else():
    condition = of("prod", "BucketIAMMember")["trainer-writer-store"]["condition"]["expression"]
    assert 'startsWith("projects/_/buckets/trivet-prod-store-lending-models/objects/training/")' in condition
    assert "packages" not in condition and "ledger" not in condition
    assert not {"trainer-writer-records", "server-writer-store"} & of("prod", "BucketIAMMember").keys()


def test_only_its_own_repository_and_environment_may_deploy():
    provider = of("prod", "WorkloadIdentityPoolProvider")["github"]
    assert provider["attributeCondition"] == "assertion.sub == 'repo:acme/models:environment:prod'"
    member = of("prod", "IAMMember")["deployer-from-github"]["member"]
    assert member.startswith("principal://") and member.endswith("/subject/repo:acme/models:environment:prod")
    used = of("use", "IAMMember")["deployer-from-github"]["member"]
    assert used.startswith("principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/")
    assert "deployer" not in of("off", "Account")


def test_what_is_used_or_off_is_not_made():
    made = {"Network", "Subnetwork", "DatabaseInstance", "Repository", "WorkloadIdentityPool", "IAMAuditConfig"}
    assert not kinds("use") & made and not kinds("off") & made
    assert list(of("use", "CryptoKey")) == ["trivet-use-signing"]
    assert run("use")["output"]["native"]["key"] == KEY
    assert not of("off", "AlertPolicy").keys() & {"batch-failed", "undelivered"}


def test_a_schedule_asks_vertex_ai_for_a_job_as_the_scheduler():
    job = of("scheduled", "Job")["schedule-nightly"]
    assert job["schedule"] == "30 2 * * *" and job["timeZone"] == "Europe/Berlin"
    target = job["httpTarget"]
    assert target["uri"].endswith("/v1/projects/lending-models/locations/europe-west3/customJobs")
    assert target["oauthToken"]["serviceAccountEmail"].startswith("trivet-scheduled-scheduler@")
    asked = json.loads(base64.b64decode(target["body"]))
    assert asked["jobSpec"]["serviceAccount"].startswith("trivet-scheduled-trainer@")
    assert asked["encryptionSpec"]["kmsKeyName"] == run("scheduled")["output"]["native"]["key"]
    environment = {one["name"]: one["value"] for one in asked["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"]}
    assert environment["TRIVET_CONTAINER_TASK"] == "schedules/nightly.json"
    assert environment["TRIVET_RUN"] == "$CLOUD_ML_JOB_ID"
    assert asked["labels"]["trivet-schedule"] == "nightly" and not of("prod", "Job")


def test_no_run_of_a_schedule_is_begun_twice_or_taken_for_an_attempt_of_a_job():
    job = of("scheduled", "Job")["schedule-nightly"]
    assert job["retryConfig"] == {"retryCount": 0}
    # Names of jobs are parts of a path, so that none of their attempts is called like that.
    assert " " in json.loads(base64.b64decode(job["httpTarget"]["body"]))["displayName"]


def test_jobs_see_the_zone_in_which_the_database_is():
    asked = json.loads(base64.b64decode(of("scheduled", "Job")["schedule-nightly"]["httpTarget"]["body"]))
    native, zone = run("scheduled")["output"]["native"], of("scheduled", "ManagedZone")["database"]["dnsName"]
    where = {"targetProject": "lending-models", "targetNetwork": "trivet-scheduled-network"}
    assert asked["jobSpec"]["pscInterfaceConfig"] == {
        "networkAttachment": native["attachment"], "dnsPeeringConfigs": [{"domain": zone, **where}]
    }  # fmt: skip
    assert native["zones"] == [zone] and run("use")["output"]["native"]["zones"] == []
    assert of("scheduled", "IAMMember")["peering"]["role"] == "roles/dns.peer"


def test_vertex_ai_takes_the_job_that_a_schedule_asks_for():
    """Held to the SDK's own message, member by member."""
    from google.cloud.aiplatform_v1 import CustomJob
    from google.protobuf import json_format

    asked = json.loads(base64.b64decode(of("scheduled", "Job")["schedule-nightly"]["httpTarget"]["body"]))
    message = json_format.ParseDict(asked, CustomJob()._pb)
    assert message.job_spec.scheduling.timeout.seconds == 3600


def test_policies_over_a_metric_of_ours_come_after_its_description():
    asked = json.dumps(of("prod", "AlertPolicy")["silence-loan"]["conditions"])
    assert of("prod", "MetricDescriptor")["verdict"]["type"] in asked
    absence = of("prod", "AlertPolicy")["silence-loan"]["conditions"][0]["conditionAbsent"]
    aligned = absence["aggregations"][0]["alignmentPeriod"]
    assert int(aligned[:-1]) + int(absence["duration"][:-1]) == 48 * 3600


def test_a_budget_counts_what_bears_the_label_in_whole_units_and_billionths():
    stack, loan = of("prod", "Budget")["stack-budget"], of("prod", "Budget")["endpoint-loan-budget"]
    assert stack["amount"]["specifiedAmount"] == {"units": "1000", "nanos": 500000000}
    assert stack["budgetFilter"]["labels"] == {"trivet-stack": "prod"}
    assert loan["budgetFilter"]["labels"] == {"trivet-endpoint": "loan"}
    assert of("prod", "Budget").keys() == {"stack-budget", "endpoint-loan-budget"}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_condition_says_what_cloud_monitoring_asks_for(profile):
    conditions = [one for policy in of(profile, "AlertPolicy").values() for one in policy["conditions"]]
    assert len(conditions) >= 8
    assert [said for one in conditions for said in broken(one)] == []


def test_quotas_and_the_store_of_metadata_are_asked_for_where_config_says_so():
    quota = of("regulated", "SQuotaPreference")["quota-CustomModelTrainingCPUs"]
    assert quota["name"] == "custommodeltrainingcpus-europe-west3", "the same for every stack: Google keeps one"
    assert quota["quotaConfig"] == {"preferredValue": "64"} and quota["dimensions"] == {"region": "europe-west3"}
    assert of("regulated", "AiMetadataStore")["metadata"]["name"] == "default"
    assert not kinds("prod") & {"SQuotaPreference", "AiMetadataStore"}


def test_names_fit_their_services():
    longest = {**BASE, "prefix": "a" * 20, "environment": "prod"}
    made = built("b" * 19, longest)["resources"]
    kinds = {
        "Account": ("accountId", 30),
        "WorkloadIdentityPool": ("workloadIdentityPoolId", 32),
        "Bucket": ("name", 63),
    }
    for one in made.values():
        key, most = kinds.get(one["type"].rsplit(":", 1)[-1], ("", 0))
        assert not key or 4 <= len(one[key]) <= most
    accounts = {one["accountId"] for one in made.values() if "accountId" in one}
    assert len(accounts) == len(RIGHTS)


@pytest.mark.parametrize("prefix", ["a-b", "trivet-prod", "a" * 40])
def test_numbers_and_names_that_follow_from_a_prefix(prefix):
    assert forwarding_name(prefix).isalnum() and len(forwarding_name(prefix)) <= 20
    assert number(prefix, "loan") == number(prefix, "loan") != number(prefix, "fraud")
    assert number(prefix, "loan").isdigit() and len(number(prefix, "loan")) == 9 and number(prefix, "loan")[0] != "0"


@pytest.mark.parametrize(
    ("said", "crontab_"),
    [
        ("rate(1 day)", "every 24 hours"),
        ("rate(5 minutes)", "every 5 minutes"),
        ("cron(0/15 8 ? * MON-FRI *)", "0-59/15 8 * * 1-5"),
        ("cron(5/10 0 1 1/3 ? *)", "5-59/10 0 1 1-12/3 *"),
        ("cron(0 8 ? * 2,4 *)", "0 8 * * 1,3"),
    ],
)
def test_a_time_is_said_as_cloud_scheduler_says_it(said, crontab_):
    assert crontab(said) == crontab_


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"account": "x"}, "is not a project's id"),
        ({"account": ""}, "no account is named"),
        ({"region": "europe-west33"}, "did you mean europe-west3?"),
        ({"boundary": "arn:aws:iam::1:policy/b"}, "trivet:boundary is a setting of AWS alone"),
        ({"private_services": '["kms"]'}, "trivet:private_services is a setting of AWS alone"),
        ({"alerts": '{"topic": "t"}'}, "trivet:alerts is a setting of AWS alone"),
        ({"identity": '{"trainer": "t"}'}, "trivet:identity is a setting of AWS alone"),
        (
            {"endpoints": '[{"name": "loan", "repository": "credit/loan"}]'},
            "repository of the endpoint 'loan' is a setting of AWS alone",
        ),
        ({"network": '{"network": "n"}'}, "attachment is missing, subnet is missing"),
        ({"network": "off"}, "database needs a network"),
        (
            {"key": json.dumps({"id": KEY.replace("west3", "west1")})},
            "is not projects/P/locations/europe-west3/keyRings",
        ),
        (
            {"network": json.dumps(NETWORK | {"network": "n"})},
            "'n' in trivet:network is not projects/P/global/networks",
        ),
        ({"key": "off"}, "trivet:key cannot be 'off' on Google Cloud: choose create or use"),
        ({"images": '{"url": "ghcr.io/lending/models"}'}, "no repository of Artifact Registry"),
        ({"schedules": NIGHTLY, "images": "off"}, "so the schedule 'nightly' has no image"),
        ({"schedules": '[{"name": "last", "at": "cron(0 8 L * ? *)"}]'}, "no years and no L, W or #"),
        ({"quotas": '{"CustomModelTrainingCPUs": 64}', "alert_emails": "[]"}, "trivet:alert_emails names none"),
        ({"prefix": "google"}, "not goog"),
        ({"prefix": "my-google"}, "no google within"),
        ({"tags": '{"2024-team": "a"}'}, "'2024-team' in trivet:tags is no tag here"),
        ({"tags": '{"Cost Center": "a", "cost-center": "b"}'}, "would both be written 'cost-center' here"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_made(config, message):
    answer = built("x", BASE | config)
    assert message in answer["refused"] and not answer["registered"]


def test_what_google_cloud_alone_takes_is_refused_elsewhere():
    aws = {**BASE, "cloud": "aws", "region": "eu-central-1", "account": "123456789012", "quotas": '{"x": 1}'}
    assert "trivet:quotas is a setting of Google Cloud alone" in built("x", aws)["refused"]
