"""Compile the locks of requirements/, or check that they are what `make lock` wrote for this pyproject.toml.

    tools/lock.py [--check] [option of uv pip compile, such as --upgrade]

A lock begins with a digest over what it was compiled from and what it says. So the check needs no index: it
fails when a requirement was changed without `make lock`, and when a pin was changed by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path("requirements/venv.in")
DEV, LOCAL = Path("requirements/dev.txt"), Path("requirements/local.txt")

RUN = ["--extra", "local", "--extra", "examples"]
UNIVERSAL = [
    "--universal",
    "--python-version=3.11",
    "--fork-strategy=fewest",  # one version on every Python: what was tested is what runs
    "--only-binary=:all:",  # nothing is built, so nothing unhashed is fetched to build it
    "--generate-hashes",
    "--no-header",
]
# The larger set first: the smaller one then takes its versions, and what was tested is what `make run` runs.
OPTIONS = {
    DEV: [*UNIVERSAL, *RUN, "--group", "dev"],
    LOCAL: [*UNIVERSAL, *RUN, "--constraints", str(DEV), "--no-annotate"],
}


def main(arguments: list[str]) -> int:
    """Check or compile; print one sentence and return 3 where a lock is stale."""
    os.chdir(ROOT)
    if arguments[:1] != ["--check"]:
        compile_locks(arguments)
        return 0
    if stale := [str(lock) for lock in OPTIONS if not is_fresh(lock)]:
        sys.stderr.write(f"{' and '.join(stale)}: not what `make lock` wrote for this pyproject.toml; run it.\n")
        return 3
    return 0


def compile_locks(options: list[str]) -> None:
    """Write every lock, keeping the versions that it has where the requirements allow."""
    from uv import find_uv_bin

    environment = os.environ | {"UV": find_uv_bin()}
    for lock, own in OPTIONS.items():
        command = ["tools/uv", "pip", "compile", "--quiet", *own, *options, "pyproject.toml", str(VENV)]
        if code := subprocess.run([*command, "--output-file", str(lock)], env=environment, check=False).returncode:
            sys.exit(code)  # uv has said why
        body = "".join(line for line in lock.read_text().splitlines(keepends=True) if not line.startswith("# "))
        lock.write_text(header(lock, body) + body)


def is_fresh(lock: Path) -> bool:
    """Whether the lock is there and carries the digest of its own requirements and pins."""
    if not lock.is_file():
        return False
    first, _, body = lock.read_text().partition("\n")
    return first + "\n" == header(lock, body)


def header(lock: Path, body: str) -> str:
    """The first line of a lock that says ``body``."""
    project = tomllib.loads(Path("pyproject.toml").read_text())
    inputs = {
        "options": OPTIONS[lock],
        "requires-python": project["project"]["requires-python"],
        "dependencies": project["project"]["dependencies"],
        "extras": project["project"]["optional-dependencies"],
        "groups": project["dependency-groups"],
        "uv": project["tool"].get("uv"),
        "venv": VENV.read_text(),
        "constraints": DEV.read_text() if lock == LOCAL and DEV.is_file() else "",
        "body": body,
    }
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    return f"# Written by `make lock`; do not edit. sha256:{digest}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
