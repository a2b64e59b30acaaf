"""Models that change while they are asked: each swap is whole, and one that fails changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trivet.core.canonical import canonical_json
from trivet.core.errors import ExitCode
from trivet.core.modelpackage import GOLDEN, MODEL, SIGNATURE, Manifest, seal
from trivet.core.signing import new_key, sign

from .plane import Crowd, digest_of, repository_of, with_admin
from .rawhttp import READY, ask, fetch, files_of, mebibytes_of, wait_for


@pytest.fixture
def repository(tmp_path, made, other) -> Path:
    """Version 1 and version 2 of the model."""
    return repository_of(tmp_path / "repository", _1=made, _2=other)


@pytest.mark.slow
def test_two_hundred_swaps_under_load_fail_nothing(start, made, other, repository):
    """Each answer is by one package, which its fields and its body name alike; memory and files stay."""
    server, plane = with_admin(start, made, repository)
    pid = server.process.pid
    crowd = Crowd(server, {"1": made, "2": other})
    packages = {"1": made.digest, "2": other.digest}
    seen: dict[int, tuple[int, int]] = {}
    with crowd.asking():
        for number in range(200):
            version = "2" if number % 2 == 0 else "1"
            assert plane.load(version).status_code == 200
            assert digest_of(server, made) == packages[version]  # from the answer of the admin plane on
            if number in (39, 199):
                seen[number] = (mebibytes_of(pid), files_of(pid))
    assert (crowd.wrong, crowd.broken) == ([], 0)
    assert min(crowd.answers[digest] for digest in packages.values()) > 100
    (memory, files), (memory_after, files_after) = seen[39], seen[199]
    assert abs(memory_after - memory) <= memory / 10
    assert files_after <= files + 4  # connections of the crowd come and go
    assert server.stop() == ExitCode.OK
    assert [line for line in server.lines() if line["level"] in ("error", "warning")] == []
    assert len(server.lines("loaded")) == 200


def test_swaps_asked_for_at_the_same_time_come_one_after_the_other(start, made, other, repository):
    server, plane = with_admin(start, made, repository)
    crowd = Crowd(server, {"1": made, "2": other})
    with crowd.asking(2), ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda at: plane.load(str(1 + at % 2)).status_code, range(16)))
    assert statuses == [200] * 16
    assert (crowd.wrong, crowd.broken) == ([], 0)
    [last] = wait_for(lambda: server.lines("loaded")[15:])
    assert digest_of(server, made) == last["package"]


def test_the_newest_version_is_loaded_where_none_is_named(start, made, other, repository):
    server, plane = with_admin(start, made, repository)
    shutil.copytree(plane.repository / "loan" / "1", plane.repository / "loan" / "10")
    assert plane.load().status_code == 200
    assert plane.loaded() == {"loan": "10"}
    assert digest_of(server, made) == made.digest


def test_a_model_that_is_unloaded_is_away_and_comes_back(start, made, repository):
    """An empty server is alive and not ready."""
    server, plane = with_admin(start, made, repository)
    assert plane.unload().status_code == 200
    assert plane.loaded() == {}
    assert ask(server, made.request()).status_code == 404
    assert fetch("GET", f"{server.url}{READY}").status_code == 503
    assert plane.unload().status_code == 404
    assert plane.load("1").status_code == 200
    assert fetch("GET", f"{server.url}{READY}").status_code == 200
    assert digest_of(server, made) == made.digest


def _another_score(folder: Path) -> None:
    document = json.loads((folder / GOLDEN).read_bytes())
    (folder / GOLDEN).write_bytes(canonical_json(document | {"scores": [one / 2 for one in document["scores"]]}))


def test_a_swap_that_fails_leaves_the_one_before_serving(start, made, other, key, repository):
    """A package that is broken, gives another answer than it was sealed with, or is not signed by the owner."""

    def signed(folder: Path, by: bytes) -> None:
        seal(folder)
        (folder / SIGNATURE).write_bytes(sign(Manifest.read(folder / "manifest.json"), by))

    damages: dict[str, Callable[[Path], object]] = {
        "cut": lambda folder: (folder / MODEL).write_bytes((folder / MODEL).read_bytes()[:-1]),
        "away": lambda folder: (folder / MODEL).unlink(),
        "extra": lambda folder: (folder / "extra").touch(),
        "answer": lambda folder: (_another_score(folder), signed(folder, key)),
        "unsigned": lambda folder: (folder / SIGNATURE).unlink(),
        "stranger": lambda folder: signed(folder, new_key()),
        "no-model": lambda folder: ((folder / MODEL).write_bytes(b"no"), signed(folder, key)),
    }
    for version, damage in damages.items():
        damage(Path(shutil.copytree(other.folder, repository / "loan" / version)))
    (repository / "loan" / "link").symlink_to(other.folder)
    (repository / "loan" / "file").touch()
    (repository / "loan" / "empty").mkdir()
    server, plane = with_admin(start, made, repository, public_key=made.public_key, signed=True)
    crowd = Crowd(server, {"1": made})
    with crowd.asking(2):
        wait_for(lambda: crowd.answers[made.digest] > 10)
        for version in [*damages, "link", "file", "empty", "9"]:
            refused = plane.load(version)
            assert 400 <= refused.status_code < 500, (version, refused.text)
            assert list(refused.json()) == ["error"]
            assert plane.loaded() == {"loan": "1"}
            assert digest_of(server, made) == made.digest
        assert fetch("GET", f"{server.url}{READY}").status_code == 200
    assert (crowd.wrong, crowd.broken) == ([], 0)
    assert plane.load("2").status_code == 200  # the control: the same package unharmed
    assert digest_of(server, made) == other.digest
