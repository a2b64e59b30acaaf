"""The model registry: Vertex AI's, in which the runtime registers versions; nothing of it is there before a model."""

from __future__ import annotations

from trivet.infra.stacks.gcp.context import Context


def parent(context: Context) -> str:
    """The place in which models are registered; the stack's bear its labels, and their names begin with its prefix."""
    return f"projects/{context.project}/locations/{context.region}"
