"""Where everything is made, under which tags, and up to which cost."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Graph, Resource, Setting, opened, rule, stack_rule

PROVIDER = "pulumi:providers:aws"
BUDGET = "aws:budgets/budget:Budget"
OWN_TAGS = ("trivet:stack", "trivet:environment", "trivet:managed-by")


@rule("account-tags", "Everything carries the required tags", "AWS Well-Architected COST03-BP02", "medium", PROVIDER)
def tags(resource: Resource, setting: Setting) -> Iterator[str]:
    """Tags are the provider's default ones, so that no resource can be without."""
    default = opened(resource.inputs.get("defaultTags"))
    present = opened(default.get("tags"))
    if missing := [name for name in (*OWN_TAGS, *setting.required_tags) if not present.get(name)]:
        yield f"the default tags lack {', '.join(missing)}"


@rule("account-fixed", "Nothing is made in another account", "AWS Well-Architected SEC01-BP01", "high", PROVIDER)
def fixed(resource: Resource, _: Setting) -> Iterator[str]:
    if not opened(resource.inputs.get("allowedAccountIds")):
        yield "the provider does not say which accounts are allowed"


@stack_rule("budget-there", "A stack that matters has a budget", "AWS Well-Architected COST02-BP05", "medium")
def budget(graph: Graph, setting: Setting) -> Iterator[str]:
    if setting.binds and graph.has_package("aws") and not graph.of(BUDGET):
        yield "there is no budget"


@rule("budget-heard", "Every budget tells somebody", "AWS Well-Architected COST02-BP05", "medium", BUDGET)
def heard(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.inputs.get("notifications"):
        yield "nobody is told when it is spent"
