"""A request to an online endpoint, on its way to a container and back."""

from __future__ import annotations

import http.client
import threading
import time
from urllib.parse import urlencode

from trivet.rehearsal.fakes.azure.ml.endpoints import Deployment, Endpoint
from trivet.rehearsal.fakes.azure.ml.state import Ml
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.served import Reply
from trivet.rehearsal.fakes.server import Request

DEPLOYMENT = "azureml-model-deployment"
_LONGEST = 3600.0  # seconds, where answers may take as long as they want
# What a proxy keeps to itself; RFC 9110, 7.6.1, and what says who asks and whom.
_KEPT = {"host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "authorization"}
_KEPT |= {DEPLOYMENT, "accept-encoding"}


def score(ml: Ml, request: Request) -> Answer:
    """Have a container answer.

    :raises Refused: as the endpoint does, where no container answered well.
    """
    with ml.lock:
        endpoint = _endpoint(ml, request.host)
        _check_caller(ml, endpoint, request)
        named = request.headers.get(DEPLOYMENT)
        deployment = endpoint.deployments.get(named) if named else endpoint.choose()
        if deployment is None:
            raise Refused("NotFound", f"Endpoint {endpoint.resource.name} has no deployment {named}.", 404)
        mirror = None if named else endpoint.mirror()
    if mirror is not None:
        threading.Thread(target=_mirrored, args=(ml, mirror, request), name="mirror", daemon=True).start()
    reply = _asked(ml, deployment, request)
    headers = [(DEPLOYMENT, deployment.name)]
    if "content-type" in reply.headers:
        headers.append(("Content-Type", reply.headers["content-type"]))
    if 200 <= reply.status < 300:
        return reply.status, headers, reply.body
    reason = http.client.responses.get(reply.status, "")
    headers += [("ms-azureml-model-error-statuscode", str(reply.status)), ("ms-azureml-model-error-reason", reason)]
    return 424, headers, reply.body


def _endpoint(ml: Ml, host: str) -> Endpoint:
    name, _, region = host.partition(".")
    for workspace in ml.workspaces.values():
        if region.startswith(f"{workspace.location}.") and name in workspace.endpoints:
            return workspace.endpoints[name]
    raise Refused("NotFound", f"There is no endpoint at {host}.", 404)


def _check_caller(ml: Ml, endpoint: Endpoint, request: Request) -> None:
    given = request.headers.get("authorization", "")
    mode, key = endpoint.shown["authMode"].lower(), given.removeprefix("Bearer ")
    denied = Refused("Unauthorized", "The key or token is missing, wrong or over.", 401)
    if mode == "aadtoken":
        ml.world.tokens.check(given, "scoring", lambda said: Refused("Unauthorized", said, 401))
        return
    known = key in endpoint.keys.values() if mode == "key" else endpoint.tokens.get(key, 0) > time.time()
    ml.world.constraints.demand("scoring-key", known, denied)


def _asked(ml: Ml, deployment: Deployment, request: Request) -> Reply:
    server = deployment.server
    if server is None or not server.ready:
        raise Refused("ServiceUnavailable", f"Deployment {deployment.name} has no instance that is ready.", 503)
    if not server.enter():
        said = f"Deployment {deployment.name} has more requests than its instances take: try again later."
        raise Refused("TooManyRequests", said, 429)
    passed = {key: value for key, value in request.headers.items() if key not in _KEPT}
    path = server.route("scoringRoute") if request.path == "/score" else request.path
    path += f"?{urlencode(request.query, doseq=True)}" if request.query else ""
    seconds = server.request_seconds if ml.world.constraints.holds("request-timeout") else _LONGEST
    try:
        return server.ask(request.method, path, passed, request.body, seconds)
    except TimeoutError as error:
        raise Refused("RequestTimeout", f"The model did not answer within {seconds:g} s.", 408) from error
    except (OSError, http.client.HTTPException) as error:
        raise Refused("BadGateway", "The container ended before it had answered.", 502) from error
    finally:
        server.leave()


def _mirrored(ml: Ml, deployment: Deployment, request: Request) -> None:
    """Whatever it answers is nobody's."""
    try:
        _asked(ml, deployment, request)
    except Refused:
        return
