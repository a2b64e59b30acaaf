"""The strict store: many processes, a kill -9, and what the engine may ask twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from trivet.rehearsal.plugins.store import Store

WRITE = """
import sys
from pathlib import Path
from trivet.rehearsal.plugins.store import Store
store, writer = Store(Path(sys.argv[1])), sys.argv[2]
for i in range(int(sys.argv[3])):
    number = store.begin("gcp:a:A", f"urn:{writer}:{i}", {"i": i})
    assert store.finish(number, f"{writer}-{i}", {"i": i})
    print(i, flush=True)
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITE, str(folder), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_many_processes_write_at_once(tmp_path: Path):
    writers = [writer(tmp_path, name, 25) for name in "abcd"]
    for one in writers:
        one.communicate()
        assert one.returncode == 0
    assert len(Store(tmp_path).all("gcp:")) == 100


def test_what_was_written_outlives_a_kill(tmp_path: Path):
    with writer(tmp_path, "a", 10_000) as one:
        assert one.stdout
        for _ in range(20):
            last = int(one.stdout.readline())
        one.send_signal(signal.SIGKILL)
        one.wait()
    entries = Store(tmp_path).all()
    assert len([entry for entry in entries if entry.id]) >= last + 1
    assert all(entry.outputs == entry.inputs for entry in entries if entry.id)


def test_an_id_is_given_once(tmp_path: Path):
    store = Store(tmp_path)
    numbers = [store.begin("gcp:a:A", "urn", {}) for _ in range(2)]
    assert [store.finish(number, "x", {}) for number in numbers] == [True, False]
    assert store.finish(store.begin("gcp:b:B", "urn", {}), "x", {})


def test_a_scope_has_ids_of_its_own(tmp_path: Path):
    store = Store(tmp_path)
    for region in ("a", "b"):
        within = store.within(region)
        assert within.finish(within.begin("aws:a:A", "urn", {}), "x", {"region": region})
    store.within("a").remove("aws:a:A", "x")
    assert store.within("a").find("aws:a:A", "x") is None
    found = store.within("b").find("aws:a:A", "x")
    assert found and found.outputs == {"region": "b"}
    assert store.exists("aws", "x")


def test_a_create_counts_as_unanswered_until_the_engine_shows_the_id(tmp_path: Path):
    store = Store(tmp_path)
    store.finish(store.begin("gcp:a:A", "urn", {"a": 1}), "x", {})
    found = store.unanswered("gcp:a:A", "urn", {"a": 1})
    assert found and found.id == "x"
    assert store.unanswered("gcp:a:A", "urn", {"a": 2}) is None
    store.acknowledge("gcp:a:A", "x")
    assert store.unanswered("gcp:a:A", "urn", {"a": 1}) is None


def test_only_its_owner_may_read_it(tmp_path: Path):
    Store(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "new").iterdir())
