"""Rules of Google Cloud's own on which a first ``pulumi up`` breaks, each with its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trivet.core.errors import ConfigError, NotFound
from trivet.infra.engine.values import Properties
from trivet.rehearsal.fakes.gcp.constraints import TABLE
from trivet.rehearsal.fakes.gcp.policies import broken
from trivet.rehearsal.plugins.kinds import Account, Taken
from trivet.rehearsal.plugins.store import Entry

AUDIT, MEMBER = "gcp:projects/iAMAuditConfig:IAMAuditConfig", "gcp:projects/iAMMember:IAMMember"
BURNT = "burnt:"
"""Begins the tokens under which the store keeps names that Google does not give again."""

_COMPUTE = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"


@dataclass(frozen=True)
class Name:
    """What a name must be."""

    pattern: str
    words: str
    source: str


NAMES: dict[str, tuple[str, Name]] = {
    "serviceaccount:Account": (
        "accountId",
        Name(
            r"[a-z][-a-z0-9]{4,28}[a-z0-9]",
            "6 to 30 small letters, digits and hyphens, a letter first",
            "IAM API, projects.serviceAccounts.create, accountId",
        ),
    ),
    "projects:IAMCustomRole": (
        "roleId",
        Name(
            r"[a-zA-Z0-9_.]{3,64}", "3 to 64 letters, digits, underscores and periods", "IAM API, roles.create, roleId"
        ),
    ),
    "iam:WorkloadIdentityPool": (
        "workloadIdentityPoolId",
        Name(
            r"(?!gcp-)[a-z0-9-]{4,32}",
            "4 to 32 small letters, digits and hyphens, not beginning with gcp-",
            "IAM API, projects.locations.workloadIdentityPools.create",
        ),
    ),
    "storage:Bucket": (
        "name",
        Name(
            r"(?!goog)(?!.*google)[a-z0-9][-a-z0-9_.]{1,61}[a-z0-9]",
            "3 to 63 small letters, digits, dashes, underscores and dots, without google",
            "Cloud Storage, Bucket naming guidelines",
        ),
    ),
    "pubsub:Topic": (
        "name",
        Name(
            r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}",
            "3 to 255 characters, a letter first, not goog",
            "Pub/Sub, Resource names",
        ),
    ),
    "sql:DatabaseInstance": (
        "name",
        Name(
            r"[a-z]([-a-z0-9]{0,95}[a-z0-9])?",
            "small letters, digits and hyphens, a letter first, 98 with the project's",
            "Cloud SQL, Instance settings, instance ID",
        ),
    ),
    "kms:KeyRing": (
        "name",
        Name(r"[a-zA-Z0-9_-]{1,63}", "1 to 63 letters, digits, _ and -", "Cloud KMS API, keyRings.create"),
    ),
    "kms:CryptoKey": (
        "name",
        Name(r"[a-zA-Z0-9_-]{1,63}", "1 to 63 letters, digits, _ and -", "Cloud KMS API, cryptoKeys.create"),
    ),
    "vertex:AiEndpoint": (
        "name",
        Name(r"[1-9][0-9]{0,9}", "up to 10 digits, the first no nought", "Vertex AI API, endpoints.create, endpointId"),
    ),
    "bigquery:Dataset": (
        "datasetId",
        Name(r"[A-Za-z0-9_]{1,1024}", "letters, digits and underscores", "BigQuery API, datasets, datasetId"),
    ),
    "artifactregistry:Repository": (
        "repositoryId",
        Name(
            r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
            "small letters, digits and hyphens, a letter first",
            "Artifact Registry, Create repositories",
        ),
    ),
    "logging:ProjectBucketConfig": (
        "bucketId",
        Name(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", "1 to 100 characters", "Cloud Logging API, buckets.create, bucketId"),
    ),
    **{
        f"compute:{kind}": (
            "name",
            Name(
                _COMPUTE,
                "1 to 63 small letters, digits and hyphens, a letter first",
                "Compute Engine, Naming resources",
            ),
        )
        for kind in (
            "Network",
            "Subnetwork",
            "Firewall",
            "GlobalAddress",
            "Address",
            "NetworkAttachment",
            "ForwardingRule",
        )
    },
}
"""By type: the input that names it, and what that must be."""

_APIS = Name(
    r"[a-z][a-z0-9]{0,19}",
    "1 to 20 small letters and digits, a letter first",
    "Virtual Private Cloud, Access Google APIs through endpoints",
)

KEPT_NAMES = {
    "kms:KeyRing": "Cloud KMS, Key rings: they cannot be deleted",
    "kms:CryptoKey": "Cloud KMS, Keys: they cannot be deleted, and their names not used again",
    "iam:WorkloadIdentityPool": "IAM, Delete a pool: its ID is not used again for 30 days",
    "projects:IAMCustomRole": "IAM, Deleting a custom role: its ID is not used again for 37 days",
    "sql:DatabaseInstance": "Cloud SQL, Delete instances: the name is not used again for a week",
    "cloudquota:SQuotaPreference": "Cloud Quotas API v1, quotaPreferences: it has no delete",
    "logging:ProjectBucketConfig": "Cloud Logging, Delete a bucket: it is pending deletion for 7 days",
}
"""Types whose deleted objects keep their names, and where that is said."""

AGENTS: dict[str, tuple[str, str]] = {
    "storage:Bucket": ("encryption.defaultKmsKeyName", "service-{number}@gs-project-accounts.iam.gserviceaccount.com"),
    "artifactregistry:Repository": ("kmsKeyName", "service-{number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"),
    "pubsub:Topic": ("kmsKeyName", "service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com"),
    "sql:DatabaseInstance": ("encryptionKeyName", "service-{number}@gcp-sa-cloud-sql.iam.gserviceaccount.com"),
    "bigquery:Dataset": (
        "defaultEncryptionConfiguration.kmsKeyName",
        "bq-{number}@bigquery-encryption.iam.gserviceaccount.com",
    ),
    "vertex:AiEndpoint": ("encryptionSpec.kmsKeyName", "service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com"),
    "vertex:AiMetadataStore": (
        "encryptionSpec.kmsKeyName",
        "service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com",
    ),
    "logging:ProjectBucketConfig": (
        "cmekSettings.kmsKeyName",
        "service-{number}@gcp-sa-logging.iam.gserviceaccount.com",
    ),
}
"""By type: where its key is named, and as whom the service uses it; each service's guide "Customer-managed keys"."""
ROLES: dict[str, tuple[str, str]] = {
    "gcp-sa-aiplatform": ("aiplatform", "roles/aiplatform.serviceAgent"),
    "gcp-sa-artifactregistry": ("artifactregistry", "roles/artifactregistry.serviceAgent"),
    "gcp-sa-pubsub": ("pubsub", "roles/pubsub.serviceAgent"),
    "gcp-sa-cloud-sql": ("sqladmin", "roles/cloudsql.serviceAgent"),
}
"""By the domain of an agent: its service, and the role without which it can do nothing in a project; IAM, "Service
agents". An agent that somebody asks for gets no role by itself: "Create and grant roles to service agents"."""
APIS: dict[str, str] = {
    **{
        one: one
        for one in ("artifactregistry", "bigquery", "cloudscheduler", "compute", "dataplex", "dns", "iam", "logging")
    },
    **{one: one for one in ("monitoring", "pubsub", "secretmanager", "storage")},
    "billing": "billingbudgets",
    "cloudquota": "cloudquotas",
    "kms": "cloudkms",
    "projects": "cloudresourcemanager",
    "serviceaccount": "iam",
    "sql": "sqladmin",
    "vertex": "aiplatform",
}
"""Which API makes the types of a module."""
_USES = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
_KEY, _VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
_OWN = re.compile(r'metric\.type\s*=\s*"(custom\.googleapis\.com/[^"]+)"')

