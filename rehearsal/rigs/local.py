"""One machine as a rig: the stack's folder and outputs, as ``infra/stacks/local`` makes them, but without Pulumi."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from trivet.connect import connect
from trivet.core.files import private_folder, write_atomic
from trivet.core.layout import OUTPUTS_FILE, PROJECT_FILE
from trivet.core.outputs import EndpointShell, EnvironmentName, LocalNative, Outputs, Signing
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.signing import key_id, new_key, public_key
from trivet.platforms.local import tasks
from trivet.platforms.local.jobs import JOBS, stop
from trivet.platforms.local.registry import open_client
from trivet.rehearsal.ports import HOST, free_port
from trivet.rehearsal.rigs import Rig

STACK = "local"
ENDPOINTS = ("first", "second")
FOLDERS = ("store", "records", "registry", "database", "jobs", "keys")


class LocalRig(Rig):
    """A stack in ``folder``, which is the project's root."""

    evidence = "this machine"

    def __init__(
        self,
        folder: Path,
        stack: str = STACK,
        environment: EnvironmentName = "dev",
        *,
        regulated: bool = False,
        registry: bool = False,
    ) -> None:
        """Make the stack's folder.

        :param registry: have the registry's tables there already, which the first verb would make.
        """
        self.root = folder
        self.stack = stack
        self.home = private_folder(folder / ".trivet" / stack)
        for name in FOLDERS:
            private_folder(self.home / name)
        write_atomic(folder / PROJECT_FILE, "name: rehearsal\nruntime: python\n")
        if registry:
            (self.home / "registry" / "registry.db").write_bytes(_empty_registry())
        key = new_key()
        write_atomic(self.home / "keys" / "signing.pem", key)
        outputs = Outputs(
            version=1,
            project="rehearsal",
            stack=stack,
            cloud="local",
            environment=environment,
            region="local",
            regulated=regulated,
            store="file:store",
            models="file:registry",
            records="file:records",
            ledger="file:database",
            metrics="file:database",
            workflows="file:jobs",
            signing=Signing(
                public_key=public_key(key), key_id=key_id(public_key(key)), private_key="file:keys/signing.pem"
            ),
            endpoints={name: self._shell(name) for name in ENDPOINTS},
            native=LocalNative(home=f".trivet/{stack}"),
        )
        write_atomic(self.home / OUTPUTS_FILE, outputs.model_dump_json(indent=2))
        self.platform = self.reconnect()

    def reconnect(self) -> Platform:
        return connect(self.stack, root=self.root)

    def force_job_state(self, ref: JobRef, word: str) -> None:
        path = self.home / "jobs" / JOBS / ref.id / tasks.STATE
        write_atomic(path, tasks.TaskState.read(path).model_copy(update={"state": word}).canonical())

    def move(self, folder: Path) -> None:
        """Rename the project's folder, as somebody moves a checkout, and connect again."""
        self.root.rename(folder)
        self.root, self.home = folder, folder / self.home.relative_to(self.root)
        self.platform = self.reconnect()

    def close(self) -> None:
        for name in ENDPOINTS:
            self.platform.endpoints.delete(name)
        stop(self.home / "jobs")
        self.platform.close()
        beside = {one for home in self.home.parent.iterdir() if home != self.home for one in processes_in(home)}
        if left := [one for one in processes_in(self.root) if one not in beside]:
            raise RuntimeError(f"The rig left processes behind: {', '.join(left)}.")

    def _shell(self, name: str) -> EndpointShell:
        folder = private_folder(self.home / "endpoints" / name)
        folder_of = str(folder.relative_to(self.root))
        return EndpointShell(name=name, host=HOST, port=free_port(), folder=folder_of, most_instances=4)


@cache
def _empty_registry() -> bytes:
    """A registry without a model, made once per process: MLflow makes its tables by dozens of migrations."""
    with TemporaryDirectory() as folder:
        database = Path(folder) / "registry.db"
        open_client(database)
        return database.read_bytes()


def processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder or below it, as ``pid command``."""
    found = []
    for process in psutil.process_iter(["pid", "cwd", "cmdline", "status"]):
        cwd = process.info["cwd"]
        if cwd and Path(cwd).is_relative_to(folder) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(f"{process.pid} {' '.join(process.info['cmdline'] or [])}")
    return found
