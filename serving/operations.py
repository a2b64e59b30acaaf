"""What can be asked of a server, as OpenAPI says it: one operation per route and method, in the fronts' own tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from trivet.core.inference import DECISION, SCORE
from trivet.serving.config import ServerConfig
from trivet.serving.http import metrics, page
from trivet.serving.http.message import REQUEST_ID
from trivet.serving.schemas import (
    FLAG,
    Described,
    Json,
    example_infer,
    example_matrix,
    example_rows,
    example_values,
    ref,
)
from trivet.serving.wire.base import JSON
from trivet.serving.wire.sagemaker import CSV, LINES
from trivet.serving.wire.v2 import OCTETS

Paths = dict[str, Json]
TAGS = {
    "v2": "Open Inference Protocol",
    "v1": "KServe v1",
    "sagemaker": "SageMaker",
    "vertex": "Vertex AI",
    "azure": "Azure ML",
    "server": "This server",
}
NAMES = {kind: kind.decode() for kind in (JSON, OCTETS, LINES, CSV)}
ID_PATTERN = f"^{REQUEST_ID.pattern.decode()}$"
TEXT: Json = {"type": "string"}

HEADERS: Json = {
    "RequestId": {"description": "The id of this request.", "required": True, "schema": TEXT | {"pattern": ID_PATTERN}},
    "RetryAfter": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 0}},
    "Model": {"description": "Model and version.", "required": True, "schema": TEXT},
    "Package": {
        "description": "Digest of the model package.",
        "required": True,
        "schema": TEXT | {"pattern": "^sha256:[0-9a-f]{64}$"},
    },
    "ContentEncoding": {
        "description": "Where the client accepts it and the body is worth it.",
        "schema": {"enum": ["gzip", "deflate"]},
    },
    "JsonLength": {
        "description": "Bytes of JSON before the binary tensors, where there are any.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Attributes": {"description": "Which model gave the answer.", "required": True, "schema": TEXT},
}
RETRIES = ("Overloaded", "NotReady")


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _error(name: str, description: str) -> Json:
    headers = {"x-request-id": _header("RequestId")}
    if name in RETRIES:
        headers["retry-after"] = _header("RetryAfter")
    return {"description": description, "headers": headers, "content": {NAMES[JSON]: {"schema": ref("Error")}}}


ERRORS: dict[int, tuple[str, str]] = {
    400: ("BadInput", "The request is wrong; the sentence names the first input and row that is."),
    404: ("NotFound", "There is no such model or version."),
    406: ("NotAcceptable", "The client accepts no form that this route answers in."),
    408: ("TooSlow", "The request did not come whole in time."),
    413: ("TooLarge", "The body is larger, expands to more, or has more rows than this server takes."),
    415: ("WrongEncoding", "The content type or encoding is not taken."),
    429: ("Overloaded", "Every place is taken: wait, then send it again."),
    500: ("Failed", "The server failed; its log has the reason under the request id."),
    503: ("NotReady", "Not ready, leaving, or a decision could not be recorded: ask again, or another."),
    504: ("TooLate", "There was no answer before the deadline."),
}
RESPONSES: Json = {name: _error(name, description) for name, description in ERRORS.values()}
OF_INFERENCE = (400, 404, 408, 413, 415, 429, 500, 503, 504)
SCHEMAS: Json = {
    "Error": {
        "type": "object",
        "properties": {"error": TEXT | {"minLength": 1}},
        "required": ["error"],
        "additionalProperties": False,
    },
    "Live": {"type": "object", "properties": {"live": {"const": True}}, "required": ["live"]},
    "Alive": {"type": "object", "properties": {"status": {"const": "alive"}}, "required": ["status"]},
    "Ready": {"type": "object", "properties": {"ready": {"const": True}}, "required": ["ready"]},
    "Server": {
        "type": "object",
        "properties": {"name": TEXT, "version": TEXT, "extensions": {"type": "array", "items": TEXT}},
        "required": ["name", "version", "extensions"],
    },
    "ModelReady": {
        "type": "object",
        "properties": {"name": TEXT, "ready": {"const": True}},
        "required": ["name", "ready"],
    },
    "ModelNames": {
        "type": "object",
        "properties": {"models": {"type": "array", "items": TEXT}},
        "required": ["models"],
    },
    "Index": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"name": TEXT, "version": TEXT, "state": {"enum": ["READY", "LOADING"]}, "reason": TEXT},
            "required": ["name", "version", "state", "reason"],
        },
    },
    "IndexRequest": {"type": "object", "properties": {"ready": FLAG}},
}


def server_routes(paths: Paths, config: ServerConfig) -> None:
    """Add what can be asked without a model."""
    tables: dict[str, Sequence[tuple[str, str, str, str]]] = {
        "v2": (
            ("/v2/health/live", "Live", "The process answers", "v2-live"),
            ("/v2/health/ready", "Ready", "Every model is loaded and was tried", "v2-ready"),
            ("/v2", "Server", "What this server is", "v2-server"),
            ("/v2/", "Server", "What this server is", "v2-server-slash"),
        ),
        "v1": (
            ("/", "Alive", "The process answers", "v1-alive"),
            ("/v1/models", "ModelNames", "The models that are loaded", "v1-models"),
        ),
        "sagemaker": (("/ping", "Ready", "Every model is loaded and was tried", "sagemaker-ping"),),
        "azure": (
            ("/", "Alive", "The process answers", "azure-alive"),
            ("/score", "Live", "The process answers", "azure-live"),
        ),
        "vertex": ((config.vertex.health, "Ready", "Every model is loaded and was tried", "vertex-health"),),
    }
    for front in config.fronts:
        for path, schema, summary, name in tables[front]:
            _add(paths, "get", path, _get(front, name, summary, ref(schema), (503,) if schema == "Ready" else ()))
    if "v2" in config.fronts:
        _add(paths, "post", "/v2/repository/index", _index())
    if config.batch and "sagemaker" in config.fronts:
        said = _get("sagemaker", "sagemaker-parameters", "How a batch transform may ask", {"type": "object"})
        _add(paths, "get", "/execution-parameters", said)
    if "azure" in config.fronts:
        _add(paths, "get", "/swagger.json", _get("azure", "azure-swagger", "This document", {"type": "object"}))
    _add(paths, "get", "/openapi.json", _get("server", "openapi", "This document", {"type": "object"}))
    kind = metrics.TYPE.decode()
    _add(paths, "get", "/metrics", _get("server", "metrics", "What Prometheus reads", TEXT, kind=kind))
    if config.docs:
        kind = page.asset(page.PATHS[0])[1].decode()
        _add(paths, "get", page.PATHS[0], _get("server", "docs", "A page to try it", TEXT, kind=kind))


def model_routes(paths: Paths, config: ServerConfig, service: Described) -> None:
    """Add the routes that name a model."""
    name = service.model
    if "v2" in config.fronts:
        for path, kind in (
            (f"/v2/models/{name}", "v2"),
            (f"/v2/models/{name}/versions/{service.version}", "v2-version"),
        ):
            said = _get(
                "v2", f"{name}.{kind}.metadata", f"What {name} takes and gives", ref(f"{name}.Metadata"), (404, 503)
            )
            _add(paths, "get", path, said)
            said = _get("v2", f"{name}.{kind}.ready", f"Whether {name} is served", ref("ModelReady"), (404, 503))
            _add(paths, "get", f"{path}/ready", said)
            _add(paths, "post", f"{path}/infer", _infer(service, f"{name}.{kind}.infer"))
    if "v1" in config.fronts:
        path = f"/v1/models/{name}"
        said = _get("v1", f"{name}.v1.ready", f"Whether {name} is served", ref("ModelReady"), (404, 503))
        _add(paths, "get", path, said)
        _add(paths, "post", f"{path}:predict", _predict("v1", f"{name}.v1.predict", service, f"{name}.Instances"))


def only_model_routes(paths: Paths, config: ServerConfig, services: Sequence[Described]) -> None:
    """Add the routes that name no model, which serve the only one; SageMaker's can name one of several."""
    for front in config.fronts:
        if front == "sagemaker" and services:
            _add(paths, "post", "/invocations", _score(services) if config.batch else _invoke(services))
        elif len(services) == 1 and front == "azure":
            said = _predict("azure", "azure-score", services[0], f"{services[0].model}.AnyRows")
            _add(paths, "post", "/score", said)
        elif len(services) == 1 and front == "vertex":
            said = _predict("vertex", "vertex-predict", services[0], f"{services[0].model}.Instances")
            _add(paths, "post", config.vertex.predict, said)


