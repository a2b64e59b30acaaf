"""Endpoints of SageMaker behind the stack's shells."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from trivet.core.document import Document
from trivet.core.errors import ConfigError, NotFound, NotReady, PlatformError
from trivet.core.faults import point
from trivet.core.outputs import AwsNative, EndpointShell, Outputs
from trivet.core.platform import Endpoints, Store
from trivet.core.specs import EndpointSpec, EndpointState, EndpointStatus, Release
from trivet.core.waiting import wait_for
from trivet.platforms.aws import rollout, scaling
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import code_of, is_missing, once_the_role_is_known, said, told
from trivet.platforms.aws.leftovers import tidy
from trivet.platforms.aws.logs import last_error, lines
from trivet.platforms.aws.tags import tags
from trivet.platforms.aws.variants import Plan, plan_of, release_of
from trivet.platforms.packages import get_package

LOG_GROUP = "/aws/sagemaker/Endpoints"
STATES = {
    "Creating": EndpointStatus.STARTING,
    "Updating": EndpointStatus.READY,  # what served before goes on serving
    "SystemUpdating": EndpointStatus.READY,
    "RollingBack": EndpointStatus.READY,
    "InService": EndpointStatus.READY,
    "Failed": EndpointStatus.FAILED,
    "OutOfService": EndpointStatus.FAILED,
    "UpdateRollbackFailed": EndpointStatus.FAILED,
    "Deleting": EndpointStatus.EMPTY,
}
UNSETTLED = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
LOST = ("Failed", "OutOfService", "UpdateRollbackFailed")  # such an endpoint takes no update: it is made again
BUSY = (429, 503, 504)
MOST_BODY = 6_291_456  # bytes of a request; the API's own model says so
DELETE_SECONDS = RESUME_SECONDS = 1800.0
SETTLE_SECONDS = 3600.0
LONGEST_PAUSE = 15.0

Described = Mapping[str, Any]


class Paused(Document):
    """What an endpoint served before it was paused, and how each variant scaled: the least and the most machines."""

    config: str
    scaling: tuple[scaling.Bounds, ...]

    @classmethod
    def of(cls, there: Described, bounds: Sequence[scaling.Bounds]) -> Paused:
        """From what SageMaker holds."""
        return cls(config=there["EndpointConfigName"], scaling=tuple(bounds))


class AwsEndpoints(Endpoints):
    """One endpoint of SageMaker per shell."""

    def __init__(
        self, clients: Clients, outputs: Outputs, native: AwsNative, store: Store, check: Callable[[EndpointSpec], None]
    ) -> None:
        self._clients = clients
        self._outputs = outputs
        self._native = native
        self._store = store
        self._check = check

    def apply(self, spec: EndpointSpec) -> EndpointState:
        self._check(spec)
        shell = self._shell(spec.name)
        self._verify(spec)
        plan = plan_of(spec, shell, self._outputs, self._native)
        self._prepare(plan)
        point("endpoint.prepared")
        there = self._settled(shell)
        if there and there["EndpointStatus"] in LOST:
            self._remove(shell)
            there = None
        if there is None:
            self._create(shell, plan.name)
        elif there["EndpointConfigName"] != plan.name:
            self._update(shell, plan, spec)
        point("endpoint.asked")
        self._arrived(shell, plan.name, rollout.patience(spec))
        self._store.delete(_paused_key(spec.name))
        with told(f"Endpoint {spec.name}"):
            scaling.scale(self._clients("application-autoscaling"), shell.name, plan.variants, spec)
            tidy(self._clients, shell, kept=plan.name)
        return self.state(spec.name)

    def state(self, name: str) -> EndpointState:
        shell = self._shell(name)
        url = f"https://{shell.host}/endpoints/{shell.name}/invocations"
        there = self._described(shell)
        if there is None:
            paused = self._paused(name)
            status = EndpointStatus.STOPPED if paused else EndpointStatus.EMPTY
            reason = f"It was paused; `trivet resume {name}` serves again." if paused else ""
            return EndpointState(name=name, status=status, url=url, reason=reason)
        word = there["EndpointStatus"]
        if word not in STATES:
            raise PlatformError(f"SageMaker says that endpoint {shell.name} is {word!r}, which is unknown.")
        status = STATES[word]
        return EndpointState(
            name=name,
            status=status,
            url=url,
            reason=self._reason(shell, there),
            since=there["LastModifiedTime"],
            releases=self._releases(there) if status is EndpointStatus.READY else (),
        )

    def invoke(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        shell = self._shell(name)
        body = json.dumps(request).encode()
        if len(body) > MOST_BODY:
            raise ConfigError(
                f"The request has {len(body)} bytes, and SageMaker takes {MOST_BODY}.", "Send fewer rows at a time."
            )
        try:
            answer = self._clients("sagemaker-runtime").invoke_endpoint(
                EndpointName=shell.name, Body=body, ContentType="application/json", Accept="application/json"
            )
            return json.loads(answer["Body"].read())
        except ClientError as error:
            if code_of(error) == "ModelError":
                raise _of_the_model(name, error) from error
            if is_missing(error):
                raise NotReady(f"The endpoint {name} serves nothing.", "Deploy a release first.") from error
            with told(f"Endpoint {name}"):
                raise
        except ValueError as error:
            raise PlatformError(f"What answers as endpoint {name} is not Trivet's server.") from error

    def delete(self, name: str) -> None:
        shell = self._shell(name)
        if self._settled(shell):
            self._remove(shell)
        self._store.delete(_paused_key(name))
        point("endpoint.removed")
        with told(f"Endpoint {name}"):
            tidy(self._clients, shell)

    def pause(self, name: str) -> EndpointState:
        shell = self._shell(name)
        there = self._settled(shell)
        if there and there["EndpointStatus"] == "InService":
            paused = Paused.of(there, scaling.bounds(self._clients("application-autoscaling"), shell.name))
            self._store.put(_paused_key(name), paused.canonical())
            point("endpoint.pausing")
            self._remove(shell)  # its configuration and models stay
        return self.state(name)

    def resume(self, name: str) -> EndpointState:
        shell = self._shell(name)
        if self._settled(shell) is None:
            paused = self._paused(name)
            if paused is None:
                raise NotReady(f"The endpoint {name} was not paused.", "Deploy a release.")
            self._create(shell, paused.config)
            point("endpoint.resuming")
            self._arrived(shell, paused.config, RESUME_SECONDS)
            scaling.restore(self._clients("application-autoscaling"), shell.name, paused.scaling)
        self._store.delete(_paused_key(name))
        return self.state(name)

    def logs(self, name: str) -> Iterator[str]:
        return lines(self._clients("logs"), self._log(self._shell(name)))

    @property
    def _sagemaker(self) -> Any:
        return self._clients("sagemaker")

    def _shell(self, name: str) -> EndpointShell:
        if name not in self._outputs.endpoints:
            there = ", ".join(self._outputs.endpoints) or "none"
            raise NotFound(f"The stack has no endpoint {name!r}; it has {there}.", "Name it in trivet:endpoints.")
        return self._outputs.endpoints[name]

    def _verify(self, spec: EndpointSpec) -> None:
        """Read every package once before anything is made: SageMaker would find out after minutes."""
        for release in (*spec.releases, *([spec.shadow] if spec.shadow else [])):
            with tempfile.TemporaryDirectory(prefix="trivet-package-") as folder:
                public_key = self._outputs.signing.public_key
                get_package(self._store, release.digest, Path(folder, "package"), public_key)

    def _prepare(self, plan: Plan) -> None:
        sagemaker = self._sagemaker
        for model in plan.models:
            self._ensure(
                lambda model=model: sagemaker.describe_model(ModelName=model["ModelName"]),
                lambda model=model: sagemaker.create_model(**model),
                f"The model {model['ModelName']}",
            )
            point("endpoint.model")
        self._ensure(
            lambda: sagemaker.describe_endpoint_config(EndpointConfigName=plan.name),
            lambda: sagemaker.create_endpoint_config(**plan.config),
            f"The configuration {plan.name}",
        )

    def _ensure(self, describe: Callable[[], object], create: Callable[[], object], what: str) -> None:
        """Make what is not there; what is there under this name says the same."""
        with told(what):
            try:
                describe()
            except ClientError as error:
                if not is_missing(error):
                    raise
                once_the_role_is_known(create, what)

    def _create(self, shell: EndpointShell, config: str) -> None:
        with told(f"Endpoint {shell.name}"):
            try:
                self._sagemaker.create_endpoint(
                    EndpointName=shell.name, EndpointConfigName=config, Tags=tags(self._outputs)
                )
            except ClientError as error:
                if "already exist" not in said(error):  # somebody else was first; what is there is looked at below
                    raise

    def _update(self, shell: EndpointShell, plan: Plan, spec: EndpointSpec) -> None:
        with told(f"Endpoint {shell.name}"):
            if rollout.guarded(spec):
                for alarm in rollout.alarms_of(plan.name, shell.name, plan.variants[0]):
                    self._clients("cloudwatch").put_metric_alarm(**alarm, Tags=tags(self._outputs))
                point("endpoint.alarms")
            # A variant that scales cannot be taken off; those that stay keep the machines that they have.
            scaling.forget(self._clients("application-autoscaling"), shell.name, plan.variants)
            self._sagemaker.update_endpoint(
                EndpointName=shell.name,
                EndpointConfigName=plan.name,
                RetainAllVariantProperties=spec.maximum_instances > spec.minimum_instances,
                ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
                DeploymentConfig=rollout.deployment(spec, plan.name),
            )

    def _arrived(self, shell: EndpointShell, config: str, seconds: float) -> None:
        """Wait for the end of what was asked for, and look what really is there: SageMaker may have gone back.

        :raises NotReady: when it does not serve what was wanted.
        """
        there = self._settled(shell, seconds)
        if there and there["EndpointStatus"] == "InService" and there["EndpointConfigName"] == config:
            return
        word = "is gone" if there is None else f"is {there['EndpointStatus']}"
        if there and there["EndpointStatus"] == "InService":
            word = "went back to what it served before"
        reason = self._reason(shell, there) if there else ""
        raise NotReady(f"The endpoint {shell.name} {word}: {reason or 'SageMaker gives no reason.'}", "Read its log.")

    def _settled(self, shell: EndpointShell, seconds: float = SETTLE_SECONDS) -> Described | None:
        """The endpoint, once nothing happens to it any more; None when there is none."""

        def probe() -> tuple[Described | None] | None:
            there = self._described(shell)
            return None if there and there["EndpointStatus"] in UNSETTLED else (there,)

        return wait_for(probe, f"Endpoint {shell.name}", seconds=seconds, longest=LONGEST_PAUSE)[0]

    def _described(self, shell: EndpointShell) -> Described | None:
        with told(f"Endpoint {shell.name}"):
            try:
                return self._sagemaker.describe_endpoint(EndpointName=shell.name)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise

    def _remove(self, shell: EndpointShell) -> None:
        with told(f"Endpoint {shell.name}"):
            scaling.forget(self._clients("application-autoscaling"), shell.name)
            try:
                self._sagemaker.delete_endpoint(EndpointName=shell.name)
            except ClientError as error:
                if not is_missing(error):
                    raise
        self._settled(shell, DELETE_SECONDS)

    def _releases(self, there: Described) -> tuple[Release, ...]:
        variants = there.get("ProductionVariants", ())
        with told(f"Endpoint {there['EndpointName']}"):
            config = self._sagemaker.describe_endpoint_config(EndpointConfigName=there["EndpointConfigName"])
            models = {one["VariantName"]: one["ModelName"] for one in config["ProductionVariants"]}
            held = [
                release_of(self._sagemaker.describe_model(ModelName=models[one["VariantName"]])) for one in variants
            ]
        shares = percent([one.get("CurrentWeight", 0.0) for one in variants])
        return tuple(release.model_copy(update={"traffic": share}) for release, share in zip(held, shares, strict=True))

    def _paused(self, name: str) -> Paused | None:
        try:
            return Paused.model_validate_json(self._store.get(_paused_key(name)))
        except NotFound:
            return None

    def _reason(self, shell: EndpointShell, there: Described) -> str:
        """What SageMaker says, and what the container itself wrote last, which says more."""
        reason = there.get("FailureReason", "")
        if not reason:
            return "It is being updated." if there["EndpointStatus"] in UNSETTLED else ""
        wrote = last_error(self._clients("logs"), self._log(shell))
        return f"{reason} The server: {wrote}" if wrote else reason

    def _log(self, shell: EndpointShell) -> str:
        return f"{LOG_GROUP}/{shell.name}"


def _paused_key(name: str) -> str:
    return f"endpoints/{name}/paused.json"


def percent(weights: Sequence[float]) -> list[int]:
    """Shares in whole percent that add up to 100; the first gets what rounding leaves."""
    total = sum(weights) or 1.0
    shares = [round(100 * weight / total) for weight in weights]
    return [share + (100 - sum(shares) if number == 0 else 0) for number, share in enumerate(shares)]


def _of_the_model(name: str, error: ClientError) -> Exception:
    """The answer of the server itself, as our errors."""
    response: Any = error.response
    status, text = int(response.get("OriginalStatusCode", 500)), str(response.get("OriginalMessage", ""))
    try:
        sentence = str(json.loads(text)["error"])
    except (ValueError, LookupError, TypeError):
        sentence = f"The endpoint {name} answered {status}."
    if status in BUSY:
        return NotReady(sentence, "Try again.")
    return ConfigError(sentence) if status < 500 else PlatformError(sentence)
