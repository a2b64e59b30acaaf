"""MLflow as the registry's library: quiet, without telemetry, its errors told as ours.

Importing MLflow takes seconds, so only this module does, and only when a verb needs it.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from trivet.core.errors import ConfigError, NotFound, PlatformError
from trivet.core.faults import point
from trivet.platforms.extras import extra
from trivet.platforms.local.processes import QUIET

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.entities import PagedList

UNFINISHED = ".unfinished"
NO_POOL = {"MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool"}  # no connection outlives a verb

T = TypeVar("T")


def open_client(database: Path) -> MlflowClient:
    """A client of the registry in ``database``, which is made if it is not there."""
    if not database.exists():
        _make(database)
    return _client(database)


def uri(database: Path) -> str:
    """The database as MLflow names it."""
    return f"sqlite:///{database}"


@contextmanager
def told_by_mlflow(what: str) -> Iterator[None]:
    """Raise what MLflow refused as one sentence about ``what``, the cause attached.

    :raises NotFound: when MLflow knows no such thing.
    :raises ConfigError: when MLflow does not take a name or a value.
    :raises PlatformError: for everything else.
    """
    _import()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        raise PlatformError(f"{what}: the registry's database failed: {_first_line(error)}.") from error
    except MlflowException as error:
        sentence = f"{what}: {_first_line(error)}."
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise NotFound(sentence) from error
        if error.error_code == "INVALID_PARAMETER_VALUE":
            raise ConfigError(sentence) from error
        raise PlatformError(sentence) from error


def every(search: Callable[[str | None], PagedList[T]]) -> Iterator[T]:
    """Everything that a search finds, page by page; ``search`` is given the page's token."""
    token = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


def _make(database: Path) -> None:
    """Many migrations make MLflow's tables: done beside and renamed, lest a kill leave half of them."""
    database.parent.mkdir(parents=True, exist_ok=True)
    for left in database.parent.glob(f"*{UNFINISHED}"):
        left.unlink()
    # MLflow remembers by path which databases it has made, so each attempt has a path of its own.
    beside = database.with_name(f"{uuid.uuid4().hex}{UNFINISHED}")
    _client(beside)
    point("register.database")
    beside.rename(database)


def _client(database: Path) -> MlflowClient:
    _import()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri(database), registry_uri=uri(database))


def _import() -> None:
    os.environ.update(QUIET | NO_POOL)  # read when MLflow is imported
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with extra("local"):
        import mlflow  # noqa: F401


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(". ")
