"""The fake as a page of the documentation: what it is, and what follows from its tables."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.rehearsal.fakes.gcp import project
from trivet.rehearsal.fakes.gcp.constraints import TABLE, Constraints
from trivet.rehearsal.fakes.gcp.iam import Iam
from trivet.rehearsal.fakes.gcp.kms import Kms
from trivet.rehearsal.fakes.gcp.monitoring import Monitoring
from trivet.rehearsal.fakes.gcp.rights import Rights
from trivet.rehearsal.fakes.gcp.settings import Settings
from trivet.rehearsal.fakes.gcp.storage.jsonapi import METHODS as STORAGE
from trivet.rehearsal.fakes.gcp.vertex.predict import METHODS as PREDICTION
from trivet.rehearsal.fakes.gcp.vertex.service import METHODS as VERTEX
from trivet.rehearsal.fakes.images import Images
from trivet.rehearsal.fakes.listing import constraints, settings

INTRODUCTION = """\
# The fake of Google Cloud

`trivet.rehearsal.fakes.gcp.Fake` starts a service on 127.0.0.1 that google-cloud-storage and obstore find by their
variables, and google-cloud-aiplatform by its address. It dies with the process that started it, and its containers with
it, also by kill -9.

```python
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

from trivet.rehearsal.fakes.gcp import Fake

images = {"*/training:*": ["python", "/path/to/job.py"], "*/serving:*": ["python", "-m", "trivet.serving", "serve"]}
with Fake(folder, images) as fake:
    os.environ.update(fake.environment)
    aiplatform.init(
        project=fake.project,
        location=fake.location,
        credentials=AnonymousCredentials(),
        api_transport="rest",
        api_endpoint=fake.endpoint,
    )
    fake.fault("DeployModel", kind="lost")  # it is done, and the connection ends without an answer
```

Cloud Storage answers by its JSON API and its XML API over the same buckets, which are kept in the memory. Vertex AI is
asked over REST: its routes are those of the SDK's own transports, a body is parsed into the SDK's message without
passing over what that does not know, and held to what the message's docstrings say is required, or only the service's
to say. An image's URI stands for a command; the first pattern that fits counts, and an image that none fits was never
pushed. An entry may also be an object with the members `argv` and `env`, the environment that its Dockerfile would set.

Containers really run. Where the kernel allows it (`Fake.mode` says `namespaces`) a job has the project's buckets at
`/gcs` and process numbers of its own; else (`variables`) the folder is in `TRIVET_GCS`. Buckets are copied into it
before the job and back after it, so neither sees meanwhile what the other writes; obstore in a job writes at once. A
job gets `AIP_MODEL_DIR` and its like, is tried again after exit codes that Vertex AI takes for transient, and
`Fake.interrupt` takes its machine away. A server gets the variables of Vertex AI's contract, a copy of its artifacts
that was made when the model was uploaded, and a free port in `AIP_HTTP_PORT`, whatever its model says; it listens where
`TRIVET_HOST` says. What both print is in Cloud Logging, whose `entries.list` takes filters of terms that must all hold.
`Fake.force` shows a job in any state.

Cloud KMS makes keys that sign for real. Cloud Monitoring keeps time series by its rules; it evaluates no condition, so
`Fake.alert` says when an alert of an alert policy opens and closes. Whoever looks for credentials in the environment
finds a user with a token, and the addresses of these services where gcloud looks for them.

`Fake` also injects errors (throttled, denied, unavailable), lost and cut connections and delays, and lists every call
with service, operation and resource.

What it proves: shapes, contracts, error paths, what a job and a server do. What it does not: permissions (every call is
allowed, and no token is looked at), quotas, prices, timing, encryption, gRPC. One process serves all replicas; a job
has one. Left out, and refused in one sentence: Python packages as jobs, private and dedicated endpoints, batch
prediction, pipelines, model monitoring, metadata, IAM and access lists of buckets, batches of Cloud Storage. Objects
with `Content-Encoding: gzip` come as they are, where the service may unpack them. Where no message of Google's is
known, the wording is ours.
"""


def page() -> str:
    """What it is, methods, constraints and settings, in Markdown."""
    return "\n".join([INTRODUCTION, *_methods(), *constraints(TABLE), *settings(Settings)])


def _methods() -> Iterator[str]:
    yield "## What is answered\n"
    vertex = sorted([*VERTEX, *PREDICTION, "GetOperation"])
    yield f"Of Vertex AI {len(vertex)} methods: {_named(vertex)}. Of Cloud Logging `entries.list`.\n"
    constraints, rights = Constraints(), Rights()
    every = (
        ("Cloud KMS", Kms(constraints, rights).api()),
        ("Cloud Monitoring", Monitoring(constraints).api()),
        ("IAM", Iam(constraints, rights).api()),
        ("the Cloud Resource Manager", project.permissions(constraints, rights)),
        ("Service Usage", project.services(constraints, rights)),
        ("Cloud Quotas", project.quotas(constraints, Settings())),
        ("Artifact Registry", project.images(constraints, Images({}))),
    )
    for title, api in every:
        yield f"Of {title} {_named(sorted(one.name for one in api.methods))}.\n"
    storage = sorted(STORAGE)
    yield f"Of Cloud Storage's JSON API {len(storage)}: {_named(storage)}.\n"
    yield (
        "Of its XML API objects (put, get, head, delete, copy), lists, and uploads resumable or in parts. All others"
        " are refused with `UNIMPLEMENTED`.\n"
    )


def _named(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
