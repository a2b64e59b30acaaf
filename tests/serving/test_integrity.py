"""Nothing is served but the very bytes that were verified, and no byte ever becomes an object or code."""

from __future__ import annotations

import gzip
import io
import marshal
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import numpy as np
import pytest

from trivet.core.errors import ConfigError, ExitCode, IntegrityError, NotFound
from trivet.core.modelpackage import (
    CONTRIBUTIONS,
    MODEL,
    PROFILE,
    SERVING,
    SIGNATURE,
    Package,
)
from trivet.core.signing import signer
from trivet.platforms.packages import get_package, put_package
from trivet.platforms.store import ObjectStore
from trivet.serving.config import Front, ServerConfig
from trivet.serving.engine import Engine
from trivet.serving.folders import OwnFolder
from trivet.serving.loader import load
from trivet.serving.locate import located

from . import spoils
from .evil import evil_bodies, evil_package
from .exact import INPUTS, NUMBERS, scorecard
from .plane import LOAD, repository_of, stranger, with_admin
from .rawhttp import wait_for
from .spoils import SPOILS, Spoil
from .test_wire import EXCHANGES, send

pytestmark = pytest.mark.slow

INFER = "/v2/models/loan/infer"
IN_A_STORE = [spoil for spoil in SPOILS if spoil.__name__ not in ("link", "link_hard", "grow", "pipe", "nest_manifest")]
SPY = Path(__file__).parent / "spy"


@pytest.fixture
def copy(made, tmp_path: Path) -> Path:
    """A package that a test may spoil."""
    return Path(shutil.copytree(made.folder, tmp_path / "copy"))


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_spoiled_package_is_refused_by_the_engine(made, copy, key, spoil: Spoil):
    assert Engine.open(copy, made.public_key).digest == made.digest
    spoil(copy, key)
    with pytest.raises(IntegrityError):
        Engine.open(copy, made.public_key)


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_spoiled_package_is_refused_where_a_container_finds_it(made, copy, key, tmp_path, spoil: Spoil):
    def open_it(location: Path) -> str:
        with OwnFolder("packages-", tmp_path) as fetched:
            model = located(str(location), fetched, {})
            settings = {"endpoint": "loans", "port": 0, "public_key": made.public_key, "models": [model]}
            return load(ServerConfig.parse(settings, "test"), model).engine.digest

    assert open_it(copy) == made.digest
    spoil(copy, key)
    with pytest.raises(IntegrityError):
        open_it(copy)
    if spoil not in (spoils.grow, spoils.pipe):  # which no archive would hold, or hold in time
        (tmp_path / "place").mkdir()
        with tarfile.open(tmp_path / "place" / "model.tar.gz", "w:gz") as archive:
            archive.add(copy, ".")
        if spoil is spoils.link_hard:  # two names on the disk, one in the archive: what is unpacked is the package
            assert open_it(tmp_path / "place") == made.digest
        else:
            with pytest.raises(IntegrityError):
                open_it(tmp_path / "place")


