"""Tags by which everything that the runtime makes is found again, told apart in bills, and allowed."""

from __future__ import annotations

from trivet.core.leftovers import ENVIRONMENT_TAG, MANAGED_TAG, PROJECT_TAG, STACK_TAG
from trivet.core.outputs import Outputs

Tags = list[dict[str, str]]


def tags(outputs: Outputs, **more: str) -> Tags:
    """The stack's tags, and ``more`` under ``trivet:``."""
    return tags_of(outputs.project, outputs.stack, outputs.environment, **more)


def tags_of(project: str, stack: str, environment: str, **more: str) -> Tags:
    """The same, where there are no outputs yet."""
    named = {
        PROJECT_TAG: project,
        STACK_TAG: stack,
        ENVIRONMENT_TAG: environment,
        MANAGED_TAG: "trivet",
        **{f"trivet:{name.replace('_', '-')}": value for name, value in more.items()},
    }
    return [{"Key": key, "Value": value} for key, value in named.items()]
