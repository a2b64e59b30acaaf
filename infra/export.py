"""The one writer of the stack's output, and of its copy beside the state.

Field names are checked while the program runs, so also at preview; values once they are known. The copy lets every
runtime verb do without Pulumi, its state and a passphrase, also when somebody ran ``pulumi up`` by hand.
"""

from __future__ import annotations

from typing import Any

import pulumi

from trivet.core.files import write_atomic
from trivet.core.layout import OUTPUTS_FILE, project_root, stack_home
from trivet.core.outputs import Outputs
from trivet.infra.component import StackComponent


def export(component: StackComponent) -> pulumi.Output[dict[str, Any]]:
    """The value of the output named ``trivet``."""
    values = component.values()
    if wrong := set(Outputs.model_fields) ^ set(values):
        raise TypeError(f"the stack's output and core.outputs.Outputs differ in: {', '.join(sorted(wrong))}")
    component.register_outputs({})
    return pulumi.Output.from_input(values).apply(_checked)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    outputs = Outputs.parse(values, "The stack's output")
    if not pulumi.runtime.is_dry_run():
        home = stack_home(project_root(), outputs.stack)
        write_atomic(home / OUTPUTS_FILE, outputs.model_dump_json(indent=2))
    return outputs.model_dump(mode="json")
