"""What is left of a stack on AWS: asked of moto, by the stack's tags and by its names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from trivet.core.errors import ConfigError, PlatformError
from trivet.core.leftovers import Place
from trivet.platforms.aws.left import audit, left

REGION, ACCOUNT = "eu-central-1", "123456789012"
PLACE = Place("lending", "dev", REGION, ACCOUNT, None, "lending-dev", Path("/nowhere"))
TAGS = {"trivet:stack": "dev", "trivet:project": "lending"}
OTHERS = {"trivet:stack": "dev", "trivet:project": "billing"}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.session.Session]:
    """A session on an empty AWS of this process."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.session.Session(region_name=REGION)


def pairs(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


def kinds(session: boto3.session.Session, place: Place = PLACE) -> dict[str, str]:
    """Notes by kind."""
    return {one.kind: one.note for one in left(session, place)}


def make_bucket(session: boto3.session.Session, name: str, tags: dict[str, str], **more: object) -> None:
    s3 = session.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}, **more)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs(tags)})


def test_nothing_is_left_of_nothing(session):
    assert left(session, PLACE) == []


def test_a_key_is_told_with_the_day_on_which_it_goes(session):
    kms = session.client("kms")
    key = kms.create_key(Tags=pairs(TAGS, "TagKey", "TagValue"))["KeyMetadata"]["Arn"]
    [before] = left(session, PLACE)
    assert (before.state, before.until) == ("in use", None)
    kms.schedule_key_deletion(KeyId=key.rsplit("/", 1)[1], PendingWindowInDays=7)
    [after] = left(session, PLACE)
    assert after.id == key and after.state == "pending deletion"
    assert after.until is not None and timedelta(days=6) < after.until - datetime.now(UTC) < timedelta(days=8)


def test_what_another_project_has_under_the_same_stack_name_is_not_told(session):
    make_bucket(session, "of-lending", TAGS)
    make_bucket(session, "of-billing", OTHERS)
    make_bucket(session, "of-the-runtime", {"trivet:stack": "dev"})
    make_bucket(session, "of-prod", TAGS | {"trivet:stack": "prod"})
    assert [one.id for one in left(session, PLACE)] == ["arn:aws:s3:::of-lending", "arn:aws:s3:::of-the-runtime"]


def test_a_locked_bucket_says_how_long(session):
    make_bucket(session, "records", TAGS, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 3653}}
    session.client("s3").put_object_lock_configuration(
        Bucket="records", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    [found] = left(session, PLACE)
    assert found.state == "locked" and "before it is 3653 days old" in found.note


def test_snapshots_and_log_groups_are_found_by_their_names_alone(session):
    rds, logs = session.client("rds"), session.client("logs")
    for name in ("lending-dev-database", "lending-devil-database"):
        rds.create_db_instance(
            DBInstanceIdentifier=name, Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
            MasterUsername="a", MasterUserPassword="correct-horse",
        )  # fmt: skip
        rds.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier=f"{name}-final")
    for group in ("/aws/rds/instance/lending-dev-database/postgresql", "/aws/sagemaker/Endpoints/lending-devil-loan"):
        logs.create_log_group(logGroupName=group)
    found = {one.kind: one.id for one in left(session, PLACE)}
    assert found.keys() == {"RDS snapshot", "log group"}
    assert found["RDS snapshot"].endswith(":lending-dev-database-final")
    assert found["log group"].endswith(":/aws/rds/instance/lending-dev-database/postgresql")
    assert kinds(session)["log group"] == "nothing in it ever goes"
    logs.put_retention_policy(logGroupName="/aws/rds/instance/lending-dev-database/postgresql", retentionInDays=365)
    assert kinds(session)["log group"].startswith("lines go after 365 days")


