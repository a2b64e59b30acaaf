"""Make environments for tools that cannot share .venv, each from the lock of its own folder.

    .venv/bin/python tools/environments.py NAME ...

NAME is a folder with a lock, such as tools/clients/kserve, or its last part. Its packages are installed into
.environments/NAME on the interpreter that .venv stands on; for each NAME the path of the environment's python is
printed. What is current is left alone. What was cut short, or made from another lock, by another Python or for another
folder, is made anew. Two processes may ask at once: the second waits. What stops it is said in one sentence, with exit
code 9.

    UV  uv to install with, empty for pip; else the one on PATH, else the one in .venv, else pip

Indexes, proxies and certificates are pip's settings, for uv too: see tools/uv.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".environments"
FOLDERS = ["benchmarks/peers", "tools/clients", "tools"]
STAMP = "trivet-environment.json"
PIN = re.compile(r"^([A-Za-z0-9][^=\s]*)==.*(?:\n[ ]+.*)*\n?", re.MULTILINE)
UNBUILT = re.compile(r"^--no-binary (\S+)$", re.MULTILINE)


class NotInstalledError(Exception):
    """The environment is not there: what happened, and what to do next."""


def environment(name: str | Path) -> Path:
    """The python of the environment of a folder, which is made first where it is not current."""
    folder = folder_of(name)
    lock, target = folder / "requirements.txt", HOME / folder.name
    if not lock.is_file():
        raise NotInstalledError(f"{lock.relative_to(ROOT)} is missing: write it with make lock.")
    python = target / "bin" / "python"
    HOME.mkdir(exist_ok=True)
    with Path(HOME, f"{folder.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        stamp = {"lock": lock.read_text(), "python": [base_python(), sys.version], "folder": str(target)}
        if not is_current(target, stamp):
            fill(target, stamp["lock"], lock.relative_to(ROOT), guard.fileno())
            Path(target, "unfinished").write_text(json.dumps(stamp))
            Path(target, "unfinished").replace(target / STAMP)
    return python


def folder_of(name: str | Path) -> Path:
    """The folder that ``name`` means: a path from the checkout, or the last part of one."""
    places = [ROOT / name, *(ROOT / folder / name for folder in FOLDERS)]
    found = sorted({place.resolve() for place in places if (place / "requirements.in").is_file()})
    if len(found) != 1:
        known = sorted(path.parent.name for folder in FOLDERS for path in (ROOT / folder).glob("*/requirements.in"))
        raise NotInstalledError(f"{name} names {len(found)} environments: name one of {', '.join(known)}.")
    return found[0]


def base_python() -> str:
    """The interpreter below the environment that this runs in."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def is_current(target: Path, stamp: dict[str, object]) -> bool:
    """Whether ``target`` was finished for ``stamp``, and the interpreter below it is still there."""
    try:
        return json.loads((target / STAMP).read_text()) == stamp and (target / "bin" / "python").exists()
    except (OSError, ValueError):
        return False


def fill(target: Path, lock: str, name: Path, guard: int) -> None:
    """Make ``target`` anew and install ``lock``: what has wheels first, then what is built, with the former at hand."""
    shutil.rmtree(target, ignore_errors=True)
    venv.create(target, symlinks=True)
    built = set(UNBUILT.findall(lock))
    pins = {match[1]: match[0] for match in PIN.finditer(lock)}
    print(f"Installing {name} into {target.relative_to(ROOT)}", file=sys.stderr)  # noqa: T201
    install(target, [pin for package, pin in pins.items() if package not in built], [], name, guard)
    if built:
        options = ["--no-deps", "--no-build-isolation", *(f"--no-binary={package}" for package in sorted(built))]
        install(target, [pin for package, pin in pins.items() if package in built], options, name, guard)


def install(target: Path, pins: list[str], options: list[str], name: Path, guard: int) -> None:
    """Install pins with their hashes. The lock is handed on, so that an installer that outlives us keeps it."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("".join(pins))
        requirements.flush()
        command = [*installer(target), "--require-hashes", "--only-binary", ":all:", *options, "-r", requirements.name]
        done = subprocess.run(command, cwd=ROOT, pass_fds=[guard], capture_output=True, text=True, check=False)
    if done.returncode:
        log = HOME / f"{target.name}.log"
        log.write_text(done.stdout + done.stderr)
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise NotInstalledError(
            f"{name} cannot be installed ({last[0].strip()}): {log.relative_to(ROOT)} has the whole log; check the "
            "network, PIP_INDEX_URL and HTTPS_PROXY, or write the lock anew with make lock."
        )


def installer(target: Path) -> list[str]:
    """The command that installs into ``target``."""
    python = str(target / "bin" / "python")
    uv = os.environ.get("UV", shutil.which("uv"))
    if uv is None and find_spec("uv"):
        from uv import find_uv_bin

        uv = find_uv_bin()
    if uv:
        return ["env", f"UV={uv}", "tools/uv", "pip", "install", "--python", python, "--compile-bytecode"]
    certificates = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    pip = [sys.executable, "-Im", "pip", "--python", python, "--disable-pip-version-check", "--no-input"]
    return [*pip, *(["--cert", certificates] if certificates else []), "install"]


def main(names: list[str]) -> int:
    """Make each, and print where its python is."""
    try:
        for name in names:
            print(environment(name))  # noqa: T201
    except NotInstalledError as error:
        sys.stderr.write(f"environments: {error}\n")
        return 9
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
