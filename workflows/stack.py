"""The stack's life: provision, look ahead, destroy, look back. Everything goes through ``infra.driver``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from trivet.clouds import cloud as cloud_of
from trivet.connect import connect_to, read_outputs
from trivet.core.document import Document
from trivet.core.errors import ConfigError, NotFound, NotReady, Unsupported
from trivet.core.files import write_atomic
from trivet.core.layout import OUTPUTS_FILE, PROJECT_FILE, stack_home
from trivet.core.leftovers import Auditor, Left, Place
from trivet.core.locks import lock
from trivet.core.named import named
from trivet.core.outputs import Outputs
from trivet.core.progress import Progress, Silent
from trivet.infra import names
from trivet.infra.costs import Estimate, estimate
from trivet.infra.driver import CLOUD, LOCAL, Driver, Options, record_of
from trivet.infra.holds import Held, Hold, holds
from trivet.infra.listing import Listed
from trivet.infra.migrate import migrate as hand_over
from trivet.infra.settings import Settings
from trivet.platforms.extras import extra
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
    estimate: Estimate | None = None
    kept: tuple[Hold, ...] = ()
    """After a destroy: what outlives it."""

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
    if not (there or wanted or projects):
        raise _unknown(root, stack)
    if projects:
        listed = _endpoint_list({**there, **wanted}.get(ENDPOINTS, "[]"))
        known = {one if isinstance(one, str) else one.get("name") for one in listed}
        listed += [name for name in dict.fromkeys(one.settings.endpoint for one in projects) if name not in known]
        wanted[ENDPOINTS] = json.dumps(listed)
    ours = _in_our_namespace({**there, **wanted})
    names.check(Settings.of(ours), _project(root), stack)
    changed = {key: value for key, value in wanted.items() if there.get(key) != value}
    if not record_of(stack_home(root, stack)).exists():
        # Config may have come without its stack, as with a clone: to set a value makes the stack.
        _drop_idle_salt(root / f"Pulumi.{stack}.yaml")
        changed[CLOUD] = ours[CLOUD.removeprefix(NAMESPACE)]
    if changed:
        driver_of(root, stack).set_config(changed)


def _unknown(root: Path, stack: str) -> ConfigError:
    """Of a stack without any config: a new one of which nothing was said, or a name that was mistyped."""
    known = sorted(path.name.split(".", 1)[1].removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml"))
    there = f"those that do are {', '.join(known)}" if known else "no other does either"
    return ConfigError(
        f"The stack {stack} has no config here; {there}.",
        f"Correct the name, or make it: `trivet up --stack {stack} --config cloud=CLOUD --config environment=dev "
        "--config region=REGION`.",
    )


def _in_our_namespace(config: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix(NAMESPACE): value for key, value in config.items() if key.startswith(NAMESPACE)}


def _settings(root: Path, stack: str) -> Settings:
    """What the stack's config says."""
    return Settings.of(_in_our_namespace(read_config(root, stack)))


def _project(root: Path) -> str:
    """The project's name, which Pulumi wants there."""
    return str(yaml.safe_load((root / PROJECT_FILE).read_text())["name"])


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
    *,
    cost: bool = False,
) -> StackChange:
    """Make the stack what its config says; ``cost`` adds what it costs when nobody uses it."""
    configure(root, stack, projects, config)
    driver = driver_of(root, stack)
    with (progress or Silent()).step(f"Provision stack {stack} with {driver.engine}") as note:
        if options and options.packs:  # what only the whole stack shows is refused before anything is made
            driver.preview(options=options)
        change = StackChange(stack=stack, engine=driver.engine, changes=driver.up(options=options))
        note(change.summary.partition(": ")[2].rstrip("."))
    estimated = _estimate(root, stack, driver.listed()) if cost else None
    return change.model_copy(update={"outputs": read_outputs(stack, root=root), "estimate": estimated})


def preview(
    root: Path,
    stack: str,
    progress: Progress | None = None,
    options: Options | None = None,
    *,
    cost: bool = False,
) -> StackChange:
    """What ``up`` would change; ``cost`` adds what it would cost when nobody uses it."""
    configure(root, stack)
    driver = driver_of(root, stack)
    with (progress or Silent()).step(f"Preview stack {stack} with {driver.engine}"):
        changes, resources = driver.foresee(options)
        estimated = _estimate(root, stack, resources) if cost else None
        return StackChange(stack=stack, engine=driver.engine, changes=changes, estimate=estimated)


def _estimate(root: Path, stack: str, resources: Sequence[Listed]) -> Estimate:
    settings = _settings(root, stack)
    return estimate(resources, settings.region, settings.profile().idle_usd if settings.naming() else None)


def migrate(root: Path, stack: str, engine: str) -> Path:
    """Hand the stack over to the other engine; returns where its former state lies."""
    return hand_over(driver_of(root, stack), engine)


def held(root: Path, stack: str) -> list[Hold]:
    """What of the stack is protected, and what would outlive it; nothing where there is no such stack."""
    try:
        return holds(_driver_of_known(root, stack).listed())
    except NotFound:
        return []


def destroy(root: Path, stack: str, progress: Progress | None = None) -> StackChange:
    """Delete everything that the stack has, its processes too.

    :raises NotFound: when there is no such stack.
    :raises Held: before anything is deleted, when something is protected.
    :raises Locked: naming who is at it.
    """
    driver = _driver_of_known(root, stack)
    with _quiet(stack_home(root, stack), stack), (progress or Silent()).step(f"Destroy {stack} with {driver.engine}"):
        kept = holds(driver.listed())
        if any(one.blocks for one in kept):
            raise Held(stack, kept)
        _clear(root, stack)
        changes = driver.destroy()
        (stack_home(root, stack) / OUTPUTS_FILE).unlink(missing_ok=True)  # they describe what is no more
        return StackChange(stack=stack, engine=driver.engine, changes=changes, kept=tuple(kept))


def audit(root: Path, stack: str, progress: Progress | None = None) -> list[Left]:
    """What is left of a stack, destroyed or not, and until when; changes nothing.

    :raises NotFound: when there is no such stack.
    :raises Unsupported: when its cloud cannot tell.
    """
    _driver_of_known(root, stack)
    settings = _settings(root, stack)
    cloud = cloud_of(settings.cloud)
    if cloud.left is None:
        raise Unsupported(f"{cloud.title} cannot tell what is left of a stack.", "Look in its console.")
    project = _project(root)
    place = Place(
        project=project,
        stack=stack,
        region=settings.region,
        account=settings.account,
        assume_role=settings.assume_role,
        prefix=names.prefix(settings, project, stack),
        home=stack_home(root, stack),
    )
    with (progress or Silent()).step(f"Look for what is left of {stack}"), extra(cloud.extra):
        look: Auditor = named(cloud.left)
        return list(look(place))


def _driver_of_known(root: Path, stack: str) -> Driver:
    if not read_config(root, stack):
        raise NotFound(f"There is no stack {stack} here.", "Nothing is left to destroy.")
    return driver_of(root, stack)


def _clear(root: Path, stack: str) -> None:
    """Take away what the runtime made and the stack does not own, where the stack ever was up."""
    try:
        outputs = read_outputs(stack, root=root)
    except NotReady:
        return
    with connect_to(outputs, root) as platform:
        platform.clear()


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
    listed = _endpoint_list(read_config(root, stack).get(ENDPOINTS, "[]"))
    kept = [one for one in listed if name != (one if isinstance(one, str) else one.get("name"))]
    if kept != listed:
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
