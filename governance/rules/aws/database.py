"""Databases: private, encrypted, backed up, by TLS alone, and no password of ours."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule

INSTANCE = "aws:rds/instance:Instance"
PARAMETERS = "aws:rds/parameterGroup:ParameterGroup"
_LEAST_BACKUP_DAYS = 7
_ON = ("1", "on", "true")


@rule("rds-private", "Databases are not public", "Security Hub RDS.2", "critical", INSTANCE)
def private(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("publiclyAccessible"):
        yield "it has a public address"


@rule("rds-encrypted", "Databases are encrypted with the stack's key", "Security Hub RDS.3", "critical", INSTANCE)
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("storageEncrypted") is not True:
        yield "it is not encrypted"
    elif not resource.has("kmsKeyId"):
        yield "it is encrypted with a key of AWS's"


@rule(
    "rds-backups", "Databases are backed up, a week or longer where it matters", "Security Hub RDS.11", "high", INSTANCE
)
def backups(resource: Resource, setting: Setting) -> Iterator[str]:
    days = resource.inputs.get("backupRetentionPeriod") or 0
    least = 1 if setting.environment == "dev" else _LEAST_BACKUP_DAYS
    if days < least:
        yield f"its backups are kept {days:g} days, and {least} are asked for"


@rule("rds-protected", "Databases cannot be deleted by a slip", "Security Hub RDS.8", "high", INSTANCE)
def protected(resource: Resource, setting: Setting) -> Iterator[str]:
    if setting.binds and resource.inputs.get("deletionProtection") is not True:
        yield "it is not protected from deletion"
    if setting.binds and resource.inputs.get("skipFinalSnapshot"):
        yield "nothing is kept when it is deleted"


@rule("rds-identities", "Databases are logged in to with IAM, and no password is in the state", "Security Hub RDS.10",
      "high", INSTANCE)  # fmt: skip
def identities(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("iamDatabaseAuthenticationEnabled") is not True:
        yield "identities cannot log in"
    if resource.has("password"):
        yield "its password is in the state"


@rule("rds-logged", "Databases keep their log where it can be read", "Security Hub RDS.9", "medium", INSTANCE)
def logged(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.inputs.get("enabledCloudwatchLogsExports"):
        yield "its log is not kept"


@rule("rds-tls", "PostgreSQL takes only TLS", "Security Hub RDS.38", "high", PARAMETERS)
def tls(resource: Resource, _: Setting) -> Iterator[str]:
    if not str(resource.inputs.get("family", "")).startswith("postgres"):
        return
    values = {one["name"]: str(one["value"]) for one in resource.inputs.get("parameters") or []}
    if values.get("rds.force_ssl") not in _ON:
        yield "it takes connections without TLS"


@rule("rds-parameters", "Every PostgreSQL has parameters of the stack's own", "Security Hub RDS.38", "high", INSTANCE)
def parameters(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("engine") == "postgres" and not resource.has("parameterGroupName"):
        yield "it has AWS's parameters, which do not ask for TLS"
