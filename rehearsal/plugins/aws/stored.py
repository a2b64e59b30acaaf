"""Types of AWS in the strict store, one a line.

moto 5.2.5 has no operation that changes or deletes them, or none at all.
"""

from __future__ import annotations

from typing import Any

from trivet.rehearsal.plugins.aws.account import StoredAws


def _stored(
    token: str,
    identity: str,
    fixed: str = "",
    *,
    changeable: str = "",
    named: str = "",
    arn: str = "",
    outputs: dict[str, Any] | None = None,
) -> StoredAws:
    """Declare a type by a short token such as ``sagemaker:FeatureGroup``.

    :param arn: what comes after the account in its ARN, with the service before it.
    """
    module, name = token.split(":")
    service, _, rest = arn.partition(":")
    return StoredAws(
        token=f"aws:{module}/{name[0].lower()}{name[1:]}:{name}",
        named=named,
        fixed=fixed,
        changeable=changeable,
        identity=identity,
        arn=f"arn:aws:{service}:{{region}}:{{account}}:{rest}" if arn else "",
        outputs=outputs or {},
    )


KINDS = [
    _stored("sagemaker:ModelPackageGroupPolicy", "{modelPackageGroupName}"),
    _stored(
        "sagemaker:FeatureGroup",
        "{featureGroupName}",
        "featureDefinitions",
        changeable="tags",
        arn="sagemaker:feature-group/{featureGroupName}",
    ),
    _stored("sagemaker:MonitoringSchedule", "{name}", named="name", arn="sagemaker:monitoring-schedule/{name}"),
    _stored(
        "sagemaker:TrainingJob",
        "{trainingJobName}",
        "algorithmSpecification inputDataConfigs outputDataConfig hyperParameters roleArn",
        arn="sagemaker:training-job/{trainingJobName}",
    ),
    _stored("budgets:Budget", "{account}:{name}", "namePrefix accountId", named="name", arn="budgets:budget/{name}"),
    _stored(
        "budgets:BudgetAction",
        "{account}:{uuid}:{budgetName}",
        "actionType budgetName accountId",
        arn="budgets:budget/{budgetName}/action/{uuid}",
        outputs={"actionId": lambda bag: bag["id"].split(":")[1], "status": "STANDBY"},
    ),
    _stored(
        "costexplorer:AnomalyMonitor",
        "arn:aws:ce::{account}:anomalymonitor/{uuid}",
        "monitorType monitorDimension monitorSpecification",
        named="name",
        outputs={"arn": "{id}"},
    ),
    _stored(
        "costexplorer:AnomalySubscription",
        "arn:aws:ce::{account}:anomalysubscription/{uuid}",
        "accountId",
        named="name",
        outputs={"arn": "{id}"},
    ),
    _stored(
        "servicequotas:ServiceQuota",
        "{serviceCode}/{quotaCode}",
        arn="servicequotas:{serviceCode}/{quotaCode}",
        outputs={"requestStatus": "PENDING", "adjustable": True},
    ),
    _stored("inspector2:Enabler", "{account}", "accountIds", outputs={}),
    _stored("ecr:RegistryScanningConfiguration", "{account}", outputs={"registryId": "{account}"}),
    _stored("glue:Crawler", "{name}", named="name", arn="glue:crawler/{name}"),
    _stored("glue:DataQualityRuleset", "{name}", "targetTable", named="name", arn="glue:dataQualityRuleset/{name}"),
    _stored(
        "kms:Grant",
        "{keyId}:{hex17}",
        "granteePrincipal operations constraints name retiringPrincipal",
        outputs={"grantId": lambda bag: bag["id"].split(":")[-1], "grantToken": "{uuid}"},
    ),
    _stored("s3:BucketNotification", "{bucket}"),
    _stored(
        "ec2:DefaultSecurityGroup", "sg-{hex17}", "vpcId", arn="ec2:security-group/{id}", outputs={"name": "default"}
    ),
]
