"""Scan folders of Terraform with Checkov and print what it found as JSON; run by the python of its own environment.

    python scan.py FOLDER ...

Only Checkov's checks and its engine run, not its command line, which asks its maker's servers for more of them.
For each folder: ``failed``, each check with its resource and name; ``passed``, how many; ``checked``, the types of
which it knows something; ``resources``, what was read; ``errors``, what could not be.
"""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

logging.disable(logging.WARNING)

from checkov.runner_filter import RunnerFilter  # noqa: E402  # pyright: ignore[reportMissingImports]
from checkov.terraform.runner import Runner  # noqa: E402  # pyright: ignore[reportMissingImports]


def scan(folder: str) -> dict[str, Any]:
    """What Checkov finds in one folder."""
    report = Runner().run(root_folder=folder, runner_filter=RunnerFilter(framework=["terraform"]))
    checked = {one.resource.partition(".")[0] for one in [*report.passed_checks, *report.failed_checks]}
    failed = {(one.check_id, one.resource): one.check_name for one in report.failed_checks}
    return {
        "failed": [[check, resource, name] for (check, resource), name in sorted(failed.items())],
        "passed": len(report.passed_checks),
        "checked": sorted(checked),
        "resources": sorted(report.resources),
        "errors": report.parsing_errors,
    }


def main(folders: list[str]) -> None:
    gc.disable()  # a third of the time, for processes that end soon
    # Checkov keeps what it read of a policy by the resource's name alone: each folder has a process of its own.
    with multiprocessing.get_context("fork").Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        scans = pool.map(scan, [str(Path(folder).resolve()) for folder in folders], chunksize=1)
    found = dict(zip(folders, scans, strict=True))
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
