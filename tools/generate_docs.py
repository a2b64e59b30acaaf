"""Write the parts of docs/ that follow from the code; with --check, fail if one of them is stale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import operatorrights
import rights
import yaml

from trivet.clouds import CLOUDS, awsprices, gcpprices
from trivet.clouds.prices import CURRENCY
from trivet.core.capabilities import Capability
from trivet.core.datacontract import DataContract
from trivet.core.errors import ExitCode
from trivet.core.policy import Policy
from trivet.core.project import Project
from trivet.governance.rules import RULES
from trivet.infra.engine.arguments import command_lines
from trivet.infra.engine.limits import LIMITS
from trivet.infra.engine.monitor import FEATURES, OPTIONS
from trivet.infra.profiles import PROFILES
from trivet.infra.settings import Settings
from trivet.rehearsal.fakes.aws import listing as aws_fake
from trivet.rehearsal.fakes.azure import listing as azure_fake
from trivet.rehearsal.fakes.gcp import listing as gcp_fake
from trivet.rehearsal.plugins import listing
from trivet.serving.config import ServerConfig
from trivet.serving.presets import PRESETS, Preset

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NOTICE = "<!-- Written by `make docs` from the code: change it there. -->\n"


def parity() -> str:
    """What each cloud claims."""
    head = ["| capability | " + " | ".join(cloud.title for cloud in CLOUDS.values()) + " |"]
    head.append("| --- |" + " --- |" * len(CLOUDS))
    rows = [
        f"| {capability} | "
        + " | ".join(
            f"**{cloud.claims[capability].support}**: {cloud.claims[capability].note}" for cloud in CLOUDS.values()
        )
        + " |"
        for capability in Capability
    ]
    text = (
        "`native`: the cloud's own service. `emulated`: Trivet does it on top of what the cloud has. `refused`: it "
        "cannot be had; asking for it raises `Unsupported` with this sentence. Each claim has a test in "
        "`tests/conformance`, the same for every cloud; `trivet parity` prints this table."
    )
    evidence = "| evidence | " + " | ".join(cloud.evidence for cloud in CLOUDS.values()) + " |"
    return "\n".join([NOTICE, "# Parity\n", text, "", *head, *rows, evidence, ""])


def config() -> str:
    """Every key of the stack's config and of the project's files."""
    parts = [NOTICE, "# Config reference\n"]
    for title, model in (
        ("Stack config: `pulumi config set trivet:KEY VALUE`", Settings),
        ("`trivet.yaml`", Project),
        ("`contract.yaml`", DataContract),
        ("`policy.yaml`", Policy),
    ):
        parts += [f"## {title}\n", "| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        parts += [_row(*field) for field in _fields(model.model_json_schema())]
        parts.append("")
    parts += ["## Exit codes\n", "| code | meaning |", "| --- | --- |"]
    parts += [f"| {code.value} | {code.name.lower().replace('_', ' ')} |" for code in ExitCode]
    return "\n".join([*parts, ""])


def server() -> str:
    """Every setting of a server and what each kind of endpoint sets."""
    parts = [NOTICE, "# The server's settings\n"]
    parts.append("Of the JSON document that `python -m trivet.serving CONFIG.json` reads. See [serving](serving.md).\n")
    parts += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    parts += [_row(*field) for field in _fields(ServerConfig.model_json_schema())]
    parts.append("\n## Presets\n")
    parts.append(
        "Of `python -m trivet.serving serve`, in a container. The sources of the numbers are in `serving/presets.py`.\n"
    )
    parts += ["| setting | " + " | ".join(PRESETS) + " |", "| --- |" + " --- |" * len(PRESETS)]
    for key in Preset._fields:
        parts.append(f"| `{key}` | " + " | ".join(_plain(getattr(one, key)) for one in PRESETS.values()) + " |")
    return "\n".join([*parts, ""])


def engine() -> str:
    """What the embedded engine does, and what it does not."""
    parts = [NOTICE, "# The embedded engine\n"]
    parts.append(
        "It runs the Pulumi program where the `pulumi` CLI is absent, for the cloud `local` and for rehearsals. "
        "[ADR 2](adr/0002-an-engine-of-our-own.md) says why there is one. `trivet up --verbose` tells its limits; "
        "`trivet stack migrate --to pulumi` hands a stack over to the CLI. A policy pack runs in the environment that "
        "its `PulumiPolicy.yaml` names (`runtime.options.virtualenv`): pulumi-policy 1.21 wants an older protobuf than "
        "Trivet.\n"
    )
    parts += ["## Limits\n", "| what Pulumi has | here |", "| --- | --- |"]
    parts += [f"| {one.what} | {one.instead} |" for one in LIMITS]
    parts.append("\n## Features announced to the SDK\n")
    parts.append(
        ", ".join(f"`{name}`" for name in FEATURES) + ". Each has a test in `tests/unit/engine/test_features.py` that "
        "fails where it does nothing.\n"
    )
    parts.append("## Options of a resource\n")
    parts.append(", ".join(f"`{name}`" for name in sorted(OPTIONS)) + ". Any other is refused by its name.\n")
    parts += ["## Command lines\n", "Those that Pulumi's Automation API builds.\n", "| command | options |"]
    parts += ["| --- | --- |"]
    parts += [f"| `pulumi {name}` | {', '.join(f'`{one}`' for one in options)} |" for name, options in command_lines()]
    return "\n".join([*parts, ""])


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()


def _row(key: str, kind: str, default: str, meaning: str) -> str:
    return f"| `{key}` | {kind} | {default} | {meaning} |"


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    yield from _walk(schema, schema.get("$defs", {}), "")


def _walk(schema: dict[str, Any], defs: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else f"`{field.get('default', 'see below')}`".replace("|", "\\|")
        yield f"{prefix}{name}", _kind(field), default, " ".join(field.get("description", "").split())
        for target, suffix in _nested(field):
            yield from _walk(defs[target], defs, f"{prefix}{name}{suffix}.")


def _nested(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "$ref" in field:
        yield field["$ref"].rsplit("/", 1)[-1], ""
    for option in field.get("anyOf", []) + field.get("oneOf", []):
        yield from _nested(option)
    if isinstance(field.get("items"), dict):
        yield from ((target, f"[]{suffix}") for target, suffix in _nested(field["items"]))
    if isinstance(field.get("additionalProperties"), dict):
        yield from ((target, f".NAME{suffix}") for target, suffix in _nested(field["additionalProperties"]))


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    if "const" in field:
        return f"`{field['const']}`"
    if options := field.get("anyOf", []) or field.get("oneOf", []):
        return " or ".join(dict.fromkeys(_kind(option) for option in options))
    if "$ref" in field:
        return "object"
    if field.get("type") == "array":
        items = field.get("items")
        return f"list of {_kind(items)}" if isinstance(items, dict) else "list"
    return str(field.get("format") or field.get("type", "any"))


def rehearsals() -> str:
    """What a rehearsal's stand-ins for Pulumi's providers serve, and by what."""
    text = """\
