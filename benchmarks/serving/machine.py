"""Where and with what was measured."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.serving.servers import Server

ROOT = Path(__file__).resolve().parents[2]
OURS = ("httptools", "uvloop", "onnxruntime", "orjson", "numpy")
TOLD = (
    "bentoml", "blacksheep", "fastapi", "granian", "httptools", "litserve", "mlflow", "mlserver", "mlserver-sklearn",
    "numpy", "onnxruntime", "orjson", "robyn", "scikit-learn", "starlette", "uvicorn", "uvloop",
)  # fmt: skip


def facts(servers: Iterable[Server], work: Path) -> str:
    """The machine and the versions, as a Markdown list."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    lines = [
        f"- {_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, Linux "
        f"{platform.release()}, CPython {platform.python_version()}; load average {load} at the end",
        f"- this checkout: {_commit()}; {_ours()}",
        f"- records are written to {_file_system(work)}",
    ]
    for name in sorted({server.environment for server in servers} - {""}):
        text = (ROOT / "benchmarks/peers" / name / "requirements.txt").read_text()
        pins = [f"{pin} {said}" for pin, said in re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE) if pin in TOLD]
        lines.append(f"- {name}: {', '.join(pins)}")
    return "\n".join(lines) + "\n"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return f"commit {done.stdout.strip()}" if done.returncode == 0 else "no commit"


def _ours() -> str:
    return ", ".join(f"{name} {version(name)}" for name in OURS)


def _file_system(folder: Path) -> str:
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    where = max(mounts, key=lambda part: len(part.mountpoint))
    return f"{where.fstype} on {where.device}"
