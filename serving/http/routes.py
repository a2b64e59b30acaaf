"""Which paths there are: the tables of the protocols, filled in with the models that are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from trivet import __version__
from trivet.core.errors import NotFound, NotReady
from trivet.serving.config import Front, LogLevel, ServerConfig
from trivet.serving.http import metrics, page
from trivet.serving.http.inference import Inference
from trivet.serving.http.message import Request
from trivet.serving.http.reply import Reply, error_reply, json_reply, refusal
from trivet.serving.models import Models
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
NOWHERE = Target(None, nowhere, "warning")
V1_MODEL = "/v1/models/{model}"
V2_MODEL = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")


def targets(config: ServerConfig, served: Models) -> Targets:
    """Every path of the fronts that are on, for the models that are loaded or about to be."""
    paths: Targets = {}

    def add(method: str, path: str, target: Target) -> None:
        paths.setdefault(path, {})[method] = target

    for front in config.fronts:
        for method, path, target in FIXED.get(front, ()):
            add(method, path, target)
    if "vertex" in config.fronts:
        add("GET", config.vertex.health, Target(config.vertex.health, ready, "debug"))
        add("POST", config.vertex.predict, Target(config.vertex.predict, infer_only, wire=rows.INSTANCES))
    for name, version in served.named().items():
        _add_model(config, name, version, add)
    add("GET", "/openapi.json", Target("/openapi.json", document, reads=True))
    add("GET", "/metrics", Target("/metrics", measures, "debug"))
    if config.docs:
        for path in page.PATHS:
            add("GET", path, Target(path, asset))
    return paths


def _add_model(config: ServerConfig, name: str, version: str, add: Callable[[str, str, Target], None]) -> None:
    if "v2" in config.fronts:
        for template in V2_MODEL:
            path = template.format(model=name, version=version)
            add("GET", path, Target(template, model, model=name))
            add("GET", f"{path}/ready", Target(f"{template}/ready", model_ready, "debug", name))
            add("POST", f"{path}/infer", Target(f"{template}/infer", infer, model=name, wire=v2.WIRE))
    if "v1" in config.fronts:
        path = V1_MODEL.format(model=name)
        add("GET", path, Target(V1_MODEL, model_ready, "debug", name))
        add("POST", f"{path}:predict", Target(f"{V1_MODEL}:predict", infer, model=name, wire=rows.INSTANCES))