In a rehearsal, executables named as Pulumi names its provider plugins come first on PATH and serve an unmodified
program of `pulumi_aws`, `pulumi_gcp` or `pulumi_azure_native` on this machine, for Pulumi's own engine and for the
embedded one. They end at once without `TRIVET_REHEARSAL`, without a folder in `TRIVET_REHEARSAL_STORE`, and where an
endpoint is not a loopback address; they read no credentials.

What a rehearsal proves: names, nested structure and required inputs against the SDK's own types; references, order and
unknowns; which change replaces and which updates; ids, ARNs and other outputs in the form of the real ones; drift,
imports and clean deletion. What it does not prove: permissions, quotas, timing, the values that a cloud fills in where
the program says nothing, and whatever a service checks that its fake does not. An enum's unknown value is a warning.
A type that is not in these tables is refused.

The objects of a type in `moto` are made, read and deleted through boto3, and tests look them up there. Of those, the
last column names the inputs that an object in moto does not show: they say how it is deleted, or are kept in the strict
store and have no effect. The strict store is a SQLite file: typed, with ids given once and parents that must be there.

To add a type, write one entry into the table of its package in `rehearsal/plugins/`: what its id is made of, and which
changes make another object. For moto, name the operations of AWS's API and the names that differ; what each operation
takes follows from botocore's service model. Then `make docs`, and for moto an example in
`tests/unit/plugins/aws_running.py` or `aws_storing.py`: the tests make, read, compare, change and delete every type.
"""
    return "\n".join([NOTICE, "# Rehearsals: the stand-ins for Pulumi's providers\n", text, listing.page()])


COSTS = """\
A stack in the environment `dev`, with one endpoint, no model on it and nothing else said in its config, costs at most
**{currency} {ceiling} a month** when nobody uses it, at list prices without free tiers and taxes: on AWS in {aws}, on
Google Cloud in {gcp}. A test holds it. Other environments promise no figure; `trivet preview --cost` shows what they
would cost.

