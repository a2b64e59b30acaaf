"""List prices of Google Cloud in US dollars, without taxes, free tiers, credits or discounts.

What is not here is unknown. They are from memory of the pages that are named, as of the date that is named: nobody has
looked them up again. A region that is not named has a price of its own: it is unknown, and never another region's.
"""

from __future__ import annotations

from datetime import date

from trivet.clouds.prices import GB_MONTH, HOUR, MONTH, Price, Prices, Row, listed

IOWA, BELGIUM, FRANKFURT = "us-central1", "europe-west1", "europe-west3"
REGIONS = (IOWA, BELGIUM, FRANKFURT)
"""The regions of which prices are kept."""

KEY, HSM_KEY, HSM_SIGNING = "KMS key version", "KMS key version, HSM", "KMS key version, HSM, elliptic curve"
KEY_REQUESTS, ZONE, CONDITION = "KMS operations", "private DNS zone", "alert condition"
PRIVATE_ACCESS = "Private Service Connect endpoint"
OBJECTS, IMAGES, SCANS = "Cloud Storage, standard", "Artifact Registry storage", "images scanned"
LOG_INTAKE, LOGS = "Cloud Logging intake", "Cloud Logging storage beyond 30 days"
METRIC, SCHEDULE, MESSAGES = "custom metrics written", "Cloud Scheduler job", "Pub/Sub messages"
TABLES, ENTRIES, BACKUP = "BigQuery storage", "Dataplex metadata", "Cloud SQL backups"

_SPRING_25 = date(2025, 6, 1)


def _everywhere(usd: str) -> dict[str, str]:
    """The same in all the regions that are kept."""
    return dict.fromkeys(REGIONS, usd)


_ROWS = (
    Row(KEY, MONTH, _SPRING_25, "Cloud KMS pricing", _everywhere("0.06")),
    Row(HSM_KEY, MONTH, _SPRING_25, "Cloud KMS pricing", _everywhere("1.00")),
    Row(HSM_SIGNING, MONTH, _SPRING_25, "Cloud KMS pricing", _everywhere("2.50")),
    Row(KEY_REQUESTS, "10,000 operations", _SPRING_25, "Cloud KMS pricing", _everywhere("0.03")),
    Row(ZONE, MONTH, _SPRING_25, "Cloud DNS pricing", _everywhere("0.20")),
    Row(PRIVATE_ACCESS, HOUR, _SPRING_25, "Virtual Private Cloud pricing", _everywhere("0.01")),
    Row(CONDITION, MONTH, _SPRING_25, "Google Cloud Observability pricing", _everywhere("0.10")),
    Row(LOG_INTAKE, "GiB", _SPRING_25, "Google Cloud Observability pricing", _everywhere("0.50")),
    Row(LOGS, "GiB and month", _SPRING_25, "Google Cloud Observability pricing", _everywhere("0.01")),
    Row(METRIC, "MiB", _SPRING_25, "Google Cloud Observability pricing", _everywhere("0.2580")),
    Row(SCHEDULE, MONTH, _SPRING_25, "Cloud Scheduler pricing", _everywhere("0.10")),
    Row(MESSAGES, "TiB", _SPRING_25, "Pub/Sub pricing", _everywhere("40.00")),
    Row(
        OBJECTS, GB_MONTH, _SPRING_25, "Cloud Storage pricing", {IOWA: "0.020", BELGIUM: "0.020", FRANKFURT: "0.023"}
    ),
    Row(IMAGES, GB_MONTH, _SPRING_25, "Artifact Registry pricing", _everywhere("0.10")),
    Row(SCANS, "image", _SPRING_25, "Artifact Analysis pricing", _everywhere("0.26")),
    Row(TABLES, GB_MONTH, _SPRING_25, "BigQuery pricing", {IOWA: "0.02"}),
    Row(BACKUP, GB_MONTH, _SPRING_25, "Cloud SQL pricing", {IOWA: "0.08"}),
    Row("db-f1-micro", HOUR, _SPRING_25, "Cloud SQL pricing", {IOWA: "0.0105"}),
    Row("Cloud SQL SSD storage", GB_MONTH, _SPRING_25, "Cloud SQL pricing", {IOWA: "0.17"}),
    Row("Cloud SQL SSD storage, regional", GB_MONTH, _SPRING_25, "Cloud SQL pricing", {IOWA: "0.34"}),
)  # fmt: skip

PRICES: Prices = listed(_ROWS)
"""Every price, by item and region."""


def price(item: str, region: str) -> Price | None:
    """The list price of an item in a region; none where it is unknown."""
    return PRICES.get((item, region))


def database(tier: str, *, regional: bool) -> str:
    """The item of an instance of Cloud SQL."""
    return f"{tier}{', regional' if regional else ''}"


def database_storage(*, regional: bool) -> str:
    """The item of the storage of an instance of Cloud SQL."""
    return f"Cloud SQL SSD storage{', regional' if regional else ''}"
