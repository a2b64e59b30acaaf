"""Tags by which everything that the runtime makes is found again, told apart in bills, and allowed."""

from __future__ import annotations

from trivet.core.leftovers import PROJECT_TAG, STACK_TAG
from trivet.core.outputs import Outputs

Tags = list[dict[str, str]]


def tags(outputs: Outputs, **more: str) -> Tags:
    """The stack's tags, and ``more`` under ``trivet:``."""
    named = {
        PROJECT_TAG: outputs.project,
        STACK_TAG: outputs.stack,
        "trivet:environment": outputs.environment,
        "trivet:managed-by": "trivet",
        **{f"trivet:{name.replace('_', '-')}": value for name, value in more.items()},
    }
    return [{"Key": key, "Value": value} for key, value in named.items()]
