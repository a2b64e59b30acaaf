"""A release as a model of Vertex AI's: what serves it, under a name that follows from what it says.

What a container is told cannot be changed once its model is there, nor said when it is deployed. So each endpoint has
models of its own, named by a digest of what they say: what is there under a name is right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trivet.core.canonical import digest_json
from trivet.core.errors import ForeignRelease
from trivet.core.modelpackage import package_key
from trivet.core.outputs import EndpointShell, GcpNative, Outputs
from trivet.core.specs import EndpointSpec, Release
from trivet.platforms.gcp.images import SERVING, image
from trivet.platforms.gcp.labels import labels
from trivet.platforms.gcp.requests import duration, variables

NAME, VERSION, MODE = "TRIVET_MODEL_NAME", "TRIVET_MODEL_VERSION", "TRIVET_RECORDS_MODE"
MOST_NAME, DIGITS = 63, 12
HEALTH, PREDICT, PORT = "/health", "/predict", 8080
_PLAIN = re.compile(r"[a-z_][a-z0-9_-]*")

Request = dict[str, Any]


def container_of(name: str, version: int, image: str, outputs: Outputs, environment: Mapping[str, str]) -> Request:
    """What serves a package as a version of a model, whoever deploys it: nothing that the stack has not signed."""
    known = {NAME: name, VERSION: str(version), "TRIVET_PUBLIC_KEY": outputs.signing.public_key}
    return {
        "imageUri": image,
        "args": ["serve"],
        "env": variables({**known, **environment}),
        "ports": [{"containerPort": PORT}],
        "healthRoute": HEALTH,
        "predictRoute": PREDICT,
    }


def model_of(
    spec: EndpointSpec, release: Release, shell: EndpointShell, outputs: Outputs, native: GcpNative
) -> Request:
    """A model for one endpoint: its id and all that it says."""
    environment = {"TRIVET_ENDPOINT": spec.name, "TRIVET_RECORDS": outputs.records, MODE: spec.records}
    own = spec.native.gcp.image or image(native, SERVING)
    container = container_of(release.model, release.version, own, outputs, environment)
    container["deploymentTimeout"] = duration(spec.native.gcp.startup)
    model = {
        "displayName": f"{release.model}/{release.version}",
        "artifactUri": f"{outputs.store}/{package_key(release.digest)}",
        "containerSpec": container,
        "encryptionSpec": {"kmsKeyName": native.key},
    }
    named = labels(outputs, endpoint=spec.name, model=release.model, model_version=str(release.version))
    return {"id": f"{family(shell)}{digest_json(model)[7 : 7 + DIGITS]}", "model": {**model, "labels": named}}


def family(shell: EndpointShell) -> str:
    """What the ids of an endpoint's models begin with, and no other endpoint's do; a number is no beginning of one."""
    name = f"endpoint-{shell.name}" if shell.name.isdigit() else shell.name
    return f"{plain(name, MOST_NAME - DIGITS - 1)}-"


def plain(name: str, most: int = MOST_NAME) -> str:
    """The name as an id that Vertex AI takes, which no other name becomes."""
    if _PLAIN.fullmatch(name) and len(name) <= most:
        return name
    short = re.sub(r"[^a-z0-9_-]", "-", name.lower())[: most - DIGITS - 1]
    return f"{short}-{digest_json(name)[7 : 7 + DIGITS]}"


def owned(outputs: Outputs, prefix: str, name: str) -> str:
    """The id of a model of the stack's: a prefix and a name may say together what another stack's say."""
    short = re.sub(r"[^a-z0-9_-]", "-", f"{prefix}-{name}".lower())[: MOST_NAME - DIGITS - 1]
    return f"{short}-{digest_json([outputs.project, outputs.stack, name])[7 : 7 + DIGITS]}"


def environment_of(model: Mapping[str, Any]) -> dict[str, str]:
    """What its container is told."""
    return {one["name"]: one.get("value", "") for one in model.get("containerSpec", {}).get("env", [])}


def release_of(model: Mapping[str, Any], store: str) -> Release:
    """The release that a model of Vertex AI's holds.

    :param store: URL of the stack's, from which alone it may come.
    :raises ForeignRelease: when Trivet did not make it for this stack.
    """
    environment, place = environment_of(model), str(model.get("artifactUri", "")).rstrip("/")
    begin = f"{store}/{package_key('sha256:')}"
    try:
        if not place.startswith(begin) or not model.get("containerSpec", {}).get("imageUri"):
            raise KeyError(place)
        digest = f"sha256:{place.removeprefix(begin)}"
        return Release(model=environment[NAME], version=int(environment[VERSION]), digest=digest)
    except (KeyError, ValueError) as error:
        raise _foreign(model) from error


def served_release(model: Mapping[str, Any], store: str) -> Release:
    """The same of a model that is deployed: versions of the registry are no releases, whoever deploys one.

    :raises ForeignRelease: when Trivet did not make it to be served in this stack.
    """
    if MODE not in environment_of(model):
        raise _foreign(model)
    return release_of(model, store)


def _foreign(model: Mapping[str, Any]) -> ForeignRelease:
    return ForeignRelease(
        f"The model {model.get('name', '')} that Vertex AI serves was not made by Trivet.",
        "Deploy a release over it, or delete the endpoint.",
    )
