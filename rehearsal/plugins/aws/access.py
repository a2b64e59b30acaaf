"""Identities and permissions of AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.aws.account import AwsAccount
from trivet.rehearsal.plugins.aws.moto import Moto
from trivet.rehearsal.plugins.aws.tagging import Tagging


@dataclass(frozen=True)
class Role(Moto):
    """A role. What is attached to it by others goes before it; ``forceDetachPolicies`` takes the rest off."""

    def undo(self, account: AwsAccount, bag: Properties) -> None:
        """See :class:`Moto`."""
        if bag.get("forceDetachPolicies"):
            whom = {"RoleName": bag["id"]}
            attached = account.clients.call("iam", "ListAttachedRolePolicies", whom)["AttachedPolicies"]
            for one in attached:
                account.clients.call("iam", "DetachRolePolicy", {**whom, "PolicyArn": one["PolicyArn"]})
        super().undo(account, bag)


@dataclass(frozen=True)
class ManagedPolicy(Moto):
    """A policy. A new document is a new default version; of the old ones AWS keeps four."""

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Any) -> None:
        """See :class:`Moto`."""
        super().settle(account, identity, inputs, changed)
        if "policy" in changed:
            whom = {"PolicyArn": identity}
            versions = account.clients.call("iam", "ListPolicyVersions", whom)["Versions"]
            spare = [one["VersionId"] for one in versions if not one["IsDefaultVersion"]]
            for version in spare[3:]:
                account.clients.call("iam", "DeletePolicyVersion", {**whom, "VersionId": version})
            document = {"PolicyDocument": inputs["policy"], "SetAsDefault": True}
            account.clients.call("iam", "CreatePolicyVersion", {**whom, **document})

    def live(self, account: AwsAccount, identity: str, inputs: Properties) -> Properties | None:
        """See :class:`Moto`."""
        found = super().live(account, identity, inputs)
        if found is None:
            return None
        whom = {"PolicyArn": identity, "VersionId": found["DefaultVersionId"]}
        version = account.clients.call("iam", "GetPolicyVersion", whom)["PolicyVersion"]
        return {**found, "PolicyDocument": version["Document"]}

    def undo(self, account: AwsAccount, bag: Properties) -> None:
        """See :class:`Moto`; its other versions go before it."""
        whom = {"PolicyArn": bag["id"]}
        for one in account.clients.call("iam", "ListPolicyVersions", whom)["Versions"]:
            if not one["IsDefaultVersion"]:
                account.clients.call("iam", "DeletePolicyVersion", {**whom, "VersionId": one["VersionId"]})
        super().undo(account, bag)


KINDS = [
    Role(
        token="aws:iam/role:Role",
        named="name",
        fixed="namePrefix path",
        service="iam",
        make="CreateRole",
        get="GetRole",
        at="Role",
        change=("UpdateRole", "UpdateAssumeRolePolicy"),
        remove="DeleteRole",
        identity="name",
        keys={"RoleName": "id", "PolicyDocument": "assumeRolePolicy"},
        names={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument", "uniqueId": "RoleId"},
        reads={"permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn"},
        tagging=Tagging("TagRole", "UntagRole", "ListRoleTags", {"RoleName": "id"}),
    ),
    ManagedPolicy(
        token="aws:iam/policy:Policy",
        named="name",
        fixed="namePrefix path description",
        service="iam",
        make="CreatePolicy",
        get="GetPolicy",
        at="Policy",
        remove="DeletePolicy",
        identity="made.Policy.Arn || join('', ['arn:aws:iam::', account, ':policy', path || '/', name])",
        keys={"PolicyArn": "id"},
        names={"name": "PolicyName", "policy": "PolicyDocument"},
        tagging=Tagging("TagPolicy", "UntagPolicy", "ListPolicyTags", {"PolicyArn": "id"}),
    ),
    Moto(
        token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        fixed="role policyArn",
        service="iam",
        make="AttachRolePolicy",
        get="ListAttachedRolePolicies",
        at="AttachedPolicies[?PolicyArn=='%(policyArn)s'] | [0]",
        remove="DetachRolePolicy",
        identity="join('/', [role, policyArn])",
        parts={"role": "head(id, '/')", "policyArn": "tail(id, '/')"},
        keys={"RoleName": "role", "PolicyArn": "policyArn"},
        names={"role": "RoleName"},
    ),
    Moto(
        token="aws:iam/rolePolicy:RolePolicy",
        named="name",
        fixed="role namePrefix",
        service="iam",
        make="PutRolePolicy",
        get="GetRolePolicy",
        change=("PutRolePolicy",),
        remove="DeleteRolePolicy",
        identity="join(':', [role, name])",
        parts={"role": "head(id, ':')", "name": "tail(id, ':')"},
        keys={"RoleName": "role", "PolicyName": "name"},
        names={"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"},
    ),
    Moto(
        token="aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        fixed="url",
        service="iam",
        make="CreateOpenIDConnectProvider",
        get="GetOpenIDConnectProvider",
        change=("UpdateOpenIDConnectProviderThumbprint",),
        remove="DeleteOpenIDConnectProvider",
        identity="made.OpenIDConnectProviderArn",
        keys={"OpenIDConnectProviderArn": "id"},
        names={"clientIdLists": "ClientIDList", "thumbprintLists": "ThumbprintList"},
        reads={"url": "join('', ['https://', Url])"},
        outputs={"arn": "{id}"},
        tagging=Tagging(
            "TagOpenIDConnectProvider",
            "UntagOpenIDConnectProvider",
            "",
            {"OpenIDConnectProviderArn": "id"},
        ),
    ),
    Moto(
        token="aws:iam/serviceLinkedRole:ServiceLinkedRole",
        fixed="awsServiceName customSuffix",
        service="iam",
        make="CreateServiceLinkedRole",
        get="GetRole",
        at="Role",
        change=("UpdateRole",),
        remove="DeleteServiceLinkedRole",
        identity="made.Role.Arn",
        keys={"RoleName": "last(id, '/')"},
        reads={"awsServiceName": "head(tail(Path, 'role/'), '/')"},
        names={"awsServiceName": "AWSServiceName", "name": "RoleName", "uniqueId": "RoleId"},
    ),
]
