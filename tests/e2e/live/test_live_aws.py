"""`TRIVET_LIVE=aws` on an account that is a fake, given as an explicit endpoint: asked, tagged, and destroyed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest

from trivet.core.errors import ConfigError, Unsupported
from trivet.core.waiting import wait_for
from trivet.platforms.aws.images import SERVING, TRAINING, tag
from trivet.rehearsal.fakes.aws import REGION, Fake
from trivet.rehearsal.lying import lying
from trivet.rehearsal.plugins.path import rehearsing
from trivet.rehearsal.rigs import rig_of
from trivet.rehearsal.rigs.aws import ACCOUNT, COMMANDS, MANIFEST
from trivet.rehearsal.stages import surroundings
from trivet.workflows import stack as stacks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
STORE = "tests/conformance/test_store.py::test_create_takes_a_key_that_is_free_and_no_other"
STATE = "tests/conformance/test_jobs.py::test_a_state_that_is_not_known_raises"
CANCELS = "tests/conformance/test_jobs.py::test_cancel_ends_everything_that_the_job_started_and_is_idempotent"
PATIENCE = 120.0
KINDS = {
    "training_jobs": "TrainingJob",
    "transform_jobs": "TransformJob",
    "models": "Model",
    "endpoint_configs": "EndpointConfig",
    "endpoints": "Endpoint",
    "model_package_groups": "ModelPackageGroup",
}
OWN = {"repository images"}  # of the account's own, before and after


class Account:
    """The fake as somebody's account: it has images, and is led to by the environment."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.session = boto3.Session("own", "own", region_name=REGION)
        ecr = self.client("ecr")
        repository = ecr.create_repository(repositoryName="images")["repository"]
        url, self.own = repository["repositoryUri"], {repository["repositoryArn"]}
        for purpose in (TRAINING, SERVING):
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": purpose}, "layers": []}
            ecr.put_image(repositoryName="images", imageManifest=json.dumps(manifest), imageTag=tag(purpose))
        self.config: dict[str, Any] = {
            "region": REGION,
            "account": ACCOUNT,
            "images": {"url": url},
            "tags": {"team": "risk"},
        }
        self.config |= dict.fromkeys(("network", "catalog"), "off")  # fewer parts come up sooner

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.fake.endpoint)

    def asked(self, operation: str) -> Callable[[], bool | None]:
        return lambda: any(one["operation"] == operation for one in self.fake.calls()) or None

    def tagged(self) -> dict[str, dict[str, str]]:
        """The tags of everything but the account's own: of all that has tags, and of SageMaker's whether or not."""
        tagging, sagemaker = self.client("resourcegroupstaggingapi"), self.client("sagemaker")
        pages = tagging.get_paginator("get_resources").paginate()
        found = {one["ResourceARN"]: one["Tags"] for page in pages for one in page["ResourceTagMappingList"]}
        for kind, field in KINDS.items():
            for page in sagemaker.get_paginator(f"list_{kind}").paginate():
                [member] = page.keys() - {"ResponseMetadata", "NextToken"}
                for one in page[member]:
                    arn = one[f"{field}Arn"]
                    found[arn] = sagemaker.list_tags(ResourceArn=arn)["Tags"]
        return {arn: {tag["Key"]: tag["Value"] for tag in tags} for arn, tags in found.items() if arn not in self.own}

    def left(self) -> set[str]:
        return set(lying(self.client)) - OWN


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Fake(tmp_path_factory.mktemp("aws"), COMMANDS) as fake:
        yield Account(fake)


