"""Which operation of Azure ML a request asks for, and the model of its body: both as Microsoft's own SDK has them."""

from __future__ import annotations

import functools
import inspect
import json
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

from azure.ai.ml._restclient.arm_ml_service import models
from azure.ai.ml._restclient.arm_ml_service.operations import _operations as generated

from trivet.rehearsal.fakes.azure.ml.strict import is_model
from trivet.rehearsal.fakes.azure.refusals import invalid
from trivet.rehearsal.fakes.server import Request

_MARK = "xYx"  # around the name of a variable, while the SDK writes a path
_VARIABLE = re.compile(f"{_MARK}(\\w+?){_MARK}")
PROVIDER = "/providers/Microsoft.MachineLearningServices/"


@dataclass(frozen=True)
class Route:
    """One operation: its name as the REST reference has it, verb, path and the class of its body, or None."""

    operation: str
    verb: str
    path: re.Pattern[str]
    body: Any


class Call(NamedTuple):
    """A request to an operation: what the path says, the query, and the body."""

    operation: str
    fields: dict[str, str]
    query: dict[str, str]
    body: Any
    path: str


@functools.cache
def routes() -> tuple[Route, ...]:
    """Every operation of every group of the SDK, from the functions that write its requests."""
    return tuple(_all())


def find(request: Request) -> tuple[Route, dict[str, str]] | None:
    """The route of a request, and what its path says. ARM's paths are read without regard to case."""
    path = unquote(request.path)
    for route in routes():
        if route.verb == request.method and (match := route.path.fullmatch(path)):
            return route, match.groupdict()
    return None


def call(route: Route, fields: dict[str, str], request: Request) -> Call:
    """The request, read.

    :raises Refused: for a body that is no JSON object.
    """
    body = None
    if request.body:
        try:
            body = json.loads(request.body)
        except ValueError as error:
            raise invalid(f"The request content was invalid and could not be deserialized: {error}.") from error
    query = {name: values[-1] for name, values in request.query.items()}
    return Call(route.operation, fields, query, body, request.path)


def _all() -> Iterator[Route]:
    for name, group in vars(generated).items():
        if not name.endswith("Operations") or not isinstance(group, type):
            continue
        of = name.removesuffix("Operations")
        for verb, method in inspect.getmembers(group, inspect.isfunction):
            plain = verb.removeprefix("begin_")
            build = getattr(generated, f"build_{_snake(of)}_{plain}_request", None)
            if build is not None and not verb.startswith("_"):
                yield _route(f"{of}_{_camel(plain)}", build, method)


def _route(operation: str, build: Any, method: Any) -> Route:
    """What a builder writes where each variable is its own name."""
    named = inspect.signature(build).parameters.values()
    needed = [one.name for one in named if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    request = build(**{name: f"{_MARK}{name}{_MARK}" for name in needed})
    path, at = "", 0
    plain = unquote(request.url.partition("?")[0])
    for variable in _VARIABLE.finditer(plain):
        path += f"{re.escape(plain[at : variable.start()])}(?P<{variable[1]}>[^/]+)"
        at = variable.end()
    pattern = re.compile(path + re.escape(plain[at:]), re.IGNORECASE)
    return Route(operation, request.method, pattern, _body(method))


def _body(method: Any) -> Any:
    """The class of what a method sends."""
    annotation = inspect.signature(method).parameters.get("body")
    if annotation is None:
        return None
    kinds = typing.get_args(annotation.annotation) or (annotation.annotation,)
    kinds = [getattr(models, kind.__forward_arg__.rpartition(".")[2]) if _is_word(kind) else kind for kind in kinds]
    return next((kind for kind in kinds if is_model(kind)), None)


def _is_word(kind: Any) -> bool:
    return isinstance(kind, typing.ForwardRef)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
