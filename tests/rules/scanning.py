"""Checkov over graphs, in its own environment and without a network; what it finds, less what is waived."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tools" / "checkov"

Finding = tuple[str, str, str]
"""A check's id, the resource's address, the check's name."""


@dataclass(frozen=True)
class Waiver:
    """What is left as it is: patterns of resources and profiles, why, and until when."""

    check: str
    resource: str
    reason: str
    until: date
    profile: str = "*"

    def covers(self, profile: str, finding: Finding) -> bool:
        return finding[0] == self.check and fnmatch(finding[1], self.resource) and fnmatch(profile, self.profile)


@dataclass
class Scan:
    """What Checkov said of one graph."""

    failed: list[Finding]
    passed: int
    checked: list[str]
    resources: list[str]
    errors: list[str] = field(default_factory=list)


def waivers(path: Path = FOLDER / "waivers.yaml") -> list[Waiver]:
    return [Waiver(**one) for one in yaml.safe_load(path.read_text())]


def scanned(graphs: Mapping[str, str], folder: Path) -> dict[str, Scan]:
    """Scan each text of HCL by itself."""
    for name, text in graphs.items():
        place = folder / name
        place.mkdir(parents=True)
        (place / "main.tf").write_text(text)
    places = {str(folder / name): name for name in graphs}
    command = [python(), "-W", "ignore", str(FOLDER / "scan.py"), *places]
    answer = json.loads(offline(command).stdout)
    return {places[place]: Scan(**_tuples(one)) for place, one in answer.items()}


def offline(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run it in a network namespace that has no way out."""
    return subprocess.run(["unshare", "-rn", *command], check=True, capture_output=True, text=True)


@cache
def python() -> str:
    """The interpreter that has Checkov; installed when first asked for."""
    command = [sys.executable, str(ROOT / "tools" / "environments.py"), "checkov"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _tuples(scan: dict[str, Any]) -> dict[str, Any]:
    return scan | {"failed": [tuple(one) for one in scan["failed"]]}