@pytest.mark.parametrize("spoil", IN_A_STORE)
def test_a_spoiled_package_is_refused_where_it_comes_from_a_store(made, key, tmp_path, spoil: Spoil):
    store = ObjectStore(f"file://{tmp_path}/store")
    prefix = put_package(store, Package(made.folder), signer(key))
    get_package(store, made.digest, tmp_path / "first", made.public_key)
    spoil(tmp_path / "store" / prefix, key)
    with pytest.raises((IntegrityError, NotFound)):
        get_package(store, made.digest, tmp_path / "second", made.public_key)


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_server_does_not_start_on_a_spoiled_package(start, made, copy, key, spoil: Spoil):
    spoil(copy, key)
    models = [{"name": "loan", "version": "1", "package": str(copy)}]
    server = start(made, models=models, public_key=made.public_key, signed=True)
    assert server.process.wait(30) == ExitCode.CONFIG
    assert server.said.startswith("failed ")
    assert server.lines("ready") == []
    [line] = server.lines("failed")
    assert "Traceback" not in line["message"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_keeps_its_model_whatever_the_repository_holds(start, made, key, client, tmp_path, workers):
    repository = repository_of(tmp_path / "repository", _1=made)
    for number, spoil in enumerate(SPOILS, start=2):
        spoil(Path(shutil.copytree(made.folder, repository / "loan" / str(number))), key)
    server, plane = with_admin(start, made, repository, public_key=made.public_key, signed=True, workers=workers)
    wait_for(lambda: client.get(f"{server.url}/v2/health/ready").is_success)
    for number, spoil in enumerate(SPOILS, start=2):
        answer = plane.load(str(number))
        assert 400 <= answer.status_code < 600, (spoil, answer.text)
        assert plane.loaded() == {"loan": "1"}
        served = client.post(server.url + INFER, json=made.request())
        assert (served.status_code, served.headers["trivet-package"]) == (200, made.digest)
    assert plane.load("1").status_code == 200
    plane.client.close()
    assert server.stop() == ExitCode.OK


def test_signed_asks_for_a_key_and_a_key_for_a_signature(start, made, copy):
    (copy / SIGNATURE).unlink()
    models = [{"name": "loan", "version": "1", "package": str(copy)}]
    with pytest.raises(ConfigError, match="signed asks for a public_key"):
        ServerConfig.parse({"endpoint": "loans", "port": 0, "signed": True}, "test")
    assert start(made, models=models, signed=True).process.wait(30) == ExitCode.CONFIG
    refused = start(made, models=models, signed=True, public_key=made.public_key)
    assert "is not signed" in refused.said
    assert start(made, models=models).said == f"ready {made.digest}"
    assert start(made, signed=True, public_key=made.public_key).said == f"ready {made.digest}"


def scores_of(engine: Engine, made: Any) -> np.ndarray:
    """What an engine says of some rows."""
    return engine.predict(engine.check.batch([engine.check.rows(made.rows(8))]), contributions=False).score


@pytest.fixture
def swap_at(made, other, copy, monkeypatch) -> Callable[[str], list[str]]:
    """Exchanges every file of the package by another's once ``Package.read`` has read the named one."""

    def prepare(moment: str) -> list[str]:
        read, seen = Package.read, []

        def spied(package: Package, name: str) -> bytes:
            if moment == f"before {name}":
                exchange()
            data = read(package, name)
            seen.append(name)
            if moment == f"after {name}":
                exchange()
            return data

        def exchange() -> None:
            shutil.rmtree(copy)
            shutil.copytree(other.folder, copy)

        monkeypatch.setattr(Package, "read", spied)
        return seen

    return prepare


def test_what_is_exchanged_after_it_was_checked_is_not_what_is_loaded(made, other, copy, swap_at):
    """The whole folder becomes another's package, signed by the same key, in the moment before the graph is loaded."""
    seen = swap_at(f"after {PROFILE}")  # the last that is read
    engine = Engine.open(copy, made.public_key)
    assert MODEL in seen
    assert Package(copy).digest == other.digest
    assert engine.digest == made.digest
    assert np.abs(scores_of(engine, made) - made.scores(8)).max() < 1e-5
    assert np.abs(scores_of(Engine.open(copy, made.public_key), made) - made.scores(8)).max() > 1e-4
    engine.self_test()


@pytest.mark.parametrize("name", [MODEL, CONTRIBUTIONS, SERVING])
def test_what_is_exchanged_before_it_was_checked_is_refused(made, copy, swap_at, name):
    swap_at(f"before {name}")
    with pytest.raises(IntegrityError, match="changed"):
        Engine.open(copy, made.public_key)


def test_a_loaded_model_needs_no_file_any_more(start, made, copy, client):
    server = start(made, models=[{"name": "loan", "version": "1", "package": str(copy)}])
    shutil.rmtree(copy)
    answer = client.post(server.url + INFER, json=made.request(8))
    assert answer.headers["trivet-package"] == made.digest
    assert np.abs(np.array(answer.json()["outputs"][0]["data"]) - made.scores(8)).max() < 1e-5


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Watches every process that begins from here on; what they did is in the lines of the answer."""
    seen = tmp_path / "seen"
    monkeypatch.setenv("SPY", str(seen))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SPY), os.environ.get("PYTHONPATH", "")]))
    return lambda: seen.read_text().splitlines() if seen.exists() else []


def notes(lines: list[str]) -> list[str]:
    """What was noted, but who watched."""
    return [line for line in lines if not line.startswith("watching ")]


CONTROLS = {
    "a class": ("pickle.loads(pickle.dumps(os.getcwd))", "find_class"),
    "no class": ("pickle.loads(pickle.dumps([1, 2]))", "unpickle"),
    "the module in C": ("import _pickle; _pickle.loads(pickle.dumps(1))", "unpickle"),
    "an unpickler": ("pickle.Unpickler(io.BytesIO(pickle.dumps(1))).load()", "unpickle"),
    "the slow unpickler": ("pickle._loads(pickle.dumps(1))", "unpickle"),
    "numpy": (
        "import numpy; b = io.BytesIO(); numpy.save(b, numpy.array([None]), allow_pickle=True); b.seek(0); "
        "numpy.load(b, allow_pickle=True)",
        "unpickle",
    ),
    "marshal": ("import marshal; marshal.loads(marshal.dumps(1))", "marshal.loads"),
    "marshal of a file": (
        "import marshal, tempfile; f = tempfile.TemporaryFile(); f.write(marshal.dumps(1)); f.seek(0); marshal.load(f)",
        "marshal.load",
    ),
    "shelve": ("import shelve", "import shelve"),
    "joblib": ("import joblib", "import joblib"),
    "cloudpickle": ("import cloudpickle", "import cloudpickle"),
    "dill": ("import importlib; importlib.import_module('dill')", "import dill"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_the_spy_sees(watched, name):
    code, expected = CONTROLS[name]
    subprocess.run([sys.executable, "-c", f"import io, os, pickle\n{code}"], check=False, timeout=60)
    assert any(note.startswith(expected) for note in notes(watched())), watched()


def test_the_spy_sees_nothing_where_nothing_is(watched):
    subprocess.run([sys.executable, "-c", "import json, numpy, onnxruntime, trivet.serving.engine"], check=True)
    assert [line.partition(" ")[0] for line in watched()] == ["watching"]


def everything(client: httpx.Client, url: str, model: str, exchanges: list[dict[str, Any]], canary: Path) -> None:
    """Every operation of a server: what its document lists, every exchange, and what is evil at every door."""
    document = client.get(f"{url}/openapi.json").json()
    gets = {path for path, methods in document["paths"].items() if "get" in methods}
    for path in gets | {"/docs", "/metrics", "/swagger.json"}:
        assert client.get(url + path.replace("{model}", model).replace("{version}", "1")).status_code == 200, path
    for exchange in exchanges:
        assert send(client, url, exchange).status_code == 200
    posts = {exchange["route"].split()[1] for exchange in exchanges}
    for path in posts | {path for path, methods in document["paths"].items() if "post" in methods}:
        for kind, body in evil_bodies(canary).items():
            for fields, sent in (({}, body), ({"content-encoding": "gzip"}, gzip.compress(body))):
                answer = client.post(url + path, content=sent, headers={"content-type": kind} | fields)
                assert 400 <= answer.status_code < 500 or path == "/v2/repository/index", (path, kind, answer.text)


@pytest.mark.parametrize("control", ["", "1"])
@pytest.mark.parametrize(("model", "inputs"), [("loan", INPUTS), ("numbers", NUMBERS)])
def test_no_front_unpickles_or_runs_what_it_is_sent(
    start, client, tmp_path, monkeypatch, watched, model, inputs, control
):
    """An audit hook watches the whole life of a server; a control shows that it would see, in the very same server."""
    monkeypatch.setenv("SPY_CONTROL", control)
    package, canary = scorecard(tmp_path / "package", inputs), tmp_path / "canary"
    server = start(
        package,
        models=[{"name": model, "version": "1", "package": str(package.folder)}],
        records=str(tmp_path / "records"),
        traces={"endpoint": "http://127.0.0.1:9/v1/traces", "sample": 1.0},
    )
    exchanges = [exchange for exchange in EXCHANGES.values() if exchange["model"] == model]
    everything(client, server.url, model, exchanges, canary)
    assert server.stop() == ExitCode.OK
    assert f"watching {server.process.pid}" in watched()
    assert [note.partition(" ")[0] for note in notes(watched())] == (["unpickle", "find_class"] if control else [])
    assert not canary.exists()


def test_the_exchanges_are_those_of_every_front():
    assert {exchange["front"] for exchange in EXCHANGES.values()} == set(get_args(Front))


@pytest.mark.parametrize("workers", [1, 2])
def test_no_model_and_no_operator_makes_a_server_unpickle_or_run_anything(
    start, made, other, key, client, tmp_path, watched, workers
):
    """Packages that hold pickles and code are served, signed as they are, and nothing of that is touched."""
    canary, repository = tmp_path / "canary", repository_of(tmp_path / "repository", _1=made, _2=other)
    evil = evil_package(made, repository / "loan" / "3", key, canary)
    models = [{"name": "loan", "version": "3", "package": str(evil)}]
    settings = {"public_key": made.public_key, "signed": True, "records": str(tmp_path / "records")}
    server, plane = with_admin(start, made, repository, models=models, workers=workers, **settings)
    for version in ("2", "1", "3"):
        assert plane.load(version).status_code == 200
        assert client.post(server.url + INFER, json=made.request(300)).status_code == 200
    with stranger(plane.socket) as anybody:
        for operator in (plane.client, anybody):
            for path in (LOAD, "/v2/repository/index", "/v2/repository/models/loan/unload"):
                for kind, body in evil_bodies(canary).items():
                    if kind != "application/json":
                        answer = operator.post(path, content=body, headers={"content-type": kind})
                        assert 400 <= answer.status_code < 500, (path, kind, answer.text)
    assert plane.unload().status_code == 200
    plane.client.close()
    assert server.stop() == ExitCode.OK
    watching = {line for line in watched() if line.startswith("watching ")}
    assert f"watching {server.process.pid}" in watching
    assert len(watching) >= (1 if workers == 1 else 1 + workers)
    assert notes(watched()) == []
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path):
    for kind, body in evil_bodies(tmp_path / "canary").items():
        if kind == "application/x-npy":
            np.load(io.BytesIO(body), allow_pickle=True)
        elif kind == "application/x-marshal":
            exec(marshal.loads(body))
        elif kind != "application/json":
            pickle.loads(body)
        assert (tmp_path / "canary").exists() or kind == "application/json"
        (tmp_path / "canary").unlink(missing_ok=True)
