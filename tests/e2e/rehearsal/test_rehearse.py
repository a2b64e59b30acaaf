"""The whole life on each cloud's fake, by the command line, where nothing but loopback can be reached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trivet.rehearsal.stages import OURS, STAGES

pytestmark = pytest.mark.slow

TRIVET = str(Path(sys.executable).with_name("trivet"))
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
# A Python program that is not there to be trusted: the kernel has to say that nobody else can be reached.
REACH = "import socket; socket.create_connection(('192.0.2.1', 443), 3)"
STEPS = [
    "Provision the stack",
    "Run the workflow",
    "Ask about 50 applications",
    "Score 50 applications in a job",
    "See the gate refuse a bad candidate",
    "See a broken release taken back",
    "Watch, and verify the ledger",
    "Provision again, and see nothing change",
    "Destroy everything",
]

ASKED = {
    "aws": ({"sagemaker": 50, "s3": 100}, "fake (moto "),
    "gcp": ({"aiplatform": 50, "storage": 100, "cloudkms": 5}, "fake (messages of google-cloud-aiplatform "),
}
"""Operations of which services there are more than so many, and on what it ran."""


def alone(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command where only loopback is."""
    passed = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run([*ALONE, *command], cwd=folder, env=passed, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module", autouse=True)
def _closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The positive control: the namespace is there, and nothing leaves it."""
    assert shutil.which("unshare") and shutil.which("ip"), "install util-linux and iproute2"
    probe = alone(sys.executable, "-c", REACH, folder=tmp_path_factory.mktemp("probe"))
    assert probe.returncode != 0 and "unreachable" in probe.stderr


@pytest.fixture(scope="module")
def all_rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict], Path]:
    """The reports by cloud, and what was kept."""
    folder = tmp_path_factory.mktemp("rehearsal")
    ran = alone(TRIVET, "rehearse", "all", "--json", "--keep", str(folder / "kept"), folder=folder)
    assert ran.returncode == 0, ran.stderr
    return {one["cloud"]: one["report"] for one in json.loads(ran.stdout)}, folder / "kept"


@pytest.fixture(params=STAGES)
def rehearsed(request: pytest.FixtureRequest, all_rehearsed: tuple[dict[str, dict], Path]) -> tuple[dict, Path]:
    reports, kept = all_rehearsed
    return reports[request.param], kept / request.param


def test_every_step_shows_what_it_should(rehearsed: tuple[dict, Path]) -> None:
    report, _ = rehearsed
    assert [one["step"] for one in report["steps"]] == STEPS
    showed = {one["step"]: one["showed"] for one in report["steps"]}
    assert "loan/1" in showed["Run the workflow"]
    assert "The gate says fail" in showed["See the gate refuse a bad candidate"]
    assert "golden" in showed["See a broken release taken back"]
    assert "nothing is left" in showed["Destroy everything"]


def test_the_report_says_on_what_and_how_much_was_asked(rehearsed: tuple[dict, Path]) -> None:
    report, _ = rehearsed
    asked, evidence = ASKED[report["cloud"]]
    assert all(report["operations"][service] > most for service, most in asked.items())
    assert report["evidence"].startswith(evidence)
    assert "IAM" in report["proves_not"]


def test_no_process_of_it_lives_on(rehearsed: tuple[dict, Path]) -> None:
    _, kept = rehearsed
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(kept) not in listed


def test_an_unknown_cloud_is_refused_in_one_sentence(tmp_path: Path) -> None:
    ran = alone(TRIVET, "rehearse", "mars", folder=tmp_path)
    assert ran.returncode == 7
    assert "no rehearsal of mars" in ran.stderr and "Traceback" not in ran.stderr
