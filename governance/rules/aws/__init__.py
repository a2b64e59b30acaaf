"""The rules for AWS, in files named as the parts of its stack."""

from __future__ import annotations

from trivet.governance.rules.aws import (
    account,
    database,
    endpoint,
    identity,
    images,
    keys,
    network,
    schedules,
    storage,
    watch,
)
from trivet.governance.rules.base import collected

RULES = collected(
    *map(vars, (account, keys, storage, identity, network, database, images, endpoint, schedules, watch)),
)
"""Every rule for AWS."""
