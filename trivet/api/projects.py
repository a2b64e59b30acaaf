"""A project: begin one, run its workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.layout import project_root

if TYPE_CHECKING:
    from trivet.core.progress import Progress
    from trivet.workflows.retrain import Retraining
    from trivet.workflows.run import RunReport
    from trivet.workflows.schedule import Scheduled


def init(
    name: str,
    source: Path,
    target: str,
    *,
    positive: str = "",
    protected: tuple[str, ...] = (),
    folder: Path | None = None,
) -> Path:
    """Write a new project for the table in ``source``; its folder."""
    from trivet.workflows.init import init as write

    return write(name, source, target, positive=positive, protected=protected, folder=folder or Path.cwd()).folder


def run(
    project: Path | str,
    stack: str | None = None,
    *,
    variant: str = "default",
    root: Path | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Run a project's workflow up to its endpoint.

    :raises DataContractBroken: when the data is not what was promised.
    :raises GateRefused: when the gate or the approval rule holds it back.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.project import ProjectFiles
    from trivet.workflows.run import run as execute

    files = ProjectFiles.read(Path(project))
    with workbench(root or project_root(), stack, progress=progress) as bench:
        return execute(bench, files, variant)


def run_if_needed(
    project: Path | str,
    stack: str | None = None,
    *,
    variant: str = "default",
    root: Path | None = None,
    progress: Progress | None = None,
) -> Retraining:
    """Run a project's workflow when an alarm or the schedule asks for it; says why it did or did not."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.project import ProjectFiles
    from trivet.workflows.retrain import run_if_needed as execute

    files = ProjectFiles.read(Path(project))
    with workbench(root or project_root(), stack, progress=progress) as bench:
        return execute(bench, files, variant)


def train(
    project: Path | str,
    stack: str | None = None,
    *,
    variant: str = "default",
    root: Path | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Train and judge a candidate, and register nothing."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.project import ProjectFiles
    from trivet.workflows.run import train as execute

    files = ProjectFiles.read(Path(project))
    with workbench(root or project_root(), stack, progress=progress) as bench:
        return execute(bench, files, variant)


def schedule(
    project: Path | str,
    name: str,
    command: Sequence[str],
    stack: str | None = None,
    *,
    inputs: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> Scheduled:
    """Have a schedule of the stack run a command of a project's from now on.

    :param inputs: key prefixes of the store, by the folder's name under ``$TRIVET_INPUT``.
    :raises NotFound: when the stack has no such schedule.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.project import ProjectFiles
    from trivet.workflows.schedule import schedule as execute

    files = ProjectFiles.read(Path(project))
    with workbench(root or project_root(), stack) as bench:
        return execute(bench, files, name, command, inputs or {})
