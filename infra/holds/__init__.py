"""What stands in the way of destroying a stack, what outlives it, and how to let go of each. Told from its state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec

from pydantic import Field

from trivet.core.document import Document
from trivet.core.errors import ConfigError
from trivet.infra.listing import Listed

RELEASE = "trivet up --config protect=false"


class Hold(Document):
    """Why one resource is not deleted, or not at once."""

    resource: str = Field(description="Its logical name.")
    type: str
    id: str = Field(description="How the cloud names it.")
    why: str
    release: str = Field(description="What to do about it.")
    blocks: bool = Field(description="Whether nothing is destroyed while it holds; else it outlives the stack.")


class Held(ConfigError):
    """A stack is not destroyed, because something in it is protected."""

    def __init__(self, stack: str, holds: Iterable[Hold]) -> None:
        self.holds = tuple(holds)
        blocking = dict.fromkeys(one.resource for one in self.holds if one.blocks)
        super().__init__(
            f"The stack {stack} protects {len(blocking)} of its resources, and nothing was destroyed: "
            f"{', '.join(blocking)}.",
            f"Release them with `{RELEASE} --stack {stack}`, then call again.",
        )


Reasons = Callable[[Listed], Iterable[Hold]]
"""What a cloud's own resource holds on to."""


def holds(resources: Iterable[Listed]) -> list[Hold]:
    """Everything that is protected or outlives the stack, in the order of the list."""
    found: list[Hold] = []
    for one in resources:
        if one.protect:
            release = f"`{RELEASE}`; in a program of your own: protect=False, then up"
            found.append(hold(one, "protected in Pulumi", release, blocks=True))
        if one.retain:
            found.append(hold(one, "kept when the stack is destroyed", "delete it yourself, when it may be"))
        if reasons := _reasons(one.package):
            found += reasons(one)
    return found


def hold(resource: Listed, why: str, release: str, *, blocks: bool = False) -> Hold:
    """One reason."""
    return Hold(
        resource=resource.name, type=resource.type, id=resource.identity, why=why, release=release, blocks=blocks
    )


def _reasons(package: str) -> Reasons | None:
    """What a package's resources hold on to, where somebody has looked."""
    name = f"{__name__}.{package.replace('-', '_')}"
    return import_module(name).reasons if find_spec(name) else None
