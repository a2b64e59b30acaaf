"""Train, register and serve models on AWS, GCP, Azure and one machine, behind one interface.

``import trivet`` costs nothing: each verb imports what it needs when it is called. ``connect`` gives the platform of a
stack; the other names are the verbs of the command line.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# ONNX Runtime's Linux wheels report to Microsoft, from a thread of their own, unless this is set before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from trivet.api import (
        approve,
        audit,
        convert,
        deploy,
        destroy,
        doctor,
        environment,
        held,
        init,
        ledger_entries,
        ledger_export,
        ledger_verify,
        logs,
        migrate,
        model_card,
        models,
        monitor,
        outputs,
        pause,
        predict,
        predict_file,
        preview,
        register,
        registry_ui,
        resume,
        run,
        run_if_needed,
        schedule,
        score,
        status,
        train,
        up,
    )
    from trivet.connect import connect

__all__ = [
    "approve",
    "audit",
    "connect",
    "convert",
    "deploy",
    "destroy",
    "doctor",
    "environment",
    "held",
    "init",
    "ledger_entries",
    "ledger_export",
    "ledger_verify",
    "logs",
    "migrate",
    "model_card",
    "models",
    "monitor",
    "outputs",
    "pause",
    "predict",
    "predict_file",
    "preview",
    "register",
    "registry_ui",
    "resume",
    "run",
    "run_if_needed",
    "schedule",
    "score",
    "status",
    "train",
    "up",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("trivet.connect" if name == "connect" else "trivet.api"), name)
    raise AttributeError(f"module 'trivet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
