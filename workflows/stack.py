"""The stack's life: provision, look ahead, destroy. Everything goes through ``infra.driver``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from trivet.connect import read_outputs
from trivet.core.document import Document
from trivet.core.errors import ConfigError, NotFound
from trivet.core.files import write_atomic
from trivet.core.layout import stack_home
from trivet.core.locks import lock
from trivet.core.outputs import Outputs
from trivet.core.progress import Progress, Silent
from trivet.infra.driver import CLOUD, LOCAL, Driver, Options, record_of
from trivet.infra.migrate import migrate as hand_over
from trivet.infra.settings import Settings
from trivet.workflows.project import ProjectFiles

NAMESPACE = "trivet:"
ENDPOINTS = f"{NAMESPACE}endpoints"
SALT = "encryptionsalt:"  # top-level key of a stack's config
LOCAL_DEFAULTS = {CLOUD: LOCAL, f"{NAMESPACE}environment": "dev", f"{NAMESPACE}region": LOCAL}
DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "same": "unchanged",
    "refresh": "looked at",
    "import": "imported",
}


class StackChange(Document):
    """What an operation on a stack did or would do."""

    stack: str
    engine: str
    changes: dict[str, int]
    outputs: Outputs | None = None

    @property
    def summary(self) -> str:
        """One sentence."""
        told = [f"{count} {DONE.get(what, what)}" for what, count in sorted(self.changes.items())]
        return f"Stack {self.stack}, by {self.engine}: {', '.join(told) or 'nothing to do'}."


def driver_of(root: Path, stack: str) -> Driver:
    """The driver of one stack."""
    return Driver(root, stack, stack_home(root, stack))


def configure(
    root: Path, stack: str, projects: Sequence[ProjectFiles] = (), config: Mapping[str, str] | None = None
) -> None:
    """Write the stack's config where it lacks something: values given, an endpoint per project, defaults of ``local``.

    Only a stack named ``local`` has defaults; another one is told what it is by ``config``. Nothing is written that the
    program would refuse.

    :raises ConfigError: naming every setting that is wrong or missing.
    """
    there = read_config(root, stack)
    wanted = {f"{NAMESPACE}{key}": value for key, value in (config or {}).items()}
    if stack == LOCAL:
        wanted = LOCAL_DEFAULTS | there | wanted
    if projects:
        names = _endpoint_list({**there, **wanted}.get(ENDPOINTS, "[]"))
        known = {one if isinstance(one, str) else one.get("name") for one in names}
        names += [name for name in dict.fromkeys(one.settings.endpoint for one in projects) if name not in known]
        wanted[ENDPOINTS] = json.dumps(names)
    ours = {
        key.removeprefix(NAMESPACE): value for key, value in {**there, **wanted}.items() if key.startswith(NAMESPACE)
    }
    Settings.of(ours)
    changed = {key: value for key, value in wanted.items() if there.get(key) != value}
    if not record_of(stack_home(root, stack)).exists():
        # Config may have come without its stack, as with a clone: to set a value makes the stack.
        _drop_idle_salt(root / f"Pulumi.{stack}.yaml")
        changed[CLOUD] = ours[CLOUD.removeprefix(NAMESPACE)]
    if changed:
        driver_of(root, stack).set_config(changed)


def _drop_idle_salt(path: Path) -> None:
    """Without a secret, a salt only ties the config to a passphrase that this machine may not have."""
    text = path.read_text("utf-8") if path.exists() else ""
    if SALT in text and "secure:" not in text:
        write_atomic(path, "".join(line for line in text.splitlines(True) if not line.startswith(SALT)), mode=0o644)


def up(
    root: Path,
    stack: str,
    projects: Sequence[ProjectFiles] = (),
    config: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    options: Options | None = None,
) -> StackChange:
    """Make the stack what its config says."""
    configure(root, stack, projects, config)
    driver = driver_of(root, stack)
    with (progress or Silent()).step(f"Provision stack {stack} with {driver.engine}") as note:
        if options and options.packs:  # what only the whole stack shows is refused before anything is made
            driver.preview(options=options)
        change = StackChange(stack=stack, engine=driver.engine, changes=driver.up(options=options))
        note(change.summary.partition(": ")[2].rstrip("."))
    return change.model_copy(update={"outputs": read_outputs(stack, root=root)})


def preview(root: Path, stack: str, progress: Progress | None = None, options: Options | None = None) -> StackChange:
    """What ``up`` would change."""
    configure(root, stack)
    driver = driver_of(root, stack)
    with (progress or Silent()).step(f"Preview stack {stack} with {driver.engine}"):
        changes = driver.preview(options=options)
        return StackChange(stack=stack, engine=driver.engine, changes=changes)


def migrate(root: Path, stack: str, engine: str) -> Path:
    """Hand the stack over to the other engine; returns where its former state lies."""
    return hand_over(driver_of(root, stack), engine)


def destroy(root: Path, stack: str, progress: Progress | None = None) -> StackChange:
    """Delete everything that the stack has, its processes too.

    :raises NotFound: when there is no such stack.
    :raises Locked: naming who is at it.
    """
    if not read_config(root, stack):
        raise NotFound(f"There is no stack {stack} here.", "Nothing is left to destroy.")
    driver = driver_of(root, stack)
    with _quiet(stack_home(root, stack), stack), (progress or Silent()).step(f"Destroy {stack} with {driver.engine}"):
        return StackChange(stack=stack, engine=driver.engine, changes=driver.destroy())


@contextmanager
def _quiet(home: Path, stack: str) -> Iterator[None]:
    """Hold every lock of the stack: nothing of it is at work.

    :raises Locked: naming who is.
    """
    with ExitStack() as locks:
        for path in sorted((home / "locks").glob("*.lock")):
            locks.enter_context(lock(path, f"Stack {stack}"))
        yield


def forget_endpoint(root: Path, stack: str, name: str) -> None:
    """Take an endpoint out of the stack's config, so that the next ``up`` does not make it again."""
    names = _endpoint_list(read_config(root, stack).get(ENDPOINTS, "[]"))
    kept = [one for one in names if name != (one if isinstance(one, str) else one.get("name"))]
    if kept != names:
        driver_of(root, stack).set_config({ENDPOINTS: json.dumps(kept)})


def read_config(root: Path, stack: str) -> dict[str, str]:
    """The stack's plain config values by full key, without Pulumi."""
    path = root / f"Pulumi.{stack}.yaml"
    settings = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in (settings.get("config") or {}).items()
        if not (isinstance(value, Mapping) and "secure" in value)
    }


def _endpoint_list(text: str) -> list[str | dict[str, object]]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(one, str | dict) for one in names):
        raise ConfigError(f"{ENDPOINTS} is no JSON list of endpoints.", 'Write one, such as ["loan"].')
    return names


def environment(root: Path, stack: str) -> dict[str, str]:
    """The variables with which plain ``pulumi`` commands act on the same stack."""
    configure(root, stack)
    return driver_of(root, stack).environment()
