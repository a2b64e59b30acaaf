"""`wrk` for one window: how many requests were answered, how fast, and what went wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "post.lua"
PATIENCE = 10  # seconds that wrk waits for an answer


@dataclass(frozen=True)
class Load:
    """What a closed loop of connections saw in one window. Times in milliseconds."""

    answered: int
    seconds: float
    p50: float
    p99: float
    errors: dict[str, int]

    @property
    def rate(self) -> float:
        """Requests a second that were answered with 2xx."""
        return self.answered / self.seconds


def require_wrk() -> None:
    """Leave with a plain sentence where wrk, or taskset, is missing."""
    for command, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(command) is None:
            sys.exit(f"The command {command} is not there: install it (Debian: apt-get install {package}).")


def write_bodies(path: Path, requests: Iterable[tuple[str, bytes]]) -> Path:
    """The file that ``drive`` sends from: a path and a body a line."""
    path.write_bytes(b"".join(b"%s\t%s\n" % (route.encode(), body) for route, body in requests))
    return path


def drive(port: int, bodies: Path, connections: int, seconds: int, cores: Iterable[int]) -> Load:
    """Send from ``connections`` for ``seconds`` with one thread on one of ``cores``."""
    command = ["taskset", "-c", ",".join(map(str, cores)), "wrk", "-t1", f"-c{connections}", "-d", f"{seconds}s"]
    command += ["--timeout", f"{PATIENCE}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(bodies)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"wrk failed: {(done.stderr or done.stdout).strip()}.")
    seen = json.loads(done.stdout.strip().splitlines()[-1])
    errors = {name: seen[name] for name in ("status", "connect", "read", "write", "timeout") if seen[name]}
    return Load(seen["requests"] - seen["status"], seen["seconds"], seen["p50"], seen["p99"], errors)
