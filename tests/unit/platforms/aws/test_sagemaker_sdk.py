"""What Trivet makes on SageMaker is SageMaker's own: AWS's SDK for Python reads it and serves it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.serving.clients.matrix import python_of
from trivet.core.inference import request_of
from trivet.core.specs import JobState
from trivet.rehearsal.rigs.aws import ACCOUNT, ENDPOINTS, PREFIX, REGION, AwsRig
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, serving_of

pytestmark = pytest.mark.slow
OWN = 77  # the number of a version that no other test approves
USER = Path(__file__).with_name("sdkuser.py")
QUIET = "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"


@pytest.fixture(scope="module")
def seen(rig: AwsRig, version_of, spec_of, job, ended, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A case, and what the SDK found of it."""
    version, platform = version_of(OWN), rig.platform
    platform.endpoints.apply(spec_of(OWN))
    ref = platform.jobs.submit(job())
    assert ended(ref) is JobState.SUCCEEDED
    pages = rig.client("sagemaker").get_paginator("list_model_packages")
    [package] = [
        one["ModelPackageArn"]
        for page in pages.paginate(ModelPackageGroupName=f"{PREFIX}-models")
        for one in page["ModelPackageSummaryList"]
        if one["ModelPackageDescription"] == str(version)
    ]
    request = request_of(GOLDEN_ROWS, serving_of("loan", intercept=OWN / 10))
    case = {
        "package": package,
        "job": f"{PREFIX}-{ref.id}-1",
        "endpoint": f"{PREFIX}-{ENDPOINTS[0]}",
        "role": f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-server-{ENDPOINTS[0]}",
        "request": request,
    }
    found = by_the_sdk(rig, case, tmp_path_factory.mktemp("sdk"))
    ours = platform.endpoints.invoke(ENDPOINTS[0], request)
    platform.endpoints.delete(ENDPOINTS[0])
    return {"version": version, "ours": ours, **found}


def by_the_sdk(rig: AwsRig, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What it prints of a case; it has no credentials but made-up ones, and tells its makers nothing."""
    quiet = folder / "config.yaml"
    quiet.write_text(QUIET)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": rig.fake.endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(quiet),
    }
    done = subprocess.run(
        [python_of("sagemaker-sdk"), "-P", str(USER)],
        env=variables,
        input=json.dumps(case),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_sdk_reads_what_trivet_made(seen):
    version = seen["version"]
    assert seen["package"] == ["Completed", "PendingManualApproval"]
    assert seen["metadata"].items() >= {"trivet.name": "loan", "trivet.version": str(version.version)}.items()
    assert seen["metadata"]["trivet.digest"] == version.digest
    assert seen["job"] == ["Completed", f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-trainer"]
    assert seen["endpoint"][0] == "InService" and len(seen["endpoint"][1]) == 1


def test_it_serves_a_registered_package_by_itself_with_the_same_scores(seen):
    assert scores(seen["own"]) == scores(seen["answer"]) == scores(seen["ours"])
    assert len(scores(seen["own"])) == len(GOLDEN_ROWS)


def scores(answer: dict[str, Any]) -> list[float]:
    [found] = [output["data"] for output in answer["outputs"] if output["name"] == "score"]
    return found
