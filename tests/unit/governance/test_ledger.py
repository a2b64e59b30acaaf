"""The ledger under many writers, crashes and forgers; each forgery is seen by us and by the independent script."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from types import ModuleType
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.core.canonical import digest, digest_json
from trivet.governance.backends import COLUMNS
from trivet.governance.backends.sqlite import SQLite
from trivet.governance.ledger import GENESIS, Kind, Ledger
from trivet.governance.verification import verify

from .conftest import NOW
from .folder_store import FolderStore, append_entries

SCRIPT = Path(__file__).parents[3] / "tools" / "verify_ledger.py"
KINDS = get_args(Kind)
REUSED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_ledger", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fill(ledger: Ledger, count: int = 6) -> None:
    for number in range(count):
        ledger.append(
            KINDS[number % len(KINDS)], "ada", f"loan/{number}", {"number": number, "text": "a\u2028b \u00e9"}
        )


def path_of(ledger: Ledger) -> Path:
    assert isinstance(ledger.backend, SQLite)
    return ledger.backend.path


def export(ledger: Ledger, path: Path) -> Path:
    path.write_text("".join(f"{line}\n" for line in ledger.export()), encoding="utf-8")
    return path


def test_only_the_owner_may_read_it(ledger: Ledger) -> None:
    fill(ledger, 1)
    assert stat.S_IMODE(path_of(ledger).stat().st_mode) == 0o600


def test_many_threads_that_begin_at_once_make_one_ledger_and_one_chain(tmp_path: Path, store: FolderStore) -> None:
    ledger = Ledger(SQLite(tmp_path / "ledger.db"), store)
    together = Barrier(8)

    def write(writer: int) -> None:
        together.wait()
        append_entries("file:.", tmp_path, store.folder, writer, 8)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    found = verify(ledger)
    assert (found.entries, found.anchored, found.problems) == (64, 64, ())


def test_a_deleted_database_is_seen(ledger: Ledger) -> None:
    fill(ledger, 2)
    for path in path_of(ledger).parent.glob("ledger.db*"):
        path.unlink()
    assert len(verify(ledger).problems) == 2


def test_a_database_that_is_none_is_a_problem_and_no_crash(ledger: Ledger) -> None:
    path_of(ledger).write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    assert "cannot be read" in verify(ledger).problems[0]


Row = list[object]
Forger = Callable[[st.DataObject, list[Row]], list[Row]]


def edited(data: st.DataObject, rows: list[Row]) -> list[Row]:
    """One field of one row has another value."""
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(COLUMNS) - 1))
    old = rows[row][column]
    new = data.draw(st.integers(1, 99) if isinstance(old, int) else st.text() | st.just('{"number":9}'))
    return [[*one[:column], new, *one[column + 1 :]] if number == row else one for number, one in enumerate(rows)]


def deleted(data: st.DataObject, rows: list[Row]) -> list[Row]:
    gone = data.draw(st.integers(0, len(rows) - 1))
    return rows[:gone] + rows[gone + 1 :]


def closed_up(data: st.DataObject, rows: list[Row]) -> list[Row]:
    """A row is gone and the later ones were numbered anew."""
    return [[number, *row[1:]] for number, row in enumerate(deleted(data, rows), start=1)]


def reordered(data: st.DataObject, rows: list[Row]) -> list[Row]:
    """The rows' contents in another order under the old numbers."""
    order = data.draw(st.permutations(rows))
    return [[number, *row[1:]] for number, row in enumerate(order, start=1)]


def truncated(data: st.DataObject, rows: list[Row]) -> list[Row]:
    return rows[: data.draw(st.integers(0, len(rows) - 1))]


def inserted(data: st.DataObject, rows: list[Row]) -> list[Row]:
    place = data.draw(st.integers(0, len(rows)))
    copy = list(data.draw(st.sampled_from(rows)))
    return [[number, *row[1:]] for number, row in enumerate([*rows[:place], copy, *rows[place:]], start=1)]


