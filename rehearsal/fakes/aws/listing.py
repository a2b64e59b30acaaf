"""The fake as a page of the documentation: what it is, and what follows from its tables."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.rehearsal.fakes.aws.constraints import TABLE
from trivet.rehearsal.fakes.aws.sagemaker import OPERATIONS
from trivet.rehearsal.fakes.aws.settings import Settings
from trivet.rehearsal.fakes.listing import constraints, settings

INTRODUCTION = """\
# The fake of AWS

`trivet.rehearsal.fakes.aws.Fake` starts a service on 127.0.0.1 that boto3 and obstore talk to by `AWS_ENDPOINT_URL`.
It dies with the process that started it, and its containers with it, also by kill -9.

```python
from trivet.rehearsal.fakes.aws import Fake

images = {"*:training-*": ["python", "/path/to/job.py"], "*:serving-*": ["python", "-m", "trivet.serving"]}
with Fake(folder, images) as fake:
    os.environ.update(fake.environment)
    fake.fault("CreateEndpoint", kind="lost")  # it is done, and the connection ends without an answer
```

moto answers for every service but SageMaker. There, requests are held against botocore's own service model, with
enumerations, patterns, lengths and bounds, and against the constraints below. An image's URI stands for a command; the
first pattern that fits counts, and an image that none fits was never pushed. An entry may also be an object with the
members `argv` and `env`, the environment that its Dockerfile would set.

Containers really run. Where the kernel allows it (`Fake.mode` says `namespaces`) each has its own `/opt/ml` and its own
process numbers; else (`variables`) the folder is in `TRIVET_ML` for a job and its model in `TRIVET_MODEL` for a server.
The command gets `train` or `serve`, the files and variables of SageMaker's contract, and keys by which its calls are
known later as its role's. Its output is in CloudWatch Logs. A server listens where `TRIVET_HOST` and
`SAGEMAKER_BIND_TO_PORT` say.

`Fake` also injects errors (throttling, denied, expired), lost and cut connections and delays; lets Describe lag behind
writes; interrupts spot jobs; sets a status by decree; and lists every call with service, operation, resource and the
role that made it.

What it proves: shapes, contracts, error paths, what a job and a server do. What it does not: permissions (every call is
allowed), quotas, prices, timing, network isolation, encryption at rest. One process serves all instances of a variant;
a training job has one instance; inference pipelines, multi-model endpoints, inference components and
response streams are refused or moto's; data capture is taken and captures nothing. Where no
message of AWS's is known, the wording is ours.
"""


def page() -> str:
    """What it is, operations, constraints and settings, in Markdown."""
    return "\n".join([INTRODUCTION, *_operations(), *constraints(TABLE), *settings(Settings)])


def _operations() -> Iterator[str]:
    names = sorted([*OPERATIONS, "InvokeEndpoint", "InvokeEndpointAsync"])
    yield f"## The {len(names)} operations of SageMaker that are answered here\n"
    yield f"{', '.join(f'`{name}`' for name in names)}. All others are validated, too, and then moto's.\n"
