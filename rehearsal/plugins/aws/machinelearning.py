"""SageMaker's models, endpoints, pipelines and definitions, and what scales an endpoint."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from trivet.core.errors import PlatformError
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.aws.account import AwsAccount
from trivet.rehearsal.plugins.aws.clients import is_gone
from trivet.rehearsal.plugins.aws.moto import Moto
from trivet.rehearsal.plugins.aws.tagging import Tagging
from trivet.rehearsal.plugins.kinds import Account

_BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_TICK, _PATIENCE = 0.05, 600.0  # seconds; the provider gives up after ten minutes, too


@dataclass(frozen=True)
class Endpoint(Moto):
    """An endpoint: whatever is done to it is waited for, as the provider does."""

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Any) -> None:
        """See :class:`Moto`; an update to what is served already would be refused."""
        live = self.live(account, identity, inputs) or {}
        if live.get("EndpointConfigName") != inputs["endpointConfigName"]:
            self.call(account, "UpdateEndpoint", {**self.bag(account, inputs), "id": identity}, self.keys)
        super().settle(account, identity, inputs, changed)

    def call(
        self, account: AwsAccount, operation: str, bag: Properties, members: Mapping[str, str], *, inputs: bool = True
    ) -> Properties:
        """See :class:`Moto`.

        :raises PlatformError: when what was asked for did not come about.
        """
        answer = super().call(account, operation, bag, members, inputs=inputs)
        if operation in (self.make, self.remove, "UpdateEndpoint"):
            self._wait(account, bag.get("id") or bag["name"], bag)
        return answer

    def _wait(self, account: AwsAccount, name: str, bag: Properties) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                found = account.clients.call(self.service, self.get, {"EndpointName": name}, bag.get("region", ""))
            except ClientError as error:
                if is_gone(error):
                    return
                raise
            if found["EndpointStatus"] not in _BUSY:
                if reason := found.get("FailureReason"):
                    raise PlatformError(f"The endpoint {name} is {found['EndpointStatus']}: {reason}")
                return
            time.sleep(_TICK)
        raise PlatformError(f"The endpoint {name} did not settle within {_PATIENCE:.0f} s.", "Look at its logs.")


@dataclass(frozen=True)
class QualityDefinition(Moto):
    """What a data-quality monitor does."""

    def bag(self, account: Account, inputs: Properties) -> Properties:
        """See :class:`Moto`; where data lies in the container has a default."""
        bag = super().bag(account, inputs)
        if {"dataQualityJobInput", "dataQualityJobOutputConfig"} <= set(bag):
            bag = copy.deepcopy(bag)
            for one in bag["dataQualityJobInput"].values():
                one.setdefault("localPath", "/opt/ml/processing/input")
            bag["dataQualityJobOutputConfig"]["monitoringOutputs"]["s3Output"].setdefault(
                "localPath", "/opt/ml/processing/output"
            )
        return bag


_TAGGING = Tagging("AddTags", "DeleteTags", "ListTags", {"ResourceArn": "arn"})

KINDS = [
    Moto(
        token="aws:sagemaker/model:Model",
        named="name",
        service="sagemaker",
        make="CreateModel",
        get="DescribeModel",
        remove="DeleteModel",
        identity="name",
        keys={"ModelName": "id"},
        names={"name": "ModelName", "arn": "ModelArn"},
        unread="enableNetworkIsolation",
        tagging=_TAGGING,
    ),
    Moto(
        token="aws:sagemaker/modelPackageGroup:ModelPackageGroup",
        fixed="modelPackageGroupDescription",
        service="sagemaker",
        make="CreateModelPackageGroup",
        get="DescribeModelPackageGroup",
        remove="DeleteModelPackageGroup",
        identity="modelPackageGroupName",
        keys={"ModelPackageGroupName": "id"},
        names={"arn": "ModelPackageGroupArn"},
        tagging=_TAGGING,
    ),
    Moto(
        token="aws:sagemaker/endpointConfiguration:EndpointConfiguration",
        named="name",
        fixed="namePrefix",
        service="sagemaker",
        make="CreateEndpointConfig",
        get="DescribeEndpointConfig",
        remove="DeleteEndpointConfig",
        identity="name",
        keys={"EndpointConfigName": "id"},
        names={"name": "EndpointConfigName", "arn": "EndpointConfigArn", "kmsKeyArn": "KmsKeyId"},
        tagging=_TAGGING,
    ),
    Endpoint(
        token="aws:sagemaker/endpoint:Endpoint",
        named="name",
        service="sagemaker",
        make="CreateEndpoint",
        get="DescribeEndpoint",
        remove="DeleteEndpoint",
        identity="name",
        keys={"EndpointName": "id"},
        names={"name": "EndpointName", "arn": "EndpointArn"},
        unread="deploymentConfig",
        tagging=_TAGGING,
    ),
    Moto(
        token="aws:sagemaker/pipeline:Pipeline",
        service="sagemaker",
        make="CreatePipeline",
        get="DescribePipeline",
        change=("UpdatePipeline",),
        remove="DeletePipeline",
        identity="pipelineName",
        keys={"PipelineName": "id"},
        names={"arn": "PipelineArn"},
        tagging=_TAGGING,
    ),
    Moto(
        token="aws:sagemaker/modelCard:ModelCard",
        service="sagemaker",
        make="CreateModelCard",
        get="DescribeModelCard",
        change=("UpdateModelCard",),
        remove="DeleteModelCard",
        identity="modelCardName",
        keys={"ModelCardName": "id"},
        tagging=Tagging("AddTags", "DeleteTags", "ListTags", {"ResourceArn": "modelCardArn"}),
    ),
    QualityDefinition(
        token="aws:sagemaker/dataQualityJobDefinition:DataQualityJobDefinition",
        named="name",
        changeable="tags",
        service="sagemaker",
        make="CreateDataQualityJobDefinition",
        get="DescribeDataQualityJobDefinition",
        remove="DeleteDataQualityJobDefinition",
        identity="name",
        keys={"JobDefinitionName": "id"},
        names={"name": "JobDefinitionName", "arn": "JobDefinitionArn"},
        tagging=_TAGGING,
    ),
    Moto(
        token="aws:appautoscaling/target:Target",
        service="application-autoscaling",
        make="RegisterScalableTarget",
        get="DescribeScalableTargets",
        at="ScalableTargets[0]",
        change=("RegisterScalableTarget",),
        remove="DeregisterScalableTarget",
        fixed="resourceId scalableDimension serviceNamespace",
        identity="join('|', [serviceNamespace, resourceId, scalableDimension])",
        parts={
            "serviceNamespace": "head(id, '|')",
            "resourceId": "head(tail(id, '|'), '|')",
            "scalableDimension": "last(id, '|')",
        },
        keys={
            "ServiceNamespace": "serviceNamespace",
            "ResourceId": "resourceId",
            "ResourceIds": "[resourceId]",
            "ScalableDimension": "scalableDimension",
        },
        names={"arn": "ScalableTargetARN", "roleArn": "RoleARN"},
    ),
    Moto(
        token="aws:appautoscaling/policy:Policy",
        named="name",
        service="application-autoscaling",
        make="PutScalingPolicy",
        get="DescribeScalingPolicies",
        at="ScalingPolicies[0]",
        change=("PutScalingPolicy",),
        remove="DeleteScalingPolicy",
        fixed="resourceId scalableDimension serviceNamespace",
        identity="join('|', [serviceNamespace, resourceId, scalableDimension, name])",
        parts={
            "serviceNamespace": "head(id, '|')",
            "resourceId": "head(tail(id, '|'), '|')",
            "scalableDimension": "head(tail(tail(id, '|'), '|'), '|')",
            "name": "last(id, '|')",
        },
        keys={
            "ServiceNamespace": "serviceNamespace",
            "ResourceId": "resourceId",
            "ScalableDimension": "scalableDimension",
            "PolicyName": "name",
            "PolicyNames": "[name]",
        },
        names={"name": "PolicyName", "arn": "PolicyARN"},
        reads={"alarmArns": "Alarms[].AlarmARN"},
    ),
]
