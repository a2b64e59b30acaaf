"""The door of Azure Resource Manager and of the services that Azure ML has beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from trivet.rehearsal.fakes.azure.constraints import STRICT
from trivet.rehearsal.fakes.azure.ml import assets, deployments, endpoints, jobs, metrics, routes, runs, scoring, strict
from trivet.rehearsal.fakes.azure.ml import datastores as stores
from trivet.rehearsal.fakes.azure.ml import workspaces as spaces
from trivet.rehearsal.fakes.azure.ml.state import Ml, answer
from trivet.rehearsal.fakes.azure.names import left_out
from trivet.rehearsal.fakes.azure.refusals import invalid, missing
from trivet.rehearsal.fakes.azure.world import World
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request

Method = Callable[[Ml, routes.Call], Answer]
METHODS: dict[str, Method] = {
    **spaces.METHODS,
    **stores.METHODS,
    **assets.METHODS,
    **jobs.METHODS,
    **endpoints.METHODS,
    **deployments.METHODS,
}
_OPERATION = re.compile(r".*/locations/[^/]+/(mfeOperationsStatus|mfeOperationResults)/([^/]+)", re.IGNORECASE)
_METRICS = "/providers/microsoft.insights/metrics"


class MachineLearning:
    """Answers what ``operation`` names."""

    def __init__(self, world: World) -> None:
        self.state = Ml(world)

    def operation(self, service: str, request: Request) -> tuple[str, str]:
        """What a request asks for, as the REST reference calls it, and of what; empty where for nothing known."""
        path = unquote(request.path)
        if service == "scoring":
            return "Score", request.host.partition(".")[0]
        if service == "metrics":
            return "Metrics_Create", path.removesuffix("/metrics")
        if service == "runs":
            return runs.operation(request), path.rpartition("/runs/")[2] if "/runs/" in path else ""
        if path.lower().endswith(_METRICS):
            return "Metrics_List", path[: -len(_METRICS)]
        if _OPERATION.fullmatch(path):
            return "Operations_Get", path.rpartition("/")[2]
        if other := spaces.other(request):
            return other[0], path
        found = routes.find(request)
        return (found[0].operation if found else ""), path.rpartition(routes.PROVIDER)[2]

    def answer(self, service: str, request: Request) -> Answer:
        """One request.

        :raises Refused: as the service does.
        """
        if service == "scoring":
            return scoring.score(self.state, request)
        if service == "runs" and request.path.startswith("/discovery/"):
            return runs.discovery(request)
        self._check_bearer(service, request)
        if service == "runs":
            return runs.answer(self.state, request)
        if service == "metrics":
            return metrics.create(self.state, request)
        said = "The api-version query parameter (?api-version=) is required for all requests."
        error = Refused("MissingApiVersionParameter", said)
        self.state.world.constraints.demand("api-version", bool(request.one("api-version")), error)
        return self._managed(request)

    def close(self) -> None:
        """Start nothing any more; what runs is ended by the world's."""
        self.state.closed.set()

    def _managed(self, request: Request) -> Answer:
        path = unquote(request.path)
        if path.lower().endswith(_METRICS):
            return metrics.query(self.state, request, path[: -len(_METRICS)])
        if found := _OPERATION.fullmatch(path):
            return self._operation(found[1].lower(), found[2])
        if other := spaces.other(request):
            return other[1](self.state, request)
        route = routes.find(request)
        if route is None:
            raise missing(path)
        method = METHODS.get(route[0].operation)
        if method is None:
            raise left_out(f"operation {route[0].operation}")
        call = routes.call(*route, request)
        holds = self.state.world.constraints.holds(STRICT)
        if route[0].body is not None and holds and (found := strict.problems(call.body, route[0].body)):
            raise invalid("; ".join(found))
        try:
            return method(self.state, call)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if holds:
                raise
            raise Refused("InternalServerError", f"This request breaks its model: {error!r}.", 500) from error

    def _operation(self, kind: str, identifier: str) -> Answer:
        found = self.state.operations.get(identifier)
        if found is None:
            raise missing(f"operations/{identifier}")
        if kind == "mfeoperationsstatus":
            status, headers, body = answer(found.shown())
            return status, [*headers, self.state.patience()], body
        if found.status == "InProgress":
            return 202, [self.state.patience()], b""
        if found.error is not None:
            raise found.error
        return 200, [], b""

    def _check_bearer(self, service: str, request: Request) -> None:
        code = "AuthenticationFailed" if request.headers.get("authorization") is None else "InvalidAuthenticationToken"
        challenge = [("WWW-Authenticate", 'Bearer authorization_uri="https://login.microsoftonline.com/common"')]
        self.state.world.tokens.check(
            request.headers.get("authorization", ""),
            service,
            lambda said: Refused(code, said, 401, {"headers": challenge}),
        )
