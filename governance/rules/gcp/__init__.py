"""The rules for Google Cloud, in files named as the parts of its stack."""

from __future__ import annotations

from trivet.governance.rules.base import collected
from trivet.governance.rules.gcp import (
    account,
    database,
    endpoint,
    identity,
    images,
    keys,
    network,
    storage,
    watch,
)

RULES = collected(*map(vars, (account, keys, storage, identity, network, database, images, endpoint, watch)))
"""Every rule for Google Cloud."""
