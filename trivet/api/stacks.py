"""The verbs of a stack: provision, look, destroy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.layout import project_root

if TYPE_CHECKING:
    from trivet.core.checkup import Check
    from trivet.core.leftovers import Left
    from trivet.core.outputs import Outputs
    from trivet.core.progress import Progress
    from trivet.infra.driver import Options
    from trivet.infra.holds import Hold
    from trivet.workflows.stack import StackChange

LOCAL = "local"


def up(
    stack: str = LOCAL,
    projects: Sequence[Path | str] = (),
    *,
    config: Mapping[str, str] | None = None,
    options: Options | None = None,
    cost: bool = False,
    root: Path | None = None,
    progress: Progress | None = None,
) -> StackChange:
    """Create or update a stack; ``projects`` adds their endpoints, ``config`` sets keys of the ``trivet`` namespace,
    ``cost`` asks for the list price of a month without use.

    :raises ConfigError: naming every setting that is wrong.
    :raises GateRefused: when a mandatory policy of ``options`` is violated.
    :raises Locked: naming who else is at the stack.
    """
    from trivet.workflows import stack as stacks
    from trivet.workflows.project import ProjectFiles

    files = [ProjectFiles.read(Path(project)) for project in projects]
    return stacks.up(root or project_root(), stack, files, config, progress, options, cost=cost)


def preview(
    stack: str = LOCAL,
    *,
    options: Options | None = None,
    cost: bool = False,
    root: Path | None = None,
    progress: Progress | None = None,
) -> StackChange:
    """What ``up`` would change; ``cost`` asks for the list price of a month without use."""
    from trivet.workflows import stack as stacks

    return stacks.preview(root or project_root(), stack, progress, options, cost=cost)


def migrate(stack: str, engine: str, *, root: Path | None = None) -> Path:
    """Hand a stack over to the other engine, ``pulumi`` or ``embedded``; returns where its former state lies.

    :raises IntegrityError: when the new engine does not say the same of it; it is as it was then.
    """
    from trivet.workflows import stack as stacks

    return stacks.migrate(root or project_root(), stack, engine)


def held(stack: str = LOCAL, *, root: Path | None = None) -> list[Hold]:
    """What of a stack is protected from ``destroy`` or would outlive it, and how to let go of it."""
    from trivet.workflows import stack as stacks

    return stacks.held(root or project_root(), stack)


def destroy(stack: str = LOCAL, *, root: Path | None = None, progress: Progress | None = None) -> StackChange:
    """Destroy a stack with everything in it.

    :raises Held: before anything is deleted, when something is protected; its ``holds`` say what.
    """
    from trivet.workflows import stack as stacks

    return stacks.destroy(root or project_root(), stack, progress)


def audit(stack: str = LOCAL, *, root: Path | None = None, progress: Progress | None = None) -> list[Left]:
    """What is left of a stack on its cloud, destroyed or not, and until when; changes nothing."""
    from trivet.workflows import stack as stacks

    return stacks.audit(root or project_root(), stack, progress)


def environment(stack: str = LOCAL, *, root: Path | None = None) -> dict[str, str]:
    """The variables with which plain ``pulumi`` commands act on the same stack."""
    from trivet.workflows import stack as stacks

    return stacks.environment(root or project_root(), stack)


def outputs(stack: str | None = None, *, file: Path | None = None, root: Path | None = None) -> Outputs:
    """Where a stack keeps what.

    :raises NotReady: when it is not up.
    """
    from trivet.connect import read_outputs

    return read_outputs(stack, file, root)


def doctor(stack: str | None = None, *, outputs: Path | None = None, root: Path | None = None) -> list[Check]:
    """Look whether work on a stack can begin: identity, rights, quotas, and what the stack should have."""
    from trivet.connect import connect

    with connect(stack, outputs, root) as platform:
        return list(platform.doctor())
