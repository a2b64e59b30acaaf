"""The ledger in Cloud SQL, as far as a PostgreSQL of our own has its roles: who makes, writes and changes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from trivet.core.errors import PlatformError
from trivet.core.platform import Login
from trivet.governance.backends import backend_at
from trivet.governance.backends.postgresql import SCHEMA, TABLE
from trivet.governance.ledger import Ledger
from trivet.rehearsal import postgresql

from .conftest import PASSWORD
from .folder_store import FolderStore

NUMBERS = count()
GUIDE = Path(__file__).resolve().parents[3] / "docs" / "gcp.md"
MEMBERS = [f"trivet-prod-{one}@my-project-id.iam" for one in ("monitor", "deployer")]


@pytest.fixture
def cloud_sql(server: postgresql.Server) -> Iterator[str]:
    """A database as Cloud SQL makes one: its owner is ``cloudsqlsuperuser``, and users of IAM may log in and no more.

    Source: Cloud SQL for PostgreSQL, "About PostgreSQL users and roles", and "Manage users with IAM".
    """
    name = f"ledger_{next(NUMBERS)}"
    server.execute("CREATE ROLE cloudsqlsuperuser CREATEDB CREATEROLE", "CREATE ROLE ada LOGIN PASSWORD 'a word'")
    server.execute("GRANT cloudsqlsuperuser TO ada", f"CREATE DATABASE {name} OWNER cloudsqlsuperuser")
    for one in MEMBERS:
        server.execute(f"CREATE ROLE \"{one}\" LOGIN PASSWORD '{PASSWORD}'")
    yield name
    server.execute(f"DROP DATABASE {name}")
    for one in [*MEMBERS, "cloudsqlsuperuser"]:
        server.execute(f'DROP ROLE "{one}"')


def test_the_guide_s_statements_make_a_ledger_that_its_writers_write_and_cannot_change(
    server: postgresql.Server, cloud_sql: str, tmp_path: Path
):
    url, anchors = server.url(database=cloud_sql), FolderStore(tmp_path / "store")
    logins = [Login(one, lambda: PASSWORD) for one in MEMBERS]
    ledgers = [Ledger(backend_at(url, tmp_path, one), anchors) for one in logins]
    with pytest.raises(PlatformError, match="may not use the ledger's table") as refused:
        ledgers[0].append("gate", actor="monitor", subject="loan", body={})
    assert "docs/ledger.md" in str(refused.value)

    said = re.search(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert said
    become, *grants = said[1].strip().splitlines()
    with psycopg.connect(server.url("ada", "a word", cloud_sql)) as connection:
        for statement in (become, *SCHEMA, *grants):
            connection.execute(statement.encode())
    server.execute("DROP ROLE ada")  # nothing is the administrator's own

    for ledger in ledgers:
        ledger.append("gate", actor="somebody", subject="loan", body={})
    assert [one.kind for one in ledgers[1].entries()] == ["gate", "gate"]
    with (
        psycopg.connect(server.url(MEMBERS[0], PASSWORD, cloud_sql)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"DELETE FROM {TABLE}".encode())
