"""The fake of AWS with one mistake at a time, by name: ``python mutants.py`` takes what the fake itself takes.

``POST /trivet-fake/mistake {"name": NAME}`` makes one instead of the one before; an empty name makes none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from fnmatch import fnmatchcase
from typing import Any
from unittest.mock import patch

from moto.cloudwatch.models import CloudWatchBackend
from moto.kms.responses import KmsResponse
from moto.s3.models import S3Backend

from trivet.rehearsal.fakes.aws import packages
from trivet.rehearsal.fakes.aws.__main__ import main
from trivet.rehearsal.fakes.aws.control import Control
from trivet.rehearsal.fakes.aws.logs import LogStream
from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.sagemaker import OPERATIONS
from trivet.rehearsal.fakes.aws.service import Service
from trivet.rehearsal.fakes.aws.serving import Fleet, Server
from trivet.rehearsal.fakes.aws.state import Region
from trivet.rehearsal.fakes.aws.training import TrainingJob
from trivet.rehearsal.fakes.aws.transform import TransformJob

Does = Callable[..., Any]
MISTAKES: dict[str, Callable[[], AbstractContextManager[Any]]] = {}


def mistake(name: str, owner: Any, attribute: str) -> Callable[[Does], Does]:
    """What is decorated is called instead of an attribute of the fake's, and is handed that first."""
    was = getattr(owner, attribute)

    def register(does: Does) -> Does:
        MISTAKES[name] = lambda: patch.object(owner, attribute, lambda *given, **named: does(was, *given, **named))
        return does

    return register


def operation(name: str, operation: str) -> Callable[[Does], Does]:
    """The same of an operation of SageMaker's."""
    was = OPERATIONS[operation]

    def register(does: Does) -> Does:
        MISTAKES[name] = lambda: patch.dict(OPERATIONS, {operation: lambda *given: does(was, *given)})
        return does

    return register


def s3_drops(name: str, key: str) -> None:
    """S3 says that it wrote an object whose key is like this, and did not."""

    @mistake(name, Service, "_answer")
    def drop(was: Does, service: Service, call: Any, environ: Any, start: Any) -> Any:
        if (call.service, call.operation) != ("s3", "PutObject") or not fnmatchcase(call.resource, key):
            return was(service, call, environ, start)
        start("200 OK", [("Content-Length", "0"), ("ETag", '"0"')])
        return []


s3_drops("an object is not written", "*/again/*")
s3_drops("an alias is not written", "*/aliases/*")


@mistake("an object is not deleted", S3Backend, "delete_object")
def _(was: Does, *given: Any, **named: Any) -> Any:
    return True, {}


@mistake("create-only overwrites", Service, "_answer")
def _(was: Does, service: Service, call: Any, environ: Any, start: Any) -> Any:
    environ.pop("HTTP_IF_NONE_MATCH", None)
    return was(service, call, environ, start)


@mistake("a list of objects is cut", S3Backend, "list_objects_v2")
def _(was: Does, *given: Any, **named: Any) -> Any:
    kept, _, _ = was(*given, **{**named, "max_keys": 2})
    return kept, False, None


@mistake("a list of model packages is cut", packages, "listing")
def _(was: Does, *given: Any) -> Any:
    return {name: entries[:1] for name, entries in was(*given).items() if name != "NextToken"}


@operation("a model package is not tagged", "UpdateModelPackage")
def _(was: Does, region: Region, request: Any) -> Any:
    return {"ModelPackageArn": request["ModelPackageArn"]}


@operation("a model package is made twice", "CreateModelPackage")
def _(was: Does, region: Region, request: Any) -> Any:
    was(region, {**request, "ClientToken": "another"})
    return was(region, request)


@mistake("a signature is of something else", KmsResponse, "sign")
def _(was: Does, response: Any) -> Any:
    given = response._get_param
    with patch.object(response, "_get_param", lambda name, *_: "A" * 43 + "=" if name == "Message" else given(name)):
        return was(response)


@operation("a job is not stopped", "StopTrainingJob")
def _(was: Does, region: Region, request: Any) -> Any:
    return {}


@mistake("a job that failed has succeeded", TrainingJob, "_conclude")
def _(was: Does, job: TrainingJob, folder: Any, code: int, why: str) -> None:
    was(job, folder, 0, why)


@mistake("a job gets no environment", TrainingJob, "_launch")
def _(was: Does, job: TrainingJob, *given: Any) -> Any:
    with patch.dict(job.request, {"Environment": {}}):
        return was(job, *given)


@operation("a batch is not stopped", "StopTransformJob")
def _(was: Does, region: Region, request: Any) -> Any:
    return {}


@mistake("a batch that failed is completed", TransformJob, "to")
def _(was: Does, job: TransformJob, status: str, *given: Any) -> None:
    was(job, "Completed" if status == "Failed" else status, *given)


@mistake("answers of a batch come in another order", TransformJob, "_ask")
def _(was: Does, *given: Any) -> bytes:
    return b"".join(reversed(was(*given).splitlines(keepends=True)))


@mistake("what is said is not logged", LogStream, "write")
def _(was: Does, stream: LogStream, lines: Any) -> None:
    pass


@operation("an endpoint is not updated", "UpdateEndpoint")
def _(was: Does, region: Region, request: Any) -> Any:
    return {"EndpointArn": region.arn("endpoint", request["EndpointName"])}


@operation("an endpoint is not deleted", "DeleteEndpoint")
def _(was: Does, region: Region, request: Any) -> Any:
    if region.find("endpoint", request["EndpointName"]) is None:
        raise invalid("Could not find endpoint.")
    return {}


@mistake("a container that is not ready is in service", Server, "wait")
def _(was: Does, server: Server, cancelled: Any) -> None:
    pass


@mistake("weights are ignored", Fleet, "__init__")
def _(was: Does, fleet: Fleet, *given: Any) -> None:
    was(fleet, *given)
    fleet.weights = dict.fromkeys(fleet.weights, 1.0)


@operation("a configuration changes with the next one", "CreateEndpointConfig")
def _(was: Does, region: Region, request: Any) -> Any:
    answer = was(region, request)
    for record in region.all("endpoint-config").values():
        record.request["ProductionVariants"] = request["ProductionVariants"]
    return answer


@mistake("dimensions are lost", CloudWatchBackend, "put_metric_data")
def _(was: Does, backend: Any, namespace: str, data: Any) -> None:
    was(backend, namespace, [{**one, "Dimensions": []} for one in data])


_made = ExitStack()


def _post_mistake(control: Control, given: dict[str, Any]) -> dict[str, Any]:
    _made.close()
    if given["name"]:
        _made.enter_context(MISTAKES[given["name"]]())
    return {}


if __name__ == "__main__":
    Control._post_mistake = _post_mistake  # type: ignore[attr-defined]
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
