"""What Pulumi's engine serves itself, under the package ``pulumi``: the outputs of other stacks, and of this one's
resources by their URN."""

from __future__ import annotations

from collections.abc import Callable

from trivet.core.errors import ConfigError, NotFound, Unsupported
from trivet.infra.engine.provider import Live
from trivet.infra.engine.state import STACK_TYPE, Resource, State
from trivet.infra.engine.values import Properties, has_secret

PACKAGE = "pulumi"
REFERENCE = "pulumi:pulumi:StackReference"
GET_RESOURCE = "pulumi:pulumi:getResource"

OtherStack = Callable[[str], State]
"""Gives the state of a stack by its name, ``stack`` or ``organization/project/stack``.

:raises NotFound: when there is none.
"""


def read(want: Resource, other: OtherStack) -> Live:
    """A reference to another stack."""
    if want.type != REFERENCE:
        raise Unsupported(f"The embedded engine does not implement {want.type}.", "Use the pulumi CLI.")
    name = want.inputs.get("name", want.id)
    try:
        found = other(name)
    except NotFound as error:
        raise ConfigError(f"There is no stack '{name}', which {want.name} refers to.", "Correct its name.") from error
    roots = [item.outputs for item in found.resources.values() if item.type == STACK_TYPE]
    outputs = roots[0] if roots else {}
    secrets = sorted(key for key, value in outputs.items() if has_secret(value))
    return Live(want.id, want.inputs, {"name": name, "outputs": outputs, "secretOutputNames": secrets})


def invoke(function: str, arguments: Properties, state: State) -> Properties:
    """A function of the engine's own."""
    if function != GET_RESOURCE:
        raise Unsupported(f"The embedded engine does not implement the function {function}.", "Use the pulumi CLI.")
    found = state.find([arguments.get("urn", "")])
    if found is None:
        raise ConfigError(f"There is no resource {arguments.get('urn')!r} in this stack.")
    return {"urn": found[1].urn, "id": found[1].id, "state": found[1].outputs}
