"""One stack's state on disk, in the layout of Pulumi's file backend, with a journal that survives kill -9.

``<backend>/.pulumi/stacks/<project>/<stack>.json`` is the state after the last operation. While one runs, each change
is appended to ``<stack>.journal`` beside it, which names the digest of the state that it follows; whoever reads next,
after whatever end, sees both. The state is replaced by a rename and the journal removed after that, so that a journal
with another digest has been folded in already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trivet.core import faults
from trivet.core.errors import ConfigError, IntegrityError, NotFound, Unsupported
from trivet.core.files import Appended, write_atomic
from trivet.core.locks import lock
from trivet.infra.engine.crypt import Vault
from trivet.infra.engine.state import Journal, Operation, Resource, State, verify

VERSION = "3.205.0"
"""The version of Pulumi's command line that this engine stands in for: the last whose event log is a file."""

_DEPLOYMENT = 3

OpenVault = Callable[[str | None], Vault]
"""Gives the vault for the salt that a state names, or the stack's own for ``None``."""


def now() -> str:
    """The time as Pulumi writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Backend:
    """A folder of states, as ``PULUMI_BACKEND_URL=file://…`` names it."""

    def __init__(self, url: str, cwd: Path) -> None:
        scheme, separator, path = url.partition("://")
        if not separator or scheme != "file" or "?" in path:
            raise Unsupported(
                f"The embedded engine keeps state in a folder (file://…), not in {url!r}.",
                "Set PULUMI_BACKEND_URL=file://FOLDER, or use the pulumi CLI.",
            )
        self.root = (cwd / Path(path).expanduser()) / ".pulumi"

    def stack(self, project: str, name: str) -> StateFile:
        """The state file of a stack, whether or not there is one."""
        return StateFile(self.root / "stacks" / project / f"{name}.json", project, name)

    def stacks(self, project: str) -> list[StateFile]:
        """Every stack of a project."""
        return [self.stack(project, path.stem) for path in sorted((self.root / "stacks" / project).glob("*.json"))]

    def create(self, project: str, name: str, vault: Vault) -> StateFile:
        """Begin a stack.

        :raises ConfigError: when there is one of that name.
        """
        file = self.stack(project, name)
        if file.exists:
            raise ConfigError(f"The stack '{name}' already exists.", "Choose another name or select it.")
        if not (self.root / "meta.yaml").exists():
            write_atomic(self.root / "meta.yaml", "version: 1\n")
        file.save(State([], [], vault))
        return file


