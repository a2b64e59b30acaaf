"""A program of the size of a real stack: private network, keys, storage, identities, images, endpoint and watching."""

import json

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

account = aws.get_caller_identity().account_id
region = aws.get_region().region
zones = aws.get_availability_zones(state="available").names
tagged = aws.Provider("tagged", region=region, default_tags={"tags": {"project": "lending"}})
opts = ResourceOptions(provider=tagged)

vpc = aws.ec2.Vpc("private", cidr_block="10.20.0.0/16", enable_dns_hostnames=True, enable_dns_support=True, opts=opts)
subnets = [
    aws.ec2.Subnet(f"private-{i}", vpc_id=vpc.id, cidr_block=f"10.20.{i}.0/24", availability_zone=zone, opts=opts)
    for i, zone in enumerate(zones[:2])
]
inside = aws.ec2.SecurityGroup("inside", vpc_id=vpc.id, description="Within the network", opts=opts)
aws.vpc.SecurityGroupIngressRule(
    "inside",
    security_group_id=inside.id,
    ip_protocol="tcp",
    from_port=443,
    to_port=443,
    cidr_ipv4=vpc.cidr_block,
    opts=opts,
)
aws.vpc.SecurityGroupEgressRule(
    "inside", security_group_id=inside.id, ip_protocol="-1", referenced_security_group_id=inside.id, opts=opts
)
routes = aws.ec2.RouteTable("private", vpc_id=vpc.id, opts=opts)
for i, subnet in enumerate(subnets):
    aws.ec2.RouteTableAssociation(f"private-{i}", route_table_id=routes.id, subnet_id=subnet.id, opts=opts)
aws.ec2.VpcEndpoint(
    "s3", vpc_id=vpc.id, service_name=f"com.amazonaws.{region}.s3", route_table_ids=[routes.id], opts=opts
)
for service in ("sagemaker.api", "sagemaker.runtime", "ecr.api", "ecr.dkr", "logs", "kms", "sts"):
    aws.ec2.VpcEndpoint(
        service,
        vpc_id=vpc.id,
        service_name=f"com.amazonaws.{region}.{service}",
        vpc_endpoint_type="Interface",
        subnet_ids=[subnet.id for subnet in subnets],
        security_group_ids=[inside.id],
        private_dns_enabled=True,
        opts=opts,
    )

owner = aws.iam.get_policy_document(
    statements=[
        {
            "sid": "owner",
            "actions": ["kms:*"],
            "resources": ["*"],
            "principals": [{"type": "AWS", "identifiers": [f"arn:aws:iam::{account}:root"]}],
        }
    ]
)
key = aws.kms.Key("data", policy=owner.json, enable_key_rotation=True, deletion_window_in_days=30, opts=opts)
aws.kms.Alias("data", name="alias/lending-data", target_key_id=key.key_id, opts=opts)

buckets = {}
for name in ("data", "artifacts", "logs"):
    bucket = buckets[name] = aws.s3.Bucket(name, bucket=f"lending-{name}-{account}", force_destroy=True, opts=opts)
    block = aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )
    aws.s3.BucketVersioning(name, bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=opts)
    aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.id,
        rules=[
            {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
                "bucket_key_enabled": True,
            }
        ],
        opts=opts,
    )
    tls = bucket.arn.apply(
        lambda arn: json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [arn, f"{arn}/*"],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            }
        )
    )
    aws.s3.BucketPolicy(
        name, bucket=bucket.id, policy=tls, opts=ResourceOptions.merge(opts, ResourceOptions(depends_on=[block]))
    )

