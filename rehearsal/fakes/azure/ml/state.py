"""What Azure ML holds: workspaces with all that is in them, and the operations that take time."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from trivet.rehearsal.fakes.azure.ml.routes import PROVIDER, Call
from trivet.rehearsal.fakes.azure.names import ACCOUNT, ARM, CLIENT, GROUP, LOCATION, SUBSCRIPTION, VAULT, WORKSPACE
from trivet.rehearsal.fakes.azure.names import resource_id as id_of
from trivet.rehearsal.fakes.azure.refusals import JSON, invalid, missing
from trivet.rehearsal.fakes.refusing import Answer, Refused

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.azure.world import World

BLOBSTORE, ARTIFACTSTORE = "workspaceblobstore", "workspaceartifactstore"
_ASYNC = "Azure-AsyncOperation"
_ENDED = ("Succeeded", "Failed", "Canceled")


def now() -> str:
    """The present, as ARM writes times."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Resource:
    """One resource of ARM: what is shown of it, and its life."""

    id: str
    kind: str
    properties: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)
    """Members beside the properties: location, tags, kind, identity, sku."""
    created: str = field(default_factory=now)
    modified: str = field(default_factory=now)

    @property
    def name(self) -> str:
        """The last part of its id."""
        return self.id.rpartition("/")[2]

    def shown(self) -> dict[str, Any]:
        """As it is answered; a copy."""
        system = {"createdAt": self.created, "createdBy": CLIENT, "createdByType": "Application"}
        system |= {"lastModifiedAt": self.modified, "lastModifiedBy": CLIENT, "lastModifiedByType": "Application"}
        whole = {"id": self.id, "name": self.name, "type": f"Microsoft.MachineLearningServices/{self.kind}"}
        whole |= {**self.more, "properties": self.properties, "systemData": system}
        return json.loads(json.dumps(whole))

    def touch(self) -> None:
        """It was changed now."""
        self.modified = now()


@dataclass
class Workspace:
    """One workspace and what is in it; assets by family and name, then by version."""

    resource: Resource
    account: str
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))
    datastores: dict[str, Resource] = field(default_factory=dict)
    computes: dict[str, Resource] = field(default_factory=dict)
    containers: dict[tuple[str, str], Resource] = field(default_factory=dict)
    versions: dict[tuple[str, str], dict[str, Resource]] = field(default_factory=dict)
    jobs: dict[str, Any] = field(default_factory=dict)
    endpoints: dict[str, Any] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """The region."""
        return self.resource.more["location"]


class Operation:
    """Something that takes time; ``error`` is what ARM would say of it."""

    def __init__(self, resource: str) -> None:
        self.id = str(uuid.uuid4())
        self.resource = resource
        self.status = "InProgress"
        self.error: Refused | None = None
        self.begun, self.ended = now(), ""

    def shown(self) -> dict[str, Any]:
        """As its address answers."""
        content: dict[str, Any] = {"id": self.id, "name": self.id, "status": self.status, "startTime": self.begun}
        content |= {"endTime": self.ended, "percentComplete": 100} if self.ended else {}
        if self.error is not None:
            content["error"] = {"code": self.error.code, "message": self.error.message}
        return content


class Ml:
    """Everything of a fake. Whoever reads and then writes holds ``lock`` meanwhile."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.RLock()
        self.closed = threading.Event()
        self.workspaces: dict[str, Workspace] = {}
        self.deleted: dict[str, Workspace] = {}
        self.operations: dict[str, Operation] = {}
        self.metrics: list[dict[str, Any]] = []
        add_workspace(self, WORKSPACE, GROUP, ACCOUNT, {"location": LOCATION}, {})

    def workspace(self, call: Call) -> Workspace:
        """The one that a request is about.

        :raises Refused: for one that there is not, and for a subscription that is not the caller's.
        """
        check_subscription(call)
        name, group = call.fields["workspace_name"], call.fields["resource_group_name"]
        found = self.workspaces.get(name)
        if found is None or f"/resourcegroups/{group}/".lower() not in found.resource.id.lower():
            raise missing(f"Microsoft.MachineLearningServices/workspaces/{name}' under resource group '{group}")
        return found

    def begin(
        self, resource: str, work: Callable[[], None], fail: Callable[[Refused], None] = lambda _error: None
    ) -> Operation:
        """Begin what takes time: ``work`` does it, or raises ``Refused``, which ``fail`` is then told.

        The operation is done at once where operations are set to take no time, unless ``work`` waits itself.
        """
        operation = Operation(resource)
        with self.lock:
            self.operations[operation.id] = operation
        arguments = (operation, work, fail)
        threading.Thread(target=self._run, args=arguments, name=f"operation {operation.id}", daemon=True).start()
        return operation

    def accepted(self, operation: Operation, location: str, status: int = 202, body: Any = None) -> Answer:
        """The answer that begins an operation: where its state and its result are."""
        base = f"https://{ARM}/subscriptions/{SUBSCRIPTION}{PROVIDER}locations/{location}"
        version = "?api-version=2025-12-01"
        headers = [
            *JSON,
            (_ASYNC, f"{base}/mfeOperationsStatus/{operation.id}{version}"),
            ("Location", f"{base}/mfeOperationResults/{operation.id}{version}"),
            self.patience(),
        ]
        return status, headers, b"" if body is None else json.dumps(body).encode()

    def patience(self) -> tuple[str, str]:
        """How long clients are told to wait, by a header of Azure's that is in milliseconds."""
        return "x-ms-retry-after-ms", str(int(self.world.settings.poll * 1000))

    def _run(self, operation: Operation, work: Callable[[], None], fail: Callable[[Refused], None]) -> None:
        self.closed.wait(self.world.settings.operation)
        error: Refused | None = None
        try:
            work()
        except Refused as refused:
            error = refused
        except Exception as mistake:
            error = Refused("InternalServerError", f"{type(mistake).__name__}: {mistake}", 500)
            if not self.closed.is_set():
                raise  # a mistake of this fake's
        finally:
            with self.lock:
                if error is not None:
                    fail(error)
                operation.error = error
                operation.status, operation.ended = _ENDED[error is not None], now()