Check = Callable[[Account, str, Properties], Iterator[Exception]]


def check(account: Account, short: str, inputs: Properties) -> None:
    """Hold an object that is to be made to everything that is known of its type.

    :param short: the type, such as ``storage:Bucket``.
    :raises TrivetError: for the first rule that it breaks.
    """
    for rule in (_enabled, _named, _billed, _working, _leave, _measured, _described, _members, _preferred):
        for error in rule(account, short, inputs):
            raise error


def is_kept(short: str) -> bool:
    """Whether a deleted object's name is not given again."""
    return short in KEPT_NAMES


def burn(account: Account, token: str, identity: str) -> None:
    """Note that a name is gone for good, or for longer than a stack waits."""
    number = account.store.begin(f"{BURNT}{token}", "", {})
    if not account.store.finish(number, identity, {}):
        account.store.forget(number)


def refuse_burnt(account: Account, token: str, short: str, identity: str) -> None:
    """:raises Taken: where an object of that id was there before, and Google does not give the name again."""
    if account.store.find(f"{BURNT}{token}", identity):
        raise Taken(f"{identity} was there before, and its name is not given again ({KEPT_NAMES[short]}).")


def _enabled(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    """An API answers once it is enabled; where a program enables none, somebody has. Service Usage, "Enabling"."""
    module, project = short.partition(":")[0], account.facts["project"]
    api = APIS.get(module, "")
    if not api or short in ("projects:Service", "projects:ServiceIdentity"):
        return
    if account.store.exists("gcp", f"{project}/{api}.googleapis.com"):
        return
    if any(one.token.endswith(":Service") and "projects/" in one.token for one in account.store.all("gcp")):
        yield ConfigError(
            f"{api}.googleapis.com has not been used in project {project} before or it is disabled.",
            "Enable it with projects.Service, and have this depend on that.",
        )


def _billed(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    """A budget is a billing account's: Cloud Billing Budget API, billingAccounts.budgets.create, parent."""
    if short == "billing:Budget" and not inputs.get("billingAccount"):
        yield ConfigError("The budget names no billing account.", "Enable cloudbilling.googleapis.com, which says it.")


def _working(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    """See :data:`ROLES`."""
    service, role = ROLES.get(AGENTS.get(short, ("", ""))[1].partition("@")[2].partition(".")[0], ("", ""))
    project = account.facts["project"]
    if not service or not account.store.exists("gcp", f"projects/{project}/services/{service}.googleapis.com"):
        return  # the service makes its agent itself, and gives it the role
    member = f"serviceAccount:{AGENTS[short][1].format(number=account.facts['number'])}"
    if not account.store.exists("gcp", f"{project}/{role}/{member}"):
        yield ConfigError(f"{member} has no role in the project.", f"Grant it {role}, and have this depend on that.")


def _named(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    key, rule = NAMES.get(short, ("", None))
    if short == "compute:GlobalForwardingRule" and inputs.get("target") in ("all-apis", "vpc-sc"):
        key, rule = "name", _APIS
    said = str(inputs.get(key) or "")
    if rule and said and not re.fullmatch(rule.pattern, said):
        yield ConfigError(f"{said!r} is no name of a {short}: it needs {rule.words} ({rule.source}).")
    if short == "sql:DatabaseInstance" and len(f"{account.facts['project']}:{said}") > 98:
        yield ConfigError(f"{said!r} and the project have more than 98 characters together.")


def check_labels(labels: Mapping[str, Any]) -> None:
    """Hold all labels of an object to Google Cloud, Requirements for labels.

    :raises ConfigError: for those that are none.
    """
    bad = [key for key, value in labels.items() if not (_KEY.fullmatch(key) and _VALUE.fullmatch(str(value)))]
    if bad:
        raise ConfigError(
            f"{', '.join(map(repr, bad))} is no label: a key has 1 to 63 small letters, digits, hyphens and "
            "underscores, a letter first, and so has a value, but for the letter (Requirements for labels)."
        )


def _leave(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    """What a service encrypts with a key it must be let use first: a binding that is only on its way comes too late."""
    where, agent = AGENTS.get(short, ("", ""))
    key = _at(inputs, where) if where else None
    if not key or not account.store.exists("gcp", str(key)):
        return  # none, or another's, whose bindings are not known here
    member = f"serviceAccount:{agent.format(number=account.facts['number'])}"
    if not account.store.exists("gcp", f"{key}/{_USES}/{member}"):
        yield ConfigError(f"{member} may not use {key} yet.", f"Grant it {_USES}, and have this depend on that.")


def _measured(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    """See :data:`~trivet.rehearsal.fakes.gcp.constraints.TABLE` for where each is said."""
    if short == "monitoring:AlertPolicy":
        for condition in inputs.get("conditions") or ():
            for constraint, said in broken(condition):
                yield ConfigError(
                    f"The condition {condition.get('displayName')!r} {said} ({TABLE[constraint].source})."
                )


def _described(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    """A policy over a metric that nobody has described or measured is refused: Cloud Monitoring, Alerting policies."""
    if short != "monitoring:AlertPolicy":
        return
    for metric in _OWN.findall(str(inputs.get("conditions"))):
        if not account.store.exists("gcp", f"projects/{account.facts['project']}/metricDescriptors/{metric}"):
            yield NotFound(
                f"Cannot find metric(s) that match type = {metric!r}.", "Describe it first, and depend on it."
            )


def _members(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    """A service account of the project's own must be there before it is given a role: IAM, setIamPolicy."""
    member, project = str(inputs.get("member") or ""), account.facts["project"]
    if not member.endswith(f"@{project}.iam.gserviceaccount.com"):
        return
    email = member.removeprefix("serviceAccount:")
    if not account.store.exists("gcp", f"projects/{project}/serviceAccounts/{email}"):
        yield NotFound(f"Service account {email} does not exist.", "Make it first, and depend on it.")


def _preferred(account: Account, short: str, inputs: Properties) -> Iterator[Exception]:
    """There is one preference for a quota and its dimensions: Cloud Quotas API, QuotaPreference."""
    if short != "cloudquota:SQuotaPreference":
        return
    same = ("parent", "service", "quotaId", "dimensions")
    for other in account.store.all():
        if not other.token.endswith("SQuotaPreference") or other.inputs.get("name") == inputs.get("name"):
            continue
        if all(other.inputs.get(one) == inputs.get(one) for one in same):
            yield Taken(f"{other.id} is there for {inputs.get('quotaId')} already.")


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def stays(entry: Entry) -> bool:
    """Whether something is there for good once a stack was: others in the project rely on it, or Google has it so."""
    agents = entry.token == MEMBER and str(entry.inputs["role"]).endswith(".serviceAgent")
    return entry.token.startswith(BURNT) or entry.token == AUDIT or agents
