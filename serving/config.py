"""The settings of one server process, read from a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from trivet.core.document import Document
from trivet.core.records import Mode
from trivet.core.specs import NAME

LogLevel = Literal["debug", "info", "warning", "error"]
Front = Literal["v2", "v1", "sagemaker", "vertex", "azure"]
SEGMENT = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
ROUTE = r"^/[A-Za-z0-9_.:/-]*$"


class ModelConfig(Document):
    """One model, under the name and the version that stand in the routes."""

    name: str = Field(pattern=SEGMENT, description="As it stands in the routes.")
    version: str = Field(pattern=SEGMENT, description="As it stands in the routes and in the records.")
    package: Path = Field(description="Folder of the model package.")
    digest: str | None = Field(default=None, description="Digest that the package must have; none takes any.")


class VertexRoutes(Document):
    """Routes that Vertex AI gives a container."""

    health: str = Field(default="/health", pattern=ROUTE, description="GET: whether it is ready.")
    predict: str = Field(default="/predict", pattern=ROUTE, description="POST: decides on `instances`.")


class TraceSettings(Document):
    """Where traces go, and how many."""

    endpoint: str = Field(pattern=r"^https?://", description="OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces.")
    sample: float = Field(default=1.0, ge=0, le=1, description="Share of traces that begin here.")


class AdminSettings(Document):
    """The admin plane: loads and unloads models. It listens apart from the data plane and asks for a token."""

    socket: Path | None = Field(default=None, description="Unix socket to listen on.")
    port: int | None = Field(default=None, ge=0, le=65535, description="Loopback port to listen on.")
    token_file: Path = Field(description="File whose one line is the token.")
    repository: Path = Field(description="Folder of packages: <repository>/<model>/<version>/.")

    @model_validator(mode="after")
    def _one_way_to_listen(self) -> Self:
        if (self.port is None) == (self.socket is None):
            raise ValueError("give either a socket or a port")
        return self


class ServerConfig(Document):
    """The models on one endpoint, and the bounds within which they are served."""

    models: tuple[ModelConfig, ...] = Field(default=(), description="Each is required: without it, not ready.")
    endpoint: str = Field(pattern=NAME, description="Its name in records and traces.")
    public_key: str | None = Field(default=None, description="PEM; with it, packages must be signed by its owner.")
    signed: bool = Field(default=False, description="Refuse to start without a public key.")
    records: str | None = Field(
        default=None, min_length=1, description="Folder of the records, or `s3://`, `gs://`, `az://`; none writes none."
    )
    records_mode: Mode = Field(default="complete", description="Withhold what cannot be recorded, or drop the record.")
    segment_bytes: int = Field(
        default=64 << 20, ge=1, description="A segment of records ends at this size; an object at 1 MiB."
    )
    host: str = Field(default="127.0.0.1", description="Address to bind.")
    port: int | None = Field(default=None, ge=0, le=65535, description="Port to bind; 0 takes a free one.")
    fd: int | None = Field(default=None, ge=0, description="An inherited TCP or Unix socket that listens already.")
    ready_fd: int | None = Field(
        default=None, ge=0, description="A pipe that is told `ready DIGEST` or `failed SENTENCE`, and closed."
    )
    drain_seconds: float = Field(default=2.0, ge=0, description="How long a leaving server serves on, not ready.")
    grace_seconds: float = Field(default=25.0, ge=0, description="How long a leaving server finishes its requests.")
    max_concurrency: int = Field(default=4, ge=1, description="Requests at work at a time.")
    max_queue: int = Field(default=256, ge=0, description="Requests that may wait for those at work.")
    deadline_seconds: float = Field(default=10.0, gt=0, description="From a request's first byte to its answer.")
    idle_seconds: float = Field(default=75.0, gt=0, description="How long a connection may stay without a request.")
    max_body_bytes: int = Field(default=6 << 20, ge=1, description="Of a body, decompressed.")
    max_rows: int = Field(default=10_000, ge=1, description="Rows of a request: what is said of them takes memory too.")
    log_level: LogLevel = Field(default="info", description="What is less than that stays out of the log.")
    fronts: tuple[Front, ...] = Field(
        default=("v2", "v1", "sagemaker", "vertex", "azure"), min_length=1, description="Protocols that are answered."
    )
    batch: bool = Field(
        default=False, description="SageMaker's `/invocations` answers each line by itself, also one that is wrong."
    )
    batch_seconds: float | None = Field(
        default=None, gt=0, description="After so long a batch gets no more answers, which ends its job; none: no end."
    )
    vertex: VertexRoutes = Field(default=VertexRoutes(), description="Its routes; no other front may have them.")
    docs: bool = Field(default=True, description="Serve the page to try it, at /docs.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes that share the socket.")
    traces: TraceSettings | None = Field(default=None, description="OpenTelemetry traces; none sends none.")
    admin: AdminSettings | None = Field(
        default=None, description="The admin plane, by a socket or a port; none has none."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.port is None) == (self.fd is None):
            raise ValueError("give either port or fd")
        if self.signed and self.public_key is None:
            raise ValueError("signed asks for a public_key")
        names = [model.name for model in self.models]
        if len(set(names)) != len(names):
            raise ValueError("each model is named once")
        return self
