"""Which paths there are: the tables of the protocols, filled in with the models that are served."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from trivet import __version__
from trivet.core.errors import ConfigError, NotFound, NotReady
from trivet.serving.config import Front, LogLevel, ServerConfig
from trivet.serving.http import metrics, page
from trivet.serving.http.inference import Inference
from trivet.serving.http.message import Request
from trivet.serving.http.reply import Reply, error_reply, json_reply, refusal
from trivet.serving.models import Models
from trivet.serving.scoring import WIRE as BY_LINE
from trivet.serving.scoring import Scorer
from trivet.serving.wire import rows, sagemaker, v2
from trivet.serving.wire.base import Wire

if TYPE_CHECKING:
    from trivet.serving.http.app import App


class Target(NamedTuple):
    """One operation on one path. Health checks are many: at ``debug`` they stay out of the log."""

    route: str | None
    answer: Callable[[App, Request, Target], Reply | Inference | asyncio.Future[Reply]]
    level: LogLevel = "info"
    model: str = ""
    wire: Wire | None = None  # of an inference
    reads: bool = False  # whether the body is to come whole first, though it is no inference


Targets = dict[str, dict[str, Target]]  # path -> method -> target


def live(_: App, __: Request, ___: Target) -> Reply:
    """The process answers."""
    return json_reply({"live": True})


def alive(_: App, __: Request, ___: Target) -> Reply:
    """The same in the words of KServe v1; Azure ML looks at the status only."""
    return json_reply({"status": "alive"})


def ready(app: App, _: Request, __: Target) -> Reply:
    """Every required model answered its golden request, and this process means to stay."""
    app.check_ready()
    return json_reply({"ready": True})


def model_ready(app: App, _: Request, target: Target) -> Reply:
    """This model is served, and this process means to stay."""
    app.models.get(target.model)
    if app.draining:
        raise NotReady("This server is about to leave.", "Ask another.")
    return json_reply({"name": target.model, "ready": True})


def server(_: App, __: Request, ___: Target) -> Reply:
    """What this server is."""
    return json_reply(v2.server_metadata(__version__))


def model(app: App, _: Request, target: Target) -> Reply:
    """What the model takes and gives."""
    service = app.models.get(target.model)
    return json_reply(v2.model_metadata(service.engine, service.model, service.version))


def index(app: App, request: Request, _: Target) -> Reply:
    """Every model and its state."""
    return json_reply(app.models.index(ready_only=v2.index_wants_ready_only(request.body)))


def models(app: App, _: Request, __: Target) -> Reply:
    """The names of the models, as KServe v1 lists them."""
    return json_reply({"models": sorted(app.models.services)})


def infer(app: App, request: Request, target: Target) -> Reply | Inference:
    """Decide on the rows of a request."""
    return Inference(app.models.get(target.model), target.wire or v2.WIRE, request)


def infer_only(app: App, request: Request, target: Target) -> Reply | Inference:
    """The same, on a route that names no model."""
    return Inference(app.models.only(), target.wire or v2.WIRE, request)


def invoke(app: App, request: Request, target: Target) -> Reply | Inference:
    """The same for SageMaker, which may name the model in a header field."""
    named = request.fields.get(sagemaker.TARGET_MODEL)
    service = app.models.get(named.decode("latin-1")) if named else app.models.only()
    request.adopt(request.fields.get(sagemaker.INFERENCE_ID, b""))
    return Inference(service, target.wire or v2.WIRE, request)


def score(app: App, request: Request, _: Target) -> Reply | Inference:
    """Decide on each line of a batch by itself, as long as it may take."""
    app.check_time()
    return Inference(Scorer(app.models.only()), BY_LINE, request)


def execution_parameters(_: App, __: Request, ___: Target) -> Reply:
    """What SageMaker's batch transform asks a container for where the job does not say it."""
    return json_reply({"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 1})


def document(app: App, request: Request, _: Target) -> asyncio.Future[Reply]:
    """All of this, as OpenAPI says it."""
    return asyncio.ensure_future(_document(app, request.id))


async def _document(app: App, request_id: str) -> Reply:
    try:
        return Reply(200, await app.document())
    except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
        return refusal(error, request_id)


def measures(app: App, _: Request, __: Target) -> Reply:
    """What Prometheus reads."""
    app.settle()
    return Reply(200, app.metrics.render(), metrics.TYPE)


def asset(_: App, request: Request, __: Target) -> Reply:
    """A part of the page to try it."""
    body, kind, headers = page.asset(request.path)
    return Reply(200, body, kind, headers)


def nowhere(app: App, request: Request, _: Target) -> Reply:
    """There is no such operation: say what there is instead."""
    if methods := app.methods(request.path):
        allow = ", ".join(methods)
        return error_reply(405, f"This route takes {allow}.", ((b"allow", allow.encode()),))
    if request.path.startswith(("/v2/models/", "/v1/models/")):
        there = ", ".join(f"{name} in version {version}" for name, version in app.models.named().items()) or "none"
        raise NotFound(f"There is no such route; of models this server has {there}.")
    raise NotFound("There is no such route.", "GET /openapi.json lists those that there are.")


FIXED: dict[Front, tuple[tuple[str, str, Target], ...]] = {
    "v2": (
        ("GET", "/v2/health/live", Target("/v2/health/live", live, "debug")),
        ("GET", "/v2/health/ready", Target("/v2/health/ready", ready, "debug")),
        ("GET", "/v2", Target("/v2", server)),
        ("GET", "/v2/", Target("/v2", server)),
        ("POST", "/v2/repository/index", Target("/v2/repository/index", index, reads=True)),
    ),
    "v1": (
        ("GET", "/", Target("/", alive, "debug")),
        ("GET", "/v1/models", Target("/v1/models", models)),
    ),
    "sagemaker": (
        ("GET", "/ping", Target("/ping", ready, "debug")),
        ("POST", "/invocations", Target("/invocations", invoke, wire=sagemaker.WIRE)),
    ),
    "azure": (
        ("GET", "/", Target("/", alive, "debug")),
        ("GET", "/score", Target("/score", live, "debug")),
        ("POST", "/score", Target("/score", infer_only, wire=rows.ANY_ROWS)),
        ("GET", "/swagger.json", Target("/swagger.json", document, reads=True)),
    ),
}
BATCH = (
    ("GET", "/execution-parameters", Target("/execution-parameters", execution_parameters)),
    ("POST", "/invocations", Target("/invocations", score, wire=BY_LINE)),
)
NOWHERE = Target(None, nowhere, "warning")
OF_A_MODEL = re.compile(r"/v[12]/models/([^/:]+)(?:/versions/([^/:]+))?")
V1_MODEL = "/v1/models/{model}"
V2_MODEL = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")


def targets(config: ServerConfig, served: Models) -> Targets:
    """Every path of the fronts that are on, for the models that are loaded or about to be.

    :raises ConfigError: when a route that Vertex AI is to have is another's.
    """
    paths: Targets = {}
    for front in config.fronts:
        for method, path, target in FIXED.get(front, ()):
            _add(paths, method, path, target)
    if config.batch and "sagemaker" in config.fronts:
        for method, path, target in BATCH:
            _add(paths, method, path, target)
    for name, version in served.named().items():
        _add_model(paths, config, name, version)
    _add(paths, "GET", "/openapi.json", Target("/openapi.json", document, reads=True))
    _add(paths, "GET", "/metrics", Target("/metrics", measures, "debug"))
    if config.docs:
        for path in page.PATHS:
            _add(paths, "GET", path, Target(path, asset))
    if "vertex" in config.fronts:
        _add_vertex(paths, config)
    return paths


def _add(paths: Targets, method: str, path: str, target: Target) -> None:
    paths.setdefault(path, {})[method] = target


def _add_model(paths: Targets, config: ServerConfig, name: str, version: str) -> None:
    if "v2" in config.fronts:
        for template in V2_MODEL:
            path = template.format(model=name, version=version)
            _add(paths, "GET", path, Target(template, model, model=name))
            _add(paths, "GET", f"{path}/ready", Target(f"{template}/ready", model_ready, "debug", name))
            _add(paths, "POST", f"{path}/infer", Target(f"{template}/infer", infer, model=name, wire=v2.WIRE))
    if "v1" in config.fronts:
        path = V1_MODEL.format(model=name)
        _add(paths, "GET", path, Target(V1_MODEL, model_ready, "debug", name))
        _add(paths, "POST", f"{path}:predict", Target(f"{V1_MODEL}:predict", infer, model=name, wire=rows.INSTANCES))


def _add_vertex(paths: Targets, config: ServerConfig) -> None:
    """The routes that Vertex AI chooses, which come last: each must be free, of models that are loaded later too."""
    health, predict = config.vertex.health, config.vertex.predict
    for name, method, path in (("health", "GET", health), ("predict", "POST", predict)):
        of_models: Targets = {}
        if (named := OF_A_MODEL.match(path)) is not None:
            _add_model(of_models, config, *named.groups(default="1"))
        if method in {**paths.get(path, {}), **of_models.get(path, {})}:
            raise ConfigError(
                f"vertex.{name} cannot be {path}: {method} {path} is another front's route already.",
                "Choose another, or leave that front out of fronts.",
            )
    _add(paths, "GET", health, Target(health, ready, "debug"))
    _add(paths, "POST", predict, Target(predict, infer_only, wire=rows.ANY_ROWS))
