"""Updates of endpoints: in steps, back on an alarm, back when the new containers do not get well."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.fakes.waiting import until

from .conftest import Account, variant


@pytest.fixture
def two(aws: Account) -> Account:
    """An endpoint that serves the model ``old``, and a configuration ``new``."""
    for name in ("old", "new"):
        aws.model(name)
        aws.config(name)
    assert aws.endpoint("loan", "old")["EndpointStatus"] == "InService"
    return aws


def policy(kind: str, wait: int, *, alarms: tuple[str, ...] = (), end: int = 0, **sizes: int) -> dict[str, Any]:
    capacity = {name: {"Type": "CAPACITY_PERCENT", "Value": value} for name, value in sizes.items()}
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **capacity}
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": end},
        **rollback,
    }


def update(aws: Account, config: str, deployment: dict[str, Any] | None = None, **request: Any) -> None:
    given = {"DeploymentConfig": deployment} if deployment else {}
    aws.sagemaker.update_endpoint(EndpointName="loan", EndpointConfigName=config, **given, **request)


def alarm(aws: Account, name: str, state: str, config: str = "") -> None:
    more = [{"Name": "EndpointConfigName", "Value": config}] if config else []
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": "loan"}, {"Name": "VariantName", "Value": "main"}, *more],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test says so")


def names(aws: Account, count: int) -> Counter[str]:
    """Which model answers how often."""
    return Counter(aws.ask()["CustomAttributes"].removeprefix("name=") for _ in range(count))


def test_all_at_once_and_no_request_is_lost(two: Account):
    update(two, "new")
    seen = []
    while two.sagemaker.describe_endpoint(EndpointName="loan")["EndpointStatus"] == "Updating":
        seen += names(two, 1)
    found = two.settled("loan")
    assert (found["EndpointConfigName"], found.get("FailureReason")) == ("new", None)
    assert names(two, 5) == {"new": 5}
    assert seen[0] == "old" and seen == sorted(seen, reverse=True)
    until(two.fake.processes, lambda pids: len(pids) == 2)  # unshare and the container


def test_a_request_on_its_way_is_answered_before_its_server_leaves(two: Account):
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(two.ask, body=b"sleep")
        until(lambda: two.client("logs").describe_log_groups()["logGroups"], bool)
        update(two, "new")
        two.settled("loan")
        assert not late.done()
        assert late.result()["CustomAttributes"] == "name=old"


def test_a_canary_gets_its_share_first(two: Account):
    two.fake.set(speed=60)
    update(two, "new", policy("CANARY", 120, end=0, CanarySize=25))
    until(lambda: names(two, 1), lambda found: "new" in found)
    counted = names(two, 40)
    assert 8 <= counted["new"] <= 12 and counted["old"] + counted["new"] == 40
    found = two.sagemaker.describe_endpoint(EndpointName="loan")
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("Updating", "old")
    pending = found["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == "new" and pending["ProductionVariants"][0]["InstanceType"] == "ml.m5.large"
    found = two.settled("loan")
    assert found["EndpointConfigName"] == "new" and "PendingDeploymentSummary" not in found
    assert found["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"
    assert names(two, 5) == {"new": 5}


def test_linear_steps_grow(two: Account):
    two.fake.set(speed=60)
    update(two, "new", policy("LINEAR", 60, LinearStepSize=50))
    shares = []
    while two.sagemaker.describe_endpoint(EndpointName="loan")["EndpointStatus"] == "Updating":
        shares.append(names(two, 10)["new"])
    assert shares[0] <= 7 and any(3 <= share <= 7 for share in shares)
    assert two.settled("loan")["EndpointConfigName"] == "new" and names(two, 10) == {"new": 10}


def test_batches_roll(two: Account):
    two.fake.set(speed=60)
    size = {"Type": "CAPACITY_PERCENT", "Value": 50}
    update(two, "new", {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 60}})
    until(lambda: names(two, 10), lambda counted: 3 <= counted["new"] <= 7)
    assert two.settled("loan")["EndpointConfigName"] == "new" and names(two, 10) == {"new": 10}


def test_what_is_retained_of_an_earlier_deployment_is_used_again(two: Account):
    two.fake.set(speed=60)
    update(two, "new", policy("CANARY", 0, CanarySize=50))
    two.settled("loan")
    alone = policy("CANARY", 60, CanarySize=50)
    with pytest.raises(ClientError, match="Only one of DeploymentConfig and RetainDeploymentConfig"):
        update(two, "old", alone, RetainDeploymentConfig=True)
    update(two, "old", RetainDeploymentConfig=True)
    kept = two.settled("loan")["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert kept["TrafficRoutingConfiguration"]["CanarySize"] == {"Type": "CAPACITY_PERCENT", "Value": 50}


def test_an_alarm_takes_a_canary_back(two: Account):
    two.fake.set(speed=10)
    alarm(two, "errors", "OK")
    update(two, "new", policy("CANARY", 600, alarms=("errors",), CanarySize=50))
    until(lambda: names(two, 1), lambda found: "new" in found)
    alarm(two, "errors", "ALARM")
    found = two.settled("loan")
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "old")
    assert "errors" in found["FailureReason"] and "alarm" in found["FailureReason"]
    assert names(two, 5) == {"old": 5}
    until(two.fake.processes, lambda pids: len(pids) == 2)


def test_an_alarm_after_the_last_step_takes_it_back_too(two: Account):
    two.fake.set(speed=10)
    alarm(two, "errors", "OK")
    update(two, "new", policy("ALL_AT_ONCE", 0, alarms=("errors",), end=600))
    until(lambda: names(two, 3), lambda found: found == {"new": 3})
    alarm(two, "errors", "ALARM")
    assert two.settled("loan")["EndpointConfigName"] == "old"


@pytest.mark.parametrize("dimension", ["new", ""], ids=["new fleet", "both fleets"])
def test_a_canary_that_answers_badly_sets_off_the_alarm_itself(two: Account, dimension: str):
    """Nobody sets the alarm: it is evaluated over what the endpoint counts."""
    two.model("bad", TOY_STATUS="500")
    two.config("bad")
    alarm(two, "errors", "OK", config="bad" if dimension else "")
    two.fake.set(speed=60, evaluate=True)
    update(two, "bad", policy("CANARY", 900, alarms=("errors",), CanarySize=50))

    def settled() -> bool:
        try:
            two.ask()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ModelError"
        return two.sagemaker.describe_endpoint(EndpointName="loan")["EndpointStatus"] == "InService"

    until(settled, bool)
    found = two.settled("loan")
    assert found["EndpointConfigName"] == "old" and "alarm state: [errors]" in found["FailureReason"]
    said = two.client("cloudwatch").describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]
    assert said["MetricName"] == "Invocation5XXErrors" and names(two, 5) == {"old": 5}


def test_an_alarm_on_the_new_fleet_lets_a_fix_of_a_failing_one_through(two: Account):
    two.model("bad", TOY_STATUS="500")
    two.config("bad")
    update(two, "bad")
    two.settled("loan")
    alarm(two, "errors", "OK", config="new")
    two.fake.set(speed=60, evaluate=True)
    update(two, "new", policy("CANARY", 60, alarms=("errors",), CanarySize=50))
    while two.sagemaker.describe_endpoint(EndpointName="loan")["EndpointStatus"] == "Updating":
        try:
            two.ask()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ModelError"
    assert two.settled("loan")["EndpointConfigName"] == "new"


def test_without_alarms_in_its_configuration_no_alarm_counts(two: Account):
    alarm(two, "errors", "ALARM")
    update(two, "new", policy("CANARY", 60, CanarySize=50))
    assert two.settled("loan")["EndpointConfigName"] == "new"


def test_a_container_that_does_not_get_well_is_taken_back(two: Account):
    two.fake.set(startup=1)
    two.model("sick", TOY_PING="500")
    two.config("sick")
    update(two, "sick")
    found = two.settled("loan")
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "old")
    assert "did not pass the ping health check" in found["FailureReason"]
    assert names(two, 3) == {"old": 3}
    two.fake.set(startup=20)
    update(two, "new")
    found = two.settled("loan")
    assert (found["EndpointConfigName"], found.get("FailureReason")) == ("new", None)


def test_properties_of_variants_are_retained_when_asked(two: Account):
    wanted = [{"VariantName": "main", "DesiredWeight": 7.0, "DesiredInstanceCount": 5}]
    two.sagemaker.update_endpoint_weights_and_capacities(EndpointName="loan", DesiredWeightsAndCapacities=wanted)
    two.settled("loan")

    def shown(**request: Any) -> tuple[float, int]:
        update(two, "new", **request)
        [one] = two.settled("loan")["ProductionVariants"]
        return one["CurrentWeight"], one["CurrentInstanceCount"]

    excluded = [{"VariantPropertyType": "DesiredWeight"}]
    assert shown(RetainAllVariantProperties=True) == (7.0, 5)
    assert shown(RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded) == (1.0, 5)
    assert shown() == (1.0, 2)


def test_a_failed_endpoint_can_be_updated(two: Account):
    two.fake.set(startup=1)
    two.model("sick", TOY_CRASH="1")
    two.config("sick", variant("sick"))
    two.sagemaker.create_endpoint(EndpointName="other", EndpointConfigName="sick")
    assert two.settled("other")["EndpointStatus"] == "Failed"
    two.sagemaker.update_endpoint(EndpointName="other", EndpointConfigName="sick")
    assert two.settled("other")["EndpointStatus"] == "Failed"
    two.fake.set(startup=20)
    two.sagemaker.update_endpoint(EndpointName="other", EndpointConfigName="new")
    assert two.settled("other")["EndpointStatus"] == "InService"
