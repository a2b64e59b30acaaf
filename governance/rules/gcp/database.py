"""The database: private, encrypted, by TLS, backed up, safe from a slip, and without a password of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trivet.governance.rules.base import Resource, Setting, rule

INSTANCE = "gcp:sql/databaseInstance:DatabaseInstance"
USER = "gcp:sql/user:User"
_LEAST_DAYS = 7


def _settings(resource: Resource) -> Any:
    return resource.inputs.get("settings") or {}


def _access(resource: Resource) -> Any:
    return _settings(resource).get("ipConfiguration") or {}


@rule("gsql-private", "No database has an address of the internet's", "CIS GCP 5.0 6.5, 6.6", "critical", INSTANCE)
def private(resource: Resource, _: Setting) -> Iterator[str]:
    if _access(resource).get("ipv4Enabled") is not False:
        yield "it has a public address"


@rule("gsql-tls", "A database takes no connection without TLS", "CIS GCP 5.0 6.4", "high", INSTANCE)
def tls(resource: Resource, _: Setting) -> Iterator[str]:
    if _access(resource).get("sslMode") not in ("ENCRYPTED_ONLY", "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"):
        yield "it takes connections without TLS"


@rule("gsql-encrypted", "Databases are encrypted with the stack's key", "Google, Customer-managed encryption keys",
      "high", INSTANCE)  # fmt: skip
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("encryptionKeyName"):
        yield "its key is Google's"


@rule("gsql-backups", "Databases are backed up", "CIS GCP 5.0 6.7", "high", INSTANCE)
def backups(resource: Resource, setting: Setting) -> Iterator[str]:
    said = _settings(resource).get("backupConfiguration") or {}
    kept = int((said.get("backupRetentionSettings") or {}).get("retainedBackups") or 0)
    if said.get("enabled") is not True or kept < (1 if setting.environment == "dev" else _LEAST_DAYS):
        yield f"{kept if said.get('enabled') else 'no'} backups are kept"


@rule("gsql-protected", "A slip deletes no database", "Cloud SQL, Prevent deletion of an instance", "high", INSTANCE)
def protected(resource: Resource, setting: Setting) -> Iterator[str]:
    if setting.binds and _settings(resource).get("deletionProtectionEnabled") is not True:
        yield "it is not protected from deletion"


@rule("gsql-flags", "A database says who connects and what changes", "CIS GCP 5.0 6.2", "medium", INSTANCE)
def flags(resource: Resource, _: Setting) -> Iterator[str]:
    said = {one.get("name"): one.get("value") for one in _settings(resource).get("databaseFlags") or []}
    wanted = ("cloudsql.iam_authentication", "cloudsql.enable_pgaudit", "log_connections", "log_disconnections")
    if missing := [name for name in wanted if said.get(name) != "on"]:
        yield f"{', '.join(missing)} is not on"


@rule("gsql-password", "No password is in a state", "CIS GCP 5.0 6.1", "high", INSTANCE, USER)
def password(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.has("rootPassword") or resource.has("password"):
        yield "its password is in the state"
