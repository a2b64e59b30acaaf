"""Takes away what the runtime made and no stack owns, so that the stack can be destroyed."""

from __future__ import annotations

from trivet.core.outputs import Outputs
from trivet.core.platform import Endpoints
from trivet.core.specs import JobState
from trivet.platforms.gcp.attempts import STATES
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.ensuring import unless_gone
from trivet.platforms.gcp.errors import told
from trivet.platforms.gcp.labels import whose
from trivet.platforms.gcp.leftovers import delete


def clear(clients: Clients, outputs: Outputs, endpoints: Endpoints) -> None:
    """Take the models off the endpoints, stop jobs, and delete every model with its versions.

    What was written stays: objects lie in buckets of the stack, logs and metrics end by their own retention.
    """
    for name in outputs.endpoints:
        endpoints.delete(name)
    wanted = whose(outputs.project, outputs.stack)
    with told("Jobs that run"):
        for job in list(clients.pages("aiplatform", f"v1/{clients.parent}/customJobs", "customJobs", filter=wanted)):
            if STATES.get(job["state"]) is JobState.RUNNING and job["state"] != "JOB_STATE_CANCELLING":
                unless_gone(lambda job=job: clients.post("aiplatform", f"v1/{job['name']}:cancel", {}), or_used=True)
    with told("Models"):
        for model in list(clients.pages("aiplatform", f"v1/{clients.parent}/models", "models", filter=wanted)):
            delete(clients, model["name"].partition("@")[0])
