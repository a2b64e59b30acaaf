"""The fake as a page of the documentation: what it is, and what follows from its tables."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.rehearsal.fakes.azure.constraints import TABLE
from trivet.rehearsal.fakes.azure.ml.service import METHODS
from trivet.rehearsal.fakes.azure.ml.workspaces import STORAGE_ACCOUNTS
from trivet.rehearsal.fakes.azure.settings import Settings
from trivet.rehearsal.fakes.azure.storage.service import OPERATIONS as BLOBS
from trivet.rehearsal.fakes.azure.vault.service import OPERATIONS as KEYS
from trivet.rehearsal.fakes.listing import constraints, settings

INTRODUCTION = """\
# The fake of Azure

`trivet.rehearsal.fakes.azure.Fake` starts a service on 127.0.0.1 that answers for Azure's own names. It is the proxy of
whoever has its variables: what a client asks `management.azure.com`, `ACCOUNT.blob.core.windows.net` or any other of
these names for is read and answered there, over TLS, with a certificate of an authority that was made at the start and
that only these clients trust. So Microsoft's SDKs and obstore run as they are, with no address of their own to set. Any
other name is refused, and seen in the list of calls. It dies with the process that started it, and its containers with
it, also by kill -9.

```python
from azure.ai.ml import MLClient
from azure.identity import ManagedIdentityCredential

from trivet.rehearsal.fakes.azure import Fake

images = {"*/training:*": ["python"], "*/serving:*": ["python", "-m", "trivet.serving", "serve"]}
with Fake(folder, images) as fake:
    os.environ.update(fake.environment)
    client = MLClient(ManagedIdentityCredential(), fake.subscription, fake.group, fake.workspace)
    fake.fault("OnlineDeployments_CreateOrUpdate", code="QuotaExceeded")
```

A resource group, and in it a workspace with its storage account, are there from the beginning; others are made by
`PUT`, and a vault is there once it is asked. Everybody who has a token that was given here may do everything: tokens
come from Entra ID's address (by a secret or a federated token) or from a machine's identity, end, and are good for one
resource only. Storage accounts take tokens, and signatures that the fake itself gave; their keys are switched off.

Of Azure ML the routes and bodies are those of azure-ai-ml, whatever version of the interface a request names: a body is
held member by member to the SDK's own model, which its deserialiser does not do. What takes time in Azure is an
asynchronous operation here, with its state where `Azure-AsyncOperation` says. An image's URI stands for a command; the
first pattern that fits counts, and an image that none fits was never pushed. An entry may also be an object with the
members `argv` and `env`, the environment that its Dockerfile would set.

Containers really run. A job's command takes the place of its image's entry point, in a shell, in a folder that has its
code; it finds programs by the `PATH` of its image's `env`. Inputs are copied before it and outputs after it,
`${{inputs.x}}` and `${{outputs.x}}` are their places in the command, and what it prints is in `user_logs/std_log.txt`.
A server finds its model where the kernel allows it (`Fake.mode` says `namespaces`) at
`/var/azureml-app/azureml-models/NAME/VERSION`, read-only; else (`variables`) only `AZUREML_MODEL_DIR` says where. It
listens where `TRIVET_HOST` and `TRIVET_PORT` say, whatever port its environment names, is probed as its deployment
says, at a part of the times, and is started again when it ends.

`Fake` also injects errors (throttled, denied, over a quota, unavailable), lost and cut connections and delays, and
lists every call with service, operation and resource.

What it proves: shapes, contracts, error paths, what a job and a server do. What it does not: roles (whoever has a token
may do everything), quotas, prices, timing, networks, encryption. One process serves all instances; a job has one. Left
out, and refused in one sentence: distributed jobs, pipelines, sweeps and schedules, scoring scripts, Kubernetes, batch
endpoints, registries, data in anything but Blob Storage, datastores with secrets, append and page blobs, leases,
versions and tags of blobs, account keys and signatures by clients, keys that encrypt, Log Analytics. Where no message
of Azure's is known, the wording is ours.
"""


def page() -> str:
    """What it is, operations, constraints and settings, in Markdown."""
    return "\n".join([INTRODUCTION, *_operations(), *constraints(TABLE), *settings(Settings)])


def _operations() -> Iterator[str]:
    yield "## What is answered\n"
    managed = sorted([*METHODS, *STORAGE_ACCOUNTS.values(), "Metrics_List"])
    yield f"Of Azure Resource Manager {len(managed)} operations: {_named(managed)}; and the states of operations.\n"
    yield f"Of Blob Storage {len(BLOBS)}: {_named(sorted(BLOBS))}.\n"
    yield f"Of Key Vault {len(KEYS)}: {_named(sorted(KEYS))}.\n"
    yield (
        "Of Azure Monitor custom metrics as they are sent; of Azure ML's own addresses scoring, the discovery of its"
        " services, and run history as far as the SDK follows a job by it. All others are refused with"
        " `NotImplemented`.\n"
    )


def _named(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
