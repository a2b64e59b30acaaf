"""SageMaker's two planes: which operations this fake answers itself, validated, and how their answers are written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore.validate import ParamValidator

from trivet.rehearsal.fakes.aws import endpoints, jobs, models, packages, tags, transform
from trivet.rehearsal.fakes.aws.alarms import evaluate
from trivet.rehearsal.fakes.aws.asynchronous import invoke_endpoint_async
from trivet.rehearsal.fakes.aws.calls import body
from trivet.rehearsal.fakes.aws.constraints import STRICT
from trivet.rehearsal.fakes.aws.faults import Lag
from trivet.rehearsal.fakes.aws.invoke import invoke_endpoint
from trivet.rehearsal.fakes.aws.metrics import Metrics
from trivet.rehearsal.fakes.aws.refusals import Answer, Refused, invalid
from trivet.rehearsal.fakes.aws.state import Region, Request
from trivet.rehearsal.fakes.aws.strict import Strict
from trivet.rehearsal.fakes.aws.world import World

Handler = Callable[[Region, Request], dict[str, Any]]
OPERATIONS: dict[str, Handler] = {
    **jobs.OPERATIONS,
    **models.OPERATIONS,
    **endpoints.OPERATIONS,
    **packages.OPERATIONS,
    **transform.OPERATIONS,
    **tags.OPERATIONS,
}
_INVOCATION = re.compile(r"/endpoints/([^/]+)/(invocations|async-invocations)$")
_WRITE = re.compile(r"(?:Create|Update)(TrainingJob|Model|EndpointConfig|Endpoint|ModelPackageGroup|TransformJob)$")


class SageMaker:
    """Answers what it knows; ``None`` stands for: ask moto."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.metrics = Metrics(world, self._evaluate)
        self.lag = Lag()
        session = botocore.session.Session()
        self._control: Any = session.get_service_model("sagemaker")
        self._runtime: Any = session.get_service_model("sagemaker-runtime")
        self._strict = Strict()

    def control(self, region: str, operation: str, environ: dict[str, Any]) -> Answer | None:
        """One operation of the control plane.

        :raises Refused: as SageMaker does.
        """
        if operation not in self._control.operation_names:
            raise Refused("UnknownOperationException", f"SageMaker has no operation {operation}.")
        try:
            request = json.loads(body(environ) or b"{}")
        except ValueError as error:
            raise Refused("SerializationException", f"The body is not JSON: {error}.") from error
        if not isinstance(request, dict):
            raise Refused("SerializationException", "The body is no object.")
        model = self._control.operation_model(operation)
        self._check(request, model)
        handler = OPERATIONS.get(operation)
        here = self.world.region(region)
        if handler is None or (handler in tags.OPERATIONS.values() and request.get("ResourceArn") not in here.tags):
            return None
        try:
            answer = self._lagging(here, operation, request, handler)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if self.world.constraints.holds(STRICT):
                raise
            raise Refused("InternalFailure", f"This request breaks the service model: {error!r}.", 500) from error
        return 200, [("Content-Type", "application/x-amz-json-1.1")], self._written(answer, model)

    def runtime(self, region: str, environ: dict[str, Any]) -> Answer | None:
        """One operation of the runtime plane.

        :raises Refused: as SageMaker does; ModelError with what a container said.
        """
        found = _INVOCATION.fullmatch(environ["PATH_INFO"])
        if not found:
            return None
        waits = found.group(2) == "invocations"
        model = self._runtime.operation_model("InvokeEndpoint" if waits else "InvokeEndpointAsync")
        request: dict[str, Any] = {"EndpointName": unquote(found.group(1)), "Body": body(environ)}
        for member, shape in model.input_shape.members.items():
            name = shape.serialization.get("name", "")
            key = name.upper().replace("-", "_")
            value = environ.get("CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}")
            if shape.serialization.get("location") == "header" and value:
                request[member] = int(value) if shape.type_name == "integer" and value.isdecimal() else value
        here = self.world.region(region)
        try:
            # The body's length is a constraint of its own, which can be switched off by itself.
            self._check({**request, "Body": b""} if waits else request, model)
            return invoke_endpoint(here, request, self.metrics) if waits else invoke_endpoint_async(here, request)
        except Refused as refused:
            if refused.code == "ValidationException":
                refused.code = "ValidationError"  # this plane's own word
            raise

    def _evaluate(self) -> None:
        if self.world.settings.evaluate:
            evaluate(self.world, self.metrics.recent())

    def _check(self, request: Request, model: Any) -> None:
        if not self.world.constraints.holds(STRICT):
            return
        if problems := self._strict.problems(request, model.input_shape):
            plural = "" if len(problems) == 1 else "s"
            raise invalid(f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")

    def _lagging(self, region: Region, operation: str, request: Request, handler: Handler) -> dict[str, Any]:
        """Do it; with eventual consistency, what is read then may still be what was before."""
        if operation.startswith("Describe"):
            kind = operation.removeprefix("Describe")
            stale = self.lag.answer(region.name, kind, request.get(f"{kind}Name", ""))
            return handler(region, request) if stale is None else stale
        written = _WRITE.fullmatch(operation)
        if written is None or not self.lag.wants(kind := written.group(1)):
            return handler(region, request)
        name = request[f"{kind}Name"]
        before: dict[str, Any] | Refused
        try:
            before = OPERATIONS[f"Describe{kind}"](region, {f"{kind}Name": name})
        except Refused as refused:
            before = refused
        answer = handler(region, request)
        self.lag.keep(region.name, kind, name, before)
        return answer

    def _written(self, answer: dict[str, Any], model: Any) -> bytes:
        """An answer as JSON. One that is not of the operation's own shape is a mistake of this fake's.

        :raises AssertionError: for such a mistake.
        """
        answer = _without_none(answer)
        if model.output_shape is None:
            return b""
        report = ParamValidator().validate(answer, model.output_shape)
        if report.has_errors():
            raise AssertionError(f"{model.name}: {report.generate_report()}")
        return json.dumps(answer, default=_epoch).encode()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _epoch(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(type(value).__name__)
