"""Train, register and serve models on AWS, GCP, Azure and one machine, behind one interface.

``import trivet`` costs nothing: each verb imports what it needs when it is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from trivet.api import deploy, destroy, init, monitor, outputs, predict, preview, run, status, train, up
    from trivet.connect import connect

_HOMES = {
    "connect": "trivet.connect",
    "deploy": "trivet.api",
    "destroy": "trivet.api",
    "init": "trivet.api",
    "monitor": "trivet.api",
    "outputs": "trivet.api",
    "predict": "trivet.api",
    "preview": "trivet.api",
    "run": "trivet.api",
    "status": "trivet.api",
    "train": "trivet.api",
    "up": "trivet.api",
}

__all__ = [
    "connect",
    "deploy",
    "destroy",
    "init",
    "monitor",
    "outputs",
    "predict",
    "preview",
    "run",
    "status",
    "train",
    "up",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'trivet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
