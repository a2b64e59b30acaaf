"""Where something was measured."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]


def host() -> str:
    """The machine, its system, the interpreter, and how busy it was lately."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, Linux "
        f"{platform.release()}, CPython {platform.python_version()}; load average {load} at the end"
    )


def checkout(packages: Iterable[str]) -> str:
    """What was measured, and with which versions."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    commit = f"commit {done.stdout.strip()}" if done.returncode == 0 else "no commit"
    return f"this checkout: {commit}; {', '.join(f'{name} {version(name)}' for name in packages)}"


def file_system(folder: Path) -> str:
    """What a folder lies on."""
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    where = max(mounts, key=lambda part: len(part.mountpoint))
    return f"{where.fstype} on {where.device}"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
