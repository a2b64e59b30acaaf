"""schemathesis against a server: every case that it makes of a document, and all that was wrong with the answers.

It knows nothing of what ties a tensor's shape to its data, or a header field to the body. So a request that is meant to
be right is made consistent before it leaves; one that is meant to be wrong stays as it is.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.engine import events, from_schema

WINDOWS = {"gzip": 31, "deflate": 15}  # zlib's numbers for the two frames
NOTHING = ("Content-Encoding", "X-Amzn-SageMaker-Target-Model")  # empty, they say as much as when they are left out
LENGTH = "Inference-Header-Content-Length"
SERIALIZED = ("application/json", "application/jsonlines", "text/csv", "application/octet-stream")


@dataclass
class Outcome:
    """What came of a run."""

    cases: int = 0
    statuses: Counter[int | str] = field(default_factory=Counter)
    accepted: int = 0  # of the requests with a body
    wrong: dict[str, str] = field(default_factory=dict)  # the first of each kind

    def count(self, status: int | str, body: Any) -> None:
        """One more answer."""
        self.cases += 1
        self.statuses[status] += 1
        self.accepted += status == 200 and bool(body)

    def blame(self, operation: str, check: str, told: str) -> None:
        """It was wrong."""
        self.wrong.setdefault(f"{operation}: {check}", told)


@dataclass(frozen=True)
class Plan:
    """What to make of a document, and what to hold the answers against."""

    url: str
    document: dict[str, Any]
    drawn: int  # cases per operation with a body and per mode, besides those that follow from bounds and examples
    bodies: Mapping[str, Sequence[bytes]] = field(default_factory=dict)  # right ones, of types no schema can describe
    without: tuple[str, ...] = ()  # schemathesis' checks that the document cannot be held to
    path: Mapping[str, str] = field(default_factory=dict)  # parameters of paths, for what is drawn


def run(plan: Plan) -> Outcome:
    """Send every case: first those that follow from the document's bounds and examples, then those that are drawn."""
    _register(plan.bodies)
    config = schemathesis.Config.from_dict(
        {
            "base-url": plan.url,
            "seed": 1,
            "continue-on-failure": True,
            "generation": {"deterministic": True, "database": "none", "no-shrink": True},
            "checks": {name: {"enabled": False} for name in plan.without},
            # There is no state to keep; and its own way to draw is led by the answers, which hold other ids each time.
            "phases": {"stateful": {"enabled": False}, "fuzzing": {"enabled": False}},
        }
    )
    schema = schemathesis.openapi.from_dict(_with_bytes(plan.document, plan.bodies), config=config)
    outcome = Outcome()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _count(event.recorder, outcome)
        elif isinstance(event, events.NonFatalError):
            outcome.wrong.setdefault(f"{event.label}: not tested", str(event.value))
    with requests.Session() as session:
        session.trust_env = False
        found: Any
        for found in schema.get_all_operations():
            if found.ok().body:
                _draw(found.ok(), plan, outcome, session)
    return outcome


def _draw(operation: Any, plan: Plan, outcome: Outcome, session: requests.Session) -> None:
    for mode in schemathesis.GenerationMode:

        @settings(
            max_examples=plan.drawn,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        )
        @given(operation.as_strategy(mode, path_parameters=dict(plan.path)))
        def send(case: schemathesis.Case) -> None:
            response = case.call(session=session)
            outcome.count(response.status_code, response.request.body)
            try:
                case.validate_response(response)
            except BaseExceptionGroup as group:
                for failure in group.exceptions:
                    outcome.blame(operation.label, type(failure).__name__, f"{failure}\n{_told(response)}")

        send()


def _count(recorder: Any, outcome: Outcome) -> None:
    for interaction in recorder.interactions.values():
        response = interaction.response
        outcome.count(response.status_code if response is not None else "none", interaction.request.body)
    for case, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                told = _told(recorder.interactions[case].response)
                outcome.blame(recorder.label, check.name, f"{check.failure_info.failure}\n{told}")


def _told(response: Any) -> str:
    request = response.request
    asked = f"{request.method} {request.url} {dict(request.headers)}\n{(request.body or b'')[:1000]!r}"
    return f"{asked}\nanswer: {response.status_code} {response.content[:400]!r}"


# --- what every answer is held against


def an_error_is_one_sentence(ctx: Any, response: Any, case: Any) -> None:
    """Every error is ``{"error": string}``, and a wrong method is told the right ones."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == ["application/json"]
    body = orjson.loads(response.content)
    assert list(body) == ["error"]
    assert type(body["error"]) is str and 0 < len(body["error"]) < 2000
    assert response.status_code != 405 or response.headers["allow"]


def an_answer_has_an_id(ctx: Any, response: Any, case: Any) -> None:
    """Every response can be found in the log."""
    assert len(response.headers["x-request-id"]) == 1


def a_decision_is_finite(ctx: Any, response: Any, case: Any) -> None:
    """No NaN, no infinity and no null in an answer: strict JSON, and numbers where they belong."""
    if case.method != "POST" or response.status_code != 200 or response.headers["content-type"] != ["application/json"]:
        return
    _no_null(orjson.loads(response.content))


def _no_null(value: Any) -> None:
    assert value is not None
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _no_null(inner)


CHECKS = (an_error_is_one_sentence, an_answer_has_an_id, a_decision_is_finite)


# --- requests


def _register(bodies: Mapping[str, Sequence[bytes]]) -> None:
    schemathesis.hook("before_call")(_before_call)
    for kind, ones in bodies.items():
        schemathesis.openapi.media_type(kind, st.sampled_from(ones))
    schemathesis.serializer(*SERIALIZED)(_serialize)
    for check in CHECKS:
        schemathesis.check(check)


def _with_bytes(document: dict[str, Any], bodies: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """The document with examples in bytes where bodies are, as schemathesis wants it."""
    changed = deepcopy(document)
    for path in changed["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            for kind in content.keys() & bodies.keys():
                for example in content[kind].get("examples", {}).values():
                    example["value"] = example["value"].encode()
    return changed


def _serialize(context: Any, value: Any) -> bytes:
    case = context.case
    data = _encode(_consistent(value) if _is_right(case) else value, case.media_type)
    window = WINDOWS.get((case.headers or {}).get("Content-Encoding", ""))
    if window is None:
        return data
    stream = zlib.compressobj(wbits=window)
    return stream.compress(data) + stream.flush()


def _before_call(context: Any, case: Any, **kwargs: Any) -> None:
    for name in NOTHING:
        if (case.headers or {}).get(name) == "":
            del case.headers[name]
    if _is_right(case) and LENGTH in (case.headers or {}):
        case.headers[LENGTH] = str(len(_encode(_consistent(case.body), case.media_type)))


def _is_right(case: Any) -> bool:
    return case.meta is None or case.meta.generation.mode.is_positive


def _encode(value: Any, kind: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and kind != "application/json":
        return value.encode("utf-8", "surrogatepass")
    return json.dumps(value, default=str).encode()


def _consistent(body: Any) -> Any:
    """Tensors with a row for each, and each output once."""
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list):
        return body
    inputs = body["inputs"]
    if not inputs or not all(isinstance(one, dict) and isinstance(one.get("data"), list) for one in inputs):
        return body
    rows = min(len(one["data"]) for one in inputs)
    same = [one | {"data": one["data"][:rows], "shape": [rows, *one["shape"][1:]]} for one in inputs]
    outputs = body.get("outputs")
    if isinstance(outputs, list):
        return body | {"inputs": same, "outputs": list({one["name"]: one for one in outputs}.values())}
    return body | {"inputs": same}
