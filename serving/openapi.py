"""The OpenAPI document of a server: the routes of the fronts that are on, for the models that are loaded.

``x-trivet`` says in a few words what the page to try it needs: which models there are, and by which routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import sleep
from typing import Any, NamedTuple

import orjson

from trivet import __version__
from trivet.serving.config import ServerConfig
from trivet.serving.operations import (
    HEADERS,
    RESPONSES,
    SCHEMAS,
    TAGS,
    Paths,
    model_routes,
    only_model_routes,
    server_routes,
)
from trivet.serving.schemas import Described, Json, schemas_of

ABOUT = """Every error is a JSON object with one member, `error`: a sentence on what happened and, where it helps, one \
on what to do next. Every response has `x-request-id`, which is the client's own where it sent one.

Besides what stands at each route, any of them answers 400 to what is no request in HTTP/1.1, 405 with `Allow` to a \
method that it does not take, 408 to a request that does not come whole in time, 413 to a body that is too large and \
431 to a head that is. `HEAD` is taken wherever `GET` is.

A route that has a `Content-Encoding` takes its body in `gzip` or `deflate` too; limits count what it expands to."""


class Part(NamedTuple):
    """What the document says of one model: its own paths and schemas, by their names."""

    paths: Json
    schemas: Json


class Documents:
    """Renders documents. What is said of a model is rendered once, for as long as it is served."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._parts: dict[tuple[str, str, str], Part] = {}

    def render(self, services: Iterable[Described]) -> bytes:
        """The document as JSON. May be called from any thread, by one at a time."""
        known, self._parts = self._parts, {}
        for service in services:
            key = service.model, service.version, service.engine.digest
            self._parts[key] = known.get(key) or self._rendered(service)
        return orjson.dumps(describe(self._config, tuple(services), tuple(self._parts.values())))

    def _rendered(self, service: Described) -> Part:
        sleep(0)  # whoever serves gets its turn between two models
        paths, schemas = part_of(self._config, service)
        return Part(_fragments(paths), _fragments(schemas))


def part_of(config: ServerConfig, service: Described) -> Part:
    """What the document says of one model."""
    paths: Paths = {}
    model_routes(paths, config, service)
    return Part(paths, schemas_of(service))


def describe(config: ServerConfig, services: Sequence[Described], parts: Sequence[Part] | None = None) -> Json:
    """The document, OpenAPI 3.1.

    A front whose routes name no model is described where the server has one model, or a header field names it.

    :param parts: those of the services, where they are known.
    """
    paths: Paths = {}
    schemas = dict(SCHEMAS)
    server_routes(paths, config)
    only_model_routes(paths, config, services)
    for part in parts if parts is not None else [part_of(config, service) for service in services]:
        paths |= part.paths
        schemas |= part.schemas
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Models on {config.endpoint}",
            "version": __version__,
            "description": f"{ABOUT}\n\nA body is at most {config.max_body_bytes} bytes long and of at most "
            f"{config.max_rows} rows, and an answer is there within {config.deadline_seconds:g} seconds or not at all.",
        },
        "servers": [{"url": "./", "description": "Where this document is."}],
        "tags": [{"name": TAGS[front]} for front in config.fronts] + [{"name": TAGS["server"]}],
        "paths": paths,
        "components": {"schemas": schemas, "responses": RESPONSES, "headers": HEADERS},
        "x-trivet": {
            "endpoint": config.endpoint,
            "recorded": config.records is not None,
            "models": [_in_short(config, service, len(services)) for service in services],
        },
    }


def _fragments(named: Json) -> Json:
    return {name: orjson.Fragment(orjson.dumps(value)) for name, value in named.items()}


def _in_short(config: ServerConfig, service: Described, models: int) -> Json:
    name, serving = service.model, service.engine.serving
    routes = {
        "v2": f"/v2/models/{name}/infer",
        "v1": f"/v1/models/{name}:predict",
        "vertex": config.vertex.predict,
        "azure": "/score",
        "sagemaker": "/invocations",
    }
    there = [front for front in config.fronts if models == 1 or front in ("v2", "v1", "sagemaker")]
    decision: dict[str, Any] = serving.decision.model_dump()
    return {
        "name": name,
        "version": service.version,
        "package": service.engine.digest,
        "row": f"{name}.Row",
        "decision": decision,
        "contributions": serving.contributions,
        "routes": {front: routes[front] for front in there},
    }
