"""Exceptions of other processes, of which Pulumi gives the traceback, as one sentence."""

from __future__ import annotations

from trivet.core import errors
from trivet.core.errors import PlatformError, TrivetError

_OURS = "trivet.core.errors."


def failure(what: str, told: str) -> TrivetError:
    """The error to raise for what a program, a provider or the CLI told, with or without a traceback.

    An error of Trivet's own keeps its class, so that its exit code is the same in whichever process it was raised.
    """
    words = last_words(told)
    name, _, message = words.partition(": ")
    kind = getattr(errors, name.removeprefix(_OURS), None) if name.startswith(_OURS) else None
    if isinstance(kind, type) and issubclass(kind, TrivetError):
        return kind(message)
    return PlatformError(f"{what}: {words}")


def last_words(told: str) -> str:
    """The exception's own text: what follows the last frame of a traceback."""
    lines = told.strip().splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    tail = lines[frames[-1] + 1 :] if frames else lines
    return " ".join(line.strip() for line in tail if not (frames and line.startswith("    "))) or told.strip()
