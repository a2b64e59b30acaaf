"""Ways in which a stack goes wrong: each is seeded into the graph of a stack in ``prod``, and has to be found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .graphs import Stack
from .mutating import Mutation, adding, setting, without
from .mutations_gcp import OF_GCP

ENDPOINTS = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
WORLD = "0.0.0.0/0"


def saying(type_: str, name: str, document: str, change: Callable[[list[dict[str, Any]]], object]) -> Any:
    """Change the statements of a policy document."""

    def seed(stack: Stack) -> None:
        inputs = stack.find(type_, name)
        read = json.loads(inputs[document])
        change(read["Statement"])
        inputs[document] = json.dumps(read)

    return seed


def allowing(action: str, resource: str) -> Callable[[list[dict[str, Any]]], object]:
    return lambda said: said.append({"Effect": "Allow", "Action": action, "Resource": resource})


def anybody(action: str, principal: object = "*") -> Callable[[list[dict[str, Any]]], object]:
    return lambda said: said.append({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"})


def subject(value: str) -> Callable[[list[dict[str, Any]]], object]:
    """A trust for whoever has a subject like it."""

    def change(said: list[dict[str, Any]]) -> None:
        equal = said[0]["Condition"]["StringEquals"]
        name = next(key for key in equal if key.endswith(":sub"))
        del equal[name]
        said[0]["Condition"]["StringLike"] = {name: value}

    return change


def _untagged(stack: Stack) -> None:
    inputs = stack.find("aws", "aws")
    tags = json.loads(inputs["defaultTags"])
    del tags["tags"]["owner"]
    inputs["defaultTags"] = json.dumps(tags)


def _forgetting(stack: Stack) -> None:
    del stack.find("Schedule", "schedule-nightly")["target"]["deadLetterConfig"]


OF_AWS = [
    Mutation(
        "a bucket that may be opened", setting("BucketPublicAccessBlock", "store-closed", blockPublicPolicy=False)
    ),
    Mutation("a bucket that nothing keeps closed", without("BucketPublicAccessBlock", "records-closed")),
    Mutation("a bucket with a public access list", setting("Bucket", "store", acl="public-read")),
    Mutation(
        "a bucket that anybody may read", saying("BucketPolicy", "store-policy", "policy", anybody("s3:GetObject"))
    ),
    Mutation("a bucket without encryption", without("BucketServerSideEncryptionConfiguration", "store-encryption")),
    Mutation(
        "a bucket encrypted with a key of AWS's",
        setting(
            "BucketServerSideEncryptionConfiguration",
            "records-encryption",
            rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}],
        ),
    ),
    Mutation(
        "a bucket that takes plain HTTP", saying("BucketPolicy", "store-policy", "policy", lambda said: said.pop(0))
    ),
    Mutation(
        "a bucket without versions",
        setting("BucketVersioning", "store-versions", versioningConfiguration={"status": "Suspended"}),
    ),
    Mutation("a bucket whose readers nobody sees", without("BucketLogging", "records-access")),
    Mutation("a key that is not rotated", setting("Key", "data-key", enableKeyRotation=False)),
    Mutation("a key for anybody", saying("Key", "data-key", "policy", anybody("kms:Decrypt"))),
    Mutation("a key that is gone after a week", setting("Key", "data-key", deletionWindowInDays=7)),
    Mutation("a role that may do anything", saying("Policy", "server-policy", "policy", allowing("*", "*"))),
    Mutation(
        "a role that may do anything to objects",
        saying("Policy", "trainer-policy", "policy", allowing("s3:*", "arn:aws:s3:::data/*")),
    ),
    Mutation(
        "a role that may read every secret",
        saying("Policy", "monitor-policy", "policy", allowing("secretsmanager:GetSecretValue", "*")),
    ),
    Mutation(
        "a role that may pass roles to any service",
        saying("Policy", "workflow-policy", "policy", allowing("iam:PassRole", "arn:aws:iam::123456789012:role/x")),
    ),
    Mutation(
        "a role that anybody may become",
        saying("Role", "server", "assumeRolePolicy", anybody("sts:AssumeRole", {"AWS": "*"})),
    ),
    Mutation(
        "a role that a service may become for others",
        saying("Role", "trainer", "assumeRolePolicy", lambda said: said[0].pop("Condition")),
    ),
    Mutation(
        "a role for every branch of every repository",
        saying("Role", "deployer", "assumeRolePolicy", subject("repo:acme/*:*")),
    ),
    Mutation("a role for anybody at GitHub", saying("Role", "deployer", "assumeRolePolicy", subject("repo:*"))),
    Mutation(
        "a role with all rights",
        setting("RolePolicyAttachment", "deployer-rights", policyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
    ),
    Mutation(
        "a security group open to the world",
        setting(
            "SecurityGroupIngressRule", "tls-in", cidrIpv4=WORLD, referencedSecurityGroupId=None, fromPort=22, toPort=22
        ),
    ),
    Mutation(
        "a security group that may speak to the world",
        setting(
            "SecurityGroupEgressRule",
            "tls-out",
            cidrIpv4=WORLD,
            referencedSecurityGroupId=None,
            ipProtocol="-1",
            fromPort=None,
            toPort=None,
        ),
    ),
    Mutation("subnets with public addresses", setting("Subnet", "subnet-a", mapPublicIpOnLaunch=True)),
    Mutation("a network without a flow log", without("FlowLog")),
    Mutation("a network as AWS makes it", without("DefaultSecurityGroup")),
    Mutation("a way to the internet", adding("aws:ec2/internetGateway:InternetGateway", "out", vpcId="network-id")),
    Mutation("an endpoint of the network for anybody", setting("VpcEndpoint", "kms", policy=None)),
    Mutation("a public database", setting("Instance", "database", publiclyAccessible=True)),
    Mutation("a database without encryption", setting("Instance", "database", storageEncrypted=False)),
    Mutation("a database without backups", setting("Instance", "database", backupRetentionPeriod=0)),
    Mutation("a database that a slip deletes", setting("Instance", "database", deletionProtection=False)),
    Mutation("a database with a password in the state", setting("Instance", "database", password="open")),
    Mutation(
        "a database that takes connections without TLS",
        setting("ParameterGroup", "database-parameters", parameters=[{"name": "rds.force_ssl", "value": "0"}]),
    ),
    Mutation("images whose tags move", setting("Repository", "images", imageTagMutability="MUTABLE")),
    Mutation(
        "images that nobody scans",
        setting("Repository", "images", imageScanningConfiguration={"scanOnPush": False}),
    ),
    Mutation(
        "an endpoint whose volume has no key of ours",
        adding(ENDPOINTS, "loan", productionVariants=[{"modelName": "loan", "instanceType": "ml.m5.large"}]),
    ),
    Mutation(
        "a model that may call the internet",
        adding("aws:sagemaker/model:Model", "loan", executionRoleArn="arn:aws:iam::123456789012:role/server"),
    ),
    Mutation("a log that is kept for ever", setting("LogGroup", "log-loan", retentionInDays=None)),
    Mutation("a log that is kept for a month", setting("LogGroup", "log-loan", retentionInDays=30)),
    Mutation("a log without a key of ours", setting("LogGroup", "trail-log", kmsKeyId=None)),
    Mutation("a trail whose files may be changed unseen", setting("Trail", "trail", enableLogFileValidation=False)),
    Mutation("a trail of one region", setting("Trail", "trail", isMultiRegionTrail=False)),
    Mutation("a topic without encryption", setting("Topic", "alerts", kmsMasterKeyId=None)),
    Mutation(
        "a topic to which anybody may publish", saying("TopicPolicy", "alerts-policy", "policy", anybody("sns:Publish"))
    ),
    Mutation(
        "a topic that another account's alarms may use",
        saying("TopicPolicy", "alerts-policy", "policy", lambda said: said[0].pop("Condition")),
    ),
    Mutation(
        "a topic that EventBridge cannot reach",
        saying("TopicPolicy", "alerts-policy", "policy", lambda said: said[1].update(Condition=said[0]["Condition"])),
    ),
    Mutation("an alarm that tells nobody", setting("MetricAlarm", "errors-loan", alarmActions=None)),
    Mutation("no budget", without("Budget")),
    Mutation("a budget of which nobody hears", setting("Budget", "stack-budget", notifications=[])),
    Mutation(
        "records that an administrator may change",
        setting(
            "BucketObjectLockConfiguration",
            "records-lock",
            rule={"defaultRetention": {"mode": "GOVERNANCE", "days": 3653}},
        ),
        "aws-prod-regulated",
    ),
    Mutation("records that anybody may change", without("BucketObjectLockConfiguration"), "aws-prod-regulated"),
    Mutation(
        "records of decisions for a year", setting("LogGroup", "log-loan", retentionInDays=365), "aws-prod-regulated"
    ),
    Mutation(
        "a default security group with rules",
        setting("DefaultSecurityGroup", "nothing", ingress=[{"protocol": "-1", "self": True}]),
    ),
    Mutation("a database without a log", setting("Instance", "database", enabledCloudwatchLogsExports=None)),
    Mutation("a database with AWS's parameters", setting("Instance", "database", parameterGroupName=None)),
    Mutation("a trail that no alarm can see", setting("Trail", "trail", cloudWatchLogsGroupArn=None)),
    Mutation(
        "images with a key of AWS's",
        setting("Repository", "images", encryptionConfigurations=[{"encryptionType": "AES256"}]),
    ),
    Mutation(
        "images for anybody",
        adding(
            "aws:ecr/repositoryPolicy:RepositoryPolicy",
            "open",
            repository="images",
            policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
                }
            ),
        ),
    ),
    Mutation(
        "a notebook on the internet",
        adding(
            "aws:sagemaker/notebookInstance:NotebookInstance",
            "look",
            instanceType="ml.t3.medium",
            roleArn="arn:aws:iam::123456789012:role/x",
        ),
    ),
    Mutation("a schedule that AWS could read", setting("Schedule", "schedule-nightly", kmsKeyArn=None)),
    Mutation("a schedule that loses what it could not start", _forgetting),
    Mutation("a queue that is not encrypted", setting("Queue", "undelivered", kmsMasterKeyId=None)),
    Mutation("a user with keys", adding("aws:iam/user:User", "someone", name="someone")),
    Mutation("a required tag missing", _untagged),
    Mutation("a provider for any account", setting("aws", "aws", allowedAccountIds=None)),
]
MUTATIONS = [*OF_AWS, *OF_GCP]
