"""The page of what whoever runs `pulumi up` on AWS needs, from the stack's graphs and CloudFormation's schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudformation

GOLDEN = Path(__file__).parent.parent / "tests" / "rules" / "golden"
_TYPE = re.compile(r"^(aws:[a-z0-9]+/\w+:\w+)::", re.MULTILINE)
MOST_POLICY = 6144  # characters without white space; IAM user guide, "IAM and AWS STS quotas"
IN_REGION = {"Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "REGION"}}}
OPERATOR_SCOPES = {
    "iam": {
        "Resource": [
            *(f"arn:aws:iam::ACCOUNT:{kind}/PREFIX-*" for kind in ("role", "policy")),
            "arn:aws:iam::ACCOUNT:role/aws-service-role/*",
            "arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com",
        ]
    },
    "s3": {"Resource": ["arn:aws:s3:::PREFIX-*"]},
    # Budgets are kept in one region, wherever the stack is.
    "billing": {"Resource": "*"},
    "budgets": {"Resource": "*"},
}
OPERATOR = """\
{number} policies of IAM, to attach to the role that runs `pulumi up` and `pulumi destroy` (`trivet:assume_role`). They
hold the actions by which AWS itself makes, reads, changes and deletes what is in the graph of any profile: the handlers
of CloudFormation's schemas say them, type by type. Pulumi's provider calls the same services; that it needs nothing
else is shown by what its stand-in calls on the fake, and on a real account not yet. Replace `PREFIX`, what the stack's
names begin with (`PROJECT-STACK`), `ACCOUNT` and `REGION`; with `trivet:role_path`, put the path before `PREFIX` in the
ARNs of roles and policies. A stack that pushes images or deploys needs the [deployer's rights](aws-rights.md) beside
these. Left out is what AWS's handlers do for parts that no stack of Trivet's has:
"""


def policies() -> Iterator[str]:
    """IAM's policies of whoever runs `pulumi up` on AWS, each short enough for IAM, as JSON."""
    types = {found for path in GOLDEN.glob("aws-*.yaml") for found in _TYPE.findall(path.read_text())}
    actions = {action for _, every in cloudformation.rights(types) for action in every} | cloudformation.ASKED.keys()
    by_service: dict[str, list[str]] = {}
    for action in sorted(actions):
        by_service.setdefault(action.partition(":")[0], []).append(action)
    statements = [
        {"Sid": service.title(), "Effect": "Allow", "Action": each, **OPERATOR_SCOPES.get(service, IN_REGION)}
        for service, each in by_service.items()
    ]
    document: list[dict[str, Any]] = []
    for one in statements:
        if len(_policy([*document, one])) > MOST_POLICY:
            yield _policy(document)
            document = []
        document.append(one)
    yield _policy(document)


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def page(notice: str) -> str:
    """The policies with what they are from."""
    every = list(policies())
    parts = [notice, "# What whoever runs `pulumi up` on AWS needs\n", OPERATOR.format(number=len(every))]
    parts += [f"- `{service}`: {what}" for service, what in cloudformation.UNUSED.items()]
    parts.append("\nBeside them the program asks:\n")
    parts += [f"- `{action}`: {what}" for action, what in cloudformation.ASKED.items()]
    for number, text in enumerate(every, 1):
        parts.append(f"\n## Policy {number}\n\n```json\n{text}\n```")
    return "\n".join([*parts, ""])
