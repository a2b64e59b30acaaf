"""What the doctor makes of rights and quotas: answers shaped by AWS's own models, which no fake of ours gives."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from trivet.platforms.aws.doctor import ACTIONS, INSTANCES, USES, _asked, _quota, _rights

ROLE = "arn:aws:iam::123456789012:role/deployer"
SESSION = "arn:aws:sts::123456789012:assumed-role/deployer/somebody"
QUOTAS = [f"{kind} {use}" for kind in INSTANCES for use in USES]


def client(service: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, region_name="eu-central-1", **keys)


def decided(**decisions: str) -> dict[str, Any]:
    every = {action: decisions.get(action.rpartition(":")[2], "allowed") for action in ACTIONS}
    return {"EvaluationResults": [{"EvalActionName": name, "EvalDecision": said} for name, said in every.items()]}


@pytest.mark.parametrize(
    ("decisions", "level", "note"),
    [
        ({}, "ok", f"{len(ACTIONS)} actions are allowed"),
        ({"CreateTransformJob": "implicitDeny"}, "warn", "may not sagemaker:CreateTransformJob: ask for"),
        ({"PassRole": "explicitDeny", "Sign": "implicitDeny"}, "warn", "may not kms:Sign, iam:PassRole: ask for"),
    ],
)
def test_rights_are_asked_of_the_role_behind_a_session(decisions: dict[str, str], level: str, note: str) -> None:
    iam = client("iam")
    with Stubber(iam) as stub:
        asked = {"PolicySourceArn": ROLE, "ActionNames": list(ACTIONS)}
        stub.add_response("simulate_principal_policy", decided(**decisions), asked)
        found = _rights(iam, SESSION)
        stub.assert_no_pending_responses()
    assert found[0] == level and note in found[1]


@pytest.mark.parametrize("name", QUOTAS)
@pytest.mark.parametrize(
    ("value", "level", "note"), [(20.0, "ok", "20"), (1.0, "ok", "1"), (0.0, "fail", "ask for more under Service")]
)
def test_a_quota_is_found_on_whichever_page_it_is(name: str, value: float, level: str, note: str) -> None:
    quotas = client("service-quotas")
    with Stubber(quotas) as stub:
        others = [{"QuotaName": f"{one} and more", "Value": 0.0} for one in QUOTAS]
        stub.add_response("list_service_quotas", {"Quotas": others, "NextToken": "2"}, {"ServiceCode": "sagemaker"})
        asked = {"ServiceCode": "sagemaker", "NextToken": "2"}
        stub.add_response("list_service_quotas", {"Quotas": [{"QuotaName": name, "Value": value}]}, asked)
        found = _quota(quotas, name)
        stub.assert_no_pending_responses()
    assert found[0] == level and note in found[1]


def test_what_nobody_says_is_unknown() -> None:
    quotas, iam = client("service-quotas"), client("iam")
    with Stubber(quotas) as stub:
        stub.add_response("list_service_quotas", {"Quotas": []}, {"ServiceCode": "sagemaker"})
        assert _quota(quotas, QUOTAS[0])[0] == "unknown"
    with Stubber(iam) as stub:
        stub.add_client_error("simulate_principal_policy", "AccessDenied", "not authorized")
        level, note = _asked(lambda: _rights(iam, SESSION))
    assert level == "unknown" and "not authorized" in note