class StateFile:
    """The state of one stack."""

    def __init__(self, path: Path, project: str, name: str) -> None:
        self.path = path
        self.project = project
        self.name = name
        self._journal = path.with_name(f"{name}.journal")

    @property
    def exists(self) -> bool:
        """Whether the stack was begun."""
        return self.path.exists()

    def require(self) -> None:
        """:raises NotFound: when the stack was not begun."""
        if not self.exists:
            raise NotFound(f"There is no stack named '{self.name}' found in the state backend.", "Make it first.")

    def remove(self) -> None:
        """End the stack: its state is gone."""
        for path in (self.path, self._journal):
            path.unlink(missing_ok=True)

    def locked(self) -> AbstractContextManager[None]:
        """The block's own right to write.

        :raises Locked: naming who has it.
        """
        return lock(self.path.with_name(f"{self.name}.lock"), f"The stack '{self.name}'")

    @contextmanager
    def writing(self, open_vault: OpenVault) -> Iterator[State]:
        """The state, locked, with each change journaled and the file written in the end, however the block ends."""
        with self.locked():
            found = self.load(open_vault)
            self.save(found)
            # Keys of the journal are places in the file.
            state = State([item for _, item in found.ordered()], found.pending.values(), found.vault)
            with closing(Appended(self._journal)) as journal:
                state.journal = self._entering(journal)
                try:
                    yield state
                finally:
                    self.save(state)

    def load(self, open_vault: OpenVault) -> State:
        """The state as the last writer left it, be it by kill -9.

        :raises NotFound: no such stack.
        :raises IntegrityError: for a file that Pulumi would refuse.
        """
        self.require()
        data = self.path.read_bytes()
        try:
            document = json.loads(data)
            deployment = document["checkpoint"].get("latest") or {}
            state = decode(document["version"], deployment, open_vault)
            state.replay(self._entries(_digest(data)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, ConfigError | Unsupported):
                raise
            raise IntegrityError(f"{self.path} is not a state that Pulumi writes.") from error
        verify(resource for _, resource in state.ordered())
        return state

    def save(self, state: State) -> None:
        """Write the state if it differs from the file's, and end the journal."""
        latest = encode(state)
        if latest != self._latest():
            document = {
                "version": _DEPLOYMENT,
                "checkpoint": {
                    "stack": f"organization/{self.project}/{self.name}",
                    "latest": {"manifest": _manifest(), **latest},
                },
            }
            write_atomic(self.path, json.dumps(document, indent=4, ensure_ascii=False) + "\n")
            faults.point("engine.saved")
        self._journal.unlink(missing_ok=True)

    def _latest(self) -> dict[str, Any] | None:
        if not self.exists:
            return None
        latest = json.loads(self.path.read_bytes())["checkpoint"].get("latest") or {}
        return {key: value for key, value in latest.items() if key != "manifest"}

    def packages(self) -> set[str]:
        """The packages that serve what the state holds, without opening its secrets."""
        resources = (self._latest() or {}).get("resources", [])
        types = {item["type"] for item in resources if item["custom"]}
        return {type_.split(":")[0] for type_ in types} - {"pulumi"}

    def updated(self) -> tuple[str, int]:
        """When the file was written, and how many resources it holds."""
        latest = json.loads(self.path.read_bytes())["checkpoint"].get("latest") or {}
        return latest["manifest"]["time"], len(latest.get("resources", []))

    def _entering(self, journal: Appended) -> Journal:
        unsaid = [{"base": _digest(self.path.read_bytes())}]

        def enter(entry: dict[str, Any]) -> Callable[[], None]:
            lines = [*unsaid, entry]
            durable = journal.append(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            unsaid.clear()
            return durable

        return enter

    def _entries(self, base: str) -> list[dict[str, Any]]:
        """The journal of the state with this digest; a last line that a crash cut short was never relied on."""
        if not self._journal.exists():
            return []
        *whole, _torn = self._journal.read_bytes().split(b"\n")
        entries = [json.loads(line) for line in whole]
        return entries[1:] if entries and entries[0]["base"] == base else []


def decode(version: int, deployment: dict[str, Any], open_vault: OpenVault) -> State:
    """A deployment's JSON to a state.

    :raises Unsupported: for another version or secrets provider.
    """
    provider = deployment.get("secrets_providers")
    kind = provider["type"] if provider else "passphrase"
    if version != _DEPLOYMENT or kind != "passphrase":
        raise Unsupported(
            f"The embedded engine reads deployments of version {_DEPLOYMENT} with passphrase secrets; "
            f"this is of version {version} with the secrets provider '{kind}'.",
            "Use the pulumi CLI.",
        )
    vault = open_vault(provider["state"]["salt"] if provider else None)
    return State(
        [Resource.from_json(item, vault) for item in deployment.get("resources") or []],
        [
            Operation(item["type"], Resource.from_json(item["resource"], vault))
            for item in deployment.get("pending_operations") or []
        ],
        vault,
    )


def encode(state: State, *, show_secrets: bool = False) -> dict[str, Any]:
    """A state to a deployment's JSON, but for the manifest."""
    latest: dict[str, Any] = {
        "secrets_providers": {"type": "passphrase", "state": {"salt": state.vault.salt}},
        "resources": [item.to_json(state.vault, show_secrets=show_secrets) for _, item in state.ordered()],
        "pending_operations": [
            {"resource": op.resource.to_json(state.vault, show_secrets=show_secrets), "type": op.kind}
            for op in state.pending.values()
        ],
        "metadata": {},
    }
    return {key: value for key, value in latest.items() if value or key == "metadata"}


def export(state: State, *, show_secrets: bool) -> dict[str, Any]:
    """What ``pulumi stack export`` prints and ``pulumi stack import`` takes."""
    return {
        "version": _DEPLOYMENT,
        "deployment": {"manifest": _manifest(), **encode(state, show_secrets=show_secrets)},
    }


def _manifest() -> dict[str, str]:
    version = f"v{VERSION}"
    return {"time": now(), "magic": hashlib.sha256(version.encode()).hexdigest(), "version": version}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