def written_anew(data: st.DataObject, rows: list[Row]) -> list[Row]:
    """An edit by somebody who knows how: every hash after it is right again."""
    row = data.draw(st.integers(0, len(rows) - 1))
    forged: list[Row] = []
    for number, one in enumerate(rows):
        body = json.loads(str(one[COLUMNS.index("body")]))
        other = {"number": data.draw(st.integers(100, 999))} if number == row else body
        forged.append(sealed_anew(one, other, str(forged[-1][-1]) if forged else GENESIS))
    return forged


def sealed_anew(row: Row, body: object, previous: str) -> Row:
    values = dict(zip(COLUMNS, row, strict=True)) | {"body": body, "previous": previous}
    del values["hash"]
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return [*(values | {"body": text}).values(), digest_json(values)]


def grafted(data: st.DataObject, rows: list[Row]) -> list[Row]:
    """One entry, not the last, has other content and a hash that is right for it."""
    row = data.draw(st.integers(0, len(rows) - 2))
    body = {"number": data.draw(st.integers(100, 999))}
    return [sealed_anew(one, body, str(one[-2])) if number == row else one for number, one in enumerate(rows)]


def begun_late(data: st.DataObject, rows: list[Row]) -> list[Row]:
    """A chain without a flaw that does not begin at entry 1."""
    forged: list[Row] = []
    for row in rows[data.draw(st.integers(1, len(rows) - 1)) :]:
        body = json.loads(str(row[COLUMNS.index("body")]))
        forged.append(sealed_anew(row, body, str(forged[-1][-1]) if forged else GENESIS))
    return forged


def respaced(data: st.DataObject, rows: list[Row]) -> list[Row]:
    """A body says the same in other bytes."""
    row, place = data.draw(st.integers(0, len(rows) - 1)), COLUMNS.index("body")
    text = str(rows[row][place]).replace(",", data.draw(st.sampled_from([", ", " ,", ",\n"])))
    return [[*one[:place], text, *one[place + 1 :]] if number == row else one for number, one in enumerate(rows)]


BY_THE_CHAIN: list[Forger] = [edited, deleted, closed_up, reordered, inserted, grafted, begun_late, respaced]
BY_THE_ANCHORS: list[Forger] = [truncated, written_anew]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    folder = tmp_path_factory.mktemp("original")
    ledger = Ledger(SQLite(folder / "ledger.db"), FolderStore(folder / "store"), clock=lambda: NOW)
    fill(ledger)
    return ledger


def database_of(rows: Sequence[Row], path: Path) -> Path:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        columns = ", ".join(f"{name} {'INTEGER' if name == 'seq' else 'TEXT'}" for name in COLUMNS)
        database.execute(f"CREATE TABLE entries ({columns})")
        database.executemany(f"INSERT INTO entries VALUES ({', '.join('?' * len(COLUMNS))})", rows)
    return path


def script_finds(script: ModuleType, path: Path, anchors: Path | None) -> bool:
    try:
        script.check(path, anchors)
    except (KeyError, TypeError, ValueError):
        return True
    return False


@pytest.mark.parametrize("anchored", [True, False])
@pytest.mark.parametrize("forge", BY_THE_CHAIN)
@REUSED
@given(data=st.data())
def test_every_forgery_is_seen_by_both_and_by_the_chain_alone(
    original: Ledger, script: ModuleType, tmp_path: Path, forge: Forger, anchored: bool, data: st.DataObject
) -> None:
    rows = [list(row) for row in original.rows()]
    forged = forge(data, rows)
    path = database_of(forged, tmp_path / "forged.db")
    store = original._store if anchored else FolderStore(tmp_path / "none")
    assert isinstance(store, FolderStore)
    # by the chain alone a ledger that lost its last entries is whole
    changed = forged != rows and (anchored or forged != rows[: len(forged)])
    assert verify(Ledger(SQLite(path), store)).sound is not changed
    assert script_finds(script, path, anchors_of(original) if anchored else None) is changed


