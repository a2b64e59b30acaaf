"""The model registry: MLflow on SQLite for versions, aliases and tags, and the stack's store for the packages.

What MLflow calls a version's ``source`` is an absolute path that a moved checkout would break, so nothing here reads
it: a package is found by its digest. What MLflow has no field for is in tags that begin with ``trivet.``.
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from trivet.core.errors import ConfigError, IntegrityError, NotFound
from trivet.core.faults import point
from trivet.core.locks import lock
from trivet.core.modelpackage import Package
from trivet.core.platform import Models, Store
from trivet.core.refs import ModelRef
from trivet.core.specs import Approval, ModelVersion
from trivet.platforms.extras import extra
from trivet.platforms.local.errors import told, told_by_mlflow
from trivet.platforms.local.processes import QUIET
from trivet.platforms.packages import put_package

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.store.entities import PagedList

OURS, UNFINISHED = "trivet.", ".unfinished"
DIGEST, AUTHOR, KEY, APPROVAL = f"{OURS}digest", f"{OURS}author", f"{OURS}key", f"{OURS}approval"
_PAGE = 200
NO_POOL = {"MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool"}  # no connection outlives a verb

T = TypeVar("T")


class LocalModels(Models):
    """Versions in ``registry.db``. MLflow is imported with the first verb: that takes seconds."""

    def __init__(self, database: Path, store: Store, store_path: Path, private_key: Path) -> None:
        self._database = database
        self._store = store
        self._store_path = store_path
        self._private_key = private_key
        self._known: MlflowClient | None = None

    def register(self, name: str, package: Path, *, author: str, tags: dict[str, str]) -> ModelVersion:
        _check_name(name)
        _check_tags(tags)
        with self._writing():
            opened = Package(package)
            key = put_package(self._store, opened, self._signing_key())
            point("register.stored")
            ours = {DIGEST: opened.digest, AUTHOR: author, KEY: key}
            return self._version_of(name, opened.digest) or self._create(name, key, {**tags, **ours})

    def get(self, ref: ModelRef | str) -> ModelVersion:
        wanted = ModelRef.parse(ref) if isinstance(ref, str) else ref
        found = [
            one
            for one in self.list(wanted.name)
            if wanted.version in (None, one.version) and (wanted.alias is None or wanted.alias in one.aliases)
        ]
        if not found:
            raise NotFound(f"There is no {wanted}.", "`trivet models list` shows what there is.")
        return max(found, key=lambda one: one.version)

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
        _check_tags(tags or {})
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
        """The command that shows this registry in MLflow's own browser page, on the loopback address."""
        return (
            sys.executable,
            "-m",
            "mlflow",
            "ui",
            "--backend-store-uri",
            _uri(self._database),
            "--host",
            "127.0.0.1",
        )

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
        wanted = f"name = '{_check_name(name)}'" if name else None
        return {
            model.name: {alias: int(number) for alias, number in model.aliases.items()}
            for page in _pages(lambda token: self._client().search_registered_models(wanted, _PAGE, page_token=token))
            for model in page
        }

    def _every_version(self, name: str) -> Iterator[MlflowVersion]:
        wanted = f"name = '{_check_name(name)}'" if name else None
        for page in _pages(lambda token: self._client().search_model_versions(wanted, _PAGE, page_token=token)):
            yield from page

    def _client(self) -> MlflowClient:
        if self._known is None:
            os.environ.update(QUIET | NO_POOL)
            for noisy in ("mlflow", "alembic"):
                logging.getLogger(noisy).setLevel(logging.WARNING)
            with extra("local"):
                from mlflow import MlflowClient
            if not self._database.exists():
                self._make_database(MlflowClient)
            self._known = _open(MlflowClient, self._database)
        return self._known

    def _make_database(self, client: type[MlflowClient]) -> None:
        """Many migrations make MLflow's tables: done beside and renamed, lest a kill leave half of them."""
        self._database.parent.mkdir(parents=True, exist_ok=True)
        for left in self._database.parent.glob(f"*{UNFINISHED}"):
            left.unlink()
        # MLflow remembers by path which databases it has made, so each attempt has a path of its own.
        beside = self._database.with_name(f"{uuid.uuid4().hex}{UNFINISHED}")
        _open(client, beside)
        point("register.database")
        beside.rename(self._database)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with lock(self._database.with_suffix(".lock"), "The model registry"):
            yield


def _open(client: type[MlflowClient], database: Path) -> MlflowClient:
    return client(tracking_uri=_uri(database), registry_uri=_uri(database))


def _uri(database: Path) -> str:
    return f"sqlite:///{database}"


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


def _pages(search: Callable[[str | None], PagedList[T]]) -> Iterator[PagedList[T]]:
    token = None
    while True:
        page = search(token)
        yield page
        token = page.token
        if not token:
            return


def _check_name(name: str) -> str:
    if ModelRef.parse(name) != ModelRef(name):
        raise ConfigError(f"{name!r} names a version, not a model.", "Give the model's name alone.")
    return name


def _check_tags(tags: Mapping[str, str]) -> None:
    if reserved := [key for key in tags if key.startswith(OURS)]:
        raise ConfigError(f"The tag {reserved[0]!r} is Trivet's own.", f"Choose one that does not begin with {OURS}")
