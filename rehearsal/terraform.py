"""A stack's graph as Terraform's HCL, for scanners that read nothing else.

Pulumi's providers for AWS and Google Cloud are made from Terraform's, so types and properties have Terraform's names in
another spelling: camel case for snake case, plural for the singular of a repeated block. What does not follow is in
tables; every name of the AWS stack and of its seeded faults was looked up in cdktf-cdktf-provider-aws 21.22, which is
made from Terraform's own schema; those of Google Cloud were not. The SDK's declarations say which value is a block and
which is a map.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trivet.core.errors import Unsupported
from trivet.rehearsal.plugins import sdk

TYPES = {
    "cloudtrail:Trail": "cloudtrail",
    "iam:OpenIdConnectProvider": "iam_openid_connect_provider",
    "rds:Instance": "db_instance",
    "rds:ParameterGroup": "db_parameter_group",
    "rds:SubnetGroup": "db_subnet_group",
    "projects:Service": "project_service",
    "projects:ServiceIdentity": "project_service_identity",
    "projects:IAMMember": "project_iam_member",
    "projects:IAMCustomRole": "project_iam_custom_role",
    "projects:IAMAuditConfig": "project_iam_audit_config",
    "serviceaccount:Account": "service_account",
    "serviceaccount:IAMMember": "service_account_iam_member",
    "kms:CryptoKeyIAMMember": "kms_crypto_key_iam_member",
    "storage:BucketIAMMember": "storage_bucket_iam_member",
    "artifactregistry:Repository": "artifact_registry_repository",
    "artifactregistry:RepositoryIamMember": "artifact_registry_repository_iam_member",
    "pubsub:TopicIAMMember": "pubsub_topic_iam_member",
    "cloudquota:SQuotaPreference": "cloud_quotas_quota_preference",
    "cloudscheduler:Job": "cloud_scheduler_job",
}
"""Types whose name in Terraform is another one; the modules below have none of their own there."""
_PROVIDERS = {"aws": "aws", "gcp": "google"}
_MODULE_NAMES = {"ec2": "", "vpc": "vpc_", "s3": "s3_"}
_SINGULAR = {
    "allowedAccountIds": "allowed_account_ids",
    "clientIdLists": "client_id_list",
    "equals": "equals",
    "startsWiths": "starts_with",
    "endsWiths": "ends_with",
}
"""Lists of plain values whose plural is Pulumi's, and those that only look so."""
_PLURAL = {
    *("aggregations", "cleanupPolicies", "conditions", "databaseFlags", "labels", "networks", "thresholdRules"),
}
"""Blocks that are many in Terraform, too, on Google Cloud."""
_RENAMED = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": {"name": "alarm_name"},
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": {"productionVariants": "production_variants"},
    "aws:sns/topicSubscription:TopicSubscription": {"topic": "topic_arn"},
}
"""Properties whose name in Terraform is another one."""
_IDENTIFYING = ("bucket", "name", "identifier", "arn", "id", "keyId", "resourceId", "endpoint", "repositoryUrl")
"""Properties by which one resource names another, the likeliest first."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_INDENT = "  "
_PROTECTED = (f"{_INDENT}lifecycle {{", f"{_INDENT * 2}prevent_destroy = true", f"{_INDENT}}}")


class Node(NamedTuple):
    """One resource as a graph has it: inputs and outputs known, and from where each input comes.

    :param outputs: beside the inputs, what others may take from it.
    :param protect: whether Pulumi refuses to destroy it, as Terraform does by a lifecycle.
    :param refers: keys of other nodes, by input.
    """

    type: str
    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    refers: Mapping[str, Sequence[str]]
    protect: bool = False


class _Reference(str):
    """An expression, which is not quoted."""


def written(nodes: Mapping[str, Node]) -> str:
    """The graph as HCL: every resource of a cloud's provider; components and providers are Pulumi's own.

    :param nodes: by key.
    :raises Unsupported: for a type of another provider.
    """
    return "\n".join(_resource(node, nodes) for node in nodes.values() if is_written(node.type))


def is_written(type_: str) -> bool:
    """Whether HCL has something of this type: components and providers it has not.

    :raises Unsupported: for a type of another provider.
    """
    if type_.startswith(("pulumi:", "trivet:")):
        return False
    if type_.partition(":")[0] not in _PROVIDERS:
        raise Unsupported(f"No Terraform is written for {type_}.", "Only types of AWS and Google Cloud are known here.")
    return True


def type_name(token: str) -> str:
    """Terraform's name of a type: ``aws:s3/bucket:Bucket`` is ``aws_s3_bucket``."""
    package, module, name = token.split(":")
    short, provider = module.partition("/")[0], _PROVIDERS[package]
    if known := TYPES.get(f"{short}:{name}"):
        return f"{provider}_{known}"
    return f"{provider}_{_MODULE_NAMES.get(short, f'{short}_')}{_snake(name)}"