@pytest.mark.parametrize("forge", BY_THE_ANCHORS)
@REUSED
@given(data=st.data())
def test_what_the_chain_cannot_see_the_anchors_do(
    original: Ledger, script: ModuleType, tmp_path: Path, forge: Forger, data: st.DataObject
) -> None:
    rows = [list(row) for row in original.rows()]
    forged = forge(data, rows)
    path = database_of(forged, tmp_path / "forged.db")
    assert not script_finds(script, path, None)
    assert script_finds(script, path, anchors_of(original))
    assert not verify(Ledger(SQLite(path), original._store)).sound


def anchors_of(ledger: Ledger) -> Path:
    assert isinstance(ledger._store, FolderStore)
    return ledger._store.folder / "ledger" / "anchors"


def test_the_problem_says_what_happened(original: Ledger, tmp_path: Path) -> None:
    rows = [list(row) for row in original.rows()]
    path = database_of(rows[:2] + rows[3:], tmp_path / "forged.db")
    problems = verify(Ledger(SQLite(path), original._store)).problems
    assert "Entry 4 stands where entry 3 belongs: entries were removed or moved." in problems
    assert "Entry 4 does not follow on the entry before it: one of the two was exchanged." in problems
    assert "Entry 3 was anchored and is not there: the ledger was cut or exchanged." in problems


@REUSED
@given(data=st.data())
def test_every_changed_byte_of_an_export_is_seen(
    original: Ledger, script: ModuleType, tmp_path: Path, data: st.DataObject
) -> None:
    path = export(original, tmp_path / "export.jsonl")
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 2))  # the last line break says nothing
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
    assert script_finds(script, path, None)


def test_the_script_reads_an_export_and_a_database_alike(original: Ledger, tmp_path: Path) -> None:
    anchors = anchors_of(original)
    head = original.head()
    assert head
    for path in (path_of(original), export(original, tmp_path / "export.jsonl")):
        done = subprocess.run([sys.executable, SCRIPT, path, anchors], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, f"sound: 6 entries, head {head.hash}\n"), done.stderr
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join(lines[:-2]) + "\n", encoding="utf-8")
    assert subprocess.run([sys.executable, SCRIPT, path], capture_output=True).returncode == 0
    cut = subprocess.run([sys.executable, SCRIPT, path, anchors], capture_output=True, text=True)
    assert cut.returncode == 1
    assert cut.stderr.startswith("TAMPERED: entry 6")


def test_the_script_stands_alone() -> None:
    source = SCRIPT.read_text()
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= {"hashlib", "json", "sqlite3", "sys", "contextlib", "pathlib"}


def test_sealed_records_are_hashed_again(ledger: Ledger, tmp_path: Path) -> None:
    records = tmp_path / "prediction-1.jsonl"
    records.write_bytes(b"one\ntwo\n")

    def seal(size: int) -> None:
        part = digest(records.read_bytes()[:size])
        body = {"segments": [{"name": records.name, "size": size, "rows": size // 4, "digest": part}]}
        ledger.append("records", "monitor", "loan", body)

    def prefixes(name: str, sizes: Sequence[int]) -> list[str | None]:
        whole = (tmp_path / name).read_bytes()
        return [f"sha256:{sha256(whole[:size]).hexdigest()}" if size <= len(whole) else None for size in sizes]

    seal(4)
    seal(8)
    with records.open("ab") as file:
        file.write(b"three\n")
    assert verify(ledger, prefixes).problems == ()
    assert verify(ledger, prefixes).segments == 1
    records.write_bytes(b"one\ntwx\n")
    assert verify(ledger, prefixes).problems == (
        "Records prediction-1.jsonl were changed within their first 8 bytes since they were sealed.",
    )
    records.write_bytes(b"one\n")
    assert "missing or shorter" in verify(ledger, prefixes).problems[0]
    assert verify(ledger).problems == ()


def test_a_records_entry_without_segments_is_no_crash(ledger: Ledger) -> None:
    ledger.append("records", "monitor", "loan", {"segments": "none"})
    ledger.append("records", "monitor", "loan", {})
    assert verify(ledger, lambda name, sizes: []).sound
