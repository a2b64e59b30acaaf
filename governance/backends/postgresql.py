"""A ledger in PostgreSQL: append-only by rights, one writer at a time by an advisory lock.

The table is made by whoever first needs it and may. Whoever owns a table can give itself every right back: for a
ledger that its writers cannot change, an administrator runs ``SCHEMA`` and grants them ``SELECT`` and ``INSERT`` only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trivet.core.errors import ConfigError, NotReady, PlatformError
from trivet.core.platform import Login
from trivet.governance.backends.base import COLUMNS, Backend, Row, Writer
from trivet.platforms.extras import extra

if TYPE_CHECKING:
    from psycopg import Connection

TABLE = "trivet.ledger"
SCHEMA = (
    "CREATE SCHEMA IF NOT EXISTS trivet",
    f"CREATE TABLE IF NOT EXISTS {TABLE} (seq bigint PRIMARY KEY CHECK (seq > 0), time text NOT NULL,"
    " kind text NOT NULL, actor text NOT NULL, subject text NOT NULL, body text NOT NULL, previous text NOT NULL,"
    " hash text NOT NULL UNIQUE)",
    f"REVOKE UPDATE, DELETE, TRUNCATE ON {TABLE} FROM PUBLIC, CURRENT_USER",
)
LOCK = 0x5452495645540001  # of the whole database: what this ledger's writers, and nobody else, wait for
CONNECT_SECONDS = 10
SILENT_SECONDS = 30  # that a server may leave what was sent to it unacknowledged
LOCK_SECONDS = 30
STRICT = "verify-full"

_NAMES = ", ".join(COLUMNS)
_ROWS = (
    f"SELECT {_NAMES} FROM {TABLE} WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)"  # noqa: S608  our own names
    " AND (%(subject)s::text IS NULL OR subject = %(subject)s) ORDER BY seq"
)
_HEAD = f"SELECT {_NAMES} FROM {TABLE} ORDER BY seq DESC LIMIT 1"  # noqa: S608
_FIND = f"SELECT {_NAMES} FROM {TABLE} WHERE kind = %s AND subject = %s AND body = %s ORDER BY seq LIMIT 1"  # noqa: S608
_INSERT = f"INSERT INTO {TABLE} ({_NAMES}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (seq) DO NOTHING"  # noqa: S608


class PostgreSQL(Backend):
    """The table ``trivet.ledger`` of a database. Each call opens a connection of its own and closes it."""

    def __init__(self, url: str, login: Login | None = None) -> None:
        """Nothing is connected to yet.

        :raises ConfigError: for a URL that is none, or that would send anything over a network without TLS and
            without checking whose certificate it is.
        """
        with extra("postgresql"):
            from psycopg import ProgrammingError
            from psycopg.conninfo import conninfo_to_dict
        try:
            self._parameters = _secured(conninfo_to_dict(url))
        except ProgrammingError as error:
            raise ConfigError("The ledger's URL is none of PostgreSQL.", "See `trivet:database`.") from error
        self._login = login

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        with self._connection() as connection:
            self._lock(connection)
            yield _Writer(connection)

    def rows(self, kind: str | None = None, subject: str | None = None) -> Iterator[Row]:
        with self._connection() as connection, connection.cursor("ledger") as cursor:
            yield from cursor.execute(_ROWS, {"kind": kind, "subject": subject})

    def head(self) -> Row | None:
        with self._connection() as connection:
            return connection.execute(_HEAD).fetchone()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A transaction on a ledger that is there; it is committed where the context ends without an error.

        :raises NotReady: when another writer did not let go in time.
        :raises PlatformError: naming what the database said, which never holds a password.
        """
        import psycopg

        given: dict[str, Any] = {"tcp_user_timeout": SILENT_SECONDS * 1000} | self._parameters
        if self._login is not None:
            given |= {"user": self._login.user, "password": self._login.password()}
        try:
            with psycopg.connect(**given, connect_timeout=CONNECT_SECONDS) as connection:
                self._prepare(connection)
                connection.execute("SET LOCAL synchronous_commit TO on")  # whatever the server's default
                yield connection
        except psycopg.errors.InsufficientPrivilege as error:
            raise PlatformError(
                f"The login may not use the ledger's table: {_said(error)}.",
                "Have an administrator make it; docs/ledger.md has the statements.",
            ) from error
        except psycopg.errors.LockNotAvailable as error:
            raise NotReady(f"Another process held the ledger for {LOCK_SECONDS} seconds.", "Try again.") from error
        except psycopg.DataError as error:
            raise ConfigError(f"PostgreSQL cannot hold this entry: {_said(error)}.") from error
        except psycopg.Error as error:
            raise PlatformError(
                f"The ledger's database failed: {_said(error)}.", "See that it runs and can be reached from here."
            ) from error

    def _prepare(self, connection: Connection) -> None:
        if connection.execute("SELECT to_regclass(%s)", [TABLE]).fetchone() == (None,):
            self._lock(connection)  # makers at the same time would run into each other
            for statement in SCHEMA:
                connection.execute(statement.encode())
            connection.commit()

    def _lock(self, connection: Connection) -> None:
        """Be the only writer until the transaction ends, by death too."""
        connection.execute(f"SET LOCAL lock_timeout TO '{LOCK_SECONDS}s'".encode())
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


class _Writer(Writer):
    """Under the lock: each statement sees all that was committed before the lock was had (READ COMMITTED)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> Row | None:
        return self._connection.execute(_HEAD).fetchone()

    def find(self, kind: str, subject: str, body: str) -> Row | None:
        return self._connection.execute(_FIND, (kind, subject, body)).fetchone()

    def insert(self, row: Row) -> bool:
        # Somebody who takes no lock may write as well: then the number decides.
        return self._connection.execute(_INSERT, row).rowcount == 1


def _secured(parameters: dict[str, Any]) -> dict[str, Any]:
    """The same, by TLS with a certificate of the right name, unless it goes to this machine.

    :raises ConfigError: for a host that is missing, and for less than that.
    """
    hosts = str(parameters.get("host") or "").split(",")
    if "" in hosts:
        raise ConfigError("The ledger's URL names no host.", "Write postgresql://HOST:5432/DATABASE.")
    addresses = [one for one in str(parameters.get("hostaddr") or "").split(",") if one]
    if all(map(_is_here, [*hosts, *addresses])):
        return parameters
    if parameters.setdefault("sslmode", STRICT) != STRICT:
        raise ConfigError(
            f"The ledger's URL asks for sslmode={parameters['sslmode']}, which would talk to whoever answers.",
            f"Write sslmode={STRICT}, and name the authority's certificate in sslrootcert or PGSSLROOTCERT.",
        )
    return parameters


def _is_here(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _said(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")
