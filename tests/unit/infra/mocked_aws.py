"""The AWS stack under Pulumi's mocks: ``python mocked_aws.py STACK CONFIG PREVIEW`` prints its graph as JSON.

Without arguments it reads lines of ``[PROJECT, STACK, CONFIG]`` and answers each with a graph.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.mocks import MockMonitor

from trivet.core.errors import ConfigError
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


class Refused(Exception):
    """The stack cannot be made, and these resources were registered before that was told."""

    def __init__(self, registered: list[str]) -> None:
        super().__init__(f"{len(registered)} resources were registered")
        self.registered = registered


def build(project: str, stack: str, config: str, *, preview: bool) -> dict[str, Any]:
    """The graph and the output of one stack.

    :raises Refused: by what was wrong in the config.
    """
    mocks, output = Recorder(json.loads(config)["region"]), {}
    monitor = Monitor(mocks)
    pulumi.runtime.set_mocks(mocks, project=project, stack=stack, preview=preview, monitor=monitor)

    @pulumi.runtime.test
    def body() -> Any:
        from trivet.infra.stacks.aws import Stack

        return export(Stack(stack, Settings.of(json.loads(config)))).apply(output.update)

    try:
        body()
    except ConfigError as error:
        raise Refused(sorted(mocks.resources)) from error
    graph = {"resources": mocks.resources, "outputs": mocks.outputs, "refers": monitor.refers, "output": output}
    graph["options"] = monitor.options
    return graph


def serve() -> None:
    """One graph for each line of project, stack and config."""
    for line in sys.stdin:
        project, stack, config = json.loads(line)
        try:
            answer = build(project, stack, config, preview=True)
        except Refused as error:
            answer = {"refused": str(error.__cause__), "registered": error.registered}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main() -> None:
    if len(sys.argv) == 1:
        serve()
        return
    stack, config, how = sys.argv[1:]
    try:
        sys.stdout.write(json.dumps(build("trivet", stack, config, preview=how == "preview")))
    except Refused as error:
        sys.stdout.writelines(f"{name}\n" for name in error.registered)
        raise


if __name__ == "__main__":
    main()