# --- operations


def _get(
    front: str, name: str, summary: str, schema: Json, errors: Iterable[int] = (), kind: str = NAMES[JSON]
) -> Json:
    return _operation(front, name, summary, {kind: {"schema": schema}}, errors)


def _index() -> Json:
    operation = _operation(
        "v2", "v2-index", "Every model and its state", {NAMES[JSON]: {"schema": ref("Index")}}, (400, 408, 413)
    )
    operation["requestBody"] = {"content": {NAMES[JSON]: {"schema": ref("IndexRequest")}}}
    return operation


def _infer(service: Described, name: str) -> Json:
    model = service.model
    examples = {"columns": example_infer(service), "matrix": example_matrix(service)}
    body = {
        NAMES[JSON]: {"schema": ref(f"{model}.InferRequest"), "examples": _examples(examples)},
        NAMES[OCTETS]: {
            "schema": {
                "description": "The same JSON, then the bytes of those tensors that have `binary_data_size` among "
                "their parameters in place of `data`, in the order of the inputs. `Inference-Header-Content-Length` "
                "says where the JSON ends."
            }
        },
    }
    answer = {
        NAMES[JSON]: {"schema": ref(f"{model}.InferResponse")},
        NAMES[OCTETS]: {"schema": {"description": "Where outputs were asked for in binary: JSON, then their bytes."}},
    }
    parameters = (
        *_usual_parameters(),
        _parameter(
            "Inference-Header-Content-Length",
            {"type": "integer", "minimum": 0},
            "Bytes of JSON in the body; the rest are binary tensors.",
        ),
    )
    headers = {"inference-header-content-length": "JsonLength"}
    return _inference("v2", name, f"Decide with {model}", body, answer, parameters, headers)