@pytest.fixture
def begin(account: Account, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Conformance tests in a process of their own, as somebody calls them on the account."""
    account.fake.forget_calls()
    begun: list[subprocess.Popen[str]] = []

    def start(*tests: str, says: str | None = None) -> subprocess.Popen[str]:
        # Not a part of the run that runs this: it may have several processes.
        others = ("AWS_", "TRIVET_", "PYTEST_")
        usual = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        environment = usual | account.fake.environment
        environment |= {"TRIVET_LIVE": "aws", "TRIVET_LIVE_CONFIG": json.dumps(account.config)}
        command = [sys.executable, "-Pm", "pytest", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'run'}", *tests]
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment if says else environment | {"TRIVET_LIVE_YES": "1"},
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert process.stdin
        process.stdin.write(says or "")
        process.stdin.close()
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[str], folder: Path) -> tuple[int, str]:
    code = process.wait(PATIENCE)
    return code, (folder / "said").read_text()


def test_the_suite_runs_on_a_tagged_stack_which_ctrl_c_takes_down(
    account: Account, begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    account.fake.fault("StopTrainingJob", kind="delay", seconds=60)
    process = begin(STORE, STATE, CANCELS, says="spend\n")
    wait_for(account.asked("StopTrainingJob"), "The last test", seconds=PATIENCE)
    tagged = account.tagged()
    makers = [tags.get("trivet:managed-by") for tags in tagged.values()]
    assert makers.count("pulumi") > 10 and makers.count("trivet") >= 2  # the jobs of two tests
    for arn, tags in tagged.items():
        assert tags.get("trivet:expires", "").endswith("Z") and tags.get("team") == "risk", (arn, tags)
    process.send_signal(signal.SIGINT)
    code, said = ended(process, tmp_path)
    assert code == pytest.ExitCode.INTERRUPTED, said
    assert "2 passed" in said and "KeyboardInterrupt" in said, said
    assert f"LIVE on aws, {ACCOUNT}, {REGION}: stack live-" in said
    assert "about 4 hours" in said and "at least USD " in said
    assert f"Evidence: fake (moto {version('moto')}, at {account.fake.endpoint})" in said
    assert "Nothing is left of stack live-" in said
    assert account.left() == set()


def test_a_stack_that_did_not_come_up_is_taken_down_or_it_is_said_how(
    account: Account, begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    for operation in ("CreateTopic", "DeleteBucket"):
        account.fake.fault(operation, code="AccessDeniedException", times=100)
    code, said = ended(begin(STORE), tmp_path)
    account.fake.clear_faults()
    assert code == pytest.ExitCode.TESTS_FAILED and "not authorized to perform: sns:CreateTopic" in said, said
    told = re.search(r"is not destroyed to its end: .* Call `trivet destroy --stack (\S+)` in (\S+), and", said)
    assert told, said
    stack, root = told[1], Path(told[2])
    with surroundings(rehearsing(root.parent / "plugins") | account.fake.environment):
        stacks.destroy(root, stack)
    assert account.left() == set()


def test_sigterm_while_the_stack_comes_up_takes_it_down(
    account: Account, begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    account.fake.fault("DeleteBucket", code="AccessDeniedException")  # once: it is tried again
    process = begin(STORE)
    wait_for(account.asked("PutBucketTagging"), "A bucket", seconds=PATIENCE)
    process.terminate()
    code, said = ended(process, tmp_path)
    assert code == pytest.ExitCode.INTERRUPTED and "Nothing is left of stack live-" in said, said
    assert account.left() == set()


def test_who_does_not_agree_makes_nothing(
    account: Account, begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    code, said = ended(begin(STORE, says="no\n"), tmp_path)
    assert code == pytest.ExitCode.TESTS_FAILED and "Nobody agreed to the cost, and nothing was made." in said
    assert not [one for one in account.fake.calls() if one["operation"].startswith(("Create", "Put"))]


def test_several_processes_make_no_stack_each(begin: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    code, said = ended(begin(STORE, "-n", "2"), tmp_path)
    assert code == pytest.ExitCode.USAGE_ERROR and "run the tests in one process, without -n." in said


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "TRIVET_", "PULUMI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/nowhere")


def test_a_real_account_needs_pulumis_own_command(
    bare: None, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_LIVE_CONFIG", json.dumps(account.config))
    with pytest.raises(Unsupported, match=r"not 'aws'\. Install the pulumi CLI"):
        rig_of("aws", live=True)(tmp_path)


@pytest.mark.parametrize(
    "named",
    [{"environment": "prod"}, {"protect": True, "regulated": "true"}, {"endpoints": ["mine"]}, {"cloud": "local"}],
)
def test_config_cannot_make_a_stack_that_is_not_destroyed(
    bare: None, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, Any]
) -> None:
    monkeypatch.setenv("TRIVET_LIVE_CONFIG", json.dumps(account.config | named))
    with pytest.raises(ConfigError, match=f"may not set {', '.join(named)}: .* destroyed at the end"):
        rig_of("aws", live=True)(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_only_the_user_knows_is_asked_for_first(
    bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_LIVE_CONFIG", '{"region": "eu-central-1"}')
    with pytest.raises(ConfigError, match="lacks account, images"):
        rig_of("aws", live=True)(tmp_path)
    with pytest.raises(Unsupported, match="real account of local"):
        rig_of("local", live=True)
    assert list(tmp_path.iterdir()) == []
