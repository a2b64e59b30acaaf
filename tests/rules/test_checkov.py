"""Checkov on the stack's graph as HCL: nothing that is not waived, and every fault is found by it or by our rules."""

from __future__ import annotations

import subprocess
from datetime import date

import pytest

from trivet.rehearsal import terraform

from .conftest import Scans, hold
from .graphs import CLOUDS, PROFILES, graph
from .mutations import MUTATIONS
from .scanning import Finding, offline, python, waivers

pytestmark = pytest.mark.slow  # its environment is made first

UNCHECKED = {
    "aws": {
        "aws_budgets_budget",
        "aws_cloudwatch_dashboard",
        "aws_cloudwatch_event_rule",
        "aws_cloudwatch_event_target",
        "aws_db_parameter_group",
        "aws_db_subnet_group",
        "aws_default_security_group",
        "aws_ecr_lifecycle_policy",
        "aws_flow_log",
        "aws_glue_catalog_database",
        "aws_iam_openid_connect_provider",
        "aws_kms_alias",
        "aws_route_table_association",
        "aws_s3_bucket_logging",
        "aws_s3_bucket_notification",
        "aws_s3_bucket_object_lock_configuration",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_sagemaker_model_package_group",
        "aws_sns_topic_subscription",
        "aws_vpc_endpoint",
    },
    "gcp": {
        "google_billing_budget",
        "google_compute_address",
        "google_compute_global_address",
        "google_compute_network_attachment",
        "google_dataplex_aspect_type",
        "google_dns_policy",
        "google_dns_record_set",
        "google_iam_workload_identity_pool",
        "google_logging_project_bucket_config",
        "google_monitoring_alert_policy",
        "google_monitoring_dashboard",
        "google_monitoring_metric_descriptor",
        "google_monitoring_notification_channel",
        "google_project_iam_audit_config",
        "google_project_iam_custom_role",
        "google_project_service",
        "google_project_service_identity",
        "google_service_account",
        "google_service_account_iam_member",
        "google_sql_database",
        "google_sql_user",
    },
}
"""Types of which Checkov says nothing; some it reads for what they do to another, as a bucket's versions."""


LEAST = {"aws": 100, "gcp": 60}
"""Checks that pass on every graph at least: Checkov has fewer of Google Cloud, and its smallest stack has 69."""


def waived(profile: str, finding: Finding) -> bool:
    return any(one.covers(profile, finding) for one in waivers())


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_is_found_that_is_not_waived(scans: Scans, profile):
    scan = scans[profile]
    assert scan.errors == [] and [one for one in scan.failed if not waived(profile, one)] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_checkov_reads_every_resource(scans: Scans, profile):
    written = {
        terraform.address(terraform.Node(*key.split("::"), {}, {}, {}))
        for key in graph(profile).resources
        if terraform.is_written(key)
    }
    assert {one.rpartition(":")[2] for one in scans[profile].resources} == written
    assert scans[profile].passed > LEAST[profile.partition("-")[0]]


def test_no_waiver_is_expired_or_unneeded(scans: Scans):
    for one in waivers():
        assert one.until >= date.today() and one.reason.endswith(".")  # noqa: DTZ011
        found = [finding for profile in PROFILES for finding in scans[profile].failed if one.covers(profile, finding)]
        assert found, f"nothing needs the waiver of {one.check} for {one.resource}"


def new(scans: Scans, profile: str, number: int) -> set[Finding]:
    """What Checkov finds in the graph with a fault and not in the one without."""
    return {*scans[str(number)].failed} - {*scans[profile].failed}


def test_every_fault_is_found(scans: Scans):
    """The table says by which: ours stop it before it is made, Checkov's is a second opinion."""
    rows = []
    for number, mutation in enumerate(MUTATIONS):
        ours = sorted({one.rule.id for one in mutation.seeded().violations()})
        assert not scans[str(number)].errors
        theirs = sorted({check for check, _, _ in new(scans, mutation.profile, number)})
        assert ours or theirs
        rows.append(f"| {mutation.name} | {', '.join(ours)} | {', '.join(theirs)} |")
    assert len(rows) >= 15
    head = ["| fault | our rules | Checkov |", "| --- | --- | --- |"]
    hold("faults.md", "\n".join([*head, *rows, ""]))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_checkov_knows_nothing_about_is_known(scans: Scans, cloud):
    profile = f"{cloud}-prod-regulated"
    kinds = {key.partition("::")[0] for key in graph(profile).resources}
    written = {terraform.type_name(kind) for kind in kinds if terraform.is_written(kind)}
    assert written - set(scans[profile].checked) == UNCHECKED[cloud]


def test_the_scan_has_no_network():
    """The control: the same interpreter reaches the loopback of this process only without the namespace."""
    script = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5).close()"
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [python(), "-c", script, str(server.getsockname()[1])]
        subprocess.run(command, check=True, capture_output=True)
        with pytest.raises(subprocess.CalledProcessError):
            offline(command)