def _predict(front: str, name: str, service: Described, schema: str) -> Json:
    examples: Json = {
        "objects": {"instances": example_rows(service)},
        "arrays": {"instances": example_values(service)},
    }
    if service.engine.serving.contributions:
        examples["contributions"] = examples["objects"] | {"parameters": {"contributions": True}}
    if front == "azure":
        columns = [column.name for column in service.engine.serving.inputs]
        examples["table"] = {"input_data": {"columns": columns, "data": example_values(service)}}
    body = {NAMES[JSON]: {"schema": ref(schema), "examples": _examples(examples)}}
    answer = {NAMES[JSON]: {"schema": ref(f"{service.model}.Predictions")}}
    return _inference(front, name, f"Decide with {service.model}", body, answer, _usual_parameters())


def _invoke(services: Sequence[Described]) -> Json:
    names = [service.model for service in services]
    bodies, answers = [ref(f"{name}.AnyRows") for name in names], [ref(f"{name}.Predictions") for name in names]
    rows = {service.model: {"instances": example_rows(service)} for service in services}
    body = {NAMES[JSON]: {"schema": _one_of(bodies), "examples": _examples(rows)}, **_by_line(services[0])}
    answer = {
        NAMES[JSON]: {"schema": _one_of(answers)},
        NAMES[LINES]: {"schema": TEXT | {"description": "A prediction a line."}},
        NAMES[CSV]: {"schema": TEXT | {"description": f"{SCORE}, {DECISION} and contributions, a row a line."}},
    }
    note = "`contributions=true` asks for what each input contributed."
    several = len(services) > 1
    parameters = (
        *_usual_parameters(),
        _parameter("X-Amzn-SageMaker-Custom-Attributes", TEXT, note),
        _parameter("X-Amzn-SageMaker-Inference-Id", TEXT, "The id of the request, and of its record."),
        _parameter("X-Amzn-SageMaker-Target-Model", {"enum": names}, "Which of the models.") | {"required": several},
    )
    headers = {"x-amzn-sagemaker-custom-attributes": "Attributes"}
    said = f"Decide with {names[0]}" if not several else "Decide with the model that a header field names"
    operation = _inference("sagemaker", "sagemaker-invocations", said, body, answer, parameters, headers)
    operation["responses"]["406"] = {"$ref": "#/components/responses/NotAcceptable"}
    operation["description"] = "`Accept` chooses the form of the answer; without it, it is JSON."
    return operation


