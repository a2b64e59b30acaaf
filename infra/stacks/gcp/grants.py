"""What each identity may do: plain data, so that it can be read, tested and counted without Google Cloud.

A right is a set of permissions with a place. Buckets, keys and the image registry take rights of their own, in buckets
down to folders; jobs, models, logs and metrics of a project are one place. Endpoints could take rights of their own and
do not yet: who releases to one of a project may release to all, so that a project should hold one stack.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pulumi_gcp as gcp

from trivet.core.layout import JOB_OUTPUTS
from trivet.infra.names import fitted
from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.keys import Keys

PROJECT, STORE, RECORDS, IMAGES, SIGNING = "project", "store", "records", "images", "signing"

PERMISSIONS: dict[str, tuple[str, ...]] = {
    "finder": ("storage.objects.list",),
    "inspector": ("storage.buckets.get", "storage.objects.list"),
    "reader": ("storage.objects.get",),
    "recorder": (
        "storage.multipartUploads.abort",
        "storage.multipartUploads.create",
        "storage.multipartUploads.listParts",
        "storage.objects.create",
    ),
    "writer": (
        "storage.multipartUploads.abort",
        "storage.multipartUploads.create",
        "storage.multipartUploads.listParts",
        "storage.objects.create",
        "storage.objects.delete",  # without it nothing is written over
        "storage.objects.get",
    ),
    "puller": ("artifactregistry.repositories.downloadArtifacts",),
    "pusher": (
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry.repositories.get",
        "artifactregistry.repositories.uploadArtifacts",
        "artifactregistry.tags.create",
        "artifactregistry.tags.get",
        "artifactregistry.tags.list",
    ),
    "signer": ("cloudkms.cryptoKeyVersions.useToSign",),
    "worker": ("logging.logEntries.create",),
    "measurer": (
        *("monitoring.metricDescriptors.create", "monitoring.metricDescriptors.list"),
        "monitoring.timeSeries.create",
    ),
    "logging_in": ("cloudsql.instances.login",),
    "starter": ("aiplatform.customJobs.create",),
    "runner": (
        "aiplatform.customJobs.cancel",
        "aiplatform.customJobs.create",
        "aiplatform.customJobs.get",
        "aiplatform.customJobs.list",
    ),
    "registrar": (
        "aiplatform.models.get",
        "aiplatform.models.list",
        "aiplatform.models.update",
        "aiplatform.models.upload",
    ),
    "releaser": (
        "aiplatform.endpoints.deploy",
        "aiplatform.endpoints.get",
        "aiplatform.endpoints.predict",
        "aiplatform.endpoints.undeploy",
        "aiplatform.endpoints.update",
        "aiplatform.models.delete",
    ),
    "watcher": (
        "logging.logEntries.list",
        "logging.views.access",
        "monitoring.alerts.list",
        "monitoring.timeSeries.list",
    ),
}
"""What makes up each of the stack's own roles."""


class Right(NamedTuple):
    """A role at a place.

    :param folders: of a bucket; none: all of it.
    """

    role: str
    place: str = PROJECT
    folders: tuple[str, ...] = ()


_STORE = Right("finder", STORE)
_WORKLOAD = (Right("worker"), Right("puller", IMAGES))
_LEDGER = Right("logging_in")
_COMPARED = ("packages", "judged", "registry", "ledger")
_JUDGED = Right("writer", RECORDS, ("findings", "labels"))

RIGHTS: dict[str, tuple[Right, ...]] = {
    # Reads source and data, writes packages and checkpoints.
    "trainer": (
        _STORE,
        Right("reader", STORE),
        Right("writer", STORE, (*JOB_OUTPUTS, "checkpoints", "jobs")),
        *_WORKLOAD,
    ),
    # Reads packages, writes records, and nothing that trains or decides.
    "server": (_STORE, Right("reader", STORE, ("packages",)), Right("recorder", RECORDS, ("predictions",)), *_WORKLOAD),
    # Reads records and what they are compared with, writes findings, and seals records in the ledger.
    "monitor": (
        _STORE,
        Right("finder", RECORDS),
        Right("reader", STORE, _COMPARED),
        Right("reader", RECORDS),
        _JUDGED,
        Right("writer", STORE, ("ledger",)),
        _LEDGER,
        Right("measurer"),
        *_WORKLOAD,
    ),
    # Starts jobs and registers versions.
    "workflow": (Right("runner"), Right("registrar"), Right("signer", SIGNING)),
    # Starts jobs at their time.
    "scheduler": (Right("starter"),),
    # What a repository's workflow does: push images and source, run, register, release, look.
    "deployer": (
        Right("inspector", STORE),
        Right("inspector", RECORDS),
        Right("writer", STORE),
        Right("reader", RECORDS),
        _JUDGED,
        Right("runner"),
        Right("registrar"),
        Right("releaser"),
        Right("watcher"),
        Right("measurer"),
        Right("signer", SIGNING),
        Right("pusher", IMAGES),
        _LEDGER,
    ),
}
"""What each identity may do."""

ACTS_AS = {
    "workflow": ("trainer", "server", "monitor"),
    "scheduler": ("trainer",),
    "deployer": ("trainer", "server", "workflow"),
}
"""As whom an identity may have something run, by identity: each named one by one, and never at the project."""


def custom_role(context: Context, keys: Keys, what: str, permissions: Sequence[str]) -> gcp.projects.IAMCustomRole:
    """A role of the stack's own. A deleted one keeps its id for weeks, so that no two stacks' have the same."""
    return gcp.projects.IAMCustomRole(
        f"role-{what.replace('_', '-')}",
        role_id=keys.end.apply(lambda end: re.sub(r"\W", "_", fitted(context.name(f"{what}-{end}"), 64))),
        title=context.name(what, 100),
        description=f"{what.replace('_', ' ')}, of {context.prefix}",
        permissions=sorted(permissions),
        stage="GA",
        opts=context.options,
    )


def within(bucket: str, folders: Sequence[str]) -> str:
    """The condition that an object lies in one of these folders: IAM, "Resource attributes"."""
    begins = (f'resource.name.startsWith("projects/_/buckets/{bucket}/objects/{folder}/")' for folder in folders)
    return " || ".join(begins)
