"""One release on the endpoints of several stacks, whatever their clouds: on all of them, or on none.

All that can be checked is checked on every stack before anything is changed on one. When an endpoint does not become
ready then, those that were changed before get back what they served. What they served is written down beside the
stacks until all is settled, so that a call that was killed is finished, or undone, by the same call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from trivet.core import faults
from trivet.core.canonical import digest_json
from trivet.core.document import Document
from trivet.core.errors import ConfigError, TrivetError
from trivet.core.files import private_folder, write_atomic
from trivet.core.layout import trivet_folder
from trivet.core.specs import EndpointSpec, EndpointState, ModelVersion
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


class Before(Document):
    """What each stack's endpoint was before; none where it served nothing."""

    held: dict[str, EndpointSpec | None]


def deploy_everywhere(
    benches: Sequence[Bench], reference: str, endpoint: str = "", how: Deployment = ALONE
) -> list[EndpointState]:
    """Serve an approved version on every stack, or leave every stack as it was.

    :raises ConfigError: when the stacks have different packages under that reference, or one is named twice.
    :raises GateRefused: when one of them has not approved it.
    """
    parts = [_planned(bench, bench.platform.models.get(reference), endpoint, how) for bench in benches]
    _check_same(parts, reference)
    with _locked(parts):
        path, before = _before(parts)
        states = _apply(parts, before, path)
        faults.point("everywhere.applied")
        for part in parts:
            settle(part.bench, part.version, part.spec)
        path.unlink()
    return states


def _planned(bench: Bench, version: ModelVersion, endpoint: str, how: Deployment) -> Part:
    return Part(bench, version, wanted(bench, version, endpoint, how))


def _check_same(parts: Sequence[Part], reference: str) -> None:
    stacks = [part.stack for part in parts]
    if twice := [name for name in stacks if stacks.count(name) > 1]:
        raise ConfigError(f"Stack {twice[0]} is named twice.", "Name each once.")
    if len({part.version.digest for part in parts}) != 1:
        there = ", ".join(f"{part.version} with {part.version.digest[:19]} in {part.stack}" for part in parts)
        raise ConfigError(f"{reference} is not the same package everywhere: {there}.", "Use `trivet models promote`.")


@contextmanager
def _locked(parts: Sequence[Part]) -> Iterator[None]:
    with ExitStack() as held:
        for part in sorted(parts, key=lambda one: one.stack):  # in one order, whoever else does the same
            held.enter_context(deploying(part.bench, part.spec.name))
        yield


def _before(parts: Sequence[Part]) -> tuple[Path, Before]:
    """What the endpoints served before this plan, or before one that was killed, and where that is written down."""
    names = sorted(f"{part.stack}/{part.spec.name}" for part in parts)
    folder = private_folder(trivet_folder(parts[0].bench.root) / FOLDER)
    path = folder / f"{digest_json(names)[7:19]}.json"
    if path.exists():
        return path, Before.read(path)
    before = Before(held={part.stack: part.bench.platform.endpoints.held(part.spec.name) for part in parts})
    write_atomic(path, before.canonical())
    return path, before


def _apply(parts: Sequence[Part], before: Before, path: Path) -> list[EndpointState]:
    states: list[EndpointState] = []
    for at, part in enumerate(parts):
        try:
            with part.bench.progress.step(f"Deploy {part.version} to {part.stack}") as note:
                states.append(part.bench.platform.endpoints.apply(part.spec))
                note(states[-1].url)
        except BaseException as error:
            failures = _undo(parts[: at + 1], before)
            if not failures:
                path.unlink()
            if isinstance(error, TrivetError):
                told = " ".join(failures) or "Every stack serves what it served before."
                error.message = f"{part.stack}: {error.message} {told}"
            raise
        faults.point("everywhere.one")
    return states


def _undo(parts: Sequence[Part], before: Before) -> list[str]:
    """Give each what it served before, the last one first; a sentence for each of which that failed."""
    failures = []
    for part in reversed(parts):
        held = before.held.get(part.stack)
        try:
            with part.bench.progress.step(f"Give {part.stack} back what it served") as note:
                if held:
                    part.bench.platform.endpoints.apply(held)
                else:
                    part.bench.platform.endpoints.delete(part.spec.name)
                note(", ".join(f"{one.model}/{one.version}" for one in held.releases) if held else "nothing")
        except TrivetError as error:
            failures.append(f"{part.stack} could not be given back what it served: {error.message}")
    return failures
