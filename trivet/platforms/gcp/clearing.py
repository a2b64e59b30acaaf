"""Takes away what the runtime made and no stack owns, so that the stack can be destroyed."""

from __future__ import annotations

from contextlib import suppress

from trivet.core.errors import NotFound
from trivet.core.outputs import Outputs
from trivet.core.platform import Endpoints
from trivet.platforms.gcp.attempts import cancel, runs
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.errors import told
from trivet.platforms.gcp.labels import whose
from trivet.platforms.gcp.leftovers import delete


def clear(clients: Clients, outputs: Outputs, endpoints: Endpoints) -> None:
    """Take the models off the endpoints, stop jobs, and delete every model with its versions.

    What was written stays: objects lie in buckets of the stack, logs and metrics end by their own retention. What a
    destroy that ended half-way has taken already, such as an endpoint, is nothing to clear.
    """
    for name in outputs.endpoints:
        with suppress(NotFound):
            endpoints.delete(name)
    wanted = whose(outputs.project, outputs.stack)
    with told("Jobs that run"):
        for job in list(clients.pages("aiplatform", f"v1/{clients.parent}/customJobs", "customJobs", filter=wanted)):
            if runs(job):
                cancel(clients, job["name"])
    with told("Models"):
        for model in list(clients.pages("aiplatform", f"v1/{clients.parent}/models", "models", filter=wanted)):
            delete(clients, model["name"].partition("@")[0])
