"""The data catalogue: where datasets are found by their names, what is in it encrypted."""

from __future__ import annotations

import json

import pulumi_gcp as gcp

from trivet.infra.names import fitted
from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.keys import Keys

_TEMPLATE = {
    "name": "data-contract",
    "type": "record",
    "recordFields": [
        {"name": name, "type": "string", "index": place, "constraints": {"required": True}}
        for place, name in enumerate(("name", "digest", "snapshot"), start=1)
    ],
}
"""What an entry of a dataset says: its data contract and the snapshot that it is of."""


def create(context: Context, keys: Keys) -> None:
    """A dataset of BigQuery for tables over the store's snapshots, and what Dataplex notes of each."""
    if context.settings.catalog.mode != "create":
        return
    gcp.bigquery.Dataset(
        "catalog",
        dataset_id=fitted(context.name("datasets"), 1024).replace("-", "_"),
        location=context.region,
        description=f"Snapshots of {context.prefix}",
        default_encryption_configuration=gcp.bigquery.DatasetDefaultEncryptionConfigurationArgs(kms_key_name=keys.data),
        delete_contents_on_destroy=not context.profile.protects,
        opts=keys.holding(context, "bigquery"),
    )
    gcp.dataplex.AspectType(
        "contract",
        aspect_type_id=context.name("data-contract"),
        location=context.region,
        description=f"Data contracts of {context.prefix}",
        metadata_template=json.dumps(_TEMPLATE),
        opts=context.options,
    )
