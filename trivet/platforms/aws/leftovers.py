"""Models, configurations and alarms of an endpoint that nothing needs any more.

The last good configurations stay, so that whoever has to go back can do so by hand, without Trivet.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from trivet.core.outputs import EndpointShell
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import is_missing, unless_gone
from trivet.platforms.aws.rollout import alarm_names
from trivet.platforms.aws.variants import DIGITS, family

KEPT = 3  # configurations, the one in use among them


def tidy(clients: Clients, shell: EndpointShell, *, kept: str = "", bad: str = "") -> None:
    """Delete what the endpoint had; with ``kept``, its configuration in use, that and the last before it stay.

    :param bad: a configuration that was tried and is not good: to be deleted too.
    """
    sagemaker: Any = clients("sagemaker")
    configs = _named(sagemaker, "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", shell)
    keep = [kept, *(name for name in configs if name not in (kept, bad))][:KEPT] if kept else []
    used = {model for name in keep for model in _models_of(sagemaker, name)}
    for name in configs:
        if name not in keep:
            clients("cloudwatch").delete_alarms(AlarmNames=alarm_names(name))
            unless_gone(lambda name=name: sagemaker.delete_endpoint_config(EndpointConfigName=name), or_used=True)
    for name in _named(sagemaker, "list_models", "Models", "ModelName", shell):
        if name not in used:
            unless_gone(lambda name=name: sagemaker.delete_model(ModelName=name), or_used=True)


def _named(sagemaker: Any, verb: str, member: str, field: str, shell: EndpointShell) -> list[str]:
    """Names of what belongs to the endpoint, newest first."""
    begin = family(shell)
    pages = sagemaker.get_paginator(verb).paginate(NameContains=begin, SortBy="CreationTime", SortOrder="Descending")
    found = [one[field] for page in pages for one in page[member]]
    return [name for name in found if name.startswith(begin) and len(name) == len(begin) + DIGITS]


def _models_of(sagemaker: Any, config: str) -> list[str]:
    try:
        found = sagemaker.describe_endpoint_config(EndpointConfigName=config)
    except ClientError as error:
        if is_missing(error):
            return []
        raise
    variants = [*found["ProductionVariants"], *found.get("ShadowProductionVariants", [])]
    return [one["ModelName"] for one in variants]
