"""The functions that a program may call: what Google Cloud says of a project, and of a key."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from trivet.core.errors import NotFound
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.gcp.fake import GcpAccount
from trivet.rehearsal.plugins.kinds import Account, stable_digits
from trivet.rehearsal.plugins.packages import Function

_BILLING = "0A0A0A-0B0B0B-0C0C0C"


def _client_config(account: Account, arguments: Properties) -> Properties:
    facts = account.facts
    return {
        "id": f"projects/{facts['project']}",
        "project": facts["project"],
        "region": facts.get("region", ""),
        "zone": "",
        "accessToken": "rehearsal",
        "defaultLabels": account.labels,
    }


def _project(account: Account, arguments: Properties) -> Properties:
    """Its billing account is made up; the provider leaves it empty where the API that says it is not enabled."""
    project = arguments.get("projectId") or account.facts["project"]
    billed = account.store.exists("gcp", f"{project}/cloudbilling.googleapis.com")
    return {
        "id": f"projects/{project}",
        "projectId": project,
        "name": project,
        "number": stable_digits(project),
        "orgId": "",
        "folderId": "",
        "billingAccount": _BILLING if billed else "",
        "autoCreateNetwork": False,
        "deletionPolicy": "PREVENT",
        "labels": {},
        "effectiveLabels": {},
        "pulumiLabels": {},
        "tags": {},
    }


def _storage_agent(account: Account, arguments: Properties) -> Properties:
    email = f"service-{account.facts['number']}@gs-project-accounts.iam.gserviceaccount.com"
    return {
        "id": email,
        "project": account.facts["project"],
        "emailAddress": email,
        "member": f"serviceAccount:{email}",
    }


def _bigquery_agent(account: Account, arguments: Properties) -> Properties:
    email = f"bq-{account.facts['number']}@bigquery-encryption.iam.gserviceaccount.com"
    return {"id": email, "project": account.facts["project"], "email": email, "member": f"serviceAccount:{email}"}


def _logging_agent(account: Account, arguments: Properties) -> Properties:
    project = account.facts["project"]
    name = f"projects/{project}/cmekSettings"
    return {
        "id": name,
        "name": name,
        "project": project,
        "kmsKeyName": "",
        "kmsKeyVersionName": "",
        "serviceAccountId": f"service-{account.facts['number']}@gcp-sa-logging.iam.gserviceaccount.com",
    }


def _key_version(account: Account, arguments: Properties) -> Properties:
    """:raises NotFound: where there is no such key."""
    key, version = arguments["cryptoKey"], int(arguments.get("version") or 1)
    if not account.store.exists("gcp", key):
        raise NotFound(f"CryptoKey {key} not found.")
    name = f"{key}/cryptoKeyVersions/{version}"
    fake = cast("GcpAccount", account).fake
    public = fake.ask("GET", f"/v1/{name}/publicKey") if fake else _public(name)
    return {
        "id": f"//cloudkms.googleapis.com/v1/{name}",
        "name": name,
        "cryptoKey": key,
        "version": version,
        "state": "ENABLED",
        "algorithm": public["algorithm"],
        "protectionLevel": public.get("protectionLevel", "SOFTWARE"),
        "publicKeys": [{"pem": public["pem"], "algorithm": public["algorithm"]}],
    }


def _public(name: str) -> dict[str, str]:
    """The public half of a key that is in no fake and signs nothing: it follows from the name."""
    private = ec.derive_private_key(int.from_bytes(sha256(name.encode()).digest()) >> 1, ec.SECP256R1())
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"pem": pem.decode(), "algorithm": "EC_SIGN_P256_SHA256"}


FUNCTIONS: Mapping[str, Function] = {
    "gcp:organizations/getClientConfig:getClientConfig": _client_config,
    "gcp:organizations/getProject:getProject": _project,
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": _storage_agent,
    "gcp:bigquery/getDefaultServiceAccount:getDefaultServiceAccount": _bigquery_agent,
    "gcp:logging/getProjectCmekSettings:getProjectCmekSettings": _logging_agent,
    "gcp:kms/getKMSCryptoKeyVersion:getKMSCryptoKeyVersion": _key_version,
}
