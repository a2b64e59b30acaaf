"""Labels by which everything that the runtime makes is found again, told apart in bills, and allowed."""

from __future__ import annotations

from collections.abc import Mapping

from trivet.clouds.gcpnames import labels as as_labels
from trivet.core.leftovers import ENVIRONMENT_TAG, MANAGED_TAG, PROJECT_TAG, STACK_TAG
from trivet.core.outputs import GcpNative, Outputs

Labels = dict[str, str]

ENDPOINT = "trivet-endpoint"  # on models that endpoints have for themselves


def labels(outputs: Outputs, **more: str) -> Labels:
    """The stack's labels, its user's among them, and ``more`` under ``trivet-``; with an endpoint also whose it is."""
    native = outputs.native
    own, teams = (native.labels, native.teams) if isinstance(native, GcpNative) else ({}, {})
    if team := teams.get(more.get("endpoint", "")):
        more["team"] = team
    return labels_of(outputs.project, outputs.stack, outputs.environment, own, **more)


def labels_of(project: str, stack: str, environment: str, own: Mapping[str, str], **more: str) -> Labels:
    """The same, where there are no outputs yet.

    :param own: the user's; they overrule none of ours.
    """
    named = {f"trivet:{name.replace('_', '-')}": value for name, value in more.items()}
    return {**own, **_ours(project, stack), **as_labels({ENVIRONMENT_TAG: environment, MANAGED_TAG: "trivet", **named})}


def whose(project: str, stack: str) -> str:
    """A filter of Vertex AI's for what is this stack's."""
    return " AND ".join(f'labels.{key}="{value}"' for key, value in _ours(project, stack).items())


def _ours(project: str, stack: str) -> Labels:
    return as_labels({PROJECT_TAG: project, STACK_TAG: stack})
