"""Catalogues and databases of AWS."""

from __future__ import annotations

from dataclasses import dataclass

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.aws.account import AwsAccount
from trivet.rehearsal.plugins.aws.moto import Moto
from trivet.rehearsal.plugins.aws.tagging import Tagging

_RDS = Tagging("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource", {"ResourceName": "arn"})
_GLUE = Tagging("TagResource", "UntagResource", "GetTags", {"ResourceArn": "arn"})


@dataclass(frozen=True)
class Database(Moto):
    """A database instance."""

    def undo(self, account: AwsAccount, bag: Properties) -> None:
        """See :class:`Moto`; AWS keeps a last snapshot unless it is told not to."""
        last = {} if bag.get("skipFinalSnapshot") else {"FinalDBSnapshotIdentifier": "finalSnapshotIdentifier"}
        self.call(account, self.remove, bag, {**self.keys, **last}, inputs=False)


KINDS = [
    Moto(
        token="aws:glue/catalogDatabase:CatalogDatabase",
        named="name",
        fixed="catalogId",
        service="glue",
        make="CreateDatabase",
        get="GetDatabase",
        at="Database",
        change=("UpdateDatabase",),
        remove="DeleteDatabase",
        wrap="DatabaseInput",
        identity="join(':', [account, name])",
        parts={"catalogId": "head(id, ':')", "name": "tail(id, ':')"},
        keys={"Name": "name"},
        outputs={"arn": "arn:aws:glue:{region}:{account}:database/{name}"},
        tagging=_GLUE,
    ),
    Moto(
        token="aws:glue/securityConfiguration:SecurityConfiguration",
        named="name",
        fixed="encryptionConfiguration",
        service="glue",
        make="CreateSecurityConfiguration",
        get="GetSecurityConfiguration",
        at="SecurityConfiguration",
        remove="DeleteSecurityConfiguration",
        identity="name",
        keys={"Name": "id"},
        names={"s3Encryption": "S3Encryption"},
    ),
    Moto(
        token="aws:glue/dataCatalogEncryptionSettings:DataCatalogEncryptionSettings",
        fixed="catalogId",
        service="glue",
        make="PutDataCatalogEncryptionSettings",
        get="GetDataCatalogEncryptionSettings",
        change=("PutDataCatalogEncryptionSettings",),
        identity="catalogId || account",
        parts={"catalogId": "id"},
        stays=True,
    ),
    Moto(
        token="aws:rds/subnetGroup:SubnetGroup",
        named="name",
        fixed="namePrefix",
        service="rds",
        make="CreateDBSubnetGroup",
        get="DescribeDBSubnetGroups",
        at="DBSubnetGroups[0]",
        change=("ModifyDBSubnetGroup",),
        remove="DeleteDBSubnetGroup",
        identity="name",
        keys={"DBSubnetGroupName": "id"},
        names={"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription", "arn": "DBSubnetGroupArn"},
        reads={"subnetIds": "Subnets[].SubnetIdentifier"},
        defaults={"description": "Managed by Pulumi"},
        tagging=_RDS,
    ),
    Moto(
        token="aws:rds/parameterGroup:ParameterGroup",
        named="name",
        fixed="namePrefix family description",
        service="rds",
        make="CreateDBParameterGroup",
        get="DescribeDBParameterGroups",
        at="DBParameterGroups[0]",
        change=("ModifyDBParameterGroup",),
        remove="DeleteDBParameterGroup",
        identity="name",
        keys={"DBParameterGroupName": "id"},
        fixed_members={"DBParameterGroupName": "name"},
        names={  # a parameter has a name, too, by another word
            "name": "ParameterName",
            "value": "ParameterValue",
            "family": "DBParameterGroupFamily",
            "arn": "DBParameterGroupArn",
        },
        reads={"name": "DBParameterGroupName"},
        defaults={"description": "Managed by Pulumi"},
        unread="parameters",
        tagging=_RDS,
    ),
    Database(
        token="aws:rds/instance:Instance",
        named="identifier",
        fixed="identifierPrefix engine username dbName availabilityZone characterSetName kmsKeyId storageEncrypted "
        "timezone backupTarget customIamInstanceProfile ncharCharacterSetName",
        changeable="dbSubnetGroupName",
        service="rds",
        make="CreateDBInstance",
        get="DescribeDBInstances",
        at="DBInstances[0]",
        change=("ModifyDBInstance",),
        remove="DeleteDBInstance",
        identity="identifier",
        keys={"DBInstanceIdentifier": "id", "SkipFinalSnapshot": "skipFinalSnapshot"},
        names={
            "identifier": "DBInstanceIdentifier",
            "instanceClass": "DBInstanceClass",
            "username": "MasterUsername",
            "password": "MasterUserPassword",
            "parameterGroupName": "DBParameterGroupName",
            "backupWindow": "PreferredBackupWindow",
            "maintenanceWindow": "PreferredMaintenanceWindow",
            "multiAz": "MultiAZ",
            "arn": "DBInstanceArn",
            "status": "DBInstanceStatus",
            "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
            "performanceInsightsEnabled": "EnablePerformanceInsights",
            "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
            "resourceId": "DbiResourceId",
        },
        reads={
            "vpcSecurityGroupIds": "VpcSecurityGroups[].VpcSecurityGroupId",
            "dbSubnetGroupName": "DBSubnetGroup.DBSubnetGroupName",
            "parameterGroupName": "DBParameterGroups[0].DBParameterGroupName",
            "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
            "address": "Endpoint.Address",
            "port": "Endpoint.Port",
            "endpoint": "Endpoint && join(':', [Endpoint.Address, to_string(Endpoint.Port)])",
            "hostedZoneId": "Endpoint.HostedZoneId",
            "engineVersionActual": "EngineVersion",
            "latestRestorableTime": "`null`",  # another one at each look
        },
        unread="password applyImmediately manageMasterUserPassword masterUserSecretKmsKeyId",
        tagging=_RDS,
    ),
]
