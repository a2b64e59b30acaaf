"""Where a ledger's rows lie: a SQLite file, PostgreSQL or an object store, chosen by the URL in a stack's outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from trivet.core.platform import Login, Store
from trivet.governance.backends.base import COLUMNS, Backend, Row, Writer

__all__ = ["COLUMNS", "Backend", "Row", "Writer", "backend_at"]

LEDGER_DB = "ledger.db"


def backend_at(
    url: str, home: Path, login: Login | None = None, store: Callable[[str], Store] | None = None
) -> Backend:
    """The backend that a URL names: ``file:`` (a folder, relative to ``home``), ``postgresql:`` or a store's.

    :param login: as whom to log in to a database; ``None`` leaves that to the URL and libpq's own settings.
    :param store: opens an object store by its URL; ``None`` leaves that to what the environment says.
    :raises ConfigError: when it names none, or a package is missing.
    """
    scheme = urlsplit(url).scheme
    if scheme == "file":
        from trivet.governance.backends.sqlite import SQLite
        from trivet.platforms.store import path_of

        return SQLite(home / path_of(url) / LEDGER_DB)
    if scheme in ("postgresql", "postgres"):
        from trivet.governance.backends.postgresql import PostgreSQL

        return PostgreSQL(url, login)
    from trivet.governance.backends.objects import Objects
    from trivet.platforms.store import ObjectStore

    return Objects((store or ObjectStore)(url))
