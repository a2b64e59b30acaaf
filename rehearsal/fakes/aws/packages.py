"""SageMaker's operations on model packages and their groups: the model registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.state import ACCOUNT, Record, Region, Request, listing, now

GROUP, PACKAGE = "model-package-group", "model-package"
_NOT_KEPT = ("Tags", "ClientToken", "ModelPackageName", "ModelPackageGroupName")
_CHANGEABLE = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


@dataclass
class Package(Record):
    """One package; its name is ``GROUP/VERSION``, or its own where it has no group."""

    group: str = ""
    version: int = 0
    token: str = ""


@dataclass
class Group(Record):
    """One group, which counts its versions; a number is never given twice."""

    last: int = 0


def create_model_package_group(region: Region, request: Request) -> dict[str, Any]:
    """Hold a group."""
    name = request["ModelPackageGroupName"]
    group = Group(GROUP, name, region.arn(GROUP, name), request, "Completed")
    with region.lock:
        region.world.constraints.demand(
            "names-taken", region.find(GROUP, name) is None, f"Model Package Group already exists: {group.arn}"
        )
        region.add(group, request.get("Tags", []))
    return {"ModelPackageGroupArn": group.arn}


def describe_model_package_group(region: Region, request: Request) -> dict[str, Any]:
    """A group."""
    group = _group(region, request["ModelPackageGroupName"])
    return _group_summary(group) | {"CreatedBy": {}}


def list_model_package_groups(region: Region, request: Request) -> dict[str, Any]:
    """Their names."""
    with region.lock:
        return listing(region.all(GROUP).values(), request, "ModelPackageGroupSummaryList", _group_summary, "Ascending")


def delete_model_package_group(region: Region, request: Request) -> dict[str, Any]:
    """Let go of a group that is empty."""
    with region.lock:
        group = _group(region, request["ModelPackageGroupName"])
        held = [package for package in region.all(PACKAGE).values() if package.group == group.name]
        said = "Model Package Group cannot be deleted because it still contains Model Packages"
        region.world.constraints.demand("group-empty", not held, said, "ConflictException")
        region.remove(group)
    return {}


def create_model_package(region: Region, request: Request) -> dict[str, Any]:
    """Hold a package, as the next version of its group; the same ClientToken gives the same one."""
    given = "ModelPackageName" in request, "ModelPackageGroupName" in request
    if given == (False, False):
        raise invalid("A model package names ModelPackageName or ModelPackageGroupName.")
    region.world.constraints.demand(
        "package-one-name", given != (True, True), "Only one of ModelPackageName and ModelPackageGroupName is taken."
    )
    token = request.get("ClientToken", "")
    with region.lock:
        known = next((one for one in region.all(PACKAGE).values() if token and one.token == token), None)
        if known is None:
            known = _versioned(region, request) if given[1] else _unversioned(region, request)
            known.token = token
            region.add(known, request.get("Tags", []))
    return {"ModelPackageArn": known.arn}


def describe_model_package(region: Region, request: Request) -> dict[str, Any]:
    """A package, by its ARN or, where it has no group, by its name."""
    package = _package(region, request["ModelPackageName"])
    with region.lock:
        return {
            **_package_summary(package),
            "ModelPackageName": package.group or package.name,
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "LastModifiedTime": package.modified,
            "CertifyForMarketplace": False,
            **{member: value for member, value in package.request.items() if member not in _NOT_KEPT},
        }


def update_model_package(region: Region, request: Request) -> dict[str, Any]:
    """Change what of a package may change: its approval, its metadata, its life cycle."""
    with region.lock:
        package = _package(region, request["ModelPackageArn"])
        content = package.request
        content.update({member: request[member] for member in _CHANGEABLE if member in request})
        if "CustomerMetadataProperties" in request or "CustomerMetadataPropertiesToRemove" in request:
            kept = content.get("CustomerMetadataProperties", {}) | request.get("CustomerMetadataProperties", {})
            removed = request.get("CustomerMetadataPropertiesToRemove", [])
            content["CustomerMetadataProperties"] = {name: kept[name] for name in kept if name not in removed}
        if added := request.get("AdditionalInferenceSpecificationsToAdd"):
            present = content.get("AdditionalInferenceSpecifications", [])
            content["AdditionalInferenceSpecifications"] = [*present, *added]
        package.modified = now()
    return {"ModelPackageArn": package.arn}


def list_model_packages(region: Region, request: Request) -> dict[str, Any]:
    """The versions of a group, or packages without one."""
    group = request.get("ModelPackageGroupName", "").rpartition("/")[2]
    kind = request.get("ModelPackageType", "Versioned" if group else "Unversioned")
    status = request.get("ModelApprovalStatus")
    with region.lock:
        if group:
            _group(region, group)
        found = [
            package
            for package in region.all(PACKAGE).values()
            if (not group or package.group == group)
            and (kind == "Both" or (kind == "Versioned") == bool(package.group))
            and status in (None, package.request.get("ModelApprovalStatus"))
        ]
        return listing(found, request, "ModelPackageSummaryList", _package_summary, "Ascending")


def delete_model_package(region: Region, request: Request) -> dict[str, Any]:
    """Let go of a package."""
    with region.lock:
        region.remove(_package(region, request["ModelPackageName"]))
    return {}


def _versioned(region: Region, request: Request) -> Package:
    group = _group(region, request["ModelPackageGroupName"].rpartition("/")[2])
    group.last += 1
    content = {"ModelApprovalStatus": "PendingManualApproval", **request}
    name = f"{group.name}/{group.last}"
    return Package(PACKAGE, name, region.arn(PACKAGE, name), content, "Completed", group=group.name, version=group.last)


def _unversioned(region: Region, request: Request) -> Package:
    name = request["ModelPackageName"]
    arn = region.arn(PACKAGE, name)
    taken = region.find(PACKAGE, name) is not None
    region.world.constraints.demand("names-taken", not taken, f"Model Package already exists: {arn}")
    return Package(PACKAGE, name, arn, dict(request), "Completed")


def _group(region: Region, name: str) -> Group:
    name = name.rpartition("/")[2]
    return region.get(GROUP, name, f"ModelPackageGroup {region.arn(GROUP, name)} does not exist.")


def _package(region: Region, name: str) -> Package:
    prefix = f"arn:aws:sagemaker:{region.name}:{ACCOUNT}:{PACKAGE}/"
    missing = f"ModelPackage {name if name.startswith('arn:') else prefix + name} does not exist."
    return region.get(PACKAGE, name.removeprefix(prefix), missing)


def _group_summary(group: Group) -> dict[str, Any]:
    return {
        "ModelPackageGroupName": group.name,
        "ModelPackageGroupArn": group.arn,
        "ModelPackageGroupDescription": group.request.get("ModelPackageGroupDescription"),
        "CreationTime": group.created,
        "ModelPackageGroupStatus": group.status,
    }


def _package_summary(package: Package) -> dict[str, Any]:
    return {
        "ModelPackageName": package.name if not package.group else None,
        "ModelPackageGroupName": package.group or None,
        "ModelPackageVersion": package.version or None,
        "ModelPackageArn": package.arn,
        "ModelPackageDescription": package.request.get("ModelPackageDescription"),
        "CreationTime": package.created,
        "ModelPackageStatus": package.status,
        "ModelApprovalStatus": package.request.get("ModelApprovalStatus"),
        "ModelLifeCycle": package.request.get("ModelLifeCycle"),
        "ModelPackageRegistrationType": package.request.get("ModelPackageRegistrationType"),
    }


OPERATIONS = {
    "CreateModelPackageGroup": create_model_package_group,
    "DescribeModelPackageGroup": describe_model_package_group,
    "ListModelPackageGroups": list_model_package_groups,
    "DeleteModelPackageGroup": delete_model_package_group,
    "CreateModelPackage": create_model_package,
    "DescribeModelPackage": describe_model_package,
    "UpdateModelPackage": update_model_package,
    "ListModelPackages": list_model_packages,
    "DeleteModelPackage": delete_model_package,
}