def _score(services: Sequence[Described]) -> Json:
    note = f"A line a line: {SCORE}, {DECISION} and the model, or `error` where the row is not one that it takes."
    answer = {NAMES[LINES]: {"schema": TEXT | {"description": note}}}
    said = f"Decide with {services[0].model} on each line by itself"
    body = _by_line(services[0])
    operation = _inference("sagemaker", "sagemaker-invocations", said, body, answer, _usual_parameters())
    operation["responses"]["406"] = {"$ref": "#/components/responses/NotAcceptable"}
    return operation


def _by_line(service: Described) -> Json:
    rows = "".join(f"{','.join(map(_cell, row))}\n" for row in example_values(service))
    return {
        NAMES[LINES]: {
            "schema": TEXT | {"description": "A row a line: an object by name or an array in the inputs' order."},
            "examples": _examples({"rows": _lines(example_rows(service))}),
        },
        NAMES[CSV]: {
            "schema": TEXT | {"description": "No header; the inputs in their order; an empty cell is a missing value."},
            "examples": _examples({"rows": rows}),
        },
    }


def _inference(
    front: str,
    name: str,
    summary: str,
    body: Json,
    answer: Json,
    parameters: Sequence[Json],
    headers: dict[str, str] | None = None,
) -> Json:
    operation = _operation(front, name, summary, answer, OF_INFERENCE)
    fields = {"trivet-model": "Model", "trivet-package": "Package", "content-encoding": "ContentEncoding"}
    for field, header in (fields | (headers or {})).items():
        operation["responses"]["200"]["headers"][field] = _header(header)
    operation["parameters"] = list(parameters)
    operation["requestBody"] = {"required": True, "content": body}
    return operation


def _operation(front: str, name: str, summary: str, answer: Json, errors: Iterable[int]) -> Json:
    good = {"description": "OK", "headers": {"x-request-id": _header("RequestId")}, "content": answer}
    bad = {str(status): {"$ref": f"#/components/responses/{ERRORS[status][0]}"} for status in errors}
    return {"tags": [TAGS[front]], "operationId": name, "summary": summary, "responses": {"200": good} | bad}


# --- parts


def _usual_parameters() -> tuple[Json, ...]:
    return (
        _parameter(
            "X-Request-ID", TEXT, f"The id of the request. One that is not like {ID_PATTERN} is not taken over."
        ),
        _parameter("Content-Encoding", {"enum": ["identity", "gzip", "deflate"]}, "How the body is compressed."),
    )


def _parameter(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "header", "schema": schema, "description": description}


def _examples(named: dict[str, Any]) -> Json:
    return {name: {"value": value} for name, value in named.items() if value is not None}


def _one_of(schemas: list[Json]) -> Json:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _add(paths: Paths, method: str, path: str, operation: Json) -> None:
    paths.setdefault(path, {})[method] = operation


def _lines(rows: Sequence[Any]) -> str:
    import orjson

    return "".join(f"{orjson.dumps(row).decode()}\n" for row in rows)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
