"""The registry: look, register, approve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.errors import ConfigError
from trivet.core.layout import HOME, project_root

if TYPE_CHECKING:
    from trivet.core.progress import Progress
    from trivet.core.specs import ModelVersion
    from trivet.governance.modelcard import ModelCard
    from trivet.workflows.promote import Promoted


def models(name: str = "", stack: str | None = None, *, root: Path | None = None) -> list[ModelVersion]:
    """Every version of one model or of all, newest first."""
    from trivet.connect import connect

    with connect(stack, root=root) as platform:
        return list(platform.models.list(name))


def model_card(reference: str, stack: str | None = None, *, root: Path | None = None) -> ModelCard:
    """What the registry knows of a version."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.report import model_card as card

    with workbench(root or project_root(), stack) as bench:
        return card(bench, bench.platform.models.get(reference))


def register(
    path: Path,
    stack: str | None = None,
    *,
    name: str = "",
    project: Path | str | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
) -> ModelVersion:
    """Register a model package, or an MLflow model folder in ONNX form, that was made elsewhere.

    ``project`` puts it before that project's gate; without one it can be registered, but not approved.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.bring import register_folder
    from trivet.workflows.project import ProjectFiles

    files = ProjectFiles.read(Path(project)) if project else None
    with workbench(root or project_root(), stack, progress=progress) as bench:
        return register_folder(bench, path, name, files)


def approve(
    reference: str, reason: str, stack: str | None = None, *, reject: bool = False, root: Path | None = None
) -> ModelVersion:
    """Approve or reject a version as the current actor.

    :raises GateRefused: when the policy does not allow it.
    """
    from trivet.governance.approval import Person
    from trivet.workflows import release
    from trivet.workflows.bench import workbench

    with workbench(root or project_root(), stack) as bench:
        version = bench.platform.models.get(reference)
        person = Person(bench.actor.name, bench.actor.identity, reason)
        if reject:
            return release.reject(bench, version, person)
        return release.approve(bench, version, release.read_judged(bench, version), person)


def promote(
    reference: str,
    source: str,
    target: str,
    *,
    name: str = "",
    source_root: Path | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
) -> Promoted:
    """Copy a version from the registry of one stack into that of another, with its approval where that may be.

    :param source_root: the project of ``source``, where it is not the target's.
    :raises IntegrityError: when the package, or what the source says of it, was changed.
    :raises GateRefused: when the source rejected the version.
    """
    from trivet.connect import outputs_file
    from trivet.workflows.bench import workbench
    from trivet.workflows.promote import promote as execute

    here = root or project_root()
    if source_root and HOME in os.environ:
        raise ConfigError(f"{HOME} names one folder for the stacks of both projects.", f"Unset {HOME}.")
    there = source_root or here
    with (
        workbench(there, source, outputs=outputs_file(there, source)) as one,
        workbench(here, target, outputs=outputs_file(here, target), progress=progress) as other,
    ):
        return execute(one, other, reference, name)


def convert(
    path: Path, out: Path, *, trust_pickle: bool, sample: Path | None = None, progress: Progress | None = None
) -> Path:
    """Convert a pickled scikit-learn model to a model package in a process of its own; its folder."""
    from trivet.workflows.bring import convert as execute

    return execute(path, out, trust_pickle=trust_pickle, sample=sample, progress=progress)


def registry_ui(stack: str | None = None, *, root: Path | None = None) -> str:
    """The command that opens MLflow's pages on the local registry."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.bring import registry_ui as command

    with workbench(root or project_root(), stack) as bench:
        return command(bench)
