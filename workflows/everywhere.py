"""One release on the endpoints of several stacks, whatever their clouds: on all of them, or on none.

All that can be checked is checked on every stack before anything is changed on one. When an endpoint does not become
ready then, those that were changed before get back what they served. What they served is written down beside the
stacks until all is settled, so that a call that was killed is finished, or undone, by the same call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from trivet.core import faults
from trivet.core.canonical import digest_json
from trivet.core.document import Document
from trivet.core.errors import ConfigError, NotReady, PlatformError, TrivetError
from trivet.core.files import private_folder, write_atomic
from trivet.core.layout import trivet_folder
from trivet.core.specs import EndpointSpec, EndpointState, EndpointStatus, ModelVersion
from trivet.workflows.bench import Bench
from trivet.workflows.deployment import ALONE, Deployment
from trivet.workflows.release import deploying, settle, wanted

FOLDER = "plans"


@dataclass(frozen=True)
class Part:
    """What one stack is to do."""

    bench: Bench
    version: ModelVersion
    spec: EndpointSpec

    @property
    def stack(self) -> str:
        """Its stack."""
        return self.bench.platform.outputs.stack


class Plan(Document):
    """Which package is to be served, and what each stack's endpoint was before; none where it served nothing."""

    digest: str
    held: dict[str, EndpointSpec | None]

    def is_between(self, states: Mapping[str, EndpointState]) -> bool:
        """Whether some endpoints are as before and others at the new package, as a killed call leaves them."""
        new = [self.digest in _digests(state) for state in states.values()]
        old = [_digests(state) == _digests(self.held.get(stack)) for stack, state in states.items()]
        return all(one or other for one, other in zip(new, old, strict=True)) and not all(new)


def deploy_everywhere(
    benches: Sequence[Bench], reference: str, endpoint: str = "", how: Deployment = ALONE
) -> list[EndpointState]:
    """Serve an approved version on every stack, or leave every stack as it was.

    :param reference: in the first of them; the others serve the same package, whatever its number is there.
    :raises ConfigError: when one of them does not have it, or is named twice.
    :raises GateRefused: when one of them has not approved it.
    """
    first = benches[0].platform.models.get(reference)
    parts = [
        _planned(bench, first if at == 0 else _same(bench, benches[0], first), endpoint, how)
        for at, bench in enumerate(benches)
    ]
    _check_once(parts)
    with _locked(parts):
        path = _path(parts)
        plan = _begin(parts, path)
        states = _apply(parts, plan, path)
        faults.point("everywhere.applied")
        _settle(parts)
        path.unlink()
    return states


def _planned(bench: Bench, version: ModelVersion, endpoint: str, how: Deployment) -> Part:
    return Part(bench, version, wanted(bench, version, endpoint, how))


def _same(bench: Bench, other: Bench, first: ModelVersion) -> ModelVersion:
    """The version that holds the same package: numbers are each registry's own, and names may differ.

    :raises ConfigError: when there is none.
    """
    there = [one for one in bench.platform.models.list() if one.digest == first.digest]
    if not there:
        stack, origin = bench.platform.outputs.stack, other.platform.outputs.stack
        raise ConfigError(
            f"{stack} does not have the package of {first} in {origin} ({first.digest[:19]}).",
            f"Run `trivet models promote {first} --from {origin} --to {stack}`.",
        )
    return next((one for one in there if one.name == first.name), there[0])


def _check_once(parts: Sequence[Part]) -> None:
    stacks = [part.stack for part in parts]
    if twice := [name for name in stacks if stacks.count(name) > 1]:
        raise ConfigError(f"Stack {twice[0]} is named twice.", "Name each once.")


@contextmanager
def _locked(parts: Sequence[Part]) -> Iterator[None]:
    with ExitStack() as held:
        for part in sorted(parts, key=lambda one: one.stack):  # in one order, whoever else does the same
            held.enter_context(deploying(part.bench, part.spec.name))
        yield


def _path(parts: Sequence[Part]) -> Path:
    names = sorted(f"{part.stack}/{part.spec.name}" for part in parts)
    folder = private_folder(trivet_folder(parts[0].bench.root) / FOLDER)
    return folder / f"{digest_json(names)[7:19]}.json"


def _begin(parts: Sequence[Part], path: Path) -> Plan:
    """Write down what the endpoints serve, unless a call that was killed has left them between two releases.

    :raises NotReady: when one could not be given back what it serves.
    """
    states = {part.stack: part.bench.platform.endpoints.state(part.spec.name) for part in parts}
    for stack, state in states.items():
        if state.status not in (EndpointStatus.READY, EndpointStatus.EMPTY):
            raise NotReady(
                f"Endpoint {state.name} of {stack} is {state.status}{f' ({state.reason})' if state.reason else ''}.",
                "Bring it back first, by `trivet resume` or `trivet deploy` to that stack alone.",
            )
    digest = parts[0].version.digest
    left = Plan.read(path) if path.exists() else None
    if left and left.is_between(states):
        held = left.held
    else:
        held = {part.stack: part.bench.platform.endpoints.held(part.spec.name) for part in parts}
    plan = Plan(digest=digest, held=held)
    write_atomic(path, plan.canonical())
    return plan


def _apply(parts: Sequence[Part], plan: Plan, path: Path) -> list[EndpointState]:
    states: list[EndpointState] = []
    for at, part in enumerate(parts):
        try:
            with part.bench.progress.step(f"Deploy {part.version} to {part.stack}") as note:
                states.append(part.bench.platform.endpoints.apply(part.spec))
                note(states[-1].url)
        except BaseException as error:
            failures = _undo(parts[: at + 1], plan)
            if not failures:
                path.unlink()
            told = " ".join(failures) or "Every stack serves what it served before."
            if isinstance(error, TrivetError):
                error.message = f"{part.stack}: {error.message} {told}"
            elif failures:
                raise PlatformError(told, "Deploy to that stack alone.") from error
            raise
        faults.point("everywhere.one")
    return states


def _undo(parts: Sequence[Part], plan: Plan) -> list[str]:
    """Give each what it served before, the last one first; a sentence for each of which that failed."""
    failures = []
    for part in reversed(parts):
        try:
            with part.bench.progress.step(f"Give {part.stack} back what it served") as note:
                note(_give_back(part, plan))
        except Exception as error:  # noqa: BLE001  the others want theirs whatever it is
            failures.append(f"{part.stack} could not be given back what it served: {error}")
    return failures


def _give_back(part: Part, plan: Plan) -> str:
    held, endpoints = plan.held.get(part.stack), part.bench.platform.endpoints
    there = endpoints.state(part.spec.name)
    if not _digests(there) <= {plan.digest, *_digests(held)}:
        names = ", ".join(f"{one.model}/{one.version}" for one in there.releases)
        raise NotReady(f"It serves {names} now, which somebody else deployed, and was left so.")
    if held is None:
        endpoints.delete(part.spec.name)
        return "nothing"
    endpoints.apply(held)
    return ", ".join(f"{one.model}/{one.version}" for one in held.releases)


def _digests(what: EndpointSpec | EndpointState | None) -> set[str]:
    """The packages that answer or follow."""
    return {one.digest for one in (*what.releases, what.shadow) if one} if what else set()


def _settle(parts: Sequence[Part]) -> None:
    for part in parts:
        try:
            settle(part.bench, part.version, part.spec)
        except TrivetError as error:
            error.message = f"{part.stack}: {error.message} Every stack serves {part.version}."
            error.next_step = f"{error.next_step} The same call writes that down where it is not written yet.".strip()
            raise
