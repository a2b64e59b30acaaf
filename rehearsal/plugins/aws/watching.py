"""Logs, alarms, events, messages, schedules and budgets of AWS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.aws import words
from trivet.rehearsal.plugins.aws.account import AwsAccount
from trivet.rehearsal.plugins.aws.moto import Moto
from trivet.rehearsal.plugins.aws.tagging import Tagging


@dataclass(frozen=True)
class Topic(Moto):
    """A topic, all of whose settings are attributes."""

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Any) -> None:
        """See :class:`Moto`."""
        super().settle(account, identity, inputs, changed)
        for name in sorted(set(changed) & self.modelled(account) - {"name", "tags"}):
            if inputs.get(name) is not None:
                value = str(inputs[name]).lower() if isinstance(inputs[name], bool) else str(inputs[name])
                members = {
                    "TopicArn": identity,
                    "AttributeName": f"{name[0].upper()}{name[1:]}",
                    "AttributeValue": value,
                }
                account.clients.call("sns", "SetTopicAttributes", members, inputs.get("region", ""))

    def modelled(self, account: AwsAccount) -> set[str]:
        """See :class:`Moto`."""
        attributes = {"displayName", "policy", "deliveryPolicy", "kmsMasterKeyId", "signatureVersion", "tracingConfig"}
        return super().modelled(account) | attributes


@dataclass(frozen=True)
class Queue(Moto):
    """A queue; its attributes are text in AWS and typed in the provider."""

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Any) -> None:
        """See :class:`Moto`."""
        super().settle(account, identity, inputs, changed)
        given = {name: inputs[name] for name in set(changed) & set(_QUEUE) if inputs.get(name) is not None}
        if given:
            attributes = {_QUEUE[name]: _as_text(value) for name, value in given.items()}
            members = {"QueueUrl": identity, "Attributes": attributes}
            account.clients.call("sqs", "SetQueueAttributes", members, inputs.get("region", ""))

    def begin(self, account: AwsAccount, inputs: Properties, *, resumed: bool) -> str:
        """See :class:`Moto`; a FIFO queue must be made one."""
        if inputs.get("fifoQueue"):
            fifo = replace(self, fixed_members={"Attributes": "{FifoQueue: 'true'}"})
            return Moto.begin(fifo, account, inputs, resumed=resumed)
        return super().begin(account, inputs, resumed=resumed)

    def modelled(self, account: AwsAccount) -> set[str]:
        """See :class:`Moto`."""
        return super().modelled(account) | {*_QUEUE, "fifoQueue"}


@dataclass(frozen=True)
class ScheduleGroup(Moto):
    """A group of schedules. Where there is none AWS says so, and moto breaks down over its deletion."""

    def undo(self, account: AwsAccount, bag: Properties) -> None:
        """See :class:`Moto`."""
        if self.live(account, bag["id"], bag):
            super().undo(account, bag)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_QUEUE = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "delaySeconds": "DelaySeconds",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}


@dataclass(frozen=True)
class Target(Moto):
    """What a rule of EventBridge calls; one call may put several."""

    def call(
        self, account: AwsAccount, operation: str, bag: Properties, members: Any, *, inputs: bool = True
    ) -> Properties:
        """See :class:`Moto`; the inputs are the one target of the call."""
        if operation != "PutTargets":
            return super().call(account, operation, bag, members, inputs=inputs)
        shape = account.clients.shape("events", "PutTargets").members["Targets"].member
        own = {
            name: value
            for name, value in bag.items()
            if name in self.declared.inputs and name not in ("rule", "region")
        }
        target = {"Id": bag["targetId"], **words.members(shape, own, self.names)}
        given = {"Rule": bag["rule"], "EventBusName": bag.get("eventBusName") or "default", "Targets": [target]}
        return account.clients.call("events", operation, given, bag.get("region", ""))

    def takes(self, account: AwsAccount, operation: str) -> set[str]:
        """See :class:`Moto`."""
        shape = account.clients.shape("events", "PutTargets").members["Targets"].member
        inputs = {one for one in self.declared.inputs if words.find(self.names.get(one, one), shape.members)}
        return inputs | {"rule", "targetId", "eventBusName"}


_CLOUDWATCH = Tagging("TagResource", "UntagResource", "ListTagsForResource", {"ResourceARN": "arn"})

KINDS = [
    Moto(
        token="aws:cloudwatch/logGroup:LogGroup",
        named="name",
        fixed="namePrefix logGroupClass",
        service="logs",
        make="CreateLogGroup",
        get="DescribeLogGroups",
        at="logGroups[?logGroupName=='%(id)s'] | [0]",
        change=("PutRetentionPolicy",),
        remove="DeleteLogGroup",
        identity="name",
        keys={"logGroupName": "id", "logGroupNamePrefix": "id"},
        names={"name": "logGroupName"},
        reads={"arn": "head(arn, ':*')"},
        tagging=Tagging("TagResource", "UntagResource", "ListTagsForResource", {"resourceArn": "head(arn, ':*')"}),
    ),
    Moto(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        named="name",
        service="cloudwatch",
        make="PutMetricAlarm",
        get="DescribeAlarms",
        at="MetricAlarms[0]",
        change=("PutMetricAlarm",),
        remove="DeleteAlarms",
        identity="name",
        keys={"AlarmNames": "[id]"},
        names={
            "name": "AlarmName",
            "arn": "AlarmArn",
            "metricQueries": "Metrics",
            "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
        },
        tagging=_CLOUDWATCH,
    ),
    Moto(
        token="aws:cloudwatch/dashboard:Dashboard",
        service="cloudwatch",
        make="PutDashboard",
        get="GetDashboard",
        change=("PutDashboard",),
        remove="DeleteDashboards",
        identity="dashboardName",
        keys={"DashboardName": "id", "DashboardNames": "[id]"},
    ),
    Moto(
        token="aws:cloudwatch/eventRule:EventRule",
        named="name",
        fixed="namePrefix eventBusName",
        service="events",
        make="PutRule",
        get="DescribeRule",
        change=("PutRule",),
        remove="DeleteRule",
        identity="name",
        keys={"Name": "id", "EventBusName": "eventBusName", "Force": "forceDestroy"},
        tagging=_CLOUDWATCH,
    ),
    Target(
        token="aws:cloudwatch/eventTarget:EventTarget",
        named="targetId",
        fixed="rule eventBusName",
        service="events",
        make="PutTargets",
        get="ListTargetsByRule",
        at="Targets[?Id=='%(targetId)s'] | [0]",
        change=("PutTargets",),
        remove="RemoveTargets",
        identity="join('/', [rule, targetId])",
        parts={"rule": "head(id, '/')", "targetId": "tail(id, '/')"},
        keys={"Rule": "rule", "Ids": "[targetId]", "EventBusName": "eventBusName"},
        names={
            "targetId": "Id",
            "sagemakerPipelineTarget": "SageMakerPipelineParameters",
            "sqsTarget": "SqsParameters",
            "httpTarget": "HttpParameters",
            "pipelineParameterLists": "PipelineParameterList",
            "maximumRetryAttempts": "MaximumRetryAttempts",
        },
    ),
    Moto(
        token="aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
        named="policyName",
        service="logs",
        make="PutResourcePolicy",
        get="DescribeResourcePolicies",
        at="resourcePolicies[?policyName=='%(id)s'] | [0]",
        change=("PutResourcePolicy",),
        remove="DeleteResourcePolicy",
        identity="policyName",
        keys={"policyName": "id"},
    ),
    Topic(
        token="aws:sns/topic:Topic",
        named="name",
        fixed="namePrefix fifoTopic",
        service="sns",
        make="CreateTopic",
        get="GetTopicAttributes",
        at="Attributes",
        remove="DeleteTopic",
        identity="made.TopicArn || join(':', ['arn:aws:sns', region, account, name])",
        keys={"TopicArn": "id"},
        parts={"name": "last(id, ':')"},
        names={"arn": "TopicArn"},
        tagging=Tagging("TagResource", "UntagResource", "ListTagsForResource", {"ResourceArn": "id"}),
    ),
    Moto(
        token="aws:sns/topicPolicy:TopicPolicy",
        fixed="arn",
        service="sns",
        make="SetTopicAttributes",
        get="GetTopicAttributes",
        at="Attributes",
        change=("SetTopicAttributes",),
        identity="arn",
        keys={"TopicArn": "arn", "AttributeValue": "policy", "AttributeName": "'Policy'"},
        fixed_members={"TopicArn": "arn", "AttributeValue": "policy", "AttributeName": "'Policy'"},
        stays=True,
    ),
    Moto(
        token="aws:sns/topicSubscription:TopicSubscription",
        fixed="topic protocol endpoint",
        service="sns",
        make="Subscribe",
        get="GetSubscriptionAttributes",
        at="Attributes",
        remove="Unsubscribe",
        identity="made.SubscriptionArn",
        keys={"SubscriptionArn": "id"},
        fixed_members={"ReturnSubscriptionArn": "`true`"},
        names={"topic": "TopicArn", "arn": "SubscriptionArn"},
    ),
    Queue(
        token="aws:sqs/queue:Queue",
        named="name",
        fixed="namePrefix fifoQueue",
        service="sqs",
        make="CreateQueue",
        get="GetQueueAttributes",
        at="Attributes",
        remove="DeleteQueue",
        identity="made.QueueUrl",
        keys={"QueueUrl": "id", "AttributeNames": "['All']"},
        parts={"name": "last(id, '/')"},
        names={**_QUEUE, "name": "QueueName", "arn": "QueueArn"},
        outputs={"url": "{id}"},
        tagging=Tagging("TagQueue", "UntagQueue", "ListQueueTags", {"QueueUrl": "id"}),
    ),
    ScheduleGroup(
        token="aws:scheduler/scheduleGroup:ScheduleGroup",
        named="name",
        fixed="namePrefix",
        service="scheduler",
        make="CreateScheduleGroup",
        get="GetScheduleGroup",
        remove="DeleteScheduleGroup",
        identity="name",
        keys={"Name": "id"},
        tagging=Tagging("TagResource", "UntagResource", "ListTagsForResource", {"ResourceArn": "arn"}),
    ),
    Moto(
        token="aws:scheduler/schedule:Schedule",
        named="name",
        fixed="namePrefix groupName",
        service="scheduler",
        make="CreateSchedule",
        get="GetSchedule",
        change=("UpdateSchedule",),
        remove="DeleteSchedule",
        identity="join('/', [groupName || 'default', name])",
        parts={"groupName": "head(id, '/')", "name": "tail(id, '/')"},
        keys={"Name": "name", "GroupName": "groupName"},
        names={
            "sagemakerPipelineParameters": "SageMakerPipelineParameters",
            "pipelineParameters": "PipelineParameterList",
        },
    ),
    Moto(
        token="aws:cloudtrail/trail:Trail",
        named="name",
        service="cloudtrail",
        make="CreateTrail",
        get="GetTrail",
        at="Trail",
        also={"GetEventSelectors": "{EventSelectors: EventSelectors, AdvancedEventSelectors: AdvancedEventSelectors}"},
        change=("UpdateTrail", "PutEventSelectors"),
        remove="DeleteTrail",
        identity="made.TrailARN",
        parts={"name": "last(id, '/')"},
        keys={"Name": "name", "TrailName": "name"},
        names={
            "arn": "TrailARN",
            "enableLogFileValidation": "EnableLogFileValidation",
            "cloudWatchLogsGroupArn": "CloudWatchLogsLogGroupArn",
        },
        reads={"enableLogFileValidation": "LogFileValidationEnabled"},
        tagging=Tagging(
            "AddTags", "RemoveTags", "ListTags", {"ResourceId": "id", "ResourceIdList": "[id]"}, at="ResourceTagList[0]"
        ),
    ),
    Moto(
        token="aws:resourcegroups/group:Group",
        named="name",
        service="resource-groups",
        make="CreateGroup",
        get="GetGroup",
        at="Group",
        also={"GetGroupQuery": "GroupQuery.ResourceQuery && {ResourceQuery: GroupQuery.ResourceQuery}"},
        change=("UpdateGroup", "UpdateGroupQuery"),
        remove="DeleteGroup",
        identity="name",
        keys={"GroupName": "id"},
        names={"arn": "GroupArn"},
    ),
]
