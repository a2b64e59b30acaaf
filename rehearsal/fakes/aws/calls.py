"""Which operation of AWS a request asks for, in whatever protocol, and the list of all that were asked for so far."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session
from botocore.exceptions import UnknownServiceError

from trivet.rehearsal.fakes.calls import CallLog

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_CBOR = re.compile(r"/service/[^/]+/operation/(\w+)$")
_MODELS = {"monitoring": "cloudwatch", "sagemaker": "sagemaker-runtime"}  # where the signing name is not botocore's
_RIGHTS = {"monitoring": "cloudwatch"}  # where it is not IAM's
_NAMING = ("Name", "Arn", "ARN", "Id", "Identifier", "Names")


@dataclass(frozen=True)
class Call:
    """One request: service as in IAM's actions, operation as in the API, and the first thing that it names."""

    service: str
    operation: str
    resource: str
    principal: str  # the role in whose container it was made, else the access key
    region: str
    protocol: str


class Calls(CallLog[Call]):
    """Every call since the last reset, in order. Those of the fake's own are left out."""

    def __init__(self, own_key: str, principals: Mapping[str, str]) -> None:
        super().__init__()
        self._own_key = own_key
        self._principals = principals

    def identify(self, environ: dict[str, Any]) -> tuple[Call, bool]:
        """What is asked, and whether the fake itself asks. The body stays readable."""
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        key, region, service = scope.groups() if scope else ("", "us-east-1", "")
        operation, members, protocol = _operation(environ, service)
        resource = _resource(members)
        right = _RIGHTS.get(service, service)
        return Call(right, operation, resource, self._principals.get(key, key), region, protocol), key == self._own_key


def body(environ: dict[str, Any]) -> bytes:
    """The body of a request, left there to be read again."""
    stream = environ["wsgi.input"]
    if isinstance(stream, io.BytesIO):
        return stream.getvalue()
    length = environ.get("CONTENT_LENGTH")
    data = stream.read(int(length)) if length else stream.read() if environ.get("wsgi.input_terminated") else b""
    environ["wsgi.input"] = io.BytesIO(data)
    if not length:
        environ["CONTENT_LENGTH"] = str(len(data))
    return data


def _operation(environ: dict[str, Any], service: str) -> tuple[str, dict[str, Any], str]:
    """The operation, its members as far as they are easily read, and the protocol that an error must be said in."""
    path = environ.get("PATH_INFO", "/")
    if found := _CBOR.search(path):
        return found.group(1), {}, "smithy-rpc-v2-cbor"
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        members: Any = {}
        with suppress(ValueError):
            members = json.loads(body(environ) or b"{}")
        return target.rpartition(".")[2], members if isinstance(members, dict) else {}, "json"
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    members = query | (parse_qs(body(environ).decode(errors="replace"), keep_blank_values=True) if form else {})
    if "Action" in members:
        flat = {name: values[0] for name, values in members.items()}
        return flat["Action"], flat, "ec2" if service == "ec2" else "query"
    routes = _routes(service)
    found = _routed(routes, environ.get("REQUEST_METHOD", ""), path, set(query), environ)
    protocol = routes[0].service_model.metadata["protocol"] if routes else "rest-json"
    return (found.name, {"Name": _labels(found, path)}, protocol) if found else ("", {}, protocol)


def _labels(operation: Any, path: str) -> str:
    """What the path names: for S3 the bucket and the key."""
    found = _signature(operation)[0].fullmatch(path.rstrip("/") or "/")
    return unquote("/".join(found.groups())) if found else ""


def _resource(members: dict[str, Any]) -> str:
    for name, value in members.items():
        if name.endswith(_NAMING):
            return value if isinstance(value, str) else ",".join(map(str, value)) if isinstance(value, list) else ""
    return ""


@functools.cache
def _routes(service: str) -> list[Any]:
    """The operations of a service whose protocol tells them by method and path; none of any other."""
    try:
        model: Any = botocore.session.Session().get_service_model(_MODELS.get(service, service))
    except UnknownServiceError:
        return []
    if not model.metadata["protocol"].startswith("rest"):
        return []
    return [model.operation_model(name) for name in model.operation_names]


def _routed(routes: list[Any], method: str, path: str, query: set[str], environ: dict[str, Any]) -> Any:
    best, most = None, -1
    for operation in routes:
        wanted, needed = _signature(operation)
        if operation.http["method"] != method or not wanted.fullmatch(path.rstrip("/") or "/"):
            continue
        names, headers = needed
        if names <= query and all(f"HTTP_{name}" in environ for name in headers):
            weight = 100 * (len(names) + len(headers)) + len(wanted.pattern.replace("([^/]+)", ""))
            if weight > most:
                best, most = operation, weight
    return best


@functools.cache
def _signature(operation: Any) -> tuple[re.Pattern[str], tuple[frozenset[str], tuple[str, ...]]]:
    """The path as a pattern; the names in the query and the headers without which it is another operation."""
    path, _, query = operation.http["requestUri"].partition("?")
    pattern = re.sub(r"\\{\w+\\}", "([^/]+)", re.sub(r"\\{\w+\\\+\\}", "(.+)", re.escape(path.rstrip("/") or "/")))
    names = {name for name in parse_qs(query, keep_blank_values=True) if name != "x-id"}
    headers = set()
    shape = operation.input_shape
    for member in shape.required_members if shape else ():
        serialized = shape.members[member].serialization
        if serialized.get("location") == "querystring":
            names.add(serialized["name"])
        elif serialized.get("location") == "header":
            headers.add(serialized["name"].upper().replace("-", "_"))
    return re.compile(pattern), (frozenset(names), tuple(headers))
