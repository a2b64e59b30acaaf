"""Which method of Vertex AI a request asks for, and its message: both as Google's own SDK has them."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

from google.cloud.aiplatform_v1 import services, types
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from trivet.rehearsal.fakes.gcp.refusals import invalid
from trivet.rehearsal.fakes.server import Request

_VARIABLE = re.compile(r"\{([\w.]+)(?:=([^}]*))?\}")
# Of every method; google/api/http.proto and the "System parameters" of Google's APIs.
_SYSTEM = {"$alt", "alt", "key", "fields", "$prettyPrint", "prettyPrint", "access_token", "quotaUser", "$apiVersion"}
# Of every service alike, by mixins; those of them that are answered are found by their paths.
_MIXINS = {
    *("CancelOperation", "DeleteOperation", "GetOperation", "ListOperations", "WaitOperation"),
    *("GetLocation", "ListLocations", "GetIamPolicy", "SetIamPolicy", "TestIamPermissions"),
}
AS_IT_IS = {"RawPredict", "StreamRawPredict"}  # their body is the container's, whatever it is


@dataclass(frozen=True)
class Route:
    """One way to a method: the verb and the pattern of the path, whose groups are fields; the field of the body."""

    service: str
    method: str
    verb: str
    path: re.Pattern[str]
    fields: tuple[str, ...]
    body: str


class Call(NamedTuple):
    """A method, the route that led to it, and what the path says of its fields."""

    route: Route
    fields: dict[str, str]


@functools.cache
def routes() -> tuple[Route, ...]:
    """Every route of every service of the SDK, from its own transports."""
    found = []
    for module in pkgutil.iter_modules(services.__path__):
        base: Any = importlib.import_module(f"{services.__name__}.{module.name}.transports.rest_base")
        for name, transport in vars(base).items():
            if name.startswith("_Base") and name.endswith("RestTransport"):
                found += list(_of(module.name, transport))
    return tuple(found)


def find(request: Request) -> Call | None:
    """What a request asks for."""
    path = unquote(request.path)
    for route in routes():
        if route.verb == request.method and (match := route.path.fullmatch(path)):
            return Call(route, dict(zip(route.fields, match.groups(), strict=True)))
    return None


def message_class(method: str) -> Any:
    """The class of a method's request, or None where the SDK has none by that name."""
    return getattr(types, f"{method}Request", None)


def parse(call: Call, request: Request, strict: bool) -> Any:
    """The message of a request.

    :param strict: whether what the message does not know is refused.
    :raises Refused: for what is no such message.
    """
    made = message_class(call.route.method)()
    inner: Message = made._pb
    content = _query(request, inner.DESCRIPTOR, strict)
    if call.route.body and call.route.method not in AS_IT_IS:
        body = _json(request.body)
        content = {**content, **body} if call.route.body == "*" else {**content, call.route.body: body}
    try:
        json_format.ParseDict(content, inner, ignore_unknown_fields=not strict)
    except (json_format.ParseError, ValueError, TypeError, AttributeError) as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    for path, value in call.fields.items():
        place = inner
        *steps, last = path.split(".")
        for step in steps:
            place = getattr(place, step)
        setattr(place, last, value)
    return made


def _of(service: str, transport: Any) -> Iterator[Route]:
    for name, inner in vars(transport).items():
        options = getattr(inner, "_get_http_options", None)
        if not name.startswith("_Base") or options is None or name.removeprefix("_Base") in _MIXINS:
            continue
        for option in options():
            pattern, fields = _compiled(option["uri"])
            verb = option["method"].upper()
            yield Route(service, name.removeprefix("_Base"), verb, pattern, fields, option.get("body", ""))


def _compiled(template: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """A path with variables as a pattern, and the names of its variables; google/api/http.proto has the syntax."""
    pattern, fields, at = "", [], 0
    for variable in _VARIABLE.finditer(template):
        fields.append(variable[1])
        inside = re.escape(variable[2] or "*").replace(r"\*\*", "[^:]+").replace(r"\*", "[^/:]+")
        pattern += re.escape(template[at : variable.start()]) + f"({inside})"
        at = variable.end()
    return re.compile(pattern + re.escape(template[at:])), tuple(fields)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    if not isinstance(found, dict):
        raise invalid("Invalid JSON payload received. The body is no object.")
    return found


def _query(request: Request, descriptor: Any, strict: bool) -> dict[str, Any]:
    """Parameters as the JSON of the message; a dot leads into a message in it."""
    content: dict[str, Any] = {}
    for name, values in request.query.items():
        if name in _SYSTEM:
            continue
        *steps, last = name.split(".")
        place, there = content, descriptor
        for step in steps:
            inner = _field(there, step)
            if inner is None or inner.message_type is None:
                raise invalid(f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.')
            place, there = place.setdefault(step, {}), inner.message_type
        field = _field(there, last)
        if field is None and strict:
            raise invalid(f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.')
        if field is not None:
            found = [_value(field, value) for value in values]
            place[last] = found if field.is_repeated else found[-1]
    return content


def _field(descriptor: Any, name: str) -> Any:
    return next((one for one in descriptor.fields if name in (one.name, one.json_name)), None)


def _value(field: Any, text: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL and text in ("true", "false"):
        return text == "true"
    if field.type == FieldDescriptor.TYPE_ENUM and text.lstrip("-").isdecimal():
        return int(text)
    return text
