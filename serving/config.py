"""The settings of one server process, read from a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from trivet.core.document import Document
from trivet.core.records import Mode
from trivet.core.specs import NAME

LogLevel = Literal["debug", "info", "warning", "error"]
SEGMENT = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class ServerConfig(Document):
    """One model on one endpoint, and the bounds within which it is served."""

    package: Path = Field(description="Folder of the model package.")
    model: str = Field(pattern=SEGMENT, description="Name of the model, as it stands in the routes.")
    version: str = Field(pattern=SEGMENT)
    endpoint: str = Field(pattern=NAME)
    public_key: str | None = Field(default=None, description="PEM; with it, the package must be signed by its owner.")
    records: Path | None = Field(default=None, description="Folder of the records; none writes none.")
    records_mode: Mode = "complete"
    segment_bytes: int = Field(default=64 << 20, ge=1, description="A segment of records ends at this size.")
    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535, description="Port to bind; 0 takes a free one.")
    fd: int | None = Field(default=None, ge=0, description="An inherited socket that listens already.")
    ready_fd: int | None = Field(
        default=None, ge=0, description="A pipe that is told `ready DIGEST` or `failed SENTENCE`, and closed."
    )
    drain_seconds: float = Field(default=2.0, ge=0, description="How long a leaving server serves on, not ready.")
    max_concurrency: int = Field(default=4, ge=1, description="Requests at work at a time.")
    max_queue: int = Field(default=256, ge=0, description="Requests that may wait for those at work.")
    deadline_seconds: float = Field(default=10.0, gt=0)
    max_body_bytes: int = Field(default=6 << 20, ge=1)
    log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _one_way_to_listen(self) -> Self:
        if (self.port is None) == (self.fd is None):
            raise ValueError("give either port or fd")
        return self
