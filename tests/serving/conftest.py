"""Real model packages, and real server processes that serve them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from trivet.core.inference import request_of
from trivet.core.modelpackage import (
    GOLDEN,
    MODEL,
    PROFILE,
    SERVING,
    SIGNATURE,
    Decision,
    Golden,
    Input,
    Lineage,
    Manifest,
    Serving,
    seal,
)
from trivet.core.signing import new_key, public_key, sign

NUMBERS = ["amount", "income", "term"]
PURPOSES = ["car", "house", "other"]
INPUTS = (
    Input(name="amount", type="number", minimum=0, maximum=1000),
    Input(name="income", type="number", nullable=True, personal=True),
    Input(name="term", type="integer", minimum=1, maximum=480),
    Input(name="purpose", type="category", allowed=tuple(PURPOSES)),
)
PLAIN = Serving(name="loan", inputs=INPUTS, decision=Decision(threshold=0.5))
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]


def frame_of(seed: int, rows: int = 400) -> pd.DataFrame:
    """Applications with a known relation to the target."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": draw.uniform(0, 1000, rows).round(1),
            "income": draw.normal(50, 15, rows).round(2),
            "term": draw.integers(1, 481, rows),
            "purpose": draw.choice(PURPOSES, rows),
        }
    )
    odds = 0.08 * (frame.income - 50) - 0.004 * (frame.amount - 500) + (frame.purpose == "house")
    frame["approve"] = (draw.uniform(size=rows) < 1 / (1 + np.exp(-odds))).astype(int)
    frame.loc[draw.choice(rows, rows // 20, replace=False), "income"] = np.nan
    return frame


def fit(frame: pd.DataFrame) -> Any:
    """A scikit-learn pipeline as a data scientist writes it."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    categories: Any = [PURPOSES]
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("purpose", OneHotEncoder(categories=categories), ["purpose"]),
        ]
    )
    return make_pipeline(columns, LogisticRegression()).fit(frame[[*NUMBERS, "purpose"]], frame["approve"])


def graph_of(
    nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], output: str, shape: list
) -> onnx.ModelProto:
    """A hand-made graph over the fixture's inputs."""
    inputs = [
        helper.make_tensor_value_info(
            column.name, TensorProto.STRING if column.type == "category" else TensorProto.FLOAT, [None, 1]
        )
        for column in INPUTS
    ]
    graph = helper.make_graph(
        nodes,
        "hand-made",
        inputs,
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=10)


def floats(values: list[list[Any]]) -> np.ndarray:
    """A constant of a graph."""
    return np.array(values, dtype=np.float32)


def slow_graph(turns: int) -> onnx.ModelProto:
    """``score`` 0.5 for every row, after a loop of ``turns`` products of matrices."""
    square = numpy_helper.from_array(np.eye(64, dtype=np.float32), "square")
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "square"], ["after"]),
            helper.make_node("Identity", ["go"], ["go_on"]),
        ],
        "turn",
        [
            value("turn", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("before", TensorProto.FLOAT, [64, 64]),
        ],
        [value("go_on", TensorProto.BOOL, []), value("after", TensorProto.FLOAT, [64, 64])],
        [square],
    )
    nodes = [
        helper.make_node("Loop", ["turns", "go", "start"], ["end"], body=body),
        helper.make_node("ReduceMax", ["end"], ["unit"], keepdims=0),
        helper.make_node("IsNaN", ["amount"], ["never"]),
        helper.make_node("Where", ["never", "half", "half"], ["halves"]),
        helper.make_node("Mul", ["halves", "unit"], ["products"]),
        helper.make_node("Reshape", ["products", "flat"], ["score"]),
    ]
    constants = {
        "turns": np.array(turns),
        "go": np.array(True),
        "start": np.eye(64, dtype=np.float32),
        "half": floats([[0.5]]),
        "flat": np.array([-1]),
    }
    return graph_of(nodes, constants, "score", [None])


def log_graph() -> onnx.ModelProto:
    """``score`` the logarithm of the amount: minus infinity for an amount of zero."""
    nodes = [helper.make_node("Log", ["amount"], ["log"]), helper.make_node("Reshape", ["log", "flat"], ["score"])]
    return graph_of(nodes, {"flat": np.array([-1])}, "score", [None])


@dataclass
class Made:
    """A package on the disk, with what a test needs to know of it."""

    folder: Path
    frame: pd.DataFrame
    pipeline: Any = None
    serving: Serving = PLAIN
    digest: str = ""
    public_key: str = ""

    def rows(self, count: int, start: int = 0) -> list[dict[str, Any]]:
        """Rows of the training data as a client would send them."""
        part = self.frame.iloc[start : start + count][[*NUMBERS, "purpose"]]
        return [
            {str(name): None if value != value else value for name, value in row.items()}
            for row in part.to_dict("records")
        ]

    def request(self, count: int = 1, start: int = 0, request_id: str = "") -> dict[str, Any]:
        """A v2 request for them."""
        return request_of(self.rows(count, start), self.serving, request_id)

    def scores(self, count: int, start: int = 0) -> np.ndarray:
        """What scikit-learn says of them."""
        return self.pipeline.predict_proba(self.frame.iloc[start : start + count])[:, 1]

    def finish(self, key: bytes) -> Made:
        """Seal and sign."""
        self.digest = seal(self.folder)
        self.public_key = public_key(key)
        (self.folder / SIGNATURE).write_bytes(sign(Manifest.read(self.folder / "manifest.json"), key))
        return self


