"""The AWS stack under Pulumi's mocks: see :mod:`mocking`."""

from __future__ import annotations

from typing import Any

from mocking import Recorder, main
from pulumi.runtime import MockCallArgs, MockResourceArgs

ACCOUNT = "123456789012"
ZONES = {"ap-northeast-1": "acd", "ca-west-1": "a"}
"""Letters of a region's zones as an account sees them; the second is made up."""


class Aws(Recorder):
    """Answers as AWS does."""

    def known(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        service = args.typ.split(":")[1].split("/")[0]
        known = {"arn": f"arn:aws:{service}:eu-central-1:{ACCOUNT}:{args.name}", "name": args.name}
        if args.typ == "aws:rds/instance:Instance":
            known |= {"endpoint": "db.example:5432", "resourceId": "db-ABC"}
        if args.typ == "aws:ecr/repository:Repository":
            known["repositoryUrl"] = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/{args.inputs['name']}"
        if args.typ == "aws:kms/key:Key":
            known["keyId"] = f"id-of-{args.name}"
        if args.typ == "aws:iam/openIdConnectProvider:OpenIdConnectProvider":
            known["arn"] = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{args.inputs['url'].removeprefix('https://')}"
        return f"{args.name}-id", known

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        if args.token == "aws:kms/getPublicKey:getPublicKey":
            return {"publicKey": "TUZrd0V3", "publicKeyPem": "PEM"}
        if args.token == "aws:ec2/getManagedPrefixList:getManagedPrefixList":
            return {"id": "pl-1"}
        if args.token == "aws:index/getAvailabilityZones:getAvailabilityZones":
            return {"names": [f"{self.region}{letter}" for letter in ZONES.get(self.region, "abc")]}
        return super().call(args)


if __name__ == "__main__":
    main(Aws)
