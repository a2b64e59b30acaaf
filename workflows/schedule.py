"""What a stack's schedule runs: a command of a project's code, over what the store holds when it is time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trivet.core.document import Document
from trivet.core.errors import NotFound
from trivet.core.layout import JOB_OUTPUTS
from trivet.core.specs import JobSpec
from trivet.platforms.scheduled import keep
from trivet.training.source import pack_source
from trivet.workflows.bench import Bench
from trivet.workflows.project import ProjectFiles


class Scheduled(Document):
    """What a schedule runs from now on; each run leaves its own folder under ``output``."""

    schedule: str
    source: str
    command: tuple[str, ...]
    inputs: dict[str, str]
    output: str


def schedule(
    bench: Bench, project: ProjectFiles, name: str, command: Sequence[str], inputs: Mapping[str, str]
) -> Scheduled:
    """Have a schedule of the stack run this command, in the project's code as it is now.

    :param inputs: key prefixes of the store, by the folder's name under ``$TRIVET_INPUT``.
    :raises Unsupported: on a cloud that starts no jobs by itself.
    :raises NotFound: when the stack has no such schedule, or the project no such script.
    """
    _check(project, command)
    source, platform = pack_source(project.folder), bench.platform
    spec = JobSpec(
        name=name,
        source=source.key,
        command=tuple(command),
        inputs=dict(inputs),
        output=f"{JOB_OUTPUTS[-1]}/{name}",
    )
    platform.store.put(source.key, source.data)
    keep(platform, spec)
    return Scheduled(schedule=name, source=source.key, command=spec.command, inputs=spec.inputs, output=spec.output)


def _check(project: ProjectFiles, command: Sequence[str]) -> None:
    """Refuse a script that is not there, which would fail only when it is time."""
    script = command[1] if len(command) > 1 and command[0] == "python" else ""
    if script.endswith(".py") and not (project.folder / script).is_file():
        raise NotFound(f"The project {project.folder.name} has no {script}.", "Name a script of the project's folder.")
