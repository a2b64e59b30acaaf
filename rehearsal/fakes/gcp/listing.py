"""The fake as a page of the documentation: what follows from its tables."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.rehearsal.fakes.gcp.constraints import TABLE
from trivet.rehearsal.fakes.gcp.settings import Settings
from trivet.rehearsal.fakes.gcp.storage.jsonapi import METHODS as STORAGE
from trivet.rehearsal.fakes.gcp.vertex.predict import METHODS as PREDICTION
from trivet.rehearsal.fakes.gcp.vertex.service import METHODS as VERTEX
from trivet.rehearsal.fakes.listing import constraints, settings


def page() -> str:
    """Methods, constraints and settings, in Markdown."""
    return "\n".join([*_methods(), *constraints(TABLE), *settings(Settings)])


def _methods() -> Iterator[str]:
    yield "## What is answered\n"
    vertex = sorted([*VERTEX, *PREDICTION, "GetOperation"])
    yield f"Of Vertex AI {len(vertex)} methods: {_named(vertex)}. Of Cloud Logging `entries.list`.\n"
    storage = sorted(STORAGE)
    yield f"Of Cloud Storage's JSON API {len(storage)}: {_named(storage)}.\n"
    yield (
        "Of its XML API objects (put, get, head, delete, copy), lists, and uploads resumable or in parts. All others"
        " are refused with `UNIMPLEMENTED`.\n"
    )


def _named(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
