"""Who may do what: permissions one by one, service accounts one by one, and GitHub by one exact subject."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule

ANYBODY = ("allUsers", "allAuthenticatedUsers")
ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
PROJECT = ("gcp:projects/iAMMember:IAMMember", "gcp:projects/iAMBinding:IAMBinding")
ACCOUNT = ("gcp:serviceaccount/iAMMember:IAMMember", "gcp:serviceaccount/iAMBinding:IAMBinding")
PROVIDER = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
KEY = "gcp:serviceaccount/key:Key"

_BASIC = ("roles/owner", "roles/editor", "roles/viewer")
_IMPERSONATING = ("roles/iam.serviceAccountUser", "roles/iam.serviceAccountTokenCreator")
_BOUND = re.compile(r"assertion\.sub\s*==\s*['\"]repo:[^/'\"*]+/[^:'\"*]+:[^'\"*]+['\"]")
_DANGEROUS = re.compile(
    r".+\.setIamPolicy"
    r"|iam\.serviceAccounts\.(actAs|getAccessToken|getOpenIdToken|implicitDelegation|signBlob|signJwt)"
    r"|iam\.serviceAccountKeys\.create|iam\.roles\.(create|update)|.*\*.*"
)


def let_in(resource: Resource) -> list[str]:
    """Whom a resource gives a right: one, as a member or in an access list, or many, as a binding."""
    said = [resource.inputs.get("member"), resource.inputs.get("entity"), *(resource.inputs.get("members") or [])]
    return [str(one) for one in said if one]


def strangers(resource: Resource) -> str:
    """Those of them who are anybody; empty where nobody is."""
    return ", ".join(one for one in let_in(resource) if one in ANYBODY)


@rule("giam-basic", "No basic role is given in the project", "CIS GCP 5.0 1.6", "critical", *PROJECT)
def basic(resource: Resource, _: Setting) -> Iterator[str]:
    role = str(resource.inputs.get("role"))
    if role in _BASIC or role.lower().endswith("admin"):
        yield f"it is {role}"


@rule("giam-acting", "Nobody acts as every account of a project", "CIS GCP 5.0 1.7", "critical", *PROJECT)
def acting(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("role") in _IMPERSONATING:
        yield "it holds for all service accounts"


@rule("giam-anybody", "No right is anybody's", "CIS GCP 5.0 1.10, 5.1", "critical", *PROJECT, *ACCOUNT)
def anybody(resource: Resource, _: Setting) -> Iterator[str]:
    if found := strangers(resource):
        yield f"{found} has it"


@rule("giam-permissions", "A role of the stack's own raises nobody's rights", "CIS GCP 5.0 1.6", "critical", ROLE)
def permissions(resource: Resource, _: Setting) -> Iterator[str]:
    if wrong := [one for one in resource.inputs.get("permissions") or [] if _DANGEROUS.fullmatch(str(one))]:
        yield f"it has {', '.join(wrong)}"


@rule("giam-federation", "Only named workflows of one repository come in", "Google, Workload Identity Federation, "
      "best practices", "critical", PROVIDER)  # fmt: skip
def federation(resource: Resource, _: Setting) -> Iterator[str]:
    condition = str(resource.inputs.get("attributeCondition") or "")
    if not _BOUND.fullmatch(condition):
        yield f"its condition is {condition or 'none'}"


@rule("giam-pool", "No whole pool becomes an account", "Google, Workload Identity Federation, best practices",
      "critical", *ACCOUNT)  # fmt: skip
def pool(resource: Resource, _: Setting) -> Iterator[str]:
    """A ``principalSet`` is everybody whom an attribute fits; a ``principal`` is one subject."""
    if found := [one for one in let_in(resource) if one.startswith("principalSet:")]:
        yield f"{', '.join(found)} becomes it"


@rule("giam-keys", "No service account has a key that can be copied", "CIS GCP 5.0 1.5", "high", KEY)
def keys(_resource: Resource, _: Setting) -> Iterator[str]:
    yield "whoever has it is the account"
