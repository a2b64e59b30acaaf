"""The example's verdicts do not hang on one draw of the folds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

SEEDS = range(5)
VERDICTS = {"default": "inconclusive", "strict": "fail", "mitigated": "pass"}


@pytest.fixture(scope="module")
def stack(checkout):
    checkout.trivet("up", checkout.root / "examples" / "loan_approval")
    yield checkout
    checkout.trivet("destroy", "--yes")
    assert checkout.processes() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_each_candidate_has_its_verdict_whatever_the_seed(stack, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "loan_approval"
    shutil.copytree(stack.root / "examples" / "loan_approval", folder)
    settings = yaml.safe_load((folder / "trivet.yaml").read_text())
    (folder / "trivet.yaml").write_text(yaml.safe_dump({**settings, "seed": seed}))
    report = stack.trivet("train", folder, "--json").json
    assert report["outcome"] == "judged"
    assert {gate["candidate"]: gate["verdict"] for gate in report["gates"]} == VERDICTS, report["gates"]
    assert stack.versions() == {}
