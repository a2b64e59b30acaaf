"""Where and with what was measured."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from benchmarks.machine import ROOT, checkout, file_system, host
from benchmarks.serving.servers import Server

OURS = ("httptools", "uvloop", "onnxruntime", "orjson", "numpy")
TOLD = (
    "bentoml", "blacksheep", "fastapi", "granian", "httptools", "litserve", "mlflow", "mlserver", "mlserver-sklearn",
    "numpy", "onnxruntime", "orjson", "robyn", "scikit-learn", "starlette", "uvicorn", "uvloop",
)  # fmt: skip


def facts(servers: Iterable[Server], work: Path) -> str:
    """The machine and the versions, as a Markdown list."""
    lines = [f"- {host()}", f"- {checkout(OURS)}", f"- records are written to {file_system(work)}"]
    for name in sorted({server.environment for server in servers} - {""}):
        text = (ROOT / "benchmarks/peers" / name / "requirements.txt").read_text()
        pins = [f"{pin} {said}" for pin, said in re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE) if pin in TOLD]
        lines.append(f"- {name}: {', '.join(pins)}")
    return "\n".join(lines) + "\n"
