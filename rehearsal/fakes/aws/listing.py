"""The fake as a page of the documentation: what follows from its tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from trivet.rehearsal.fakes.aws.constraints import TABLE
from trivet.rehearsal.fakes.aws.sagemaker import OPERATIONS
from trivet.rehearsal.fakes.aws.settings import Settings


def page() -> str:
    """Operations, constraints and settings, in Markdown."""
    return "\n".join([*_operations(), *_constraints(), *_settings()])


def _operations() -> Iterator[str]:
    names = sorted([*OPERATIONS, "InvokeEndpoint", "InvokeEndpointAsync"])
    yield f"## The {len(names)} operations of SageMaker that are answered here\n"
    yield f"{', '.join(f'`{name}`' for name in names)}. All others are validated, too, and then moto's.\n"


def _constraints() -> Iterator[str]:
    yield "## Constraints\n"
    yield "All hold at first; `Fake.switch(NAME, False)` lets one rest, so that a test can show what it is for.\n"
    yield "| name | what must hold | source |\n| --- | --- | --- |"
    for name, entry in TABLE.items():
        yield f"| `{name}` | {entry.rule} | {entry.source} |"
    yield ""


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield "| name | default | meaning |\n| --- | --- | --- |"
    for one in fields(Settings):
        yield f"| `{one.name}` | `{one.default}` | {one.metadata['meaning']} |"
    yield ""
