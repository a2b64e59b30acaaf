"""Vertex AI's door: a request becomes a message, is checked, and is answered by the method that it asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from google.cloud import aiplatform_v1 as api
from google.longrunning import operations_pb2
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty

from trivet.core.errors import ConfigError
from trivet.rehearsal.fakes.gcp.constraints import STRICT
from trivet.rehearsal.fakes.gcp.refusals import JSON, invalid, left_out, missing, refused
from trivet.rehearsal.fakes.gcp.vertex import endpoints, jobs, logs, models, predict, routes, strict
from trivet.rehearsal.fakes.gcp.vertex.state import Vertex
from trivet.rehearsal.fakes.gcp.world import NUMBER, PROJECT, World
from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.fakes.server import Request

METHODS: dict[str, Callable[[Vertex, Any], Any]] = {**jobs.METHODS, **models.METHODS, **endpoints.METHODS}
_OPERATION = re.compile(r"/(?:v1|ui)/(projects/[^/]+/locations/[^/]+/(?:.+/)?operations/[^/:]+)(:\w+)?")


class VertexAi:
    """Answers what ``operation`` names."""

    def __init__(self, world: World) -> None:
        self.state = Vertex(world, PROJECT, NUMBER)

    def operation(self, request: Request) -> tuple[str, str]:
        """The method that a request asks for, and of what; empty where for none."""
        if request.path.startswith("/v2/"):
            return "entries.list", ""
        if found := _OPERATION.fullmatch(request.path):
            return {"GET": "GetOperation"}.get(request.method, "") if not found[2] else "", found[1]
        call = routes.find(request)
        return (call.route.method, next(iter(call.fields.values()), "")) if call else ("", "")

    def answer(self, request: Request) -> Answer:
        """One request.

        :raises Refused: as Vertex AI does.
        """
        if request.path.startswith("/v2/"):
            return logs.entries(self.state, request)
        if (found := _OPERATION.fullmatch(request.path)) and request.method == "GET" and not found[2]:
            return _written(request, self.state.operation(found[1]))
        call = routes.find(request)
        if call is None:
            raise missing(f"There is no method of Vertex AI at {request.method} {request.path}.")
        method = METHODS.get(call.route.method)
        asks = predict.METHODS.get(call.route.method)
        of_publisher = asks is not None and "/endpoints/" not in request.path
        if (method is None and asks is None) or of_publisher:
            raise left_out(f"{call.route.method} of Vertex AI")
        holds = self.state.world.constraints.holds(STRICT)
        message = routes.parse(call, request, holds)
        if holds:
            whole = not call.route.method.startswith("Update")  # which names by a mask what of a message counts
            if found := strict.problems(type(message).pb(message), whole):
                raise invalid("; ".join(found))
        if asks is not None:
            return asks(self.state, message.endpoint, request)
        assert method is not None  # noqa: S101  one of both there is
        try:
            answer = method(self.state, message)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if holds:
                raise
            raise refused("INTERNAL", f"This request breaks its message: {error!r}.") from error
        return self._forced(answer, _written(request, answer))

    def _forced(self, answer: Any, written: Answer) -> Answer:
        """A job in the state that somebody forced upon it, which needs be none of the messages'."""
        word = self.state.forced.get(answer.name.rpartition("/")[2]) if isinstance(answer, api.CustomJob) else None
        if word is None:
            return written
        status, headers, body = written
        return status, headers, json.dumps({**json.loads(body), "state": word}).encode()

    def interrupt(self, job: str) -> None:
        """Take the machine of a job away, by its number; its code begins again.

        :raises ConfigError: where there is no such job.
        """
        with self.state.lock:
            found = next((one for one in self.state.jobs.values() if one.id == job), None)
        if found is None:
            raise ConfigError(f"There is no custom job {job}.", "Create it first, and give its number.")
        found.interrupt()

    def force(self, job: str, word: str) -> None:
        """Show a job, by its number, in a state of this name, whatever became of it."""
        with self.state.lock:
            self.state.forced[job] = word

    def forget(self) -> None:
        """Hold nothing; what runs is ended by the world's."""
        old = self.state
        old.closed.set()
        self.state = Vertex(old.world, PROJECT, NUMBER)


def _written(request: Request, answer: Any) -> Answer:
    """A message as JSON, with enumerations as the request wants them."""
    if answer is None:
        raw: Any = Empty()
    else:
        raw = answer if isinstance(answer, operations_pb2.Operation) else type(answer).pb(answer)
    numbers = "enum-encoding=int" in request.one("$alt")
    return 200, list(JSON), json_format.MessageToJson(raw, use_integers_for_enums=numbers).encode()
