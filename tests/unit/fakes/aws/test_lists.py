"""Lists as SageMaker gives them: ten at a time, filtered, and in the order that each operation's page names."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Account, variant


def names(answer: dict[str, Any], members: str, name: str) -> list[str]:
    return [one[name] for one in answer[members]]


def test_models_and_configs_come_last_first_and_groups_and_jobs_first_first(aws: Account):
    for name in ("b", "a", "c"):
        aws.model(name)
        aws.config(name, variant("b"))
        aws.sagemaker.create_model_package_group(ModelPackageGroupName=name)
        aws.job(name, {})
    ml = aws.sagemaker
    assert names(ml.list_models(), "Models", "ModelName") == ["c", "a", "b"]
    assert names(ml.list_endpoint_configs(), "EndpointConfigs", "EndpointConfigName") == ["c", "a", "b"]
    groups = ml.list_model_package_groups()
    assert names(groups, "ModelPackageGroupSummaryList", "ModelPackageGroupName") == ["b", "a", "c"]
    assert names(ml.list_training_jobs(), "TrainingJobSummaries", "TrainingJobName") == ["b", "a", "c"]
    assert names(ml.list_models(SortBy="Name", SortOrder="Ascending"), "Models", "ModelName") == ["a", "b", "c"]
    for name in ("a", "b", "c"):
        aws.ended(name)


def test_a_list_without_a_number_has_ten_and_a_token(aws: Account):
    for number in range(12):
        aws.model(f"m-{number:02}")
    first = aws.sagemaker.list_models()
    assert len(first["Models"]) == 10
    rest = aws.sagemaker.list_models(NextToken=first["NextToken"])
    assert names(rest, "Models", "ModelName") == ["m-01", "m-00"] and "NextToken" not in rest
    with pytest.raises(ClientError, match="Invalid pagination token"):
        aws.sagemaker.list_models(NextToken="page-2")


def test_filters_hold(aws: Account):
    aws.model("early-1")
    time.sleep(0.02)
    between = datetime.now(UTC)
    time.sleep(0.02)
    aws.model("late-1")
    ask = lambda **given: names(aws.sagemaker.list_models(**given), "Models", "ModelName")  # noqa: E731
    assert ask(NameContains="ear") == ["early-1"]
    assert ask(CreationTimeAfter=between) == ["late-1"] and ask(CreationTimeBefore=between) == ["early-1"]
    assert ask(CreationTimeAfter=between + timedelta(hours=1)) == []
    aws.job("good", {})
    aws.job("bad", {"fail": "yes"})
    aws.ended("good")
    aws.ended("bad")
    failed = aws.sagemaker.list_training_jobs(StatusEquals="Failed")
    assert names(failed, "TrainingJobSummaries", "TrainingJobName") == ["bad"]
