"""What a container is given to reach the other services by: keys of its role's, and where the services are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.aws.world import World


def environment(endpoint: str, region: str, key: str = "AKIAREHEARSAL0000000") -> dict[str, str]:
    """The variables that lead boto3 and obstore to a fake and nowhere else: no profile, no metadata service."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "NO_PROXY": "127.0.0.1",
    }


def of_role(world: World, role: str, region: str) -> dict[str, str]:
    """The same for a container, whose key says later in whose name it called."""
    key = "ASIA" + hashlib.sha256(role.encode()).hexdigest()[:16].upper()
    world.principals[key] = role
    return environment(world.endpoint, region, key) | {"AWS_SESSION_TOKEN": "rehearsal"}
