"""The fake as a page of the documentation: what follows from its tables."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.rehearsal.fakes.aws.constraints import TABLE
from trivet.rehearsal.fakes.aws.sagemaker import OPERATIONS
from trivet.rehearsal.fakes.aws.settings import Settings
from trivet.rehearsal.fakes.listing import constraints, settings


def page() -> str:
    """Operations, constraints and settings, in Markdown."""
    return "\n".join([*_operations(), *constraints(TABLE), *settings(Settings)])


def _operations() -> Iterator[str]:
    names = sorted([*OPERATIONS, "InvokeEndpoint", "InvokeEndpointAsync"])
    yield f"## The {len(names)} operations of SageMaker that are answered here\n"
    yield f"{', '.join(f'`{name}`' for name in names)}. All others are validated, too, and then moto's.\n"
