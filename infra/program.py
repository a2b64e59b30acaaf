"""Config in, one component, one output."""

from __future__ import annotations

import importlib

import pulumi

from trivet.core.outputs import OUTPUT
from trivet.infra.component import StackComponent
from trivet.infra.export import export
from trivet.infra.settings import NAMESPACE, Settings


def main() -> None:
    """Run by Pulumi, by the embedded engine and by the tests' mocks alike."""
    settings = Settings.of(configured())
    component = build(settings, pulumi.get_stack())
    pulumi.export(OUTPUT, export(component))


def configured() -> dict[str, str]:
    """The stack's values in our namespace, by key."""
    config = pulumi.Config(NAMESPACE)
    values = {name: config.get(name) for name in Settings.model_fields}
    return {name: value for name, value in values.items() if value is not None}


def build(settings: Settings, stack: str) -> StackComponent:
    """The component of the chosen cloud; no other cloud's packages are imported."""
    module = importlib.import_module(f"trivet.infra.stacks.{settings.cloud}")
    return module.Stack(stack, settings)
