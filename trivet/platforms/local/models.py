"""The model registry: MLflow on SQLite for versions, aliases and tags, and the stack's store for the packages.

What MLflow calls a version's ``source`` is an absolute path that a moved checkout would break, so nothing here reads
it: a package is found by its digest. What MLflow has no field for is in tags that begin with ``trivet.``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from trivet.core.errors import IntegrityError
from trivet.core.faults import point
from trivet.core.locks import lock
from trivet.core.modelpackage import Package
from trivet.core.platform import Models, Store
from trivet.core.refs import ModelRef
from trivet.core.signing import signer
from trivet.core.specs import Approval, ModelVersion
from trivet.platforms.local.errors import told
from trivet.platforms.local.processes import QUIET
from trivet.platforms.local.registry import every, open_client, told_by_mlflow, uri
from trivet.platforms.packages import put_package
from trivet.platforms.versions import OURS, check_alias, check_name, check_tags, find

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

DIGEST, AUTHOR, KEY, APPROVAL = f"{OURS}digest", f"{OURS}author", f"{OURS}key", f"{OURS}approval"
_PAGE = 200


class LocalModels(Models):
    """Versions in ``registry.db``. MLflow is imported with the first verb: that takes seconds."""

    def __init__(self, database: Path, store: Store, store_path: Path, private_key: Path) -> None:
        self._database = database
        self._store = store
        self._store_path = store_path
        self._private_key = private_key
        self._known: MlflowClient | None = None

    def register(self, name: str, package: Path, *, author: str, tags: dict[str, str]) -> ModelVersion:
        check_name(name)
        check_tags(tags)
        with self._writing():
            opened = Package(package)
            key = put_package(self._store, opened, signer(self._signing_key()))
            point("register.stored")
            ours = {DIGEST: opened.digest, AUTHOR: author, KEY: key}
            return self._version_of(name, opened.digest) or self._create(name, key, {**tags, **ours})

    def get(self, ref: ModelRef | str) -> ModelVersion:
        wanted = ModelRef.parse(ref) if isinstance(ref, str) else ref
        return find(wanted, self.list(wanted.name))

    def list(self, name: str = "") -> Sequence[ModelVersion]:
        if not self._database.exists():
            return []
        with told_by_mlflow(f"Model {name}" if name else "The registry"):
            aliases = self._aliases(name)
            found = [
                _version(one, aliases.get(one.name, {}))
                for one in self._every_version(name)
                if DIGEST in one.tags  # what was made by other hands than ours is no version of ours
            ]
        return sorted(found, key=lambda one: (one.created, one.version), reverse=True)

    def tag(
        self,
        version: ModelVersion,
        *,
        tags: dict[str, str] | None = None,
        alias: str | None = None,
        approval: Approval | None = None,
    ) -> ModelVersion:
        check_tags(tags or {})
        if alias:
            check_alias(version.name, alias)
        ours = {APPROVAL: approval.canonical().decode()} if approval else {}
        with self._writing(), told_by_mlflow(f"Model {version}"):
            self.get(ModelRef(version.name, version.version))
            for key, value in {**(tags or {}), **ours}.items():
                self._client().set_model_version_tag(version.name, str(version.version), key, value)
            point("tag.tagged")
            if alias:
                self._client().set_registered_model_alias(version.name, alias, str(version.version))
        return self.get(ModelRef(version.name, version.version))

    def ui_command(self) -> tuple[str, ...]:
        """The command that shows this registry in MLflow's own browser page: on loopback only, without telemetry."""
        quietly = ("env", *(f"{name}={value}" for name, value in QUIET.items()))
        options = ("--backend-store-uri", uri(self._database), "--host", "127.0.0.1")
        return (*quietly, sys.executable, "-m", "mlflow", "ui", *options)

    def _signing_key(self) -> bytes:
        with told("The stack's signing key"):
            return self._private_key.read_bytes()

    def _version_of(self, name: str, digest: str) -> ModelVersion | None:
        return next((one for one in self.list(name) if one.digest == digest), None)

    def _create(self, name: str, key: str, tags: dict[str, str]) -> ModelVersion:
        with told_by_mlflow(f"Model {name}"):
            if name not in self._aliases(name):
                self._client().create_registered_model(name)
            point("register.named")
            # One transaction: a version is never there without its tags.
            made = self._client().create_model_version(name, (self._store_path / key).as_uri(), tags=tags)
        point("register.created")
        return _version(made, {})

    def _aliases(self, name: str) -> Mapping[str, Mapping[str, int]]:
        """Alias to version number, by model."""
        found = every(lambda token: self._client().search_registered_models(_named(name), _PAGE, page_token=token))
        return {model.name: {alias: int(number) for alias, number in model.aliases.items()} for model in found}

    def _every_version(self, name: str) -> Iterator[MlflowVersion]:
        return every(lambda token: self._client().search_model_versions(_named(name), _PAGE, page_token=token))

    def _client(self) -> MlflowClient:
        if self._known is None:
            self._known = open_client(self._database)
        return self._known

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with lock(self._database.with_suffix(".lock"), "The model registry"):
            yield


def _version(made: MlflowVersion, aliases: Mapping[str, int]) -> ModelVersion:
    number = int(made.version)
    return ModelVersion(
        name=made.name,
        version=number,
        digest=made.tags[DIGEST],
        key=made.tags[KEY],
        author=made.tags[AUTHOR],
        created=datetime.fromtimestamp(made.creation_timestamp / 1000, UTC),
        aliases=tuple(sorted(alias for alias, target in aliases.items() if target == number)),
        approval=_approval(made.tags.get(APPROVAL), f"{made.name}/{number}"),
        tags={key: value for key, value in made.tags.items() if not key.startswith(OURS)},
    )


def _approval(text: str | None, model: str) -> Approval | None:
    try:
        return Approval.model_validate_json(text) if text else None
    except ValidationError as error:
        raise IntegrityError(f"The approval of model {model} in the registry is none that Trivet wrote.") from error


def _named(name: str) -> str | None:
    return f"name = '{check_name(name)}'" if name else None
