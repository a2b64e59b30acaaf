"""The model registry: SageMaker's model packages in the stack's group, numbered by model.

SageMaker numbers the versions of a group, and the stack has one for all of its models. So the number within a model is
claimed in the store first, by writing an object that must not be there yet; so is what has no room in a model package:
approvals, and the version to which an alias points. All else is in the model package, where SageMaker's own tools see
it: the state of its approval, the author, the digest, tags.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from trivet.core.canonical import digest_json
from trivet.core.errors import ConfigError, NotFound
from trivet.core.faults import point
from trivet.core.modelpackage import Package
from trivet.core.outputs import Outputs
from trivet.core.platform import Models, Store
from trivet.core.refs import ModelRef
from trivet.core.signing import Signer
from trivet.core.specs import Approval, ModelVersion
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import is_missing, told
from trivet.platforms.aws.variants import container_of
from trivet.platforms.packages import put_package
from trivet.platforms.registered import Claim, Registered
from trivet.platforms.versions import OURS, check_alias, check_name, check_tags, find

NAME, VERSION, DIGEST = f"{OURS}name", f"{OURS}version", f"{OURS}digest"
KEY, AUTHOR = f"{OURS}key", f"{OURS}author"
MOST_TAGS = 50 - 5  # SageMaker takes 50 properties, ours included
MOST_KEY, MOST_VALUE = 128, 256  # characters
STATUS = {"approved": "Approved", "rejected": "Rejected"}
MOST_REASON = 1024
ALLOWED = "letters, digits, spaces and _ . : / = + - @"
JSON = "application/json"


class AwsModels(Models):
    """Versions in the group that the outputs name."""

    def __init__(
        self, clients: Clients, outputs: Outputs, store: Store, sign: Signer, serving_image: Callable[[], str]
    ) -> None:
        self._clients = clients
        self._outputs = outputs
        self._group = outputs.models
        self._store = store
        self._registered = Registered(store)
        self._sign = sign
        self._image = serving_image

    def register(self, name: str, package: Path, *, author: str, tags: dict[str, str]) -> ModelVersion:
        check_name(name)
        _check_tags(tags, MOST_TAGS)
        _check_author(author)
        opened = Package(package)
        key = put_package(self._store, opened, self._sign)
        point("register.stored")
        number = self._registered.claim(name, Claim.now(opened.digest, author))
        point("register.claimed")
        made = self._model_package(name, number)
        if made is None:
            ours = {NAME: name, VERSION: str(number), DIGEST: opened.digest, KEY: key, AUTHOR: author}
            made = self._create(name, number, key, {**tags, **ours})
            point("register.created")
        return self._version_at(made["ModelPackageArn"], _title(name, number))

    def get(self, ref: ModelRef | str) -> ModelVersion:
        wanted = ModelRef.parse(ref) if isinstance(ref, str) else ref
        number = wanted.version if wanted.alias is None else self._registered.pointed(wanted.name, wanted.alias)
        if wanted.alias is not None and number is None:
            return find(wanted, [])
        title = "" if number is None else _title(wanted.name, number)
        return find(wanted, [self._version(one) for one in self._described(wanted.name, title)])

    def list(self, name: str = "") -> Sequence[ModelVersion]:
        found = [self._version(one) for one in self._described(name)]
        return sorted(found, key=lambda one: (one.created, one.version), reverse=True)

    def tag(
        self,
        version: ModelVersion,
        *,
        tags: dict[str, str] | None = None,
        alias: str | None = None,
        approval: Approval | None = None,
    ) -> ModelVersion:
        summary = self._model_package(version.name, version.version)
        if summary is None:
            raise NotFound(f"There is no {ModelRef(version.name, version.version)}.")
        now = self._version_at(summary["ModelPackageArn"], str(version))
        _check_tags({**now.tags, **(tags or {})}, MOST_TAGS)
        check_tags(tags or {})
        if alias:
            check_alias(now.name, alias)
        changed: dict[str, Any] = {"CustomerMetadataProperties": tags} if tags else {}
        if approval:
            # The whole of it first: what SageMaker shows is no approval of ours without it.
            self._registered.approve(now, approval)
            point("tag.approved")
            changed["ModelApprovalStatus"] = STATUS[approval.status]
            changed["ApprovalDescription"] = " ".join(f"{approval.actor}: {approval.reason}".split())[:MOST_REASON]
        if changed:
            with told(f"Model {now}"):
                self._sagemaker.update_model_package(ModelPackageArn=summary["ModelPackageArn"], **changed)
        point("tag.tagged")
        if alias:
            self._registered.point(now, alias)
        return self._version_at(summary["ModelPackageArn"], str(now))

    @property
    def _sagemaker(self) -> Any:
        return self._clients("sagemaker")

    def _create(self, name: str, number: int, key: str, properties: dict[str, str]) -> Mapping[str, Any]:
        container = container_of(key, name, number, self._image(), self._outputs)
        with told(f"Model {name}/{number}"):
            return self._sagemaker.create_model_package(
                ModelPackageGroupName=self._group.rpartition("/")[2],
                ModelPackageDescription=_title(name, number),
                InferenceSpecification={
                    "Containers": [container],
                    "SupportedContentTypes": [JSON, "application/jsonlines", "text/csv"],
                    "SupportedResponseMIMETypes": [JSON, "application/jsonlines", "text/csv"],
                },
                ModelApprovalStatus="PendingManualApproval",
                CustomerMetadataProperties=properties,
                # Whoever makes the same version again, as after a broken connection, gets the one that is there.
                ClientToken=digest_json([self._group, name, number]).removeprefix("sha256:")[:36],
            )

    def _model_package(self, name: str, number: int) -> Mapping[str, Any] | None:
        """SageMaker's summary of one version."""
        title = _title(name, number)
        return next((one for one in self._summaries() if one.get("ModelPackageDescription") == title), None)

    def _summaries(self) -> Iterator[Mapping[str, Any]]:
        with told("The model registry"):
            pages = self._sagemaker.get_paginator("list_model_packages").paginate(
                ModelPackageGroupName=self._group.rpartition("/")[2]
            )
            for page in pages:
                yield from page["ModelPackageSummaryList"]

    def _described(self, name: str, only: str = "") -> Iterator[Mapping[str, Any]]:
        for one in self._summaries():
            title = one.get("ModelPackageDescription", "")
            if (name and not title.startswith(f"{name}/")) or (only and title != only):
                continue
            with told(f"Model {title}"):
                try:
                    found = self._sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"])
                except ClientError as error:
                    if is_missing(error):  # deleted meanwhile
                        continue
                    raise
            # What was made by other hands than ours is no version of ours.
            if found.get("CustomerMetadataProperties", {}).keys() >= {NAME, VERSION, DIGEST, KEY, AUTHOR}:
                yield found

    def _version_at(self, arn: str, title: str) -> ModelVersion:
        """By its ARN, under which it is found at once; lists lag behind."""
        with told(f"Model {title}"):
            return self._version(self._sagemaker.describe_model_package(ModelPackageName=arn))

    def _version(self, found: Mapping[str, Any]) -> ModelVersion:
        properties = found["CustomerMetadataProperties"]
        return self._registered.whole(
            ModelVersion(
                name=properties[NAME],
                version=int(properties[VERSION]),
                digest=properties[DIGEST],
                key=properties[KEY],
                author=properties[AUTHOR],
                created=found["CreationTime"],
                tags={key: value for key, value in properties.items() if not key.startswith(OURS)},
            )
        )


def _title(name: str, number: int) -> str:
    """What a model package is called in SageMaker's lists, and found by."""
    return f"{name}/{number}"


def _check_tags(tags: Mapping[str, str], most: int) -> None:
    check_tags(tags)
    long = [key for key, value in tags.items() if not (_fits(key, MOST_KEY) and _fits(value, MOST_VALUE))]
    if long or len(tags) > most:
        what = f"The tag {long[0]!r} is" if long else f"{len(tags)} tags are"
        raise ConfigError(
            f"{what} more than SageMaker takes of a model package.",
            f"Use up to {most} tags of 1 to {MOST_KEY} characters with values of 1 to {MOST_VALUE}, {ALLOWED}.",
        )


def _check_author(author: str) -> None:
    if not _fits(author, MOST_VALUE):
        raise ConfigError(f"SageMaker does not take {author!r} as the author of a model.", f"Use {ALLOWED}.")


def _fits(text: str, most: int) -> bool:
    """Whether SageMaker takes this in the metadata of a model package: CustomerMetadataKey and -Value of its API."""
    return 0 < len(text) <= most and all(
        character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN" for character in text
    )
