"""Endpoints of SageMaker behind the stack's shells."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from trivet.core.errors import ConfigError, ForeignRelease, Locked, NotFound, NotReady, PlatformError, TrivetError
from trivet.core.faults import point
from trivet.core.outputs import AwsNative, EndpointShell
from trivet.core.platform import Endpoints
from trivet.core.specs import AwsEndpoint, EndpointNative, EndpointSpec, EndpointState, EndpointStatus, Release
from trivet.core.waiting import wait_for
from trivet.platforms.aws import rollout, scaling
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.ensuring import ensure
from trivet.platforms.aws.errors import code_of, is_missing, said, told
from trivet.platforms.aws.hosted import LOST, SETTLE_SECONDS, UNSETTLED, Described, Hosted, serves
from trivet.platforms.aws.keeping import Keeping
from trivet.platforms.aws.leftovers import tidy
from trivet.platforms.aws.logs import last_error, lines
from trivet.platforms.aws.tags import tags
from trivet.platforms.aws.variants import FIRST, MODE, Machines, Plan, plan_of, release_of
from trivet.platforms.packages import get_package
from trivet.platforms.part import Part

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
BUSY = (429, 503, 504)
MOST_BODY = 6_291_456  # bytes of a request; the API's own model says so
RESUME_SECONDS = 1800.0


class AwsEndpoints(Part[Clients, AwsNative], Endpoints):
    """One endpoint of SageMaker per shell."""

    def apply(self, spec: EndpointSpec) -> EndpointState:
        self._check(spec)
        shell, hosted, keeping = self._shell(spec.name), self._hosted(spec.name), self._keeping(spec.name)
        self._verify(spec)
        scaled = keeping.scaled(self._scaling, shell.name)
        machines = self._machines(hosted, keeping)
        capacity = scaling.capacity(spec, machines.number, scaled)
        plan = plan_of(spec, shell, self._outputs, self._native, machines._replace(number=capacity.machines))
        self._prepare(plan)
        point("endpoint.prepared")
        keeping.begin(scaled)
        before = wait_for(
            lambda: self._asked(hosted, plan, spec, capacity), f"Endpoint {shell.name}", seconds=SETTLE_SECONDS
        )[0]
        point("endpoint.asked")
        keeping.awake()
        there = hosted.changed(plan.name, before, rollout.patience(spec))
        if not serves(there, plan.name):
            self._restore(spec.name, there, before, plan, scaled)
            raise self._not_reached(hosted.name, there, before)
        with told(f"Endpoint {spec.name}"):
            scaling.scale(self._scaling, shell.name, plan.variants, capacity)
            if before:  # made when the stack had other tags
                given = tags(self._outputs, endpoint=spec.name)
                self._sagemaker.add_tags(ResourceArn=before["EndpointArn"], Tags=given)
            keeping.over()
            tidy(self._clients, shell, kept=plan.name)
        return self.state(spec.name)

    def state(self, name: str) -> EndpointState:
        shell = self._shell(name)
        url = f"https://{shell.host}/endpoints/{shell.name}/invocations"
        there = self._hosted(name).described()
        if there is None or there["EndpointStatus"] == "Deleting":
            paused = self._keeping(name).paused()
            status = EndpointStatus.STOPPED if paused else EndpointStatus.EMPTY
            reason = f"It was paused; `trivet resume --endpoint {name}` serves again." if paused else ""
            return EndpointState(name=name, status=status, url=url, reason=reason)
        word = there["EndpointStatus"]
        if word not in STATES:
            raise PlatformError(f"SageMaker says that endpoint {shell.name} is {word!r}, which is unknown.")
        status = STATES[word]
        releases, shadow = self._serving(there) if status is EndpointStatus.READY else ((), None)
        return EndpointState(
            name=name,
            status=status,
            url=url,
            reason=self._reason(there),
            since=there["LastModifiedTime"],
            releases=releases,
            shadow=shadow,
        )

    def held(self, name: str) -> EndpointSpec | None:
        shell = self._shell(name)
        there = self._hosted(name).described()
        if there is None or STATES.get(there["EndpointStatus"]) is not EndpointStatus.READY:
            return None
        releases, shadow = self._serving(there)
        first = (self._config(there) or {})["ProductionVariants"][0]
        container = self._model(shell.name, first["ModelName"])["PrimaryContainer"]
        machines = there["ProductionVariants"][0].get("DesiredInstanceCount", 1)
        scaled = self._keeping(name).scaled(self._scaling, shell.name)
        aws: dict[str, Any] = {"instance_type": first["InstanceType"], "image": container["Image"]}
        if startup := first.get("ContainerStartupHealthCheckTimeoutInSeconds"):
            aws["startup"] = timedelta(seconds=startup)
        return EndpointSpec(
            name=name,
            releases=releases,
            shadow=shadow,
            minimum_instances=scaled[0].least if scaled else machines,
            maximum_instances=scaled[0].most if scaled else machines,
            records=container["Environment"][MODE],
            native=EndpointNative(aws=AwsEndpoint(**aws, requests_per_instance=scaled[0].requests if scaled else None)),
        )

    def invoke(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        shell = self._shell(name)
        body = json.dumps(request).encode()
        if len(body) > MOST_BODY:
            raise ConfigError(
                f"The request has {len(body)} bytes, and SageMaker takes {MOST_BODY}.", "Send fewer rows at a time."
            )
        with told(f"Endpoint {name}"):
            try:
                answer = self._clients("sagemaker-runtime").invoke_endpoint(
                    EndpointName=shell.name, Body=body, ContentType="application/json", Accept="application/json"
                )
                content = answer["Body"].read()
            except ClientError as error:
                if code_of(error) == "ModelError":
                    raise _of_the_model(name, error) from error
                if is_missing(error) or "not in service" in said(error):
                    raise NotReady(f"The endpoint {name} serves nothing.", "Deploy a release first.") from error
                raise
        try:
            return json.loads(content)
        except ValueError as error:
            raise PlatformError(f"What answers as endpoint {name} is not Trivet's server.") from error

    def delete(self, name: str) -> None:
        shell = self._shell(name)
        self._hosted(name).remove()
        self._keeping(name).awake()
        self._keeping(name).over()
        point("endpoint.removed")
        with told(f"Endpoint {name}"):
            tidy(self._clients, shell)

    def pause(self, name: str) -> EndpointState:
        hosted = self._hosted(name)
        there = hosted.settled()
        if there and there["EndpointStatus"] == "InService":
            self._keeping(name).pause(there, scaling.bounds(self._scaling, hosted.name))
            point("endpoint.pausing")
            hosted.remove()  # its configuration and models stay
        return self.state(name)

    def resume(self, name: str) -> EndpointState:
        hosted, keeping = self._hosted(name), self._keeping(name)
        paused = keeping.paused()
        before = hosted.settled()
        if paused is None:
            if before is None:
                raise NotReady(f"The endpoint {name} was not paused.", "Deploy a release.")
            return self.state(name)
        if before and before["EndpointStatus"] in LOST and before["EndpointConfigName"] == paused.config:
            hosted.remove()  # an earlier call has tried
            before = None
        if before is None:
            hosted.create(paused.config, tags(self._outputs, endpoint=name))
        if before is None or before["EndpointConfigName"] == paused.config:
            point("endpoint.resuming")
            there = hosted.changed(paused.config, before, RESUME_SECONDS)
            if not serves(there, paused.config):
                raise self._not_reached(hosted.name, there, before)
            scaling.restore(self._scaling, hosted.name, paused.scaling)
        keeping.awake()  # else a release was deployed since
        return self.state(name)

    def logs(self, name: str) -> Iterator[str]:
        return lines(self._clients("logs"), _log(self._shell(name).name))

    @property
    def _sagemaker(self) -> Any:
        return self._clients("sagemaker")

    @property
    def _scaling(self) -> Any:
        return self._clients("application-autoscaling")

    def _keeping(self, name: str) -> Keeping:
        return Keeping(self._store, name)

    def _hosted(self, name: str) -> Hosted:
        return Hosted(self._clients, self._shell(name).name)

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
            ensure(
                lambda model=model: sagemaker.describe_model(ModelName=model["ModelName"]),
                lambda model=model: sagemaker.create_model(**model),
                f"The model {model['ModelName']}",
            )
            point("endpoint.model")
        ensure(
            lambda: sagemaker.describe_endpoint_config(EndpointConfigName=plan.name),
            lambda: sagemaker.create_endpoint_config(**plan.config),
            f"The configuration {plan.name}",
        )

    def _asked(
        self, hosted: Hosted, plan: Plan, spec: EndpointSpec, capacity: scaling.Capacity
    ) -> tuple[Described | None] | None:
        """What was there before SageMaker was asked for the plan; None when something else happened just then."""
        there = hosted.settled()
        held = self._config(there) if there else None
        if there and (there["EndpointStatus"] in LOST or held is None):
            hosted.remove()
            there = None
        if there is None or held is None:
            return (None,) if hosted.create(plan.name, tags(self._outputs, endpoint=spec.name)) else None
        if there["EndpointConfigName"] != plan.name:
            return (there,) if self._updated(hosted, held, plan, spec, capacity) else None
        if changed := plan.unlike(there, counts=capacity.is_fixed):
            hosted.weigh(changed)
        return (there,)

    def _config(self, there: Described) -> Described | None:
        """The configuration by which it serves; SageMaker updates no endpoint whose own was deleted."""
        return self._config_named(there["EndpointConfigName"])

    def _config_named(self, name: str) -> Described | None:
        with told(f"The configuration {name}"):
            try:
                return self._sagemaker.describe_endpoint_config(EndpointConfigName=name)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise

    def _machines(self, hosted: Hosted, keeping: Keeping) -> Machines:
        """With what the variants that are there, or were when it was paused, began."""
        there, paused = hosted.settled(), keeping.paused()
        name = there["EndpointConfigName"] if there else paused.config if paused else ""
        config = self._config_named(name) if name else None
        if config is None:  # somebody deleted it
            variants = (there or {}).get("ProductionVariants") or [{}]
            return FIRST._replace(number=variants[0].get("DesiredInstanceCount", FIRST.number))
        first = config["ProductionVariants"][0]
        return Machines(first.get("InstanceType", FIRST.kind), first.get("InitialInstanceCount", FIRST.number))

    def _updated(
        self, hosted: Hosted, held: Described, plan: Plan, spec: EndpointSpec, capacity: scaling.Capacity
    ) -> bool:
        with told(f"Endpoint {hosted.name}"):
            if rollout.guarded(spec):
                for alarm in rollout.alarms_of(plan.name, hosted.name, plan.variants):
                    self._clients("cloudwatch").put_metric_alarm(**alarm, Tags=tags(self._outputs, endpoint=spec.name))
                point("endpoint.alarms")
            # A variant that scales can neither be taken off nor get other machines; those that stay keep their number.
            scaling.forget(self._scaling, hosted.name, plan.alike(held))
        return hosted.update(
            EndpointConfigName=plan.name,
            RetainAllVariantProperties=not capacity.is_fixed,
            ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
            DeploymentConfig=rollout.deployment(spec, plan.name),
        )

    def _restore(
        self,
        name: str,
        there: Described | None,
        before: Described | None,
        plan: Plan,
        scaled: Sequence[scaling.Bounds],
    ) -> None:
        """After a release that was taken back: scale again what serves again, and keep nothing of what was no good."""
        if before and serves(there, before["EndpointConfigName"]):
            shell = self._shell(name)
            scaling.restore(self._scaling, shell.name, scaled)
            self._keeping(name).over()
            with told(f"Endpoint {shell.name}"):
                tidy(self._clients, shell, kept=before["EndpointConfigName"], bad=plan.name)

    def _not_reached(self, name: str, there: Described | None, before: Described | None) -> TrivetError:
        """Why it does not serve what was wanted."""
        if there is None:
            return NotReady(f"The endpoint {name} was taken away meanwhile.", "Deploy again.")
        if there["EndpointStatus"] != "InService":
            word = f"is {there['EndpointStatus']}"
        elif before and there["EndpointConfigName"] == before["EndpointConfigName"]:
            word = "went back to what it served before"
        else:
            return Locked(
                f"Another release took over endpoint {name} meanwhile.", "Look who deploys, and deploy again."
            )
        reason = self._reason(there) or "SageMaker gives no reason."
        return NotReady(f"The endpoint {name} {word}: {reason}", "Read its log.")

    def _serving(self, there: Described) -> tuple[tuple[Release, ...], Release | None]:
        """What its variants hold, with the shares that they really get, and what its shadow holds.

        :raises ForeignRelease: when that cannot be told, since others have deleted or made what it serves by.
        """
        name, variants = there["EndpointName"], there.get("ProductionVariants", ())
        config, shadows = self._config(there) or {}, there.get("ShadowProductionVariants", ())
        every = (*config.get("ProductionVariants", ()), *config.get("ShadowProductionVariants", ()))
        models = {one["VariantName"]: one.get("ModelName", "") for one in every}
        if missing := [one["VariantName"] for one in (*variants, *shadows) if one["VariantName"] not in models]:
            raise ForeignRelease(
                f"What variant {missing[0]} of endpoint {name} serves by was deleted.", "Deploy again."
            )
        held = [release_of(self._model(name, models[one["VariantName"]])) for one in variants]
        shadow = [release_of(self._model(name, models[one["VariantName"]])) for one in shadows]
        shares = whole_shares([one.get("CurrentWeight", 0.0) for one in variants])
        releases = (release.model_copy(update={"traffic": share}) for release, share in zip(held, shares, strict=True))
        return tuple(releases), shadow[0] if shadow else None

    def _model(self, endpoint: str, name: str) -> Mapping[str, Any]:
        """A model of SageMaker's, with what its model package says where it was made from one of the stack's."""
        with told(f"Endpoint {endpoint}"):
            try:
                model = self._sagemaker.describe_model(ModelName=name)
                container = model.get("PrimaryContainer", {})
                package = container.get("ModelPackageName", "")
                if f":model-package/{self._outputs.models.rpartition('/')[2]}/" not in package:
                    return model
                found = self._sagemaker.describe_model_package(ModelPackageName=package)
            except ClientError as error:
                if is_missing(error):
                    raise ForeignRelease(
                        f"Endpoint {endpoint}: its model {name} was deleted.", "Deploy again."
                    ) from error
                raise
        packaged = found["InferenceSpecification"]["Containers"][0]
        environment = packaged.get("Environment", {}) | container.get("Environment", {})
        return {**model, "PrimaryContainer": {**packaged, **container, "Environment": environment}}

    def _reason(self, there: Described) -> str:
        """What SageMaker says, and what the container itself wrote last, which says more."""
        reason = there.get("FailureReason", "")
        if not reason:
            return "It is being updated." if there["EndpointStatus"] in UNSETTLED else ""
        wrote = last_error(self._clients("logs"), _log(there["EndpointName"]))
        return f"{reason} The server: {wrote}" if wrote else reason


def _log(name: str) -> str:
    return f"{LOG_GROUP}/{name}"


def whole_shares(weights: Sequence[float]) -> list[int]:
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
