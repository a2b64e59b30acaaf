"""List prices of AWS in US dollars, without taxes, free tiers, credits or discounts. What is not here is unknown.

A row says what is priced, by which unit, as of when, and which public page of AWS has it; then the price by region. A
region that is not named has a price of its own that nobody has looked up: it is unknown, and never another region's.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from trivet.clouds.prices import GB_MONTH, HOUR, MONTH, Price, Prices, Row, listed

VIRGINIA, IRELAND, FRANKFURT = "us-east-1", "eu-west-1", "eu-central-1"
REGIONS = (VIRGINIA, IRELAND, FRANKFURT)
"""The regions of which prices are kept."""

ENDPOINT, NAT = "interface endpoint, per zone", "NAT gateway"
KEY, SECRET = "KMS key", "secret"
ALARM, FAST_ALARM, DASHBOARD = "CloudWatch alarm", "CloudWatch alarm, high resolution", "CloudWatch dashboard"
METRIC, LOGS, LOG_INTAKE = "CloudWatch metric of one's own", "CloudWatch log storage", "CloudWatch log intake"
BACKUP, OBJECTS, IMAGES = "RDS backups beyond the size of the storage", "S3 storage", "ECR storage"
DATA_EVENTS, CONFIG_ITEM = "CloudTrail data events", "Config item recorded"
MANAGEMENT_EVENTS = "CloudTrail management events beyond their first copy"
VENDED_LOGS = "log delivery to S3"
GLUE_OBJECTS, KEY_REQUESTS = "Glue catalogue objects beyond a million", "KMS requests"


_SPRING_25, _YEAR_END_23 = date(2025, 6, 1), date(2023, 12, 31)
_SUMMER_26, _AUTUMN_26 = date(2026, 6, 1), date(2026, 9, 1)


def _everywhere(usd: str) -> dict[str, str]:
    """The same in all the regions that are kept."""
    return dict.fromkeys(REGIONS, usd)


_ROWS = (
    Row(
        ENDPOINT, HOUR, _AUTUMN_26, "AWS PrivateLink pricing", {VIRGINIA: "0.01", IRELAND: "0.011", FRANKFURT: "0.012"}
    ),
    Row(NAT, HOUR, _SPRING_25, "Amazon VPC pricing", {VIRGINIA: "0.045", IRELAND: "0.048", FRANKFURT: "0.052"}),
    Row(KEY, MONTH, _SPRING_25, "AWS KMS pricing", _everywhere("1.00")),
    Row(KEY_REQUESTS, "10,000 requests", _SPRING_25, "AWS KMS pricing", _everywhere("0.03")),
    Row(SECRET, MONTH, _SPRING_25, "AWS Secrets Manager pricing", _everywhere("0.40")),
    Row(ALARM, MONTH, _SPRING_25, "Amazon CloudWatch pricing", _everywhere("0.10")),
    Row(FAST_ALARM, MONTH, _SPRING_25, "Amazon CloudWatch pricing", _everywhere("0.30")),
    Row(DASHBOARD, MONTH, _SPRING_25, "Amazon CloudWatch pricing", _everywhere("3.00")),
    Row(METRIC, MONTH, _SPRING_25, "Amazon CloudWatch pricing", _everywhere("0.30")),
    Row(
        LOGS, GB_MONTH, _SPRING_25, "Amazon CloudWatch pricing",
        {VIRGINIA: "0.03", IRELAND: "0.03", FRANKFURT: "0.0324"},
    ),
    Row(
        LOG_INTAKE, "GB", _SPRING_25, "Amazon CloudWatch pricing",
        {VIRGINIA: "0.50", IRELAND: "0.57", FRANKFURT: "0.63"},
    ),
    Row(VENDED_LOGS, "GB", _SPRING_25, "Amazon CloudWatch pricing", {VIRGINIA: "0.25"}),
    Row(
        OBJECTS, GB_MONTH, _SPRING_25, "Amazon S3 pricing", {VIRGINIA: "0.023", IRELAND: "0.023", FRANKFURT: "0.0245"}
    ),
    Row(IMAGES, GB_MONTH, _SPRING_25, "Amazon ECR pricing", _everywhere("0.10")),
    Row(DATA_EVENTS, "100,000 events", _SPRING_25, "AWS CloudTrail pricing", _everywhere("0.10")),
    Row(MANAGEMENT_EVENTS, "100,000 events", _SPRING_25, "AWS CloudTrail pricing", _everywhere("2.00")),
    Row(CONFIG_ITEM, "item", _SPRING_25, "AWS Config pricing", _everywhere("0.003")),
    Row(GLUE_OBJECTS, "100,000 objects and month", _SPRING_25, "AWS Glue pricing", _everywhere("1.00")),
    Row(BACKUP, GB_MONTH, _SUMMER_26, "Amazon RDS for PostgreSQL pricing", {VIRGINIA: "0.095"}),
    Row(
        "RDS gp3 storage", GB_MONTH, _SUMMER_26, "Amazon RDS for PostgreSQL pricing",
        {VIRGINIA: "0.115", IRELAND: "0.127", FRANKFURT: "0.137"},
    ),
    Row(
        "RDS gp3 storage, Multi-AZ", GB_MONTH, _SUMMER_26, "Amazon RDS for PostgreSQL pricing",
        {VIRGINIA: "0.23", IRELAND: "0.254", FRANKFURT: "0.274"},
    ),
    Row(
        "db.t4g.micro postgres", HOUR, _SUMMER_26, "Amazon RDS for PostgreSQL pricing",
        {VIRGINIA: "0.016", FRANKFURT: "0.019"},
    ),
    Row("db.t4g.micro postgres, Multi-AZ", HOUR, _SUMMER_26, "Amazon RDS for PostgreSQL pricing", {VIRGINIA: "0.032"}),
    Row("db.t4g.small postgres", HOUR, _SUMMER_26, "Amazon RDS for PostgreSQL pricing", {VIRGINIA: "0.032"}),
    Row("db.t4g.medium postgres", HOUR, _SUMMER_26, "Amazon RDS for PostgreSQL pricing", {VIRGINIA: "0.065"}),
    Row(
        "db.t4g.medium postgres, Multi-AZ", HOUR, _SUMMER_26, "Amazon RDS for PostgreSQL pricing", {VIRGINIA: "0.129"}
    ),
)  # fmt: skip

_ML = "Amazon SageMaker AI pricing"
_INSTANCES = {
    (_SPRING_25, VIRGINIA): {
        "ml.m5.large": "0.115", "ml.m5.xlarge": "0.23", "ml.m5.2xlarge": "0.461", "ml.m5.4xlarge": "0.922",
        "ml.m5.12xlarge": "2.765", "ml.m5.24xlarge": "5.53",
        "ml.c5.xlarge": "0.204", "ml.c5.2xlarge": "0.408", "ml.c5.4xlarge": "0.816", "ml.c5.9xlarge": "1.836",
        "ml.c5.18xlarge": "3.672",
        "ml.g4dn.xlarge": "0.7364", "ml.g4dn.2xlarge": "0.94", "ml.g4dn.4xlarge": "1.505", "ml.g4dn.8xlarge": "2.72",
        "ml.g4dn.12xlarge": "4.89", "ml.g4dn.16xlarge": "5.44",
        "ml.g5.xlarge": "1.408", "ml.g5.2xlarge": "1.515", "ml.g5.4xlarge": "2.03",
    },
    (_YEAR_END_23, IRELAND): {
        "ml.m5.large": "0.128", "ml.m5.xlarge": "0.257", "ml.g4dn.xlarge": "0.822", "ml.g4dn.4xlarge": "1.678",
        "ml.g4dn.12xlarge": "5.453", "ml.g5.xlarge": "1.57", "ml.g5.12xlarge": "7.91",
    },
}  # fmt: skip
"""An instance's hour costs the same for training, processing and hosting; spot is not here, as it has no list price."""


_MACHINES = (
    Row(kind, HOUR, as_of, _ML, {region: usd})
    for (as_of, region), instances in _INSTANCES.items()
    for kind, usd in instances.items()
)
PRICES: Prices = listed((*_ROWS, *_MACHINES))
"""Every price, by item and region."""


def price(item: str, region: str) -> Price | None:
    """The list price of an item in a region; none where it is unknown."""
    return PRICES.get((item, region))


def hourly(instance_type: str, region: str) -> Decimal | None:
    """US dollars per hour of one instance of SageMaker (``ml.…``), for training, processing and hosting alike, on
    demand; none where it is unknown."""
    found = price(instance_type, region)
    return found.usd if found and found.unit == HOUR else None


def database(instance_class: str, engine: str, *, multi_az: bool) -> str:
    """The item of an instance of RDS."""
    return f"{instance_class} {engine}{', Multi-AZ' if multi_az else ''}"


def database_storage(kind: str, *, multi_az: bool) -> str:
    """The item of the storage of an instance of RDS."""
    return f"RDS {kind} storage{', Multi-AZ' if multi_az else ''}"
