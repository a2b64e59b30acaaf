"""Checkov on the stack's graph as HCL: nothing that is not waived, and every fault is found by it or by our rules."""

from __future__ import annotations

import subprocess
from datetime import date

import pytest

from trivet.core.errors import Unsupported
from trivet.rehearsal import terraform

from .conftest import Scans, hold
from .graphs import PROFILES, graph
from .mutations import MUTATIONS
from .scanning import Finding, offline, python, waivers

pytestmark = pytest.mark.slow  # its environment is made first

UNCHECKED = {
    "aws_budgets_budget",
    "aws_cloudwatch_dashboard",
    "aws_ecr_lifecycle_policy",
    "aws_glue_catalog_database",
    "aws_iam_openid_connect_provider",
    "aws_kms_alias",
    "aws_route_table",
    "aws_sagemaker_model_package_group",
    "aws_sns_topic_subscription",
    "aws_vpc_endpoint",
}
"""Types of which Checkov knows nothing: it reads them, and says nothing about them."""


def waived(profile: str, finding: Finding) -> bool:
    return any(one.covers(profile, finding) for one in waivers())


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_is_found_that_is_not_waived(scans: Scans, profile):
    scan = scans[0][profile]
    assert scan.errors == [] and [one for one in scan.failed if not waived(profile, one)] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_checkov_reads_every_resource(scans: Scans, profile):
    written = {
        terraform.address(terraform.Node(*key.split("::"), {}, {}, {}))
        for key in graph(profile).resources
        if terraform.is_written(key)
    }
    assert {one.rpartition(":")[2] for one in scans[0][profile].resources} == written
    assert scans[0][profile].passed > 100


def test_no_waiver_is_expired_or_unneeded(scans: Scans):
    for one in waivers():
        assert one.until >= date.today() and one.reason.endswith(".")  # noqa: DTZ011
        found = [
            finding for profile in PROFILES for finding in scans[0][profile].failed if one.covers(profile, finding)
        ]
        assert found, f"nothing needs the waiver of {one.check} for {one.resource}"


def new(scans: Scans, profile: str, number: int) -> set[Finding]:
    """What Checkov finds in the graph with a fault and not in the one without."""
    return {*scans[0][str(number)].failed} - {*scans[0][profile].failed}


def test_every_fault_is_found(scans: Scans):
    """The table says by which: ours stop it before it is made, Checkov's is a second opinion."""
    rows = []
    for number, mutation in enumerate(MUTATIONS):
        ours = sorted({one.rule.id for one in mutation.seeded().violations()})
        assert not scans[0][str(number)].errors
        theirs = sorted({check for check, _, _ in new(scans, mutation.profile, number)})
        assert ours or theirs
        rows.append(f"| {mutation.name} | {', '.join(ours)} | {', '.join(theirs)} |")
    assert len(rows) >= 15
    head = ["| fault | our rules | Checkov |", "| --- | --- | --- |"]
    hold("faults.md", "\n".join([*head, *rows, ""]))


def test_what_checkov_knows_nothing_about_is_known(scans: Scans):
    written = {terraform.type_name(key.partition("::")[0]) for key in graph("prod-regulated").resources
               if terraform.is_written(key)}  # fmt: skip
    said = {finding[1].partition(".")[0] for scan in scans[0].values() for finding in scan.failed}
    assert written - scans[1] - said >= UNCHECKED


def test_the_scan_has_no_network():
    """The control: the same interpreter reaches the loopback of this process only without the namespace."""
    script = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5).close()"
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [python(), "-c", script, str(server.getsockname()[1])]
        subprocess.run(command, check=True, capture_output=True)
        with pytest.raises(subprocess.CalledProcessError):
            offline(command)


def test_a_type_of_another_provider_is_refused():
    with pytest.raises(Unsupported, match="gcp:storage"):
        terraform.written({"x": terraform.Node("gcp:storage/bucket:Bucket", "x", {}, {}, {})})
