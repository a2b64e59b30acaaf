"""What a stack costs when nobody uses it: list prices times what is there, and never a number for what is unknown."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from trivet.clouds import awsprices, gcpprices
from trivet.infra.costs import estimate
from trivet.infra.listing import Listed
from trivet.infra.profiles import PROFILES, profile

from .graphs import listed

FRANKFURT = "eu-central-1"
UNKNOWN_YET = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def row(resources, what, region=FRANKFURT):
    return {one.what: one for one in estimate(resources, region).rows}[what]


def endpoint(**inputs):
    return Listed("aws:ec2/vpcEndpoint:VpcEndpoint", "kms", {"vpcEndpointType": "Interface", **inputs})


@pytest.mark.parametrize(
    ("cloud", "region"),
    [*(("aws", one) for one in awsprices.REGIONS), *(("gcp", one) for one in gcpprices.REGIONS)],
)
def test_dev_stays_below_its_ceiling_and_nothing_in_it_is_unknown(cloud, region):
    found = estimate(listed(cloud=cloud, region=region), region, PROFILES["dev"].idle_usd)
    assert found.complete and not found.total.startswith("at least")
    assert 0 < found.known <= PROFILES["dev"].idle_usd
    assert sum(one.monthly for one in found.rows) == found.known
    assert f"the ceiling of the environment's defaults is USD {PROFILES['dev'].idle_usd}" in found.sentence


def test_what_is_off_or_shared_in_dev_is_what_makes_it_cheap():
    dev = estimate(listed(), FRANKFURT)
    full = estimate(listed("prod", environment="prod"), FRANKFURT)
    assert {"aws:rds/instance:Instance"} & {one.type for one in listed()} == set()
    endpoints = "interface endpoint, per zone"
    assert row(listed(), endpoints).quantity == 3 * 730
    assert row(listed("prod", environment="prod"), endpoints).quantity == 9 * 2 * 730
    assert full.known > 4 * dev.known
    asked = listed(database="create")
    assert "aws:rds/instance:Instance" in {one.type for one in asked}
    assert estimate(asked, FRANKFURT).known > dev.known


def test_a_regulated_dev_has_its_database_and_no_ceiling():
    assert "aws:rds/instance:Instance" in {one.type for one in listed(regulated="true")}
    assert profile("dev", regulated=True).idle_usd is None


def test_what_is_priced_is_counted_by_its_own_unit():
    assert row([endpoint(subnetIds=["a", "b"])], awsprices.ENDPOINT).monthly == Decimal("17.52")  # 2 x 730 x 0.012
    gateway = [endpoint(subnetIds=["a"], vpcEndpointType="Gateway")]
    assert estimate(gateway, FRANKFURT).rows == ()
    rotating = Listed("aws:kms/key:Key", "data", {"enableKeyRotation": True})
    assert row([rotating], awsprices.KEY).monthly == Decimal("3.00")
    signing = Listed("aws:kms/key:Key", "signing", {"keyUsage": "SIGN_VERIFY"})
    assert row([rotating, signing], awsprices.KEY).resources == ("data", "signing")
    assert row([rotating, signing], awsprices.KEY).monthly == Decimal("4.00")
    alarm = Listed("aws:cloudwatch/metricAlarm:MetricAlarm", "a", {"namespace": "AWS/SageMaker", "period": 10})
    assert row([alarm], awsprices.FAST_ALARM).monthly == Decimal("0.30")
    nat = Listed("aws:ec2/natGateway:NatGateway", "nat", {})
    assert row([nat], awsprices.NAT).monthly == Decimal("37.96")


def test_a_trail_is_charged_by_what_the_whole_account_does_and_says_so():
    """A second copy of management events, and what CloudWatch Logs takes in: list prices, and nobody knows how much."""
    [trail] = [one for one in listed() if one.type == "aws:cloudtrail/trail:Trail"]
    rows = {one.what: one for one in estimate([trail], FRANKFURT).rows}
    assert {one.charged for one in rows.values()} == {"by use"}
    assert rows[awsprices.MANAGEMENT_EVENTS].unit_price == Decimal("2.00")
    assert rows[awsprices.LOG_INTAKE].unit_price == Decimal("0.63")
    alone = Listed(trail.type, "trail", {})
    assert awsprices.LOG_INTAKE not in {one.what for one in estimate([alone], FRANKFURT).rows}


def test_a_database_is_instance_storage_and_secret():
    inputs = {
        "engine": "postgres", "instanceClass": "db.t4g.micro", "allocatedStorage": 20, "storageType": "gp3",
        "multiAz": False, "manageMasterUserPassword": True, "backupRetentionPeriod": 7,
    }  # fmt: skip
    found = estimate([Listed("aws:rds/instance:Instance", "database", inputs)], FRANKFURT)
    monthly = {one.what: one.monthly for one in found.rows}
    assert monthly["db.t4g.micro postgres"] == Decimal("13.87")  # 730 x 0.019
    assert monthly["RDS gp3 storage"] == Decimal("2.74")
    assert monthly["secret"] == Decimal("0.40")
    assert monthly[awsprices.BACKUP] == 0
    assert found.total == "USD 17.01"
    both = Listed("aws:rds/instance:Instance", "database", inputs | {"multiAz": True})
    assert estimate([both], "us-east-1").known == Decimal("28.36")  # 730 x 0.032 + 20 x 0.23 + 0.40


@pytest.mark.parametrize(
    "unknown",
    [
        Listed("aws:redshift/cluster:Cluster", "warehouse", {}),
        Listed("gcp:spanner/instance:Instance", "instance", {}),
        Listed("gcp:compute/globalForwardingRule:GlobalForwardingRule", "balancer", {"target": "proxy"}),
        Listed("other:index:Thing", "thing", {}),
        endpoint(subnetIds=UNKNOWN_YET),
        endpoint(subnetIds=["a"], vpcEndpointType="GatewayLoadBalancer"),
        Listed("aws:rds/instance:Instance", "d", {"engine": "oracle", "instanceClass": "db.x9", "allocatedStorage": 1}),
    ],
)
def test_what_nobody_has_looked_up_is_unknown_and_the_total_says_at_least(unknown):
    known = endpoint(subnetIds=["a"])
    found = estimate([known, unknown], FRANKFURT)
    assert not found.complete and found.total == "at least USD 8.76"
    assert [one for one in found.rows if one.monthly is None]


def test_google_cloud_charges_each_version_of_a_key_and_a_database_by_its_tier():
    kind = "gcp:kms/cryptoKey:CryptoKey"
    hardware = {"versionTemplate": {"protectionLevel": "HSM"}}
    software = estimate([Listed(kind, "data", {"rotationPeriod": "7776000s"})], "us-central1")
    assert software.known == Decimal("0.30")  # the first version and four rotations in a year
    assert estimate([Listed(kind, "data", {"rotationPeriod": "7776000s", **hardware})], "us-central1").known == 5
    signing = Listed(kind, "signing", {"purpose": "ASYMMETRIC_SIGN", **hardware})
    assert estimate([signing], "us-central1").known == Decimal("2.50")
    settings = {"tier": "db-f1-micro", "availabilityType": "ZONAL", "diskSize": 10}
    database = Listed("gcp:sql/databaseInstance:DatabaseInstance", "database", {"settings": settings})
    assert estimate([database], "us-central1").known == Decimal("9.36")  # 730 x 0.0105 + 10 x 0.17, each to the cent
    assert not estimate([database], "europe-west3").complete


def test_a_region_without_prices_is_unknown_and_not_another_s():
    found = estimate([endpoint(subnetIds=["a"])], "ap-east-1")
    assert found.total == "at least USD 0.00" and found.rows[0].unit_price is None


def test_components_providers_and_what_runs_on_this_machine_cost_nothing():
    own = [
        Listed("pulumi:pulumi:Stack", "s", {}),
        Listed("pulumi:providers:aws", "aws", {}),
        Listed("trivet:aws:Stack", "dev", {}),
    ]
    assert estimate(own, FRANKFURT).rows == () and estimate(own, FRANKFURT).complete
    dynamic = [Listed("pulumi-python:dynamic:Resource", "store", {})]
    assert estimate(dynamic, "local").total == "USD 0.00"
    assert estimate(dynamic, FRANKFURT).total == "at least USD 0.00"


def test_no_price_is_without_date_and_source():
    for (item, region), price in [*awsprices.PRICES.items(), *gcpprices.PRICES.items()]:
        assert price.usd > 0 and price.unit and price.region == region and price.source.endswith("pricing"), item
        assert date(2023, 1, 1) <= price.as_of <= date.today()  # noqa: DTZ011  a day more or less


def test_an_hour_of_an_instance_is_what_the_cost_cap_of_jobs_reads():
    assert awsprices.hourly("ml.m5.xlarge", "us-east-1") == Decimal("0.23")
    assert awsprices.hourly("ml.g4dn.xlarge", "eu-west-1") == Decimal("0.822")
    for unknown in (("ml.m5.xlarge", "ap-east-1"), ("ml.none.large", "us-east-1"), (awsprices.KEY, "us-east-1")):
        assert awsprices.hourly(*unknown) is None
