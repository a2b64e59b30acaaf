"""Tags by which everything that the runtime makes is found again, told apart in bills, and allowed."""

from __future__ import annotations

from collections.abc import Mapping

from trivet.core.leftovers import ENVIRONMENT_TAG, MANAGED_TAG, PROJECT_TAG, STACK_TAG
from trivet.core.outputs import AwsNative, Outputs

Tags = list[dict[str, str]]


def tags(outputs: Outputs, **more: str) -> Tags:
    """The stack's tags, its user's among them, and ``more`` under ``trivet:``; with an endpoint also whose it is."""
    native = outputs.native
    own, teams = (native.tags, native.teams) if isinstance(native, AwsNative) else ({}, {})
    if team := teams.get(more.get("endpoint", "")):
        more["team"] = team
    return tags_of(outputs.project, outputs.stack, outputs.environment, own, **more)


def tags_of(project: str, stack: str, environment: str, own: Mapping[str, str], **more: str) -> Tags:
    """The same, where there are no outputs yet.

    :param own: the user's; they overrule none of ours.
    """
    named = {
        **own,
        PROJECT_TAG: project,
        STACK_TAG: stack,
        ENVIRONMENT_TAG: environment,
        MANAGED_TAG: "trivet",
        **{f"trivet:{name.replace('_', '-')}": value for name, value in more.items()},
    }
    return [{"Key": key, "Value": value} for key, value in named.items()]
