"""Whether work on a stack of this machine can begin."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from trivet.core.checkup import Check
from trivet.core.outputs import EndpointShell, Outputs
from trivet.platforms.local.supervision import running
from trivet.platforms.store import path_of

ENOUGH = 1 << 30  # bytes free: a model, its data and what trains them


def examine(outputs: Outputs, home: Path, root: Path) -> Iterator[Check]:
    """Look at the folder, the disk, the key and the ports."""
    private = home.stat().st_mode & 0o077 == 0
    note = str(home) if private else f"Others may look into {home}: `chmod 700` it."
    yield Check(name="folder", level="ok" if private and os.access(home, os.W_OK) else "fail", note=note)
    free = shutil.disk_usage(home).free
    yield Check(name="disk", level="ok" if free >= ENOUGH else "warn", note=f"{free / (1 << 30):.1f} GiB free")
    key = home / path_of(outputs.signing.private_key)
    there = "ok" if key.is_file() else "fail"
    yield Check(name="signing key", level=there, note=outputs.signing.key_id if key.is_file() else f"{key} is gone.")
    for shell in outputs.endpoints.values():
        yield _port(shell, root)


def _port(shell: EndpointShell, root: Path) -> Check:
    if running(root / shell.folder):
        return Check(name=f"endpoint {shell.name}", level="ok", note=f"it serves at port {shell.port}")
    with socket.socket() as probe:
        taken = probe.connect_ex((shell.host, shell.port)) == 0
    note = f"port {shell.port} is {'taken by another program' if taken else 'free'}"
    return Check(name=f"endpoint {shell.name}", level="fail" if taken else "ok", note=note)
