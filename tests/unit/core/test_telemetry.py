"""No library that we bring reports to anybody: ONNX Runtime's wheels would, from a thread of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORT = """
{first}
import os, time
import onnxruntime
end = time.monotonic() + 5
while time.monotonic() < end and not os.listdir(os.environ["TMPDIR"]):
    time.sleep(0.1)
print(len(os.listdir("/proc/self/task")))
"""


def left_behind(first: str, folder: Path) -> tuple[set[str], int]:
    """Files that an import leaves in the folder of temporary files, and how many threads there are after it."""
    folder.mkdir()
    # In CI it holds its tongue by itself, so nothing may say that this is one.
    kept = ("PATH", "HOME", "PYTHONPATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    ran = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, "-c", IMPORT.format(first=first)],
        env=environment | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return {path.name for path in folder.iterdir()}, int(ran.stdout)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], int]:
    """What it does by itself."""
    return left_behind("pass", tmp_path_factory.mktemp("control") / "tmp")


def test_onnxruntime_is_silent_below_trivet(tmp_path, control):
    files, threads = left_behind("import trivet", tmp_path / "tmp")
    assert files == set()
    assert control[0], "the control left nothing: the wheel has changed, and this test sees nothing any more"
    assert threads < control[1]
