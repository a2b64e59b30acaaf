"""What follows from a fake's tables, for a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from trivet.rehearsal.fakes.constraints import Constraint
from trivet.rehearsal.fakes.settings import Adjustable


def constraints(table: Mapping[str, Constraint]) -> Iterator[str]:
    """What must hold, and who says so, in Markdown."""
    yield "## Constraints\n"
    yield "All hold at first; `Fake.switch(NAME, False)` lets one rest, so that a test can show what it is for.\n"
    yield "| name | what must hold | source |\n| --- | --- | --- |"
    for name, entry in table.items():
        yield f"| `{name}` | {entry.rule} | {entry.source} |"
    yield ""


def settings(kind: type[Adjustable]) -> Iterator[str]:
    """What can be set, in Markdown."""
    yield "## Settings\n"
    yield "| name | default | meaning |\n| --- | --- | --- |"
    for one in fields(kind):
        yield f"| `{one.name}` | `{one.default}` | {one.metadata['meaning']} |"
    yield ""
