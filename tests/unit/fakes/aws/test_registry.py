"""The model registry: versions, approval, idempotency, tags."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import BUCKET, ROLE, TOY, Account, tarball

FORMATS = {"SupportedContentTypes": ["application/json"], "SupportedResponseMIMETypes": ["application/json"]}


def package(aws: Account, **request: Any) -> str:
    container = {"Image": TOY, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz", "Environment": {"TOY_NAME": "packaged"}}
    return aws.sagemaker.create_model_package(
        ModelPackageGroupName="loan", InferenceSpecification={"Containers": [container], **FORMATS}, **request
    )["ModelPackageArn"]


@pytest.fixture
def group(aws: Account) -> Account:
    """An account with the group ``loan``."""
    aws.sagemaker.create_model_package_group(ModelPackageGroupName="loan", ModelPackageGroupDescription="Loans")
    return aws


def test_versions_count_up_and_are_never_given_twice(group: Account):
    arns = [package(group) for _ in range(3)]
    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2", "3"]
    group.sagemaker.delete_model_package(ModelPackageName=arns[2])
    assert package(group).endswith("/loan/4")
    with ThreadPoolExecutor(8) as pool:
        more = list(pool.map(lambda _: package(group), range(16)))
    assert sorted(int(arn.rpartition("/")[2]) for arn in more) == list(range(5, 21))


def test_the_same_token_gives_the_same_package(group: Account):
    with ThreadPoolExecutor(8) as pool:
        arns = set(pool.map(lambda _: package(group, ClientToken="c" * 36), range(8)))
    assert len(arns) == 1
    assert package(group, ClientToken="d" * 36) not in arns


def test_a_package_says_what_it_was_made_of_and_what_became_of_it(group: Account):
    arn = package(group, CustomerMetadataProperties={"digest": "sha256:1", "stage": "test"}, SkipModelValidation="All")
    found = group.sagemaker.describe_model_package(ModelPackageName=arn)
    assert (found["ModelPackageVersion"], found["ModelApprovalStatus"]) == (1, "PendingManualApproval")
    assert found["ModelPackageGroupName"] == "loan" and found["ModelPackageStatus"] == "Completed"
    assert found["InferenceSpecification"]["Containers"][0]["Image"] == TOY
    assert found["SkipModelValidation"] == "All"
    group.sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="by the board",
        CustomerMetadataProperties={"owner": "credit"},
        CustomerMetadataPropertiesToRemove=["stage"],
    )
    found = group.sagemaker.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "by the board")
    assert found["CustomerMetadataProperties"] == {"digest": "sha256:1", "owner": "credit"}
    assert found["LastModifiedTime"] >= found["CreationTime"]
    for missing in (f"{arn}9", "none"):
        with pytest.raises(ClientError, match="does not exist"):
            group.sagemaker.describe_model_package(ModelPackageName=missing)


def test_lists_are_of_one_group_and_one_approval(group: Account):
    arns = [package(group) for _ in range(12)]
    group.sagemaker.update_model_package(ModelPackageArn=arns[4], ModelApprovalStatus="Approved")
    group.sagemaker.create_model_package(ModelPackageName="alone")
    ask = group.sagemaker.list_model_packages
    first = ask(ModelPackageGroupName="loan", SortBy="CreationTime", SortOrder="Ascending")
    assert len(first["ModelPackageSummaryList"]) == 10
    rest = ask(ModelPackageGroupName="loan", SortOrder="Ascending", NextToken=first["NextToken"])
    listed = [*first["ModelPackageSummaryList"], *rest["ModelPackageSummaryList"]]
    assert [one["ModelPackageArn"] for one in listed] == arns and "NextToken" not in rest
    approved = ask(ModelPackageGroupName="loan", ModelApprovalStatus="Approved")["ModelPackageSummaryList"]
    assert [one["ModelPackageVersion"] for one in approved] == [5]
    assert [one["ModelPackageName"] for one in ask()["ModelPackageSummaryList"]] == ["alone"]
    with pytest.raises(ClientError, match=r"ModelPackageGroup arn:.* does not exist"):
        ask(ModelPackageGroupName="none")


def test_an_empty_group_goes(group: Account):
    found = group.sagemaker.describe_model_package_group(ModelPackageGroupName="loan")
    assert (found["ModelPackageGroupDescription"], found["ModelPackageGroupStatus"]) == ("Loans", "Completed")
    arn = package(group)
    with pytest.raises(ClientError) as error:
        group.sagemaker.delete_model_package_group(ModelPackageGroupName="loan")
    assert error.value.response["Error"]["Code"] == "ConflictException"
    group.sagemaker.delete_model_package(ModelPackageName=arn)
    group.sagemaker.delete_model_package_group(ModelPackageGroupName="loan")
    assert group.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_a_model_may_be_of_a_package(group: Account):
    group.put("model.tar.gz", tarball({"weights.txt": b"1"}))
    arn = package(group)
    group.sagemaker.create_model(
        ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": arn, "Environment": {"MORE": "1"}}
    )
    group.config("m")
    assert group.endpoint("loan", "m")["EndpointStatus"] == "InService"
    answer = group.ask()
    assert answer["CustomAttributes"] == "name=packaged" and b"weights.txt" in answer["Body"].read()


def test_everything_can_be_tagged(group: Account):
    group.model("m")
    group.config(
        "c", *[{"VariantName": "a", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}]
    )
    group.endpoint("e", "c", Tags=[{"Key": "team", "Value": "credit"}])
    group.job("j", {}, Tags=[{"Key": "team", "Value": "credit"}])
    prefix = "arn:aws:sagemaker:eu-central-1:123456789012"
    arns = [f"{prefix}:endpoint/e", f"{prefix}:training-job/j", f"{prefix}:model/m", f"{prefix}:endpoint-config/c"]
    arns += [f"{prefix}:model-package-group/loan", package(group)]
    for arn in arns:
        group.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        group.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["b"])
        tags = {tag["Key"]: tag["Value"] for tag in group.sagemaker.list_tags(ResourceArn=arn)["Tags"]}
        assert tags == {"a": "1"} | ({"team": "credit"} if arn in arns[:2] else {})
    with pytest.raises(ClientError, match="more than 50 tags"):
        group.sagemaker.add_tags(ResourceArn=arns[0], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    group.ended("j")
