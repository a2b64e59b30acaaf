"""Examples of AWS's types that run, connect and watch."""

from __future__ import annotations

import json

from .aws_world import IMAGE, QUEUE, RETAG, TAGS, Examples, policy


def running(there: dict[str, str]) -> Examples:
    """Of each type; ``there`` is what :func:`aws_world.world` made."""
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
    group = {"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "project", "Values": ["lending"]}]}
    return {
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
        "sagemaker:ModelPackageGroup": (
            {"modelPackageGroupName": "made", "modelPackageGroupDescription": "a", **TAGS},
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
        "scheduler:ScheduleGroup": ({"name": "made", **TAGS}, RETAG),
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
