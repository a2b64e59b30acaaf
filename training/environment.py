"""Which packages make a model, and in which versions they are here."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

# What a package's digest depends on, beside data, source and plan.
MAKERS = (
    "mlflow",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "skl2onnx",
    "trivet",
)


def versions() -> dict[str, str]:
    """Version by name: Python, the CPU architecture, and those of ``MAKERS`` that are installed."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in MAKERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a machine that only submits needs none of them
            continue
    return found
