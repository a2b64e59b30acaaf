"""Rows in, decisions out: the client side of an endpoint. Imports neither pandas nor anything of training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from trivet.core.errors import NotFound, NotReady
from trivet.core.inference import Decided, Value, decided, request_of
from trivet.core.modelpackage import SERVING, Serving, package_key
from trivet.core.platform import Platform
from trivet.core.specs import EndpointState, EndpointStatus, Release
from trivet.workflows.rowfiles import refuse_same, rows_in, writer_of

BATCH = 256


def only_endpoint(platform: Platform, name: str) -> str:
    """The endpoint of that name; the stack's only one where no name is given.

    :raises NotFound: when there is none, or there are several and none is named.
    """
    names = sorted(platform.outputs.endpoints)
    if name:
        if name not in names:
            raise NotFound(f"Stack {platform.outputs.stack} has no endpoint {name}.", _offer(names))
        return name
    if len(names) != 1:
        raise NotFound(f"Stack {platform.outputs.stack} has {len(names)} endpoints.", _offer(names))
    return names[0]


def _offer(names: Sequence[str]) -> str:
    return f"Name one with --endpoint: {', '.join(names)}." if names else "Add one with `trivet up PROJECT`."


def released(state: EndpointState) -> Release:
    """What an endpoint serves.

    :raises NotReady: when it serves nothing.
    """
    if state.status is not EndpointStatus.READY or not state.releases:
        raise NotReady(
            f"Endpoint {state.name} is {state.status}{f' ({state.reason})' if state.reason else ''}.",
            "Start it with `trivet deploy MODEL`, or `trivet run PROJECT`.",
        )
    return state.releases[0]


def serving_of(platform: Platform, digest: str) -> Serving:
    """What a package wants as inputs."""
    return Serving.model_validate_json(platform.store.get(f"{package_key(digest)}/{SERVING}"))


def predict(platform: Platform, rows: Sequence[Mapping[str, Value]], endpoint: str = "") -> list[Decided]:
    """Ask an endpoint about rows of named values, in requests of at most 256 rows."""
    name = only_endpoint(platform, endpoint)
    serving = serving_of(platform, released(platform.endpoints.state(name)).digest)
    return [answer for batch in _batches(rows) for answer in ask(platform, name, serving, batch)]


def predict_file(platform: Platform, source: Path, target: Path, endpoint: str = "") -> int:
    """Ask about every row of a CSV or JSON-lines file and write the answers to another; returns how many.

    Rows are read, asked and written in batches, so that the file may be larger than memory. Where one of them cannot
    be asked about, nothing is written.

    :raises ConfigError: naming the file or the line that will not do.
    """
    refuse_same(source, target)
    name = only_endpoint(platform, endpoint)
    serving = serving_of(platform, released(platform.endpoints.state(name)).digest)
    rows = rows_in(source, serving)
    with writer_of(target) as write:
        return sum(write(ask(platform, name, serving, batch)) for batch in _batches(rows))


def _batches(rows: Iterable[Mapping[str, Value]]) -> Iterator[list[Mapping[str, Value]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def ask(platform: Platform, name: str, serving: Serving, rows: Sequence[Mapping[str, Value]]) -> list[Decided]:
    """One request to an endpoint."""
    response = platform.endpoints.invoke(name, request_of(rows, serving, uuid4().hex))
    return decided(response, [column.name for column in serving.inputs])


def rows_of(rows: Iterable[Mapping[Any, Any]], serving: Serving) -> list[dict[str, Value]]:
    """Rows of a frame with NaN as ``None`` and only the model's inputs."""
    names = [column.name for column in serving.inputs]
    return [{name: None if row[name] != row[name] else row[name] for name in names} for row in rows]
