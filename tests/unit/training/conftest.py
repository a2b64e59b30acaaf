"""Trainings as jobs of their own: a platform whose jobs are processes and whose store is a folder."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from trivet.clouds.local import LOCAL
from trivet.core.canonical import digest
from trivet.core.checkup import Check
from trivet.core.datacontract import DataContract
from trivet.core.errors import NotFound
from trivet.core.platform import Jobs, Platform
from trivet.core.project import Project, Variant
from trivet.core.refs import JobRef
from trivet.core.specs import JobSpec, JobState, ScoringSpec
from trivet.data.collect import Collected, collect
from trivet.data.frames import read_frame
from trivet.data.snapshot import Snapshot, take_snapshot
from trivet.data.validate import validate
from trivet.platforms.store import ObjectStore
from trivet.training.plan import Plan, make_plan
from trivet.training.source import PackedSource, pack_source
from trivet.training.submit import Trained, collect_result, submit

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "loan_approval"


@dataclass
class Processes(Jobs):
    """Runs a job to its end when it is submitted, laid out as ``JobSpec`` promises, from a clean environment."""

    folder: Path
    store: ObjectStore
    ended: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)

    def submit(self, spec: JobSpec) -> JobRef:
        if spec.name not in self.ended or self.ended[spec.name].returncode:
            self.ended[spec.name] = self._run(spec)
        return JobRef(spec.name)

    def score(self, spec: ScoringSpec) -> JobRef:
        raise NotFound(spec.name)  # nothing is scored here

    def state(self, ref: JobRef) -> JobState:
        if ref.id not in self.ended:
            raise NotFound(ref.id)
        return JobState.FAILED if self.ended[ref.id].returncode else JobState.SUCCEEDED

    def logs(self, ref: JobRef) -> Iterator[str]:
        done = self.ended[ref.id]
        yield from (done.stdout + done.stderr).splitlines()

    def cancel(self, ref: JobRef) -> None:
        self.state(ref)  # it has ended: jobs run here while they are submitted

    def _run(self, spec: JobSpec) -> subprocess.CompletedProcess[str]:
        home = self.folder / f"{spec.name}-{len(list(self.folder.iterdir()))}"
        source, inputs, outputs = home / "source", home / "input", home / "output"
        outputs.mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(self.store.get(spec.source))) as archive:
            archive.extractall(source, filter="data")
        for channel, prefix in spec.inputs.items():
            for key in self.store.list(f"{prefix}/"):
                path = inputs / channel / key.removeprefix(f"{prefix}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.store.get(key))
        places = {"TRIVET_INPUT": str(inputs), "TRIVET_OUTPUT": str(outputs), "PYTHONPATH": str(ROOT)}
        command = [sys.executable if word == "python" else word for word in spec.command]
        environment = {"PATH": os.environ["PATH"], **spec.environment, **places}
        done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
        if not done.returncode:
            for path in outputs.rglob("*"):
                if path.is_file():
                    self.store.put(f"{spec.output}/{path.relative_to(outputs).as_posix()}", path)
        return done


class FolderPlatform(Platform):
    def __init__(self, folder: Path) -> None:
        self.cloud = LOCAL
        self.store = ObjectStore(f"file://{folder}/store")
        (folder / "jobs").mkdir()
        self.jobs = Processes(folder / "jobs", self.store)

    def store_at(self, url: str) -> ObjectStore:
        return ObjectStore(url)

    def clear(self) -> None: ...

    def doctor(self) -> Iterator[Check]:
        return iter(())

    def close(self) -> None: ...


@dataclass
class Workbench:
    """A project's data, frozen in a platform, ready to be trained on."""

    platform: FolderPlatform
    project: Project
    contract: DataContract
    snapshot: Snapshot
    source: PackedSource
    folder: Path

    def plan(self, variants: dict[str, Variant], package: str = "default", **changes: Any) -> Plan:
        project = self.project.model_copy(update=changes)
        return make_plan(
            project, self.contract, variants, package=package, snapshot=self.snapshot, source=self.source.digest
        )

    def train(self, plan: Plan, **options: Any) -> Trained:
        submitted = submit(self.platform, plan, self.source, self.snapshot, **options)
        result = self.folder / f"result-{len(list(self.folder.iterdir()))}"
        return collect_result(self.platform, submitted, result)


def loan_project() -> tuple[Project, DataContract]:
    return (
        Project.parse(yaml.safe_load((EXAMPLE / "trivet.yaml").read_text()), "trivet.yaml"),
        DataContract.parse(yaml.safe_load((EXAMPLE / "contract.yaml").read_text()), "contract.yaml"),
    )


def loan_workbench(folder: Path) -> Workbench:
    project, contract = loan_project()
    collected = collect(project.source, EXAMPLE)
    platform = FolderPlatform(folder)
    validation = validate(read_frame(collected, contract), contract)
    snapshot = take_snapshot(platform.store, contract, collected, validation)
    results = folder / "results"
    results.mkdir()
    return Workbench(platform, project, contract, snapshot, pack_source(EXAMPLE), results)


def loan_variants(project: Project) -> dict[str, Variant]:
    threshold = project.decision.threshold
    return {
        "default": Variant(threshold=threshold),
        **{
            name: Variant(params=variant.params, threshold=variant.threshold or threshold)
            for name, variant in project.variants.items()
        },
    }


@pytest.fixture(scope="session")
def loan(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The mortgage example on a platform of its own."""
    return loan_workbench(tmp_path_factory.mktemp("loan"))


@pytest.fixture(scope="session")
def loan_again(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The same in another place."""
    return loan_workbench(tmp_path_factory.mktemp("somewhere-else"))


@pytest.fixture(scope="session")
def loan_plan(loan: Workbench) -> Plan:
    return loan.plan(loan_variants(loan.project))


@pytest.fixture(scope="session")
def trained(loan: Workbench, loan_plan: Plan) -> Trained:
    """The example's default, trained once for all tests."""
    return loan.train(loan_plan)


@pytest.fixture(scope="session")
def make_workbench(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, DataContract, str], Workbench]:
    """A workbench for a CSV text, a contract and the text of a train.py."""

    def make(text: str, contract: DataContract, train: str) -> Workbench:
        folder = tmp_path_factory.mktemp("project")
        (folder / "code").mkdir()
        (folder / "code" / "train.py").write_text(train)
        (folder / "results").mkdir()
        collected = Collected(text.encode(), digest(text.encode()), "rows.csv")
        platform = FolderPlatform(folder)
        validation = validate(read_frame(collected, contract), contract)
        snapshot = take_snapshot(platform.store, contract, collected, validation)
        project = Project.parse(
            {
                "name": "other",
                "model": "other",
                "endpoint": "other",
                "intended_use": "A test",
                "source": {"kind": "file", "path": "rows.csv", "sha256": "0" * 64},
                "decision": {"threshold": 0.5, "positive": "yes", "negative": "no"},
                "folds": 3,
            },
            "project",
        )
        return Workbench(platform, project, contract, snapshot, pack_source(folder / "code"), folder / "results")

    return make


@pytest.fixture(scope="session")
def mlflow() -> SimpleNamespace:
    """MLflow's own loading and saving. Importing it warns about its own type hints, which is not ours to fix."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.onnx
        import mlflow.pyfunc
        import mlflow.sklearn
        from mlflow.models import infer_signature

    return SimpleNamespace(
        onnx=mlflow.onnx, pyfunc=mlflow.pyfunc, sklearn=mlflow.sklearn, infer_signature=infer_signature
    )