def add_workspace(
    ml: Ml, name: str, group: str, account: str, more: dict[str, Any], given: dict[str, Any]
) -> Workspace:
    """Make a workspace, with the two datastores that each has from the beginning."""
    guid = str(uuid.uuid4())
    usual = {
        "friendlyName": name,
        "storageAccount": id_of("Microsoft.Storage/storageAccounts", account, group),
        "keyVault": id_of("Microsoft.KeyVault/vaults", VAULT, group),
        "applicationInsights": id_of("Microsoft.Insights/components", name, group),
        "publicNetworkAccess": "Enabled",
        **given,
        "workspaceId": guid,
        "provisioningState": "Succeeded",
        "discoveryUrl": f"https://{more['location']}.api.azureml.ms/discovery/workspaces/{guid}",
        "mlFlowTrackingUri": f"azureml://{more['location']}.api.azureml.ms/mlflow/v1.0"
        f"{id_of('Microsoft.MachineLearningServices/workspaces', name, group)}",
    }
    shown = {"kind": "Default", "sku": {"name": "Basic", "tier": "Basic"}, "tags": {}, **more}
    resource = Resource(id_of("Microsoft.MachineLearningServices/workspaces", name, group), "workspaces", usual, shown)
    made = ml.workspaces[name] = Workspace(resource, account, guid)
    ml.world.storage.open(account)
    for store, container in ((BLOBSTORE, f"azureml-blobstore-{guid}"), (ARTIFACTSTORE, "azureml")):
        with ml.world.storage.lock:
            if container not in ml.world.storage.containers(account):
                ml.world.storage.create(account, container, {})
        add_datastore(made, store, account, container, store == BLOBSTORE)
    return made


def add_datastore(workspace: Workspace, name: str, account: str, container: str, usual: bool = False) -> Resource:
    """Name a container of an account, which whoever reads it must be let into by its own identity."""
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": account,
        "containerName": container,
        "endpoint": "core.windows.net",
        "protocol": "https",
        "credentials": {"credentialsType": "None"},
        "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
        "isDefault": usual,
        "description": None,
        "tags": {},
        "properties": {},
    }
    made = Resource(f"{workspace.resource.id}/datastores/{name}", "workspaces/datastores", properties)
    workspace.datastores[name] = made
    return made


def check_subscription(call: Call) -> None:
    """:raises Refused: for one that there is not."""
    given = call.fields.get("subscription_id", SUBSCRIPTION)
    if given.lower() != SUBSCRIPTION:
        raise Refused("SubscriptionNotFound", f"The subscription '{given}' could not be found.", 404)


def answer(content: Any, status: int = 200) -> Answer:
    """JSON, as ARM answers."""
    return status, list(JSON), json.dumps(content).encode() if content is not None else b""


def page(found: Iterable[Resource], call: Call) -> Answer:
    """A list, or a page of it: ``$skip`` is the number to begin at, ``$top`` how many; the newest first.

    :raises Refused: for numbers that are none.
    """
    view = call.query.get("listViewType", "ActiveOnly").lower()
    kept = [one for one in found if view == "all" or bool(one.properties.get("isArchived")) == (view == "archivedonly")]
    begin, top = call.query.get("$skip", "0"), call.query.get("$top") or call.query.get("count") or "30"
    if not (begin.isdecimal() and top.isdecimal() and int(top)):
        raise invalid("$skip is what a page gave, and $top a number of at least 1.")
    end = int(begin) + int(top)
    content: dict[str, Any] = {"value": [one.shown() for one in kept[int(begin) : end]]}
    if end < len(kept) and not call.query.get("$top"):
        kept_query = "".join(f"&{name}={value}" for name, value in call.query.items() if name != "$skip")
        content["nextLink"] = f"https://{ARM}{call.path}?$skip={end}{kept_query}"
    return answer(content)


def find_resource(ml: Ml, arm_id: str, kind: str) -> Resource | None:
    """The resource of an ARM id: a datastore, a compute or an asset's version, as the pattern ``kind`` says."""
    found = re.fullmatch(
        rf".*/workspaces/([^/]+)/({kind})/([^/]+)(?:/versions/([^/]+))?", arm_id.rstrip("/"), re.IGNORECASE
    )
    workspace = ml.workspaces.get(found[1]) if found else None
    if found is None or workspace is None:
        return None
    of, name = found[2].lower(), found[3]
    if of in ("datastores", "computes"):
        return (workspace.datastores if of == "datastores" else workspace.computes).get(name)
    return workspace.versions.get((of, name), {}).get(found[4] or "")
