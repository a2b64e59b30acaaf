"""The same ledger in a file, in PostgreSQL and in an object store: what holds of one holds of all."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from trivet.core.errors import ConfigError, IntegrityError, NotReady, PlatformError
from trivet.core.platform import Login
from trivet.governance.backends import COLUMNS, Row, backend_at
from trivet.governance.backends import postgresql as postgresql_backend
from trivet.governance.backends import sqlite as sqlite_backend
from trivet.governance.backends.objects import Objects
from trivet.governance.backends.postgresql import SCHEMA, TABLE, PostgreSQL
from trivet.governance.ledger import GENESIS, Ledger
from trivet.governance.verification import verify
from trivet.platforms.store import ObjectStore
from trivet.rehearsal import postgresql
from trivet.rehearsal.s3 import S3

from .conftest import PASSWORD, USER
from .folder_store import FolderStore

HERE = Path(__file__).parent
NUMBERS = count()


@dataclass(frozen=True)
class Place:
    """Where a ledger lies, and somebody's way to forge it who may do anything there."""

    url: str
    home: Path
    anchors: FolderStore
    forge: Callable[[Sequence[Row]], None]

    @property
    def ledger(self) -> Ledger:
        return Ledger(backend_at(self.url, self.home), self.anchors)

    def start(self, function: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """A process that does something of ``folder_store.py`` to this ledger."""
        code = "import sys; from pathlib import Path; import folder_store\n"
        code += f"folder_store.{function}(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:]))"
        command = [sys.executable, "-c", code, self.url, self.home, self.anchors.folder, *map(str, arguments)]
        return subprocess.Popen(command, cwd=HERE, env=os.environ | environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def cloud() -> Iterator[S3]:
    with S3() as cloud:
        yield cloud


@pytest.fixture
def s3(cloud: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    return cloud


@pytest.fixture
def database(server: postgresql.Server) -> str:
    """An empty database of the writer's."""
    name = f"ledger_{next(NUMBERS)}"
    server.execute(f"CREATE DATABASE {name} OWNER {USER}")
    return name


@pytest.fixture(params=["file", "postgresql", "objects"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    anchors = FolderStore(tmp_path / "store")
    if request.param == "file":
        return Place("file:database", tmp_path, anchors, forge_file(tmp_path / "database" / "ledger.db"))
    if request.param == "postgresql":
        server, name = request.getfixturevalue("server"), request.getfixturevalue("database")
        url = server.url(USER, PASSWORD, name)
        return Place(url, tmp_path, anchors, forge_table(server.url("postgres", server.password, name)))
    url = f"s3://{request.getfixturevalue('s3').make_bucket()}/ledger"
    return Place(url, tmp_path, anchors, forge_objects(url))


def forge_file(path: Path) -> Callable[[Sequence[Row]], None]:
    def forge(rows: Sequence[Row]) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("DELETE FROM entries")
            database.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    return forge


def forge_table(administrator: str) -> Callable[[Sequence[Row]], None]:
    def forge(rows: Sequence[Row]) -> None:
        with psycopg.connect(administrator) as connection, connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLE}")
            cursor.executemany(f"INSERT INTO {TABLE} VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", rows)

    return forge


def forge_objects(url: str) -> Callable[[Sequence[Row]], None]:
    def forge(rows: Sequence[Row]) -> None:
        store = ObjectStore(url)
        for key in store.list(""):
            store.delete(key)
        for row in rows:
            assert Objects(store).insert(row)

    return forge


def fill(ledger: Ledger, entries: int = 5) -> list[Row]:
    for number in range(entries):
        ledger.append("gate", "ada", f"loan/{number}", {"number": number, "text": "a\u2028b \u00e9 \"'%s\\"})
    return list(ledger.rows())


def changed(rows: list[Row], at: int, **values: object) -> list[Row]:
    row = tuple((dict(zip(COLUMNS, rows[at], strict=True)) | values).values())
    return [*rows[:at], row, *rows[at + 1 :]]


def test_entries_follow_on_one_another(place: Place) -> None:
    ledger = place.ledger
    assert ledger.head() is None
    assert verify(ledger).sound
    fill(ledger)
    entries = list(place.ledger.entries())
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in entries] == [GENESIS, *(entry.hash for entry in entries[:-1])]
    assert ledger.head() == place.ledger.head() == entries[-1]
    assert [entry.seq for entry in ledger.entries(subject="loan/3")] == [4]
    assert list(ledger.entries(kind="run")) == []
    found = verify(place.ledger)
    assert (found.entries, found.head, found.anchored, found.problems) == (5, entries[-1].hash, 5, ())


def test_a_resumed_run_repeats_nothing(place: Place) -> None:
    first = place.ledger.append("gate", "ada", "loan", {"verdict": "pass"}, once=True)
    assert place.ledger.append("gate", "ben", "loan", {"verdict": "pass"}, once=True) == first
    assert place.ledger.append("gate", "ada", "loan", {"verdict": "fail"}, once=True).seq == 2
    assert place.ledger.append("gate", "ada", "loan", {"verdict": "pass"}).seq == 3


def test_a_body_that_is_no_json_leaves_no_trace(place: Place) -> None:
    for body in ({"value": float("nan")}, {"value": object()}, {"text": "\ud800"}):
        with pytest.raises(ValueError):
            place.ledger.append("gate", "ada", "loan", body)
    assert list(place.ledger.rows()) == []


FORGERIES: dict[str, tuple[Callable[[list[Row]], list[Row]], str]] = {
    "changed": (lambda rows: changed(rows, 2, body='{"number":9}'), "Entry 3 was changed"),
    "another actor": (lambda rows: changed(rows, 4, actor="eve"), "Entry 5 was changed"),
    "removed": (lambda rows: rows[:2] + rows[3:], "Entry 4 stands where entry 3 belongs"),
    "cut short": (lambda rows: rows[:3], "Entry 4 was anchored and is not there"),
    "emptied": (lambda rows: [], "Entry 1 was anchored and is not there"),
    "exchanged": (lambda rows: [changed(rows, 3, seq=5)[3], *rows[:3], changed(rows, 4, seq=4)[4]], "does not follow"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_every_forgery_is_seen(place: Place, forgery: str) -> None:
    forge, sentence = FORGERIES[forgery]
    rows = fill(place.ledger)
    place.forge(rows)
    assert verify(place.ledger).sound
    place.forge(sorted(forge(rows)))
    assert any(sentence in problem for problem in verify(place.ledger).problems)


def test_a_chain_written_anew_is_seen_by_its_anchors(place: Place, tmp_path: Path) -> None:
    fill(place.ledger)
    other = Ledger(backend_at("file:another", tmp_path), FolderStore(tmp_path / "other"))
    place.forge(fill(other))
    problems = verify(place.ledger).problems
    assert [problem for problem in problems if "written anew" in problem] == list(problems)
    assert len(problems) == 5


def test_nothing_is_added_to_a_ledger_that_was_cut(place: Place) -> None:
    ledger = place.ledger
    rows = fill(ledger)
    place.forge(rows[:4])
    for one in (ledger, place.ledger):  # the one has seen the fifth entry
        with pytest.raises(IntegrityError, match="ends at entry 4"):
            one.append("gate", "ada", "loan", {})
    assert len(list(ledger.rows())) == 4


def test_many_processes_make_one_chain(place: Place) -> None:
    writers = [place.start("append_entries", writer, 10) for writer in range(4)]
    assert [writer.communicate()[1] for writer in writers] == [""] * 4
    found = verify(place.ledger)
    assert (found.entries, found.anchored, found.problems) == (40, 40, ())
    told = [(entry.actor, entry.body["number"]) for entry in place.ledger.entries()]
    assert sorted(told) == sorted((f"writer {writer}", number) for writer in range(4) for number in range(10))


def test_many_threads_of_one_ledger_make_one_chain(place: Place) -> None:
    ledger, together = place.ledger, Barrier(8)

    def write(writer: int) -> None:
        together.wait()
        for number in range(5):
            ledger.append("run", f"writer {writer}", "loan", {"number": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    found = verify(ledger)
    assert (found.entries, found.anchored, found.problems) == (40, 40, ())
    assert len({(entry.actor, entry.body["number"]) for entry in ledger.entries()}) == 40


def test_what_several_want_to_say_once_is_said_once(place: Place) -> None:
    writers = [place.start("append_once") for _ in range(4)]
    assert [writer.communicate()[1] for writer in writers] == [""] * 4
    assert [entry.seq for entry in place.ledger.entries()] == [1]


@pytest.mark.parametrize(("fault", "left"), [("ledger-drafted", 2), ("ledger-committed", 3)])
def test_killed_within_an_append_the_next_call_finishes_it(place: Place, fault: str, left: int) -> None:
    fill(place.ledger, 2)
    killed = place.start("append_once", TRIVET_FAULT=fault)
    assert killed.communicate()[1] == ""
    assert killed.returncode == -signal.SIGKILL
    found = verify(place.ledger)
    assert (found.entries, found.anchored, found.problems) == (left, 2, ())
    assert place.start("append_once").communicate()[1] == ""
    found = verify(place.ledger)
    assert (found.entries, found.anchored, found.problems) == (3, 3, ())


# --- PostgreSQL


def test_the_writer_may_add_and_nothing_else(server: postgresql.Server, database: str, tmp_path: Path) -> None:
    url = server.url(USER, PASSWORD, database)
    fill(Ledger(PostgreSQL(url), FolderStore(tmp_path)), 1)
    for statement in (f"UPDATE {TABLE} SET actor = 'eve'", f"DELETE FROM {TABLE}", f"TRUNCATE {TABLE}"):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_a_writer_that_owns_nothing_needs_no_more_than_two_rights(
    server: postgresql.Server, database: str, tmp_path: Path
) -> None:
    server.execute("REASSIGN OWNED BY writer TO postgres", database=database)
    server.execute(f"ALTER DATABASE {database} OWNER TO postgres")
    ledger = Ledger(PostgreSQL(server.url(USER, PASSWORD, database)), FolderStore(tmp_path))
    with pytest.raises(PlatformError, match="administrator"):
        ledger.append("gate", "ada", "loan", {})
    rights = (f"GRANT USAGE ON SCHEMA trivet TO {USER}", f"GRANT SELECT, INSERT ON {TABLE} TO {USER}")
    server.execute(*SCHEMA, *rights, database=database)
    fill(ledger)
    assert verify(ledger).sound


@pytest.mark.parametrize("place", ["file", "postgresql"], indirect=True)
def test_a_writer_that_does_not_let_go_is_something_to_try_again_after(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_backend, "BUSY_SECONDS", 1.0)
    monkeypatch.setattr(postgresql_backend, "LOCK_SECONDS", 1)
    fill(place.ledger, 1)
    with backend_at(place.url, place.home).writing(), pytest.raises(NotReady, match="held the ledger for 1 seconds"):
        place.ledger.append("gate", "ada", "loan/1", {})
    assert place.ledger.append("gate", "ada", "loan/1", {})


def test_the_guide_has_the_statements_for_an_administrator() -> None:
    guide = (HERE.parents[2] / "docs" / "ledger.md").read_text()
    assert all(f"{statement};\n" in guide for statement in SCHEMA)


def test_an_entry_is_durable_whatever_the_server_s_default(server: postgresql.Server, database: str) -> None:
    server.execute(f"ALTER DATABASE {database} SET synchronous_commit TO off")
    backend = PostgreSQL(server.url(USER, PASSWORD, database))
    for _ in range(2):  # the first makes the table
        with backend._connection() as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_each_connection_asks_for_a_token_of_its_own(server: postgresql.Server, database: str) -> None:
    tokens = [PASSWORD, PASSWORD, "stale"]
    backend = PostgreSQL(server.url(database=database), Login(USER, tokens.pop))
    with pytest.raises(PlatformError, match="authentication failed") as refused:
        backend.head()
    assert "stale" not in str(refused.value)
    assert backend.head() is None
    assert backend.head() is None
    assert not tokens


@pytest.mark.parametrize("query", ["sslmode=require", "sslmode=disable", "sslmode=prefer&hostaddr=127.0.0.1"])
def test_over_a_network_the_server_has_to_prove_who_it_is(query: str) -> None:
    with pytest.raises(ConfigError, match="verify-full"):
        PostgreSQL(f"postgresql://database.example/trivet?{query}")
    assert PostgreSQL("postgresql://database.example/trivet")._parameters["sslmode"] == "verify-full"
    assert "sslmode" not in PostgreSQL("postgresql://localhost/trivet")._parameters


def test_another_authority_s_server_is_not_talked_to(server: postgresql.Server, database: str, tmp_path: Path) -> None:
    with postgresql.running() as other:
        url = server.url(USER, PASSWORD, database).replace(str(server.authority), str(other.authority))
        with pytest.raises(PlatformError, match="SSL error"):
            PostgreSQL(url).head()


def test_the_server_takes_nobody_without_tls(server: postgresql.Server, database: str) -> None:
    url = server.url(USER, PASSWORD, database).replace("verify-full", "disable")
    with pytest.raises(PlatformError, match=r"no encryption|rejects connection"):
        PostgreSQL(url).head()


@pytest.mark.parametrize("url", ["postgresql:///trivet", "postgresql://[bad/trivet", "postgresql://host/x?no=1"])
def test_a_url_that_is_none_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(ConfigError):
        PostgreSQL(url)


def test_a_database_that_nobody_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="can be reached"):
        verify(Ledger(PostgreSQL("postgresql://127.0.0.1:1/trivet"), FolderStore(tmp_path)))


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'trivet\[postgresql\]'"):
        PostgreSQL("postgresql://localhost/trivet")


# --- object store


def test_an_entry_whose_answer_was_lost_is_there_once(s3: S3, tmp_path: Path) -> None:
    url = f"s3://{s3.make_bucket()}"
    ledger = Ledger(backend_at(url, tmp_path), FolderStore(tmp_path / "store"))
    s3.loses = 1
    assert ledger.append("release", "ada", "loan", {"version": 3}).seq == 1  # sent again, it finds itself
    assert s3.loses == 0
    found = verify(ledger)
    assert (found.entries, found.problems) == (1, ())


def test_what_is_no_entry_is_a_problem(s3: S3, tmp_path: Path) -> None:
    url = f"s3://{s3.make_bucket()}"
    ledger = Ledger(backend_at(url, tmp_path), FolderStore(tmp_path / "store"))
    fill(ledger, 2)
    store = ObjectStore(url)
    whole = store.get("entries/000000000002.json")
    store.put("entries/000000000002.json", whole.replace(b",", b", "))
    assert "Entry 2 was changed" in verify(ledger).problems[0]
    store.put("entries/000000000002.json", b"not JSON \xff")
    assert "Entry 2 was changed" in verify(ledger).problems[0]
    store.put("entries/note.txt", b"")
    assert "note.txt" in verify(ledger).problems[0]
