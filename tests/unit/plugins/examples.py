"""Inputs for every type that the stand-ins serve, and changes that are made in place.

Types in the strict store get the least that the SDK requires, made from its types; those in moto are spelled out, since
AWS checks more than types.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, get_origin

from trivet.rehearsal.plugins import sdk

Inputs = dict[str, Any]

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/model:1"


def minimal(kind: Any, name: str = "x") -> Any:
    """A value of a type, with no more than it must have."""
    one = sdk.options(kind)[0]
    if sdk.is_object(one):
        fields = sdk.fields(one)
        return {field: minimal(fields[field], field) for field in sorted(sdk.required(one))}
    if sdk.is_enum(one):
        return next(iter(one)).value
    origin = get_origin(one) or one
    if origin is bool:
        return True
    if origin in (int, float):
        return 1
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    return f"a-{name.lower()}" if origin in (str, Any) else [minimal(sdk.element(one), name)]


def required(token: str) -> Inputs:
    """The required inputs of a type, and what else its id is made of."""
    declared = sdk.declared(token)
    needed = {name: minimal(declared.inputs[name], name) for name in sorted(declared.required)}
    return {**needed, **BESIDES.get(token, {})}


# Inputs that are optional in the SDK, and without which there would be no id.
BESIDES: dict[str, Inputs] = {
    "gcp:sql/user:User": {"name": "scorer"},
    "gcp:cloudquota/sQuotaPreference:SQuotaPreference": {"parent": "projects/lending"},
    "azure-native:network:VirtualNetwork": {"resourceGroupName": "lending"},
    "azure-native:network:NetworkSecurityGroup": {"resourceGroupName": "lending"},
    "azure-native:network:Subnet": {"resourceGroupName": "lending", "virtualNetworkName": "private"},
    "azure-native:monitor:ActionGroup": {"resourceGroupName": "lending"},
    "azure-native:security:Pricing": {"scopeId": "subscriptions/0"},
}


def policy(action: str = "s3:GetObject", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


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


QUEUE = "arn:aws:sqs:eu-central-1:123456789012:there"
TAGS = {"tags": {"purpose": "training"}}
RETAG = {"tags": {"purpose": "scoring", "owner": "risk"}}


def moto(there: dict[str, str]) -> dict[str, tuple[Inputs, Inputs]]:
    """By token without package and module: inputs, and those of them that are then changed in place."""
    everyone = {"Principal": "*"}
    scaled = {"serviceNamespace": "sagemaker", "scalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    variant = {"variantName": "a", "modelName": "there", "instanceType": "ml.m5.large", "initialInstanceCount": 1}
    capture = {
        "enableCapture": True,
        "initialSamplingPercentage": 50,
        "destinationS3Uri": "s3://there/capture",
        "captureOptions": [{"captureMode": "Input"}, {"captureMode": "Output"}],
    }
    ports = {"protocol": "tcp", "fromPort": 443, "toPort": 443}
    lifecycle = {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3},
                "action": {"type": "expire"},
            }
        ]
    }
    kms = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": there["key"]}}
    group = {"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "project", "Values": ["lending"]}]}
    return {
        "s3:Bucket": ({"bucket": "made", **TAGS}, RETAG),
        "s3:BucketPublicAccessBlock": ({"bucket": "there", "blockPublicAcls": True}, {"blockPublicAcls": False}),
        "s3:BucketVersioning": (
            {"bucket": "there", "versioningConfiguration": {"status": "Enabled"}},
            {"versioningConfiguration": {"status": "Suspended"}},
        ),
        "s3:BucketServerSideEncryptionConfiguration": (
            {"bucket": "there", "rules": [{**kms, "bucketKeyEnabled": True}]},
            {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        ),
        "s3:BucketLifecycleConfiguration": (
            {
                "bucket": "there",
                "rules": [
                    {
                        "id": "old",
                        "status": "Enabled",
                        "filter": {"prefix": "runs/"},
                        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                        "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    }
                ],
            },
            {"rules": [{"id": "old", "status": "Disabled", "filter": {"prefix": "x/"}, "expiration": {"days": 9}}]},
        ),
        "s3:BucketPolicy": (
            {"bucket": "there", "policy": policy(**everyone)},
            {"policy": policy("s3:PutObject", **everyone)},
        ),
        "s3:BucketLogging": (
            {"bucket": "there", "targetBucket": "logs", "targetPrefix": "a/"},
            {"targetPrefix": "b/"},
        ),
        "s3:BucketOwnershipControls": (
            {"bucket": "there", "rule": {"objectOwnership": "BucketOwnerEnforced"}},
            {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        ),
        "s3:BucketObjectLockConfiguration": (
            {"bucket": "locked", "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 3}}},
            {"rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 4}}},
        ),
        "kms:Key": (
            {
                "description": "a",
                "enableKeyRotation": True,
                "rotationPeriodInDays": 90,
                "policy": policy("kms:*", **everyone),
                **TAGS,
            },
            {"description": "b", "enableKeyRotation": False, **RETAG},
        ),
        "kms:Alias": ({"name": "alias/made", "targetKeyId": there["key"].split("/")[1]}, {}),
        "secretsmanager:Secret": ({"name": "made", "description": "a", **TAGS}, {"description": "b", **RETAG}),
        "secretsmanager:SecretVersion": ({"secretId": there["secret"], "secretString": "hush"}, {}),
        "ssm:Parameter": ({"name": "/made", "type": "String", "value": "a", **TAGS}, {"value": "b", **RETAG}),
        "ecr:Repository": (
            {
                "name": "made/here",
                "imageTagMutability": "IMMUTABLE",
                "imageScanningConfiguration": {"scanOnPush": True},
                "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": there["key"]}],
                **TAGS,
            },
            {"imageTagMutability": "MUTABLE", "imageScanningConfiguration": {"scanOnPush": False}, **RETAG},
        ),
        "ecr:LifecyclePolicy": (
            {"repository": "there", "policy": json.dumps(lifecycle)},
            {"policy": json.dumps(lifecycle).replace("3", "4")},
        ),
        "ecr:RepositoryPolicy": (
            {"repository": "there", "policy": policy("ecr:BatchGetImage", **everyone)},
            {"policy": policy("ecr:*", **everyone)},
        ),
        "iam:Role": (
            {
                "name": "made",
                "assumeRolePolicy": trust("sagemaker"),
                "description": "a",
                "maxSessionDuration": 3600,
                "permissionsBoundary": there["policy"],
                **TAGS,
            },
            {"description": "b", "maxSessionDuration": 7200, "assumeRolePolicy": trust("scheduler"), **RETAG},
        ),
        "iam:Policy": ({"name": "made", "policy": policy(), **TAGS}, {"policy": policy("s3:PutObject"), **RETAG}),
        "iam:RolePolicyAttachment": ({"role": "there", "policyArn": there["policy"]}, {}),
        "iam:RolePolicy": ({"role": "there", "name": "made", "policy": policy()}, {"policy": policy("s3:PutObject")}),
        "iam:OpenIdConnectProvider": (
            {"url": "https://token.actions.githubusercontent.com", "clientIdLists": ["sts.amazonaws.com"], **TAGS},
            RETAG,
        ),
        "iam:ServiceLinkedRole": (
            {"awsServiceName": "sagemaker.amazonaws.com", "description": "a"},
            {"description": "b"},
        ),
        "ec2:Vpc": (
            {"cidrBlock": "10.1.0.0/16", "enableDnsSupport": True, "enableDnsHostnames": True, **TAGS},
            {"enableDnsHostnames": False, **RETAG},
        ),
        "ec2:Subnet": (
            {"vpcId": there["vpc"], "cidrBlock": "10.0.9.0/24", "mapPublicIpOnLaunch": False, **TAGS},
            {"mapPublicIpOnLaunch": True, **RETAG},
        ),
        "ec2:SecurityGroup": (
            {
                "name": "made",
                "vpcId": there["vpc"],
                "description": "a",
                "ingress": [{**ports, "cidrBlocks": ["10.0.0.0/16"]}],
                **TAGS,
            },
            {"ingress": [{**ports, "securityGroups": [there["group"]]}], **RETAG},
        ),
        "vpc:SecurityGroupIngressRule": (
            {
                "securityGroupId": there["group"],
                "ipProtocol": "tcp",
                "fromPort": 443,
                "toPort": 443,
                "cidrIpv4": "10.0.0.0/8",
                **TAGS,
            },
            {"toPort": 444, "description": "wider", **RETAG},
        ),
        "vpc:SecurityGroupEgressRule": (
            {"securityGroupId": there["group"], "ipProtocol": "-1", "referencedSecurityGroupId": there["group"]},
            {},
        ),
        "ec2:RouteTable": ({"vpcId": there["vpc"], **TAGS}, RETAG),
        "ec2:RouteTableAssociation": ({"routeTableId": there["routes"], "subnetId": there["subnet"]}, {}),
        "ec2:VpcEndpoint": (
            {
                "vpcId": there["vpc"],
                "serviceName": "com.amazonaws.eu-central-1.s3",
                "vpcEndpointType": "Gateway",
                "routeTableIds": [there["routes"]],
                **TAGS,
            },
            RETAG,
        ),
        "ec2:FlowLog": (
            {
                "vpcId": there["vpc"],
                "trafficType": "ALL",
                "logDestinationType": "s3",
                "logDestination": "arn:aws:s3:::there",
                **TAGS,
            },
            RETAG,
        ),
        "sagemaker:Model": (
            {
                "name": "made",
                "executionRoleArn": there["role"],
                "primaryContainer": {
                    "image": IMAGE,
                    "modelDataUrl": "s3://there/model.tar.gz",
                    "environment": {"A": "b"},
                },
                "vpcConfig": {"subnets": [there["subnet"]], "securityGroupIds": [there["group"]]},
                "enableNetworkIsolation": True,
                **TAGS,
            },
            RETAG,
        ),
        "sagemaker:EndpointConfiguration": (
            {
                "name": "made",
                "productionVariants": [variant],
                "kmsKeyArn": there["key"],
                "dataCaptureConfig": capture,
                **TAGS,
            },
            RETAG,
        ),
        "sagemaker:Endpoint": (
            {"name": "made", "endpointConfigName": "there", **TAGS},
            {"endpointConfigName": "other"},
        ),
        "sagemaker:Pipeline": (
            {
                "pipelineName": "made",
                "pipelineDisplayName": "a",
                "pipelineDefinition": json.dumps({"Version": "2020-12-01", "Steps": []}),
                "roleArn": there["role"],
                **TAGS,
            },
            {"pipelineDisplayName": "b", **RETAG},
        ),
        "sagemaker:ModelCard": (
            {"modelCardName": "made", "content": "{}", "modelCardStatus": "Draft", **TAGS},
            {"modelCardStatus": "Approved", **RETAG},
        ),
        "sagemaker:DataQualityJobDefinition": (
            {
                "name": "made",
                "roleArn": there["role"],
                "dataQualityAppSpecification": {"imageUri": IMAGE},
                "dataQualityJobInput": {"endpointInput": {"endpointName": "there"}},
                "dataQualityJobOutputConfig": {"monitoringOutputs": {"s3Output": {"s3Uri": "s3://there/quality"}}},
                "jobResources": {
                    "clusterConfig": {"instanceCount": 1, "instanceType": "ml.m5.large", "volumeSizeInGb": 20}
                },
                **TAGS,
            },
            RETAG,
        ),
        "appautoscaling:Target": (
            {**scaled, "resourceId": "endpoint/there/variant/b", "minCapacity": 1, "maxCapacity": 3},
            {"maxCapacity": 4},
        ),
        "appautoscaling:Policy": (
            {
                **scaled,
                "name": "made",
                "resourceId": "endpoint/there/variant/a",
                "policyType": "TargetTrackingScaling",
                "targetTrackingScalingPolicyConfiguration": {
                    "targetValue": 70,
                    "predefinedMetricSpecification": {"predefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
                },
            },
            {},
        ),
        "glue:CatalogDatabase": ({"name": "made", "description": "a", **TAGS}, {"description": "b", **RETAG}),
        "glue:SecurityConfiguration": (
            {
                "name": "made",
                "encryptionConfiguration": {
                    "cloudwatchEncryption": {"cloudwatchEncryptionMode": "SSE-KMS", "kmsKeyArn": there["key"]},
                    "jobBookmarksEncryption": {"jobBookmarksEncryptionMode": "CSE-KMS", "kmsKeyArn": there["key"]},
                    "s3Encryption": {"s3EncryptionMode": "SSE-KMS", "kmsKeyArn": there["key"]},
                },
            },
            {},
        ),
        "glue:DataCatalogEncryptionSettings": (
            {
                "dataCatalogEncryptionSettings": {
                    "connectionPasswordEncryption": {
                        "returnConnectionPasswordEncrypted": True,
                        "awsKmsKeyId": there["key"],
                    },
                    "encryptionAtRest": {"catalogEncryptionMode": "SSE-KMS", "sseAwsKmsKeyId": there["key"]},
                }
            },
            {},
        ),
        "rds:ParameterGroup": (
            {"name": "made", "family": "postgres17", "parameters": [{"name": "rds.force_ssl", "value": "1"}], **TAGS},
            RETAG,
        ),
        "rds:SubnetGroup": ({"name": "made", "subnetIds": [there["other_subnet"], there["subnet"]], **TAGS}, RETAG),
        "rds:Instance": (
            {
                "identifier": "made",
                "instanceClass": "db.t4g.micro",
                "engine": "postgres",
                "engineVersion": "16.3",
                "allocatedStorage": 20,
                "username": "trivet",
                "password": "correct-horse",
                "dbName": "lending",
                "dbSubnetGroupName": "there",
                "vpcSecurityGroupIds": [there["group"]],
                "skipFinalSnapshot": True,
                "storageEncrypted": True,
                "backupRetentionPeriod": 7,
                "iamDatabaseAuthenticationEnabled": True,
                **TAGS,
            },
            {"allocatedStorage": 30, **RETAG},
        ),
        "cloudwatch:LogGroup": (
            {"name": "/made", "retentionInDays": 30, "kmsKeyId": there["key"], **TAGS},
            {"retentionInDays": 60, **RETAG},
        ),
        "cloudwatch:MetricAlarm": (
            {
                "name": "made",
                "comparisonOperator": "GreaterThanThreshold",
                "evaluationPeriods": 2,
                "metricName": "Latency",
                "namespace": "Trivet",
                "period": 60,
                "statistic": "Average",
                "threshold": 1.5,
                "dimensions": {"Endpoint": "there"},
                "alarmActions": [there["topic"]],
                "treatMissingData": "breaching",
                **TAGS,
            },
            {"threshold": 3, **RETAG},
        ),
        "cloudwatch:Dashboard": (
            {"dashboardName": "made", "dashboardBody": json.dumps({"widgets": []})},
            {"dashboardBody": json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "b"}}]})},
        ),
        "cloudwatch:EventRule": (
            {"name": "made", "scheduleExpression": "rate(1 day)", "description": "a", **TAGS},
            {"description": "b", **RETAG},
        ),
        "cloudwatch:EventTarget": (
            {"rule": "there", "targetId": "made", "arn": QUEUE, "input": "{}"},
            {"input": '{"a": 1}'},
        ),
        "cloudwatch:LogResourcePolicy": (
            {"policyName": "made", "policyDocument": policy("logs:*", **everyone)},
            {"policyDocument": policy("logs:PutLogEvents", **everyone)},
        ),
        "sns:Topic": (
            {"name": "made", "displayName": "a", "kmsMasterKeyId": "alias/aws/sns", **TAGS},
            {"displayName": "b", **RETAG},
        ),
        "sns:TopicPolicy": (
            {"arn": there["topic"], "policy": policy("sns:Publish", **everyone)},
            {"policy": policy("sns:*", **everyone)},
        ),
        "sns:TopicSubscription": ({"topic": there["topic"], "protocol": "sqs", "endpoint": QUEUE}, {}),
        "sqs:Queue": (
            {"name": "made", "messageRetentionSeconds": 1000, "kmsMasterKeyId": "alias/aws/sqs", **TAGS},
            {"messageRetentionSeconds": 2000, **RETAG},
        ),
        "scheduler:Schedule": (
            {
                "name": "made",
                "scheduleExpression": "rate(1 day)",
                "flexibleTimeWindow": {"mode": "OFF"},
                "target": {"arn": QUEUE, "roleArn": there["role"]},
            },
            {"scheduleExpression": "rate(2 days)"},
        ),
        "cloudtrail:Trail": (
            {
                "name": "made",
                "s3BucketName": "there",
                "isMultiRegionTrail": True,
                "enableLogFileValidation": True,
                **TAGS,
            },
            {"enableLogFileValidation": False, **RETAG},
        ),
        "resourcegroups:Group": (
            {"name": "made", "resourceQuery": {"query": json.dumps(group), "type": "TAG_FILTERS_1_0"}},
            {},
        ),
    }