def test_what_the_runtime_left_is_found_by_its_names(session):
    sagemaker = session.client("sagemaker")
    role = session.client("iam").create_role(RoleName="lending-dev-server", AssumeRolePolicyDocument="{}")["Role"][
        "Arn"
    ]
    for name in ("lending-dev-loan-1", "lending-devil-loan-1"):
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": "i"})
        variant = {"VariantName": "a", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    found = left(session, PLACE)
    assert [one.kind for one in found] == [
        "IAM role",
        "SageMaker endpoint",
        "SageMaker endpoint configuration",
        "SageMaker model",
    ]
    assert all("lending-dev-" in one.id for one in found)
    assert kinds(session)["SageMaker endpoint"] == "charged by the hour"


@pytest.mark.parametrize("anothers", [{"trivet:stack": "dev-eu"}, {"trivet:project": "billing"}], ids=str)
def test_what_bears_anothers_tags_is_not_told_though_its_name_begins_like_ours(session, anothers):
    rds, logs, iam, sagemaker = (session.client(name) for name in ("rds", "logs", "iam", "sagemaker"))

    def make(stem: str, tags: dict[str, str]) -> None:
        role = iam.create_role(RoleName=f"{stem}-server", AssumeRolePolicyDocument="{}", Tags=pairs(tags))["Role"][
            "Arn"
        ]
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
        }
        iam.create_policy(PolicyName=f"{stem}-server", PolicyDocument=json.dumps(policy), Tags=pairs(tags))
        sagemaker.create_model(ModelName=stem, ExecutionRoleArn=role, PrimaryContainer={"Image": "i"}, Tags=pairs(tags))
        variant = {"VariantName": "a", "ModelName": stem, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=stem, ProductionVariants=[variant], Tags=pairs(tags))
        sagemaker.create_endpoint(EndpointName=stem, EndpointConfigName=stem, Tags=pairs(tags))
        logs.create_log_group(logGroupName=f"/aws/sagemaker/Endpoints/{stem}", tags=tags)
        rds.create_db_instance(
            DBInstanceIdentifier=stem, Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
            MasterUsername="a", MasterUserPassword="correct-horse", Tags=pairs(tags), CopyTagsToSnapshot=True,
        )  # fmt: skip
        rds.delete_db_instance(DBInstanceIdentifier=stem, FinalDBSnapshotIdentifier=f"{stem}-final")

    make("lending-dev-eu-loan", TAGS | anothers)
    assert left(session, PLACE) == []
    make("lending-dev-loan", TAGS)
    found = left(session, PLACE)
    assert {one.kind for one in found} >= {
        *("IAM role", "IAM policy", "RDS snapshot", "log group"),
        *("SageMaker endpoint", "SageMaker endpoint configuration", "SageMaker model"),
    }
    assert not [one.id for one in found if "lending-dev-eu" in one.id]


def test_a_secret_in_its_recovery_window_is_told(session):
    secrets = session.client("secretsmanager")
    for name, tags in (("own", TAGS), ("other", OTHERS)):
        secrets.create_secret(Name=name, SecretString="x", Tags=pairs(tags))
        secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    [found] = left(session, PLACE)
    assert found.kind == "secret" and found.state == "pending deletion" and ":secret:own" in found.id


def test_whatever_else_bears_the_tags_is_told_by_its_arn(session):
    topic = session.client("sns").create_topic(Name="alerts", Tags=pairs(TAGS))["TopicArn"]
    queue = session.client("sqs").create_queue(QueueName="dead", tags=TAGS)["QueueUrl"]
    assert queue
    assert topic in {one.id for one in left(session, PLACE)}


def test_more_than_a_page_is_read(session):
    for number in range(60):
        session.client("sns").create_topic(Name=f"t{number}", Tags=pairs(TAGS))
    assert len(left(session, PLACE)) == 60


def test_another_account_is_refused_and_a_failure_is_no_empty_list(session, monkeypatch):
    make_bucket(session, "of-lending", TAGS)
    assert len(audit(PLACE)) == 1
    with pytest.raises(ConfigError, match="of account 123456789012, and stack dev is in 999999999999"):
        audit(PLACE._replace(account="999999999999"))
    role = session.client("iam").create_role(RoleName="audit", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    assert {one.kind for one in audit(PLACE._replace(assume_role=role))} == {"S3 bucket"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    through = {"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1:9.*"]}}}
    with mock_aws(config=through), pytest.raises(PlatformError, match="could not be asked"):
        audit(PLACE)
