"""A graph as Terraform's HCL: names, blocks and references as Terraform has them."""

from __future__ import annotations

import json

import pytest

from trivet.core.errors import Unsupported
from trivet.rehearsal.terraform import Node, type_name, written

BUCKET = "aws:s3/bucket:Bucket::data"
ARN = "arn:aws:s3:::data-1"
TEXT = """\
resource "aws_s3_bucket" "data" {
  bucket = "data-1"
  tags = {"trivet:Team" = "credit"}
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data-encryption" {
  bucket = aws_s3_bucket.data.bucket
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
    bucket_key_enabled = true
  }
}

resource "aws_iam_policy" "reader" {
  description = "costs $${5}"
  policy = jsonencode({"Statement" = [{"Action" = "s3:GetObject"}]})
}

resource "aws_cloudwatch_log_group" "log" {
  name = "${aws_s3_bucket.data.arn}:log"
  retention_in_days = 365
}
"""


def test_a_graph_is_written_as_terraform_has_it():
    default = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}, "bucketKeyEnabled": True}
    nodes = {
        "trivet:aws:Stack::prod": Node("trivet:aws:Stack", "prod", {}, {}, {}),
        BUCKET: Node(
            "aws:s3/bucket:Bucket", "data", {"bucket": "data-1", "tags": {"trivet:Team": "credit"}}, {"arn": ARN}, {}
        ),
        "encryption": Node(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "data-encryption",
            {"bucket": "data-1", "rules": [default]},
            {},
            {"bucket": [BUCKET]},
        ),
        "policy": Node(
            "aws:iam/policy:Policy",
            "reader",
            {"policy": json.dumps({"Statement": [{"Action": "s3:GetObject"}]}), "description": "costs ${5}"},
            {},
            {},
        ),
        "log": Node(
            "aws:cloudwatch/logGroup:LogGroup",
            "log",
            {"name": f"{ARN}:log", "retentionInDays": 365.0, "kmsKeyId": None},
            {},
            {"name": [BUCKET]},
        ),
    }
    assert written(nodes) == TEXT


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("aws:ec2/vpc:Vpc", "aws_vpc"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws_vpc_security_group_ingress_rule"),
        ("aws:rds/instance:Instance", "aws_db_instance"),
        ("aws:cloudtrail/trail:Trail", "aws_cloudtrail"),
        ("aws:iam/openIdConnectProvider:OpenIdConnectProvider", "aws_iam_openid_connect_provider"),
        ("aws:sagemaker/endpointConfiguration:EndpointConfiguration", "aws_sagemaker_endpoint_configuration"),
    ],
)
def test_types_have_terraform_s_names(token, name):
    assert type_name(token) == name


def test_a_type_of_another_provider_is_refused():
    with pytest.raises(Unsupported, match="azure-native:storage"):
        written({"x": Node("azure-native:storage:StorageAccount", "x", {}, {}, {})})
