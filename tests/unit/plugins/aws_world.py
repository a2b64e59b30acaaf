"""What the examples of AWS refer to and have in common."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

from trivet.core.waiting import wait_for

Inputs = dict[str, Any]
Examples = dict[str, tuple[Inputs, Inputs]]
"""By token without package and module: inputs, and those of them that are then changed in place."""

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/model:1"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:there"
TAGS = {"tags": {"purpose": "training"}}
RETAG = {"tags": {"purpose": "scoring", "owner": "risk"}}


def policy(action: str = "s3:GetObject", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def archive(name: str, data: bytes) -> bytes:
    """A tar.gz with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        made.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def world(client: Callable[[str], Any]) -> dict[str, str]:
    """What the examples of AWS refer to."""
    iam, ec2, s3, ml = client("iam"), client("ec2"), client("s3"), client("sagemaker")
    where = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    s3.create_bucket(Bucket="there", **where)
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True, **where)
    logging = {"Service": "logging.s3.amazonaws.com"}
    s3.create_bucket(Bucket="logs", **where)
    s3.put_bucket_policy(
        Bucket="logs", Policy=policy("s3:PutObject", Principal=logging, Resource="arn:aws:s3:::logs/*")
    )
    s3.put_object(Bucket="there", Key="model.tar.gz", Body=archive("model.txt", b"a model"))
    role = iam.create_role(RoleName="there", AssumeRolePolicyDocument=trust("sagemaker"))["Role"]["Arn"]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"eu-central-1{zone}")
        for i, zone in enumerate("ab")
    ]
    first, second = (one["Subnet"]["SubnetId"] for one in subnets)
    ml.create_model(ModelName="there", ExecutionRoleArn=role, PrimaryContainer={"Image": IMAGE})
    variant = {"VariantName": "a", "ModelName": "there", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    for name in ("there", "other"):
        ml.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    ml.create_endpoint(EndpointName="there", EndpointConfigName="there")
    wait_for(
        lambda: ml.describe_endpoint(EndpointName="there")["EndpointStatus"] == "InService" or None,
        "The endpoint",
        seconds=60,
    )
    client("rds").create_db_subnet_group(
        DBSubnetGroupName="there", DBSubnetGroupDescription="there", SubnetIds=[first, second]
    )
    client("events").put_rule(Name="there", ScheduleExpression="rate(1 day)")
    client("ecr").create_repository(repositoryName="there")
    scaled = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    client("application-autoscaling").register_scalable_target(
        **scaled, ResourceId="endpoint/there/variant/a", MinCapacity=1, MaxCapacity=2
    )
    return {
        "role": role,
        "policy": iam.create_policy(PolicyName="there", PolicyDocument=policy())["Policy"]["Arn"],
        "vpc": vpc,
        "subnet": first,
        "other_subnet": second,
        "group": ec2.create_security_group(VpcId=vpc, GroupName="there", Description="there")["GroupId"],
        "routes": ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"],
        "key": client("kms").create_key()["KeyMetadata"]["Arn"],
        "secret": client("secretsmanager").create_secret(Name="there")["ARN"],
        "topic": client("sns").create_topic(Name="there")["TopicArn"],
        "queue": client("sqs").create_queue(QueueName="there")["QueueUrl"],
    }
