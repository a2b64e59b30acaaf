"""The model registry: models of Vertex AI, numbered by model.

Vertex AI numbers versions itself, but who registers the same package twice, or again after an answer that was lost,
gets two of them. So the number is claimed in the store first, and the version bears it as an alias, ``trivet-3``: of
several that were made for one number the newest has it, and is the version. Aliases and the state of an approval are
shown to Google's own tools too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.api_core.exceptions import Aborted, GoogleAPICallError

from trivet.core.canonical import digest
from trivet.core.document import Document
from trivet.core.errors import ConfigError, NotFound
from trivet.core.faults import point
from trivet.core.modelpackage import Package, package_key
from trivet.core.outputs import GcpNative, Outputs
from trivet.core.platform import Models, Store
from trivet.core.refs import ModelRef
from trivet.core.signing import Signer
from trivet.core.specs import Approval, ModelVersion
from trivet.platforms.gcp.clients import Again, Clients
from trivet.platforms.gcp.ensuring import ensure, insisted
from trivet.platforms.gcp.errors import is_missing, is_taken, told
from trivet.platforms.gcp.labels import ENDPOINT, is_of, labels, whose
from trivet.platforms.gcp.served import NAME, VERSION, container_of, environment_of, owned, release_of
from trivet.platforms.packages import put_package
from trivet.platforms.registered import FOLDER, Claim, Registered
from trivet.platforms.versions import check_alias, check_name, check_tags, find

NUMBER = "trivet-"  # begins the alias that says a version's number
STATE = "trivet-approval"
_SHOWN = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")  # aliases that Vertex AI takes
_OURS = re.compile(r"trivet-\d+")


class Tag(Document):
    """One tag of a version; each has an object of its own, so that two who tag at once lose nothing."""

    key: str
    value: str


class GcpModels(Models):
    """A model of Vertex AI's per model of the stack's."""

    def __init__(
        self,
        clients: Clients,
        outputs: Outputs,
        native: GcpNative,
        store: Store,
        sign: Signer,
        serving_image: Callable[[], str],
    ) -> None:
        self._clients = clients
        self._outputs = outputs
        self._native = native
        self._store = store
        self._registered = Registered(store)
        self._sign = sign
        self._image = serving_image

    def register(self, name: str, package: Path, *, author: str, tags: dict[str, str]) -> ModelVersion:
        check_name(name)
        check_tags(tags)
        opened = Package(package)
        put_package(self._store, opened, self._sign)
        point("register.stored")
        number = self._registered.claim(name, Claim.now(opened.digest, author))
        point("register.claimed")
        made = self._made(name, number)
        if made is None:
            self._tag(name, number, tags)
            made = self._make(name, number, opened.digest)
            point("register.created")
        return self._version(made)

    def get(self, ref: ModelRef | str) -> ModelVersion:
        wanted = ModelRef.parse(ref) if isinstance(ref, str) else ref
        number = wanted.version if wanted.alias is None else self._registered.pointed(wanted.name, wanted.alias)
        if number is None and wanted.alias is None:
            return find(wanted, self._versions(self._name(wanted.name), wanted.name))
        made = None if number is None else self._made(wanted.name, number)
        return find(wanted, [] if made is None else [self._version(made)])

    def list(self, name: str = "") -> Sequence[ModelVersion]:
        names = [self._name(name)] if name else self._names()
        found = [one for each in names for one in self._versions(each, name)]
        return sorted(found, key=lambda one: (one.created, one.version), reverse=True)

    def tag(
        self,
        version: ModelVersion,
        *,
        tags: dict[str, str] | None = None,
        alias: str | None = None,
        approval: Approval | None = None,
    ) -> ModelVersion:
        made = self._made(version.name, version.version)
        if made is None:
            raise NotFound(f"There is no {ModelRef(version.name, version.version)}.")
        check_tags(tags or {})
        if alias:
            check_alias(version.name, alias)
            if _OURS.fullmatch(alias):
                raise ConfigError(f"The alias {alias!r} is Trivet's own.", f"Choose one that is no {NUMBER}NUMBER.")
        if approval:
            # The whole of it first: what Vertex AI shows is no approval of ours without it.
            self._registered.approve(version, approval)
            point("tag.approved")
            self._show(version, approval)
        self._tag(version.name, version.version, tags or {})
        point("tag.tagged")
        if alias:
            self._registered.point(version, alias)
            if _SHOWN.fullmatch(alias):
                with told(f"Model {version}"):
                    path = f"v1/{self._at(version.name, version.version)}:mergeVersionAliases"
                    self._clients.post("aiplatform", path, {"versionAliases": [alias]}, Again.ALWAYS)
        return self._version(made)

    def _make(self, name: str, number: int, package: str) -> Mapping[str, Any]:
        """A version of the model, or the model with it as its first one."""
        at, what = self._name(name), f"Model {name}/{number}"

        def upload() -> object:
            body = {"model": self._request(name, number, package)}
            try:
                return self._upload({**body, "modelId": at.rpartition("/")[2]}, name)
            except GoogleAPICallError as error:
                if not is_taken(error):
                    raise
            try:
                return self._made(name, number) or self._upload({**body, "parentModel": at}, name)
            except GoogleAPICallError as error:
                if is_missing(error):  # somebody makes its first version just now, or nothing came of that
                    raise Aborted(str(error.message)) from error
                raise

        return ensure(lambda: self._made(name, number), lambda: insisted(upload, what), what)

    def _upload(self, body: dict[str, Any], name: str) -> Mapping[str, Any]:
        path = f"v1/{self._clients.parent}/models:upload"
        return self._clients.ended(self._clients.post("aiplatform", path, body), f"Model {name}")

    def _request(self, name: str, number: int, package: str) -> dict[str, Any]:
        return {
            "displayName": name,
            "versionAliases": [f"{NUMBER}{number}"],
            "artifactUri": f"{self._outputs.store}/{package_key(package)}",
            "containerSpec": container_of(name, number, self._image(), self._outputs, {}),
            "labels": labels(self._outputs, model=name),
            "encryptionSpec": {"kmsKeyName": self._native.key},
        }

    def _show(self, version: ModelVersion, approval: Approval) -> None:
        """Have Vertex AI's own tools see the state of an approval."""
        at = self._at(version.name, version.version)
        with told(f"Model {version}"):
            now = self._clients.get("aiplatform", f"v1/{at}")
            shown = {"name": at, "labels": {**now.get("labels", {}), STATE: approval.status}}
            self._clients.patch("aiplatform", f"v1/{at}", shown, "labels")

    def _made(self, name: str, number: int) -> Mapping[str, Any] | None:
        """Vertex AI's own version that is this one."""
        with told(f"Model {name}/{number}"):
            try:
                found = self._clients.get("aiplatform", f"v1/{self._at(name, number)}")
            except GoogleAPICallError as error:
                if is_missing(error):
                    return None
                raise
        return found if is_of(self._outputs, found) and _number(found, name) == number else None

    def _names(self) -> list[str]:
        """Every model of the stack's; those that endpoints have for themselves are none."""
        wanted = whose(self._outputs.project, self._outputs.stack)
        with told("The model registry"):
            pages = self._clients.pages("aiplatform", f"v1/{self._clients.parent}/models", "models", filter=wanted)
            return [one["name"] for one in pages if ENDPOINT not in one.get("labels", {})]

    def _versions(self, at: str, name: str) -> Iterator[ModelVersion]:
        with told("The model registry"):
            try:
                found = list(self._clients.pages("aiplatform", f"v1/{at}:listVersions", "models"))
            except GoogleAPICallError as error:
                if is_missing(error):  # never made, or deleted meanwhile
                    return
                raise
        for one in found:
            if is_of(self._outputs, one) and _number(one, name) is not None:
                yield self._version(one)

    def _version(self, found: Mapping[str, Any]) -> ModelVersion:
        release = release_of(found, self._outputs.store)
        claim = self._registered.claimed(release.model, release.version)
        bare = ModelVersion(
            name=release.model,
            version=release.version,
            digest=release.digest,
            key=package_key(release.digest),
            author=claim.author,
            created=claim.time,
            tags=self._tags(release.model, release.version),
        )
        return self._registered.whole(bare)

    def _tag(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            place = f"{_folder(name, number)}{digest(key.encode())[7:23]}.json"
            self._store.put(place, Tag(key=key, value=value).canonical())

    def _tags(self, name: str, number: int) -> dict[str, str]:
        keys = self._store.list(_folder(name, number))
        every = (Tag.model_validate_json(self._store.get(key)) for key in keys)
        return {one.key: one.value for one in sorted(every, key=lambda one: one.key)}

    def _name(self, name: str) -> str:
        return f"{self._clients.parent}/models/{owned(self._outputs, self._native.prefix, name)}"

    def _at(self, name: str, number: int) -> str:
        return f"{self._name(name)}@{NUMBER}{number}"


def _number(found: Mapping[str, Any], name: str) -> int | None:
    """The number that a version of Vertex AI's has as one of ours; none where it was made by other hands."""
    environment = environment_of(found)
    number = environment.get(VERSION, "")
    if f"{NUMBER}{number}" not in found.get("versionAliases", []) or (name and environment.get(NAME) != name):
        return None
    return int(number)


def _folder(name: str, number: int) -> str:
    return f"{FOLDER}/{name}/tags/{number:08d}/"