def trained(folder: Path, seed: int, key: bytes) -> Made:
    """Train a model and pack it as the training room does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, on import and while it saves
        return _trained(folder, seed, key)


def _trained(folder: Path, seed: int, key: bytes) -> Made:
    from trivet.training.environment import versions
    from trivet.training.runtime.contributions import contributions_of
    from trivet.training.runtime.onnxexport import proved_score, score_graph
    from trivet.training.runtime.package import write_package
    from trivet.training.runtime.profiles import make_golden, make_profile
    from trivet.training.runtime.usercode import Fitted

    frame = frame_of(seed)
    fitted = Fitted(fit(frame), tuple(column.name for column in INPUTS))
    model = score_graph(fitted, INPUTS)
    graph = model.SerializeToString(deterministic=True)
    reasons = contributions_of(fitted, frame, INPUTS)
    assert reasons is not None
    serving = PLAIN.model_copy(update={"contributions": True, "intercept": reasons.intercept})
    digest = f"sha256:{seed:064x}"
    write_package(
        folder,
        model=model,
        contributions=reasons.model,
        serving=serving,
        lineage=Lineage(snapshot=digest, contract=digest, source=digest, environment=digest, params=digest, seed=seed),
        documents={
            GOLDEN: make_golden(graph, frame, INPUTS),
            PROFILE: make_profile(frame, proved_score(graph, fitted, frame, INPUTS), INPUTS),
        },
        versions=versions(),
    )
    return Made(folder, frame, fitted.estimator, serving).finish(key)


def handmade(folder: Path, model: onnx.ModelProto, score: float, key: bytes) -> Made:
    """Seal a package around a hand-made graph without reasons."""
    row = {"amount": 1.0, "income": 50.0, "term": 12, "purpose": "car"}
    folder.mkdir(parents=True)
    (folder / MODEL).write_bytes(model.SerializeToString())
    (folder / SERVING).write_bytes(PLAIN.canonical())
    (folder / GOLDEN).write_bytes(Golden(rows=(row,), scores=(score,)).canonical())
    return Made(folder, frame_of(0)).finish(key)


@pytest.fixture(scope="session")
def key() -> bytes:
    """The stack's signing key."""
    return new_key()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, key: bytes) -> Made:
    """The package that most tests serve."""
    return trained(tmp_path_factory.mktemp("packages") / "first", 1, key)


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory, key: bytes) -> Made:
    """The same model, trained on other rows."""
    return trained(tmp_path_factory.mktemp("packages") / "second", 2, key)


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory, key: bytes) -> Made:
    """A model that works for about a third of a second on each request."""
    from trivet.serving.engine import Engine

    folder = tmp_path_factory.mktemp("packages")
    handmade(folder / "probe", slow_graph(5000), 0.5, key)
    engine = Engine.open(folder / "probe")
    took: list[float] = []
    for _ in range(5):  # the quickest: on a machine that is busy now the model must not be quick later
        start = time.thread_time()
        engine.self_test()
        took.append(time.thread_time() - start)
    turns = int(5000 * 0.3 / min(took))
    return handmade(folder / "slow", slow_graph(turns), 0.5, key)


@pytest.fixture(scope="session")
def infinite(tmp_path_factory: pytest.TempPathFactory, key: bytes) -> Made:
    """A model whose score for an amount of zero is no number."""
    return handmade(tmp_path_factory.mktemp("packages") / "infinite", log_graph(), 0.0, key)


class Running:
    """A server process, and the socket that it was handed."""

    def __init__(self, process: subprocess.Popen[bytes], listener: socket.socket, log: Path, said: str) -> None:
        self.process = process
        self.listener = listener
        self.log = log
        self.said = said
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.model = f"{self.url}/v2/models/loan"

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """The lines of its log."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if not event or line["event"] == event]

    def ask_to_leave(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM, and wait."""
        self.ask_to_leave()
        return self.process.wait(30)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers as the supervisor does; ends those that still run."""
    servers: list[Running] = []

    def run(made: Made, listener: socket.socket | None = None, *, version: str = "1", **settings: Any) -> Running:
        listener = listener or socket.create_server(("127.0.0.1", 0), backlog=1024)
        number = len(servers)
        ready, tell = os.pipe()
        config = {
            "models": [{"name": "loan", "version": version, "package": str(made.folder)}],
            "endpoint": "loans",
            "fd": listener.fileno(),
            "ready_fd": tell,
            "drain_seconds": 0.0,
            "log_level": "debug",
        } | settings
        path = tmp_path / f"server-{number}.json"
        path.write_text(json.dumps(config))
        log = tmp_path / f"server-{number}.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "trivet.serving", str(path)], stderr=errors, pass_fds=(listener.fileno(), tell)
            )
        os.close(tell)
        said = _read_line(ready)
        server = Running(process, listener, log, said)
        servers.append(server)
        return server

    yield run
    for server in servers:
        with suppress(ProcessLookupError):
            server.process.kill()
        server.process.wait()
        server.listener.close()


def _read_line(ready: int) -> str:
    with os.fdopen(ready) as pipe:
        assert select.select([pipe], [], [], 30)[0], "the server said nothing for thirty seconds"
        return pipe.readline().strip()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client that goes to the loopback only."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        yield client
