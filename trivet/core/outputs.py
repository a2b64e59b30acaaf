"""What a stack gives: the one Pulumi output named ``trivet``, checked where it is written and where it is read.

Locations are URLs. On ``local`` they are folders relative (``file:store``) to ``native.home``, itself relative to the
project root, so that a checkout may move; ``models``, ``metrics`` and ``ledger`` hold ``registry.db``, ``metrics.db``
and ``ledger.db``, and ``workflows`` holds ``jobs/`` and ``workflows/``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trivet.core.document import Document

CloudName = Literal["local", "aws", "gcp", "azure"]
EnvironmentName = Literal["dev", "staging", "prod"]

OUTPUT = "trivet"


class EndpointShell(Document):
    """An endpoint before any model: where it will answer."""

    name: str
    host: str
    port: int = Field(ge=1, le=65535)
    folder: str = Field(description="Relative to the project root on `local`.")


class Signing(Document):
    """The key with which this stack signs model packages."""

    public_key: str
    key_id: str
    private_key: str = Field(description="URL of the private key; never the key itself.")


class LocalNative(Document):
    """What only ``local`` has."""

    cloud: Literal["local"] = "local"
    home: str


class Outputs(Document):
    """The outputs of one stack. No defaults, no secrets."""

    version: Literal[1]
    project: str
    stack: str
    cloud: CloudName
    environment: EnvironmentName
    region: str
    regulated: bool
    store: str
    models: str
    records: str
    ledger: str
    metrics: str
    workflows: str
    signing: Signing
    endpoints: dict[str, EndpointShell]
    native: LocalNative