github = aws.iam.OpenIdConnectProvider(
    "github", url="https://token.actions.githubusercontent.com", client_id_lists=["sts.amazonaws.com"], opts=opts
)
roles = {}
for name, principal in (("train", "sagemaker"), ("endpoint", "sagemaker"), ("trigger", "scheduler")):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": f"{principal}.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        ],
    }
    roles[name] = aws.iam.Role(name, assume_role_policy=json.dumps(trust), max_session_duration=3600, opts=opts)
    allowed = aws.iam.Policy(
        name,
        policy=buckets["data"].arn.apply(
            lambda arn: json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{arn}/*"}],
                }
            )
        ),
        opts=opts,
    )
    aws.iam.RolePolicyAttachment(name, role=roles[name].name, policy_arn=allowed.arn, opts=opts)

images = aws.ecr.Repository(
    "images",
    image_tag_mutability="IMMUTABLE",
    image_scanning_configuration={"scan_on_push": True},
    encryption_configurations=[{"encryption_type": "KMS", "kms_key": key.arn}],
    force_delete=True,
    opts=opts,
)
topic = aws.sns.Topic("alarms", kms_master_key_id=key.id, opts=opts)
queue = aws.sqs.Queue("dead", kms_master_key_id=key.id, message_retention_seconds=1209600, opts=opts)
logs = aws.cloudwatch.LogGroup("jobs", retention_in_days=365, kms_key_id=key.arn, opts=opts)
group = aws.sagemaker.ModelPackageGroup("loan", model_package_group_name="loan", opts=opts)
model = aws.sagemaker.Model(
    "loan",
    execution_role_arn=roles["endpoint"].arn,
    enable_network_isolation=True,
    primary_container={"image": images.repository_url.apply("{}:1".format), "environment": {"LEVEL": "info"}},
    vpc_config={"subnets": [subnet.id for subnet in subnets], "security_group_ids": [inside.id]},
    opts=opts,
)
shape = aws.sagemaker.EndpointConfiguration(
    "loan",
    name_prefix="loan-",
    kms_key_arn=key.arn,
    production_variants=[
        {"variant_name": "a", "model_name": model.name, "instance_type": "ml.m5.large", "initial_instance_count": 2}
    ],
    data_capture_config={
        "enable_capture": True,
        "initial_sampling_percentage": 100,
        "destination_s3_uri": buckets["artifacts"].bucket.apply("s3://{}/capture".format),
        "capture_options": [{"capture_mode": "Input"}, {"capture_mode": "Output"}],
    },
    opts=opts,
)
alarm = aws.cloudwatch.MetricAlarm(
    "errors",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=1,
    metric_name="Invocation5XXErrors",
    namespace="AWS/SageMaker",
    period=60,
    statistic="Sum",
    threshold=0,
    dimensions={"EndpointName": "loan", "VariantName": "a"},
    alarm_actions=[topic.arn],
    opts=opts,
)
endpoint = aws.sagemaker.Endpoint(
    "loan",
    name="loan",
    endpoint_config_name=shape.name,
    deployment_config={
        "blue_green_update_policy": {
            "traffic_routing_configuration": {
                "type": "CANARY",
                "wait_interval_in_seconds": 600,
                "canary_size": {"type": "CAPACITY_PERCENT", "value": 50},
            }
        },
        "auto_rollback_configuration": {"alarms": [{"alarm_name": alarm.name}]},
    },
    opts=opts,
)
pipeline = aws.sagemaker.Pipeline(
    "train",
    pipeline_name="train",
    pipeline_display_name="train",
    pipeline_definition=json.dumps({"Version": "2020-12-01", "Steps": []}),
    role_arn=roles["train"].arn,
    opts=opts,
)
aws.scheduler.Schedule(
    "train",
    schedule_expression="rate(7 days)",
    flexible_time_window={"mode": "OFF"},
    kms_key_arn=key.arn,
    target={
        "arn": pipeline.arn,
        "role_arn": roles["trigger"].arn,
        "dead_letter_config": {"arn": queue.arn},
        "sagemaker_pipeline_parameters": {"pipeline_parameters": [{"name": "reason", "value": "weekly"}]},
    },
    opts=opts,
)
drift = aws.cloudwatch.EventRule(
    "drift",
    event_pattern=json.dumps({"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}),
    opts=opts,
)
aws.cloudwatch.EventTarget(
    "drift",
    rule=drift.name,
    arn=pipeline.arn,
    role_arn=roles["trigger"].arn,
    dead_letter_config={"arn": queue.arn},
    opts=opts,
)
database = aws.rds.Instance(
    "registry",
    engine="postgres",
    engine_version="16.3",
    instance_class="db.t4g.micro",
    allocated_storage=20,
    db_name="registry",
    username="trivet",
    password=pulumi.Output.secret("correct-horse"),
    db_subnet_group_name=aws.rds.SubnetGroup("registry", subnet_ids=[subnet.id for subnet in subnets], opts=opts).name,
    vpc_security_group_ids=[inside.id],
    storage_encrypted=True,
    kms_key_id=key.arn,
    multi_az=True,
    skip_final_snapshot=True,
    iam_database_authentication_enabled=True,
    opts=opts,
)
aws.budgets.Budget(
    "monthly",
    budget_type="COST",
    time_unit="MONTHLY",
    limit_amount="100",
    limit_unit="USD",
    notifications=[
        {
            "comparison_operator": "GREATER_THAN",
            "notification_type": "FORECASTED",
            "threshold": 100,
            "threshold_type": "PERCENTAGE",
            "subscriber_sns_topic_arns": [topic.arn],
        }
    ],
    opts=opts,
)
aws.cloudtrail.Trail(
    "audit",
    s3_bucket_name=buckets["logs"].bucket,
    is_multi_region_trail=True,
    enable_log_file_validation=True,
    kms_key_id=key.arn,
    advanced_event_selectors=[
        {
            "name": "objects",
            "field_selectors": [
                {"field": "eventCategory", "equals": ["Data"]},
                {"field": "resources.type", "equals": ["AWS::S3::Object"]},
            ],
        }
    ],
    opts=opts,
)
pulumi.export("endpoint", endpoint.arn)
pulumi.export("database", database.endpoint)
pulumi.export("subnets", [subnet.id for subnet in subnets])
