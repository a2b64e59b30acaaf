"""From a stack's outputs to its platform. Neither Pulumi, nor its state, nor a passphrase is needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from trivet.clouds import cloud
from trivet.core.errors import ConfigError, NotReady
from trivet.core.layout import OUTPUTS_FILE, project_root, stack_home, trivet_folder
from trivet.core.named import named
from trivet.core.outputs import Outputs
from trivet.core.platform import Platform
from trivet.platforms.extras import extra

STACK, OUTPUTS = "TRIVET_STACK", "TRIVET_OUTPUTS"  # variables of the environment
DEFAULT_STACK = "local"


def connect(stack: str | None = None, outputs: Path | None = None, root: Path | None = None) -> Platform:
    """The platform of a stack, on which the verbs are called.

    :param stack: its name; else what ``TRIVET_STACK`` says, else the only one of this project.
    :param outputs: a file with its outputs; else what ``TRIVET_OUTPUTS`` says, else the copy beside its state.
    :param root: the project's folder; else the nearest one with a ``Pulumi.yaml``.
    :raises NotReady: when the stack has no outputs yet.
    :raises ConfigError: when several stacks could be meant, the outputs are wrong, or a package is missing.
    """
    root = root or project_root()
    return connect_to(read_outputs(stack, outputs, root), root)


def connect_to(outputs: Outputs, root: Path) -> Platform:
    """The platform that these outputs describe.

    :raises ConfigError: when the outputs are wrong, or a package is missing.
    """
    chosen = cloud(outputs.cloud)
    with extra(chosen.extra):
        make: Callable[[Outputs, Path], Platform] = named(chosen.platform)
        return make(outputs, root)


def read_outputs(stack: str | None = None, outputs: Path | None = None, root: Path | None = None) -> Outputs:
    """The outputs alone; arguments and errors as ``connect``."""
    told = os.environ.get(OUTPUTS)
    given = outputs or (Path(told) if told else None)
    if given:
        found = Outputs.read(given)
        if stack and found.stack != stack:
            raise ConfigError(f"{given} holds the outputs of stack {found.stack}, not of {stack}.")
        return found
    root = root or project_root()
    return Outputs.read(outputs_file(root, stack or os.environ.get(STACK) or _only_stack(root)))


def outputs_file(root: Path, stack: str) -> Path:
    """The copy of a stack's outputs beside its state: for who works on several stacks, of which ``TRIVET_OUTPUTS``
    could name only one.

    :raises NotReady: when there is none.
    """
    path = stack_home(root, stack) / OUTPUTS_FILE
    if not path.is_file():
        there = ", ".join(_stacks(root))
        known = f", or name one of those that are up: {there}" if there else ""
        raise NotReady(f"The stack {stack} has no outputs yet.", f"Run `trivet up --stack {stack}`{known}.")
    return path


def _only_stack(root: Path) -> str:
    there = _stacks(root)
    if len(there) > 1:
        raise ConfigError(f"This project has several stacks: {', '.join(there)}.", f"Choose one: --stack or {STACK}.")
    return there[0] if there else DEFAULT_STACK


def _stacks(root: Path) -> list[str]:
    return sorted(path.parent.name for path in trivet_folder(root).glob(f"*/{OUTPUTS_FILE}"))
