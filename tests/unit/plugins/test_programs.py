"""Whole programs through the driver: what they make, change, replace, refuse and leave behind."""

from __future__ import annotations

import json

from .conftest import Stack

BUCKET = """
bucket = aws.s3.Bucket("data", tags={"purpose": %r})
pulumi.export("name", bucket.bucket)
pulumi.export("arn", bucket.arn)
"""


def test_a_bucket_from_its_making_to_its_end(stack: Stack):
    assert stack.preview(BUCKET % "training") == {"create": 2}
    s3 = stack.client("s3")
    assert s3.list_buckets()["Buckets"] == []
    assert stack.up() == {"create": 2}
    [bucket] = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert bucket.startswith("data-") and len(bucket) == len("data-") + 7
    assert stack.outputs() == {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "purpose", "Value": "training"}]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-central-1"
    assert stack.up() == {}

    assert stack.preview(BUCKET % "scoring") == {"update": 1}
    assert stack.up() == {"update": 1}
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "purpose", "Value": "scoring"}]
    assert stack.driver.destroy() == {"delete": 2}
    assert s3.list_buckets()["Buckets"] == []
    assert stack.store.all() == []