def address(node: Node) -> str:
    """What Terraform calls the resource."""
    return f"{type_name(node.type)}.{_label(node.name)}"


def _resource(node: Node, nodes: Mapping[str, Node]) -> str:
    known = _known(node, nodes)
    many = {name: _snake(name) for name in _PLURAL} if node.type.startswith("gcp:") else {}
    names = _RENAMED.get(node.type, {})
    body = _body(node.inputs, sdk.declared(node.type).inputs, known, names, many)
    body = [*body, *(_PROTECTED if node.protect else ())]
    return "\n".join([f'resource "{type_name(node.type)}" "{_label(node.name)}" {{', *body, "}", ""])


def _known(node: Node, nodes: Mapping[str, Node]) -> dict[str, dict[str, str]]:
    """By input, the values that are another resource's, as Terraform refers to them."""
    found: dict[str, dict[str, str]] = {}
    for name, keys in node.refers.items():
        for other in (nodes[key] for key in keys if key in nodes and is_written(nodes[key].type)):
            values = {**other.outputs, **other.inputs}
            for one in reversed(_IDENTIFYING):
                if isinstance(values.get(one), str):
                    found.setdefault(name, {})[values[one]] = f"{address(other)}.{_snake(one)}"
    return found


def _body(
    values: Mapping[str, Any],
    fields: Mapping[str, Any],
    known: Mapping[str, Mapping[str, str]],
    renamed: Mapping[str, str],
    many: Mapping[str, str],
    depth: int = 1,
) -> Iterator[str]:
    indent = _INDENT * depth
    for name, value in sorted(values.items()):
        if value is None:
            continue
        inner, names = _block(fields.get(name)), known.get(name, {})
        if inner is None or isinstance(value, str):  # a policy's document is declared as an object, too
            label = renamed.get(name) or _SINGULAR.get(name, _snake(name))
            yield f"{indent}{label} = {_value(_referring(value, names))}"
            continue
        label = (
            renamed.get(name)
            or many.get(name)
            or (_snake(name) if isinstance(value, Mapping) else _singular(_snake(name)))
        )
        for one in [value] if isinstance(value, Mapping) else value:
            yield f"{indent}{label} {{"
            yield from _body(one, inner, dict.fromkeys(one, names), {}, many, depth + 1)
            yield f"{indent}}}"


def _block(declared: Any) -> Mapping[str, Any] | None:
    """The fields of a block, where a property is one, or a list of them."""
    for one in sdk.options(declared):
        for candidate in (one, *sdk.options(sdk.element(one))):
            if sdk.is_object(candidate):
                return sdk.fields(candidate)
    return None


def _referring(value: Any, names: Mapping[str, str]) -> Any:
    """The value, with an expression for each part that is another resource's; within a text only ARNs are known."""
    if isinstance(value, str):
        if value in names:
            return _Reference(names[value])
        begins = [name for name in names if name.startswith("arn:") and value.startswith(name)]
        longest = max(begins, key=len, default=None)
        return value if longest is None else _Reference(f'"${{{names[longest]}}}{value[len(longest) :]}"')
    if isinstance(value, Mapping):
        return {key: _referring(one, names) for key, one in value.items()}
    return [_referring(one, names) for one in value] if isinstance(value, Sequence) else value


def _value(value: Any) -> str:
    if isinstance(value, _Reference):
        return str(value)
    if isinstance(value, str):
        document = _document(value)
        return _quoted(value) if document is None else f"jsonencode({_value(document)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def _document(text: str) -> Any:
    """What a text is as JSON, where that is an object."""
    try:
        found = json.loads(text) if text.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _snake(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)
