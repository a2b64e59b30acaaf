"""Where everything is made, under which labels, and up to which cost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trivet.governance.rules.base import Graph, Resource, Setting, opened, rule, stack_rule

PROVIDER = "pulumi:providers:gcp"
SERVICE = "gcp:projects/service:Service"
BUDGET = "gcp:billing/budget:Budget"
OWN_LABELS = ("trivet-stack", "trivet-environment", "trivet-managed-by")


@rule("gcp-labels", "Everything carries the required labels", "Google Well-Architected, Cost optimization", "medium",
      PROVIDER)  # fmt: skip
def labels(resource: Resource, setting: Setting) -> Iterator[str]:
    """Labels are the provider's default ones, so that no resource that takes any can be without."""
    present = opened(resource.inputs.get("defaultLabels"))
    if missing := [name for name in (*OWN_LABELS, *map(_label, setting.required_tags)) if not present.get(name)]:
        yield f"the default labels lack {', '.join(missing)}"


def _label(tag: str) -> str:
    """A tag as a label: what ``trivet.clouds.gcpnames.label`` writes, which a policy pack has not."""
    return re.sub(r"[^a-z0-9_-]", "-", tag.lower())[:63]


@rule("gcp-project", "The provider names the project", "Google Well-Architected, Security", "high", PROVIDER)
def project(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("project"):
        yield "whoever runs it decides in which project"


@rule("gcp-services", "An API is not taken from others", "Google Well-Architected, Reliability", "high", SERVICE)
def services(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("disableOnDestroy") is not False:
        yield "destroying the stack disables it for the whole project"


@stack_rule("gcp-budget", "A stack that matters has a budget", "Google Well-Architected, Cost optimization", "medium")
def budget(graph: Graph, setting: Setting) -> Iterator[str]:
    if setting.binds and graph.has_package("gcp") and not graph.of(BUDGET):
        yield "there is no budget"


@rule("gcp-budget-heard", "Every budget tells somebody", "Google Well-Architected, Cost optimization", "medium", BUDGET)
def heard(resource: Resource, _: Setting) -> Iterator[str]:
    if not (resource.inputs.get("thresholdRules") and resource.has("allUpdatesRule")):
        yield "nobody is told when it is spent"
