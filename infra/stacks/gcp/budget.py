"""Budgets: of the stack, and of each endpoint that has one."""

from __future__ import annotations

from math import floor

import pulumi
import pulumi_gcp as gcp

from trivet.clouds.gcpnames import labels
from trivet.core.leftovers import ENDPOINT_TAG, STACK_TAG
from trivet.infra.stacks.gcp.alerts import Alerts
from trivet.infra.stacks.gcp.context import Context

_FORECAST, _ACTUAL = 1.0, 0.8
_MOST_CHANNELS = 5  # that a budget takes, of e-mail only
_NANOS = 10**9
_SENDER = "serviceAccount:billing-budget-alert@system.gserviceaccount.com"


def create(context: Context, alerts: Alerts) -> None:
    """Tell the channels when 80 % are spent, and when all of it will be."""
    settings = context.settings
    wanted = {"stack": (settings.budget, {STACK_TAG: pulumi.get_stack()})} | {
        f"endpoint-{one.name}": (one.budget, {ENDPOINT_TAG: one.name}) for one in settings.endpoints
    }
    told = {what: said for what, said in wanted.items() if said[0]}
    if not told:
        return
    sender = gcp.pubsub.TopicIAMMember(
        "budget-sender",
        topic=alerts.topic.name,
        role="roles/pubsub.publisher",
        member=_SENDER,
        opts=context.under(alerts.topic).options,
    )
    project = gcp.organizations.get_project_output(project_id=context.project, opts=context.asking())
    for what, (amount, tag) in told.items():
        assert amount  # noqa: S101  those without are left out above
        gcp.billing.Budget(
            f"{what}-budget",
            billing_account=project.billing_account,
            display_name=context.name(f"{what}-budget", 60),
            amount=_amount(amount),
            # Costs are told apart by one label, and by the project: what bears no labels is in no budget.
            budget_filter=gcp.billing.BudgetBudgetFilterArgs(
                projects=[project.number.apply(lambda number: f"projects/{number}")],
                labels=labels(tag),
                calendar_period="MONTH",
            ),
            threshold_rules=[
                gcp.billing.BudgetThresholdRuleArgs(threshold_percent=_ACTUAL, spend_basis="CURRENT_SPEND"),
                gcp.billing.BudgetThresholdRuleArgs(threshold_percent=_FORECAST, spend_basis="FORECASTED_SPEND"),
            ],
            all_updates_rule=gcp.billing.BudgetAllUpdatesRuleArgs(
                pubsub_topic=alerts.topic.id,
                schema_version="1.0",
                monitoring_notification_channels=[one.name for one in alerts.channels[1:][:_MOST_CHANNELS]],
            ),
            opts=context.after(sender),
        )


def _amount(amount: float) -> gcp.billing.BudgetAmountArgs:
    """In the currency of the billing account, whole units and their billionths."""
    return gcp.billing.BudgetAmountArgs(
        specified_amount=gcp.billing.BudgetAmountSpecifiedAmountArgs(
            units=str(floor(amount)), nanos=round(amount % 1 * _NANOS)
        )
    )
