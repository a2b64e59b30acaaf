"""What a stack gives: the one Pulumi output named ``trivet``, checked where it is written and where it is read.

Locations are URLs. On ``local`` they are folders relative (``file:store``) to ``native.home``, itself relative to the
project root, so that a checkout may move; ``models``, ``metrics`` and ``ledger`` hold ``registry.db``, ``metrics.db``
and ``ledger.db``, and ``workflows`` holds ``jobs/`` and ``workflows/``. ``ledger`` may also name a PostgreSQL database,
and ``ledger`` and ``records`` an object store.
"""

from __future__ import annotations

from typing import ClassVar, Literal

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
    folder: str = Field(description="Relative to the project root on `local`, a URL of the store on a cloud.")
    most_instances: int = Field(ge=1, description="More machines than these are refused to whoever deploys.")


class Signing(Document):
    """The key with which this stack signs model packages."""

    public_key: str
    key_id: str
    private_key: str = Field(description="URL of the private key; never the key itself.")


class LocalNative(Document):
    """What only ``local`` has."""

    schedules: ClassVar[tuple[str, ...]] = ()  # one machine has no clock of its own
    cloud: Literal["local"] = "local"
    home: str


class AwsNative(Document):
    """What only ``aws`` has: ARNs of roles, of the key and of the topic, ids of the network."""

    cloud: Literal["aws"] = "aws"
    account: str = Field(pattern=r"^\d{12}$")
    partition: str
    prefix: str = Field(description="What names of jobs, models and endpoints begin with.")
    trainer_role: str
    server_roles: dict[str, str] = Field(description="By endpoint: of those with a team one each.")
    monitor_role: str
    workflow_role: str
    scheduler_role: str
    deployer_role: str | None = Field(description="None where no repository may deploy.")
    deployer_roles: dict[str, str] = Field(description="By endpoint, of those that a repository of their own deploys.")
    key: str
    images: str | None = Field(description="URL of the repository for images; none where it is off.")
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    alerts: str
    alarms: dict[str, tuple[str, ...]] = Field(description="Names, by endpoint: what a release is rolled back by.")
    schedules: tuple[str, ...] = Field(description="Names; `trivet schedule` says what each runs.")
    tags: dict[str, str] = Field(description="`trivet:tags`: on what the runtime makes as on what the stack has.")
    teams: dict[str, str] = Field(description="Whose an endpoint is, by endpoint; those that name a team.")


class GcpNative(Document):
    """What only ``gcp`` has: e-mail addresses of service accounts, names of the key, the topic and the network."""

    cloud: Literal["gcp"] = "gcp"
    gcp_project: str = Field(description="Id of Google's project, which is none of Pulumi's.")
    prefix: str = Field(description="What names of jobs, models and endpoints begin with.")
    trainer: str
    server: str
    monitor: str
    workflow: str
    scheduler: str
    deployer: str | None = Field(description="None where no repository may deploy.")
    key: str = Field(description="`projects/P/locations/R/keyRings/RING/cryptoKeys/KEY`, of all that is stored.")
    images: str | None = Field(description="`R-docker.pkg.dev/P/REPOSITORY`; none where it is off.")
    attachment: str | None = Field(description="The network attachment of jobs; none where the network is off.")
    network: str | None = Field(description="`projects/P/global/networks/NETWORK`, in which jobs look up `zones`.")
    zones: tuple[str, ...] = Field(description="Private zones of the network that jobs see, each with its last dot.")
    alerts: str = Field(description="`projects/P/topics/TOPIC`.")
    alarms: dict[str, tuple[str, ...]] = Field(
        description="Display names of alert policies, by endpoint: what a release is rolled back by."
    )
    schedules: tuple[str, ...] = Field(description="Names; `trivet schedule` says what each runs.")
    labels: dict[str, str] = Field(description="`trivet:tags` as labels: on what the runtime makes as on the stack.")
    teams: dict[str, str] = Field(description="Whose an endpoint is, by endpoint; those that name a team.")


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
    native: LocalNative | AwsNative | GcpNative = Field(discriminator="cloud")
