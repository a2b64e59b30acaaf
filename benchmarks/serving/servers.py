"""Every server of the comparison: how it starts on a model, where it says ready, what it takes and what it gives."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving.model import Model
from tools.environments import environment

APPS = Path(__file__).parent / "apps"

Rows = list[list[float]]


@dataclass(frozen=True)
class Wire:
    """One form of request and response."""

    name: str
    path: str
    body: Callable[[Rows, Model], Any]
    scores: Callable[[Any], list[float]]


@dataclass(frozen=True)
class Place:
    """Where one start happens: a folder of its own, a port, and the python of the server's environment."""

    folder: Path
    port: int
    spare_ports: tuple[int, int]
    python: Path

    def script(self, name: str) -> str:
        """A command that the environment's packages brought."""
        return str(self.python.parent / name)


@dataclass(frozen=True)
class Server:
    """One server under test."""

    name: str
    wires: tuple[Wire, ...]
    command: Callable[[Place, Model], list[str]]
    ready: str = "/health"
    environment: str = ""
    """Folder below benchmarks/peers; none for this project's own."""
    model: str = "model.joblib"
    constant: bool = False
    """Its answer is no score, so there is nothing to compare it with."""


INSTANCES = Wire("instances", "/predict", lambda rows, _: {"instances": rows}, lambda said: said["predictions"])
CONSTANT = Wire("constant", "/predict", lambda rows, _: {"instances": rows}, lambda said: said["predictions"])


def _matrix(rows: Rows, _: Model) -> Any:
    shape = [len(rows), len(rows[0])]
    data = [value for row in rows for value in row]
    return {"inputs": [{"name": "rows", "shape": shape, "datatype": "FP64", "data": data}]}


def _columns(rows: Rows, model: Model) -> Any:
    columns = zip(model.features, zip(*rows, strict=True), strict=True)
    shape = [len(rows), 1]
    inputs = [{"name": name, "shape": shape, "datatype": "FP32", "data": list(values)} for name, values in columns]
    return {"inputs": inputs}


def _score(said: Any) -> list[float]:
    return next(output["data"] for output in said["outputs"] if output["name"] == "score")


INFER = "/v2/models/cancer/infer"
OURS = (
    Wire("v2 matrix", INFER, _matrix, _score),
    Wire("v2 columns", INFER, _columns, _score),
    Wire(
        "v1",
        "/v1/models/cancer:predict",
        lambda rows, _: {"instances": rows},
        lambda said: [prediction["score"] for prediction in said["predictions"]],
    ),
)


def trivet(name: str, **settings: Any) -> Server:
    """This server, with some of its settings."""

    def command(place: Place, model: Model) -> list[str]:
        packages = [{"name": "cancer", "version": "1", "package": str(model.folder / "package")}]
        config = {"models": packages, "endpoint": "cancer", "port": place.port} | settings
        if "records_mode" in settings:
            config["records"] = str(place.folder / "records")
        path = place.folder / "config.json"
        path.write_text(json.dumps(config))
        return [str(place.python), "-m", "trivet.serving", str(path)]

    return Server(name, OURS, command, ready="/v2/health/ready")


def _mlserver(place: Place, model: Model) -> list[str]:
    grpc, metrics = place.spare_ports
    ports = {"http_port": place.port, "grpc_port": grpc, "metrics_port": metrics}
    settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": 0, **ports}
    one = {
        "name": "cancer",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model.folder / "model.joblib"), "version": "1"},
    }
    (place.folder / "settings.json").write_text(json.dumps(settings))
    (place.folder / "model-settings.json").write_text(json.dumps(one))
    return [place.script("mlserver"), "start", str(place.folder)]


def _ask_mlserver(rows: Rows, model: Model) -> Any:
    return _matrix(rows, model) | {"outputs": [{"name": "predict_proba"}]}


def _mlflow(place: Place, model: Model) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(place.port), "--workers", "1"]
    what = ["-m", str(model.folder / "mlflow"), "--env-manager", "local"]
    return [place.script("mlflow"), "models", "serve", *what, *where]


def _bentoml(place: Place, _: Model) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(place.port), "--working-dir", str(APPS)]
    return [place.script("bentoml"), "serve", "bento_service:Scores", *where]


def _uvicorn(app: str) -> Callable[[Place, Model], list[str]]:
    def command(place: Place, _: Model) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(place.port), "--app-dir", str(APPS)]
        quick = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        return [place.script("uvicorn"), app, *where, *quick]

    return command


def _granian(app: str, interface: str) -> Callable[[Place, Model], list[str]]:
    def command(place: Place, _: Model) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(place.port), "--working-dir", str(APPS)]
        quick = ["--workers", "1", "--loop", "uvloop", "--no-ws", "--log-level", "warning"]
        return [place.script("granian"), "--interface", interface, app, *where, *quick]

    return command


def _app(file: str) -> Callable[[Place, Model], list[str]]:
    return lambda place, _: [str(place.python), str(APPS / file)]


def bare(name: str, command: Callable[[Place, Model], list[str]], environment: str = "fastapi") -> Server:
    """A bare app over some HTTP stack, with ONNX Runtime."""
    return Server(name, (INSTANCES,), command, environment=environment, model="model.onnx")


PROBABILITIES = Wire("v2 matrix", INFER, _ask_mlserver, lambda said: said["outputs"][0]["data"][1::2])
INPUTS = Wire(
    "inputs", "/invocations", lambda rows, _: {"inputs": rows}, lambda said: [row[1] for row in said["predictions"]]
)
BENTO = Wire("instances", "/predict", lambda rows, _: {"instances": rows}, lambda said: said)

CONSTANT_SERVER = Server(
    "constant", (CONSTANT,), _uvicorn("constant:app"), environment="fastapi", model="", constant=True
)
BARE = bare("bare onnx", _uvicorn("asgi:onnx"))

COMPARED = (
    trivet("trivet"),
    trivet("trivet+sampled", records_mode="sampled"),
    trivet("trivet+complete", records_mode="complete"),
    Server("mlserver", (PROBABILITIES,), _mlserver, "/v2/models/cancer/ready", "mlserver"),
    Server("mlflow", (INPUTS,), _mlflow, "/ping", "mlflow"),
    Server("bentoml", (BENTO,), _bentoml, "/readyz", "bentoml"),
    Server("litserve", (INSTANCES,), _app("litserve_app.py"), "/health", "litserve"),
    Server("fastapi", (INSTANCES,), _uvicorn("fastapi_app:app"), environment="fastapi"),
    BARE,
    CONSTANT_SERVER,
)
STACKS = (
    trivet("trivet"),
    BARE,
    bare("uvicorn, batched", _uvicorn("asgi:batched")),
    bare("granian, ASGI", _granian("asgi:onnx", "asgi")),
    bare("granian, RSGI", _granian("rsgi:app", "rsgi")),
    bare("robyn", _app("robyn_app.py"), "robyn"),
    bare("blacksheep", _uvicorn("blacksheep_app:app")),
    CONSTANT_SERVER,
)


@dataclass(frozen=True)
class Pythons:
    """The interpreters of the servers' environments, each made when it is first asked for."""

    found: dict[str, Path] = field(default_factory=dict)

    def of(self, server: Server) -> Path:
        """The one that runs ``server``."""
        if not server.environment:
            return Path(sys.executable)
        if server.environment not in self.found:
            self.found[server.environment] = environment(f"benchmarks/peers/{server.environment}")
        return self.found[server.environment]
