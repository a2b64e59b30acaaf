"""Service accounts, one for each kind of work, each with what it may touch and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp

from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.grants import (
    ACTS_AS,
    IMAGES,
    PERMISSIONS,
    RECORDS,
    RIGHTS,
    SIGNING,
    STORE,
    Right,
    custom_role,
    within,
)
from trivet.infra.stacks.gcp.images import Images
from trivet.infra.stacks.gcp.keys import Keys
from trivet.infra.stacks.gcp.storage import Storage

IDS = ("pool",)
"""What names a workload identity pool that is used: `projects/NUMBER/locations/global/workloadIdentityPools/POOL`."""
GITHUB = "https://token.actions.githubusercontent.com"
_USER = "roles/iam.serviceAccountUser"
_FEDERATED = "roles/iam.workloadIdentityUser"
_LONGEST_ACCOUNT, _LONGEST_POOL = 30, 32  # characters

Accounts = dict[str, gcp.serviceaccount.Account]


@dataclass(frozen=True)
class Identities:
    """E-mail addresses of service accounts, by what they do; the deployer is there where a repository may deploy."""

    emails: Mapping[str, pulumi.Output[str]]
    rights: Mapping[str, list[pulumi.Resource]]
    """What has to be there before each of them can work."""


def create(context: Context, keys: Keys, storage: Storage, images: Images | None) -> Identities:
    """Make the accounts, and let each do its work."""
    settings = context.settings
    deploys = bool(settings.repository) and settings.oidc.mode != "off"
    accounts = {what: _account(context, what) for what in RIGHTS if what != "deployer" or deploys}
    places = _Places(context, keys, storage, images)
    rights = {what: places.grant(what, account) for what, account in accounts.items()}
    for what, others in ACTS_AS.items():
        for other in others if what in accounts else ():
            rights[what].append(_acting(context, accounts, what, other))
    if deploys:
        _federate(context, keys, accounts["deployer"])
    return Identities({what: account.email for what, account in accounts.items()}, rights)


class _Places:
    """Where rights are granted, with the roles that are needed for it."""

    def __init__(self, context: Context, keys: Keys, storage: Storage, images: Images | None) -> None:
        self._context, self._keys, self._storage, self._images = context, keys, storage, images
        self._roles: dict[str, gcp.projects.IAMCustomRole] = {}

    def grant(self, what: str, account: gcp.serviceaccount.Account) -> list[pulumi.Resource]:
        """Give an account everything that it may do."""
        return [self._grant(what, account, right) for right in RIGHTS[what] if self._is_there(right)]

    def _is_there(self, right: Right) -> bool:
        if right.role == "logging_in":
            return self._context.settings.database.mode != "off"
        return right.place != IMAGES or (self._images is not None and self._images.made is not None)

    def _grant(self, what: str, account: gcp.serviceaccount.Account, right: Right) -> pulumi.Resource:
        where = [right.place] if right.place in (STORE, RECORDS) else []
        name = "-".join([what, right.role.replace("_", "-"), *where])
        options = self._context.under(account).options
        given: dict[str, Any] = {"role": self._role(right.role), "member": account.member, "opts": options}
        if right.place in (STORE, RECORDS):
            bucket = self._storage.store if right.place == STORE else self._storage.records
            condition = _condition(bucket, right) if right.folders else None
            return gcp.storage.BucketIAMMember(name, bucket=bucket.name, condition=condition, **given)
        if right.place == SIGNING:
            return gcp.kms.CryptoKeyIAMMember(name, crypto_key_id=self._keys.signing_key, **given)
        if right.place == IMAGES:
            assert self._images and self._images.made  # noqa: S101  _is_there() says so
            return gcp.artifactregistry.RepositoryIamMember(
                name, repository=self._images.made.name, location=self._context.region, **given
            )
        return gcp.projects.IAMMember(name, project=self._context.project, **given)

    def _role(self, role: str) -> pulumi.Output[str]:
        if role not in self._roles:
            self._roles[role] = custom_role(self._context, self._keys, role, PERMISSIONS[role])
        return self._roles[role].name


def _condition(bucket: gcp.storage.Bucket, right: Right) -> gcp.storage.BucketIAMMemberConditionArgs:
    return gcp.storage.BucketIAMMemberConditionArgs(
        title=" ".join(right.folders),
        description="only in these folders",
        expression=bucket.name.apply(lambda name: within(name, right.folders)),
    )


def _account(context: Context, what: str) -> gcp.serviceaccount.Account:
    return gcp.serviceaccount.Account(
        what,
        account_id=context.name(what, _LONGEST_ACCOUNT),
        display_name=context.name(what, 100),
        description=f"The {what} of {context.prefix}",
        opts=context.options,
    )


def _acting(context: Context, accounts: Accounts, what: str, other: str) -> pulumi.Resource:
    return gcp.serviceaccount.IAMMember(
        f"{what}-as-{other}",
        service_account_id=accounts[other].name,
        role=_USER,
        member=accounts[what].member,
        opts=context.under(accounts[what]).options,
    )


def _federate(context: Context, keys: Keys, deployer: gcp.serviceaccount.Account) -> None:
    """What the repository's workflows may become, in the environment of the stack's name and in no other.

    A deleted pool keeps its id for thirty days, so that this one has an end of its own.
    """
    settings = context.settings
    subject = f"repo:{settings.repository}:environment:{settings.environment}"
    if settings.oidc.mode == "use":
        pool: pulumi.Input[str] = settings.oidc.ids(*IDS)["pool"]
    else:
        made = gcp.iam.WorkloadIdentityPool(
            "github",
            workload_identity_pool_id=keys.once(context, "gh", _LONGEST_POOL),
            display_name="GitHub",
            description=f"Workflows of {settings.repository}",
            opts=context.options,
        )
        gcp.iam.WorkloadIdentityPoolProvider(
            "github",
            workload_identity_pool_id=made.workload_identity_pool_id,
            workload_identity_pool_provider_id="github",
            attribute_mapping={"google.subject": "assertion.sub"},
            attribute_condition=f"assertion.sub == '{subject}'",
            oidc=gcp.iam.WorkloadIdentityPoolProviderOidcArgs(issuer_uri=GITHUB),
            opts=context.under(made).options,
        )
        pool = made.name
    gcp.serviceaccount.IAMMember(
        "deployer-from-github",
        service_account_id=deployer.name,
        role=_FEDERATED,
        member=pulumi.Output.concat("principal://iam.googleapis.com/", pool, "/subject/", subject),
        opts=context.under(deployer).options,
    )
