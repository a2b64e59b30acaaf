"""The graphs of the stacks, for each cloud and profile, under Pulumi's mocks."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from trivet.governance.rules import RULES, Resource, Setting, Violation, violations
from trivet.rehearsal.terraform import Node, written

from ..unit.infra.graphs import built  # noqa: TID252  tests are no package that has a name

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
BASE = {
    "environment": "prod",
    "endpoints": '[{"name": "loan", "team": "credit", "budget": 100}, "fraud"]',
    "alert_emails": '["ml@example.com"]',
    "repository": "acme/models",
    "budget": "1000",
    "tags": '{"owner": "credit"}',
    "required_tags": '["owner"]',
}
PLACES = {
    "aws": {
        "region": "eu-central-1",
        "account": "123456789012",
        "endpoints": '[{"name": "loan", "team": "credit", "budget": 100, "repository": "credit/loan"}, "fraud"]',
    },
    "gcp": {"region": "europe-west3", "account": "lending-models"},
}
PARTS = ("network", "database", "images", "oidc", "audit", "catalog")
SCHEDULES = json.dumps(
    [
        {"name": "nightly", "at": "cron(30 2 * * ? *)", "timezone": "Europe/Berlin"},
        {"name": "export", "at": "rate(7 days)", "native": {"aws": {"spot": True}, "gcp": {"spot": True}}},
    ]
)
REGULATED = {"regulated": "true"}
OWNING = {"aws": {"owns_job_logs": "true"}, "gcp": {"owns_metadata": "true"}}
NETWORK = {
    "network": "projects/lending-models/global/networks/shared",
    "subnet": "projects/lending-models/regions/europe-west3/subnetworks/shared",
    "attachment": "projects/lending-models/regions/europe-west3/networkAttachments/shared",
}
USED = {
    "aws": {
        "network": '{"vpc": "vpc-1", "subnets": ["subnet-1", "subnet-2"], "security_group": "sg-1"}',
        "key": json.dumps({"arn": KEY}),
        "database": '{"url": "postgresql://db:5432/trivet", "resource_id": "db-1"}',
        "images": '{"url": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shared"}',
        "oidc": json.dumps({"arn": PROVIDER}),
    },
    "gcp": {
        "network": json.dumps(NETWORK),
        "key": '{"id": "projects/shared/locations/europe-west3/keyRings/r/cryptoKeys/1"}',
        "database": '{"url": "postgresql://db:5432/trivet"}',
        "images": '{"url": "europe-west3-docker.pkg.dev/shared/models"}',
        "oidc": '{"pool": "projects/1/locations/global/workloadIdentityPools/github"}',
    },
}
_PROFILES: dict[str, dict[str, str]] = {
    "dev": {"environment": "dev"},
    "dev-whole": {"environment": "dev", **dict.fromkeys(PARTS, "create")},
    "dev-regulated": {"environment": "dev", **REGULATED},
    "staging": {"environment": "staging"},
    "staging-regulated": {"environment": "staging", **REGULATED},
    "prod": {"schedules": SCHEDULES},
    "prod-regulated": REGULATED,
    "off": {
        "environment": "dev",
        **dict.fromkeys((*PARTS, "batch"), "off"),
    },
    "use": {"audit": "off", "catalog": "off", "schedules": SCHEDULES},
}
CLOUDS = tuple(PLACES)


def _config(cloud: str, profile: str) -> dict[str, str]:
    own = OWNING[cloud] if profile.endswith("-regulated") else USED[cloud] if profile == "use" else {}
    return {"cloud": cloud, **BASE, **PLACES[cloud], **_PROFILES[profile], **own}


PROFILES = {f"{cloud}-{profile}": _config(cloud, profile) for cloud in CLOUDS for profile in _PROFILES}
"""Configs by cloud and profile, such as ``aws-dev``."""


@dataclass
class Stack:
    """What a profile makes; :meth:`copy` before changing it.

    :param resources: inputs by key, which is type and name.
    """

    profile: str
    setting: Setting
    resources: dict[str, dict[str, Any]]
    outputs: dict[str, dict[str, Any]]
    refers: dict[str, dict[str, list[str]]]
    options: dict[str, dict[str, Any]]

    def copy(self) -> Stack:
        return copy.deepcopy(self)

    def find(self, type_: str, name: str) -> dict[str, Any]:
        """The inputs of one resource, by the last part of its type."""
        [found] = [self.resources[key] for key in self.keys(type_) if key.endswith(f"::{name}")]
        return found

    def keys(self, type_: str) -> list[str]:
        return [key for key in self.resources if key.partition("::")[0].endswith(f":{type_}")]

    def text(self) -> str:
        """The same to be read: resources in the order of their names, policy documents as what they say."""
        shown = {
            key: {**({"(options)": self.options[key]} if self.options.get(key) else {}), **_opened(inputs)}
            for key, inputs in sorted(self.resources.items())
        }
        return yaml.safe_dump(shown, sort_keys=False, width=120, default_flow_style=None, allow_unicode=True)

    def violations(self) -> list[Violation]:
        """What our rules say of it."""
        found = [
            Resource(key.partition("::")[0], key.partition("::")[2], inputs, key, self.refers.get(key, {}))
            for key, inputs in self.resources.items()
        ]
        return violations(RULES, found, self.setting)

    def terraform(self) -> str:
        """The same as HCL."""
        return written(
            {
                key: Node(
                    *key.split("::"),
                    inputs,
                    self.outputs.get(key, {}),
                    self.refers.get(key, {}),
                    protect=bool(self.options.get(key, {}).get("protect")),
                )
                for key, inputs in self.resources.items()
            }
        )


def _opened(value: Any) -> Any:
    """JSON within text as what it says, and keys in order."""
    if isinstance(value, dict):
        return {key: _opened(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return [_opened(one) for one in value]
    if isinstance(value, str) and value.startswith(("{", "[")):
        return _opened(json.loads(value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def graph(profile: str) -> Stack:
    """The graph of a profile, once."""
    config = PROFILES[profile]
    found = built(profile.partition("-")[2], config)
    resources = {
        key: {name: value for name, value in inputs.items() if name != "type"}
        for key, inputs in found["resources"].items()
    }
    required = tuple(json.loads(config["required_tags"]))
    setting = Setting(config["environment"], config.get("regulated") == "true", required)
    return Stack(profile, setting, resources, found["outputs"], found["refers"], found["options"])