The figure leaves out what is charged by use, and on AWS one such thing goes on while nobody uses the stack: its trail
records the management events of the **whole account, in every region**. Where the account has another trail already,
AWS charges for this second copy by the event; and what the trail tells CloudWatch Logs is charged there by the GB,
taken in and kept. How much that is, is unknown: it depends on what else the account does. Where your organization
keeps a trail, `trivet:audit off` saves both.

## What is off or shared in `dev`

| part | `dev` | `prod` |
| --- | --- | --- |
| database | {dev.database}: labels and the ledger lie in the store; `trivet:database create` makes one, of the \
smallest class and in one zone | {prod.database}, in two zones |
| endpoints of services in the network (AWS) | those that jobs cannot do without, in {dev.private_zones} zone, which \
all subnets share; `trivet:private_services` names others | all, in {prod.private_zones} zones |
| keys (Google Cloud) | in software | in hardware (HSM) |
| backups of the database | {dev.backup_days} day, none is left after it | {prod.backup_days} days, the last is left |
| former versions of objects | {dev.noncurrent_days} days | {prod.noncurrent_days} days |
| protection from `destroy` | none | data and keys |

A regulated stack has its database in every environment, keeps and protects more, and promises no figure.

## Prices

List prices on demand, in US dollars. What is not here is `unknown` to `trivet preview --cost` and to the cost cap of
jobs. A key of AWS's that rotates is counted as it costs from its second rotation on, which is the most: three keys; one
of Google's as it costs at the end of its first year: five versions, and every later year four more, until somebody
destroys those that nothing needs. Google's prices are from memory and were not looked up again.
"""
PRICED = {"AWS": awsprices.PRICES, "Google Cloud": gcpprices.PRICES}


def costs() -> str:
    """What dev may cost, what is off or shared in it, and every price that is kept."""
    dev, prod = PROFILES["dev"], PROFILES["prod"]
    text = COSTS.format(
        currency=CURRENCY,
        ceiling=dev.idle_usd,
        aws=", ".join(f"`{region}`" for region in awsprices.REGIONS),
        gcp=", ".join(f"`{region}`" for region in gcpprices.REGIONS),
        dev=dev,
        prod=prod,
    )
    parts = [NOTICE, "# Costs\n", text]
    for title, prices in PRICED.items():
        parts += [f"### {title}\n", f"| item | unit | region | USD | as of | page of {title} |", f"|{' --- |' * 6}"]
        parts += [
            f"| {item} | {price.unit} | {region} | {price.usd} | {price.as_of} | {price.source} |"
            for (item, region), price in prices.items()
        ]
        parts.append("")
    return "\n".join(parts)


def fake_aws() -> str:
    """What the fake of AWS refuses, runs and leaves out."""
    return "\n".join([NOTICE, aws_fake.page()])


def fake_azure() -> str:
    """What the fake of Azure refuses, runs and leaves out."""
    return "\n".join([NOTICE, azure_fake.page()])


def fake_gcp() -> str:
    """What the fake of Google Cloud refuses, runs and leaves out."""
    return "\n".join([NOTICE, gcp_fake.page()])


def rules() -> str:
    """The rules of the policy pack, what proves them, and what Checkov finds that is left as it is."""
    text = """\
