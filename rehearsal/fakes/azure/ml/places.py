"""Where data lies: the URIs of Azure ML as places in Blob Storage, and these as files of a container."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from trivet.rehearsal.fakes.azure.ml.state import ARTIFACTSTORE, Ml, Workspace, find_resource
from trivet.rehearsal.fakes.azure.names import BLOB, left_out
from trivet.rehearsal.fakes.azure.refusals import invalid
from trivet.rehearsal.fakes.azure.storage.state import Blob
from trivet.rehearsal.fakes.refusing import Refused

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.azure.storage.state import Storage

_DATASTORE = re.compile(r"azureml:/+(?:subscriptions/.*?/workspaces/[^/]+/)?datastores/([^/]+)/paths/?(.*)")
_OF_JOB = re.compile(r"azureml:/+(?:subscriptions/.*?/workspaces/[^/]+/)?jobs/([^/]+)/outputs/([^/]+)(?:/paths)?/?(.*)")
_RUN = re.compile(r"runs:/([^/]+)/?(.*)")


class Place(NamedTuple):
    """A container of an account, and a path in it: of a blob, or of all that begin with it and a slash."""

    account: str
    container: str
    path: str

    def blobs(self, storage: Storage) -> list[Blob]:
        """What is there: the one blob, or those below."""
        path = self.path.rstrip("/")
        found = storage.under(self.account, self.container, path)
        one = [blob for blob in found if blob.name == path]
        return one or [blob for blob in found if not path or blob.name.startswith(f"{path}/")]

    def is_file(self, storage: Storage) -> bool:
        """Whether it is one blob."""
        return [blob.name for blob in self.blobs(storage)] == [self.path]

    def put(self, storage: Storage, name: str, data: bytes) -> None:
        """Write a file below it, unless the container is gone."""
        try:
            storage.put(self.account, self.container, f"{self.path.rstrip('/')}/{name}", data)
        except Refused:
            return

    def fill(self, storage: Storage, folder: Path) -> None:
        """Lay all that is below it down in a folder, or the one blob by its name."""
        path = self.path.rstrip("/")
        for blob in self.blobs(storage):
            inner = blob.name.rpartition("/")[2] if blob.name == path else blob.name[len(path) :].lstrip("/")
            parts = inner.split("/")
            if any(part in ("", ".", "..") for part in parts):
                continue
            to = folder.joinpath(*parts)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(blob.data)

    def take(self, storage: Storage, folder: Path) -> None:
        """Store every file of a folder below it."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self.put(storage, path.relative_to(folder).as_posix(), path.read_bytes())


def place_of(ml: Ml, workspace: Workspace, uri: str) -> Place:
    """The place of a URI.

    :raises Refused: for one that names nothing here.
    """
    if found := _DATASTORE.fullmatch(uri):
        return of_datastore(workspace, found[1], found[2])
    if found := _OF_JOB.fullmatch(uri):
        return _below(_output(workspace, found[1], found[2]), found[3])
    if found := _RUN.fullmatch(uri):
        return _below(artifacts(workspace, found[1]), found[2])
    parts = urlsplit(uri)
    if parts.scheme == "https" and (parts.hostname or "").endswith(f".{BLOB}"):
        container, _, path = unquote(parts.path).lstrip("/").partition("/")
        return Place((parts.hostname or "").removesuffix(f".{BLOB}"), container, path)
    if resource := find_resource(ml, uri.removeprefix("azureml:"), "data|models"):
        return place_of(ml, workspace, resource.properties.get("dataUri") or resource.properties["modelUri"])
    raise left_out(f"data at {uri}")


def resolved(workspace: Workspace, uri: str) -> str:
    """A URI as an asset keeps it: one of a job's output says in which datastore that lies."""
    found = _OF_JOB.fullmatch(uri)
    job = workspace.jobs.get(found[1]) if found else None
    if found is None or job is None or found[2] not in job.outputs:
        return uri
    base = job.shown["outputs"][found[2]]["uri"].removeprefix("azureml://")
    whole = workspace.resource.id.replace("/providers/Microsoft.MachineLearningServices", "")
    return f"azureml:/{whole}/{base.rstrip('/')}/{found[3]}".rstrip("/")


def of_datastore(workspace: Workspace, name: str, path: str) -> Place:
    """:raises Refused: where there is no such datastore."""
    store = workspace.datastores.get(name)
    if store is None:
        raise Refused("UserError", f"Could not find datastore {name} in workspace {workspace.resource.name}.", 404)
    return Place(store.properties["accountName"], store.properties["containerName"], path.rstrip("/"))


def artifacts(workspace: Workspace, job: str) -> Place:
    """Where a job's logs and its folder ``outputs`` go."""
    return of_datastore(workspace, ARTIFACTSTORE, f"ExperimentRun/dcid.{job}")


def _output(workspace: Workspace, job: str, output: str) -> Place:
    found = workspace.jobs.get(job)
    if found is None:
        raise invalid(f"There is no job {job} in this workspace.")
    if output == "artifacts":
        return artifacts(workspace, job)
    if output not in found.outputs:
        raise invalid(f"Job {job} has no output {output}.")
    return found.outputs[output]


def _below(place: Place, path: str) -> Place:
    return place._replace(path="/".join(filter(None, [place.path, path.strip("/")])))
