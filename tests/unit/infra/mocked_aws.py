"""The AWS stack under Pulumi's mocks: reads lines of JSON, arguments of :func:`answer`, and answers each in JSON."""

from __future__ import annotations

import contextvars
import gc
import json
import os
import sys
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.mocks import MockMonitor

from trivet.infra.export import export
from trivet.infra.settings import Settings

ACCOUNT = "123456789012"
ZONES = {"ap-northeast-1": "acd", "ca-west-1": "a"}
"""Letters of a region's zones as an account sees them; the second is made up."""


class Recorder(Mocks):
    """Answers with what AWS would fill in, as far as the stack reads it."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.resources: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources[f"{args.typ}::{args.name}"] = {"type": args.typ, **args.inputs}
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
        self.outputs[f"{args.typ}::{args.name}"] = {"id": f"{args.name}-id", **known}
        return f"{args.name}-id", {**known, **args.inputs}

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        if args.token == "aws:kms/getPublicKey:getPublicKey":
            return {"publicKey": "TUZrd0V3", "publicKeyPem": "PEM"}
        if args.token == "aws:ec2/getManagedPrefixList:getManagedPrefixList":
            return {"id": "pl-1"}
        if args.token == "aws:index/getAvailabilityZones:getAvailabilityZones":
            return {"names": [f"{self.region}{letter}" for letter in ZONES.get(self.region, "abc")]}
        raise AssertionError(f"the stack calls nothing else, yet {args.token}")


class Monitor(MockMonitor):
    """Remembers, too, from which resources each input comes, and what the engine is asked besides."""

    def __init__(self, mocks: Mocks) -> None:
        super().__init__(mocks)
        self.keys: dict[str, str] = {}
        self.refers: dict[str, dict[str, list[str]]] = {}
        self.options: dict[str, dict[str, Any]] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        key = f"{request.type}::{request.name}"
        found = {
            name: sorted({self.keys[urn] for urn in one.urns if urn in self.keys})
            for name, one in request.propertyDependencies.items()
        }
        self.refers[key] = {name: keys for name, keys in sorted(found.items()) if keys}
        options = {"protect": request.protect, "ignoreChanges": list(request.ignoreChanges)}
        self.options[key] = {name: value for name, value in options.items() if value}
        answer = super().RegisterResource(request)
        self.keys[answer.urn] = key
        return answer


def answer(project: str, stack: str, config: str, home: str, how: str) -> dict[str, Any]:
    """The graph and the output of one stack, or why it was refused and what was registered before that.

    :param home: where the copy of the output goes.
    :param how: ``up`` or ``preview``.
    """
    os.environ["TRIVET_HOME"] = home
    mocks, output = Recorder(json.loads(config)["region"]), {}
    monitor = Monitor(mocks)
    pulumi.runtime.set_mocks(mocks, project=project, stack=stack, preview=how == "preview", monitor=monitor)

    @pulumi.runtime.test
    def body() -> Any:
        from trivet.infra.stacks.aws import Stack

        return export(Stack(stack, Settings.of(json.loads(config)))).apply(output.update)

    try:
        body()
    except ValueError as error:  # a ConfigError, or what Pulumi makes of one behind an output
        return {"refused": str(error), "registered": sorted(mocks.resources)}
    graph = {"resources": mocks.resources, "outputs": mocks.outputs, "refers": monitor.refers, "output": output}
    graph["options"] = monitor.options
    return graph


def main() -> None:
    gc.disable()  # most of what is made are Pulumi's types, which stay
    for line in sys.stdin:
        alone = contextvars.copy_context()  # in which Pulumi keeps its root resource and its settings
        sys.stdout.write(json.dumps(alone.run(answer, *json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
