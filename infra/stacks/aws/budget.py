"""Budgets: of the stack, and of each endpoint that has one."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from trivet.core.leftovers import ENDPOINT_TAG, STACK_TAG
from trivet.infra.stacks.aws.context import Context

_FORECAST, _ACTUAL = 100, 80


def create(context: Context, topic: pulumi.Input[str]) -> None:
    """Tell the topic when 80 % are spent, and when all of it will be."""
    settings = context.settings
    if settings.budget:
        _budget(context, "stack", settings.budget, (STACK_TAG, pulumi.get_stack()), topic)
    for endpoint in settings.endpoints:
        if endpoint.budget:
            _budget(context, f"endpoint-{endpoint.name}", endpoint.budget, (ENDPOINT_TAG, endpoint.name), topic)


def bearing(tag: str, value: str) -> str:
    """What a budget counts: costs of what bears a tag that a user gave; AWS Budgets' guide, "Filtering"."""
    return f"user:{tag}${value}"


def _budget(
    context: Context, what: str, amount: float, tag: Sequence[str], topic: pulumi.Input[str]
) -> aws.budgets.Budget:
    """Costs are told apart by a tag, which the account's owner has to activate once for that."""

    def notification(kind: str, percent: int) -> aws.budgets.BudgetNotificationArgs:
        return aws.budgets.BudgetNotificationArgs(
            comparison_operator="GREATER_THAN",
            notification_type=kind,
            threshold=percent,
            threshold_type="PERCENTAGE",
            subscriber_sns_topic_arns=[topic],
            subscriber_email_addresses=list(context.settings.alert_emails),
        )

    return aws.budgets.Budget(
        f"{what}-budget",
        name=context.name(f"{what}-budget", 100),
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=f"{amount:g}",
        limit_unit="USD",
        cost_filters=[aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[bearing(*tag)])],
        notifications=[notification("ACTUAL", _ACTUAL), notification("FORECASTED", _FORECAST)],
        opts=context.options,
    )