`governance/rules` has what a stack's resources are held to: plain functions, without Pulumi, without a cloud. They run

- as a Pulumi policy pack, in both engines: `trivet up --policy-pack governance/policy`, or `pulumi up --policy-pack`
  with the same folder. Mandatory where the stack's config says `staging`, `prod` or `regulated`, else advisory. A rule
  over one resource is held before that is made; one over the whole stack (marked so below) by the preview, which comes
  first. `--policy-pack-config` of Pulumi sets single rules: `{"rds-backups": "advisory"}`;
- over any list of resources, with nothing but Python:
  `violations(RULES, [Resource(TYPE, NAME, INPUTS), ...], Setting("prod"))` of `trivet.governance.rules`;
- over the graph of every profile of the stacks on AWS and Google Cloud under mocks, in `tests/rules`.

The pack's environment: `.venv/bin/python tools/environments.py policy`. Outside of a checkout copy the folder, make an
environment with `pip install trivet pulumi-policy`, and name it in the copy's `PulumiPolicy.yaml`.
"""
    parts = [NOTICE, "# Rules for stacks\n", text]
    parts += ["| rule | demands | of | severity | source |", "| --- | --- | --- | --- | --- |"]
    for rule in RULES:
        of = ", ".join(dict.fromkeys(type_.rpartition(":")[2] for type_ in rule.types)) or "the whole stack"
        parts.append(f"| `{rule.id}` | {rule.sentence} | {of} | {rule.severity} | {rule.control} |")
    parts.append(
        "\n## Checkov\n\n`rehearsal/terraform.py` writes the same graphs as Terraform's HCL, and Checkov scans them "
        "in an environment of its own (`tools/checkov`), without a network. What it finds and we leave as it is, is in "
        "`tools/checkov/waivers.yaml`; a waiver that is expired or that nothing needs fails the tests.\n"
    )
    parts += ["| check | resource | profiles | until | why |", "| --- | --- | --- | --- | --- |"]
    for one in yaml.safe_load((ROOT / "tools" / "checkov" / "waivers.yaml").read_text()):
        profiles = one.get("profile", "all").replace("*", "\\*")
        resource = one["resource"].replace("*", "\\*")
        parts.append(f"| {one['check']} | {resource} | {profiles} | {one['until']} | {one['reason']} |")
    faults = (ROOT / "tests" / "rules" / "golden" / "faults.md").read_text()
    parts.append("\n## Seeded faults, and what finds each\n\nOurs stop it before it is made.\n")
    return "\n".join([*parts, faults])


PAGES = {
    "aws-operator.md": lambda: operatorrights.page(NOTICE),
    "aws-rights.md": lambda: rights.of_aws(NOTICE),
    "gcp-rights.md": lambda: rights.of_gcp(NOTICE),
    "costs.md": costs,
    "parity.md": parity,
    "config.md": config,
    "server.md": server,
    "engine.md": engine,
    "rehearsals.md": rehearsals,
    "fake-aws.md": fake_aws,
    "fake-azure.md": fake_azure,
    "fake-gcp.md": fake_gcp,
    "rules.md": rules,
}


def main(arguments: list[str]) -> int:
    """Write or check every page."""
    stale = []
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text)
    if "--check" in arguments and stale:
        sys.stderr.write(f"Stale: {', '.join(f'docs/{name}' for name in stale)}. Run `make docs`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
