"""Jobs by Microsoft's SDK: they run, with their code, inputs and outputs; they fail, are cancelled and followed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.ai.ml import Input, MLClient, Output
from azure.ai.ml.entities import Data, Model
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import ResourceNotFoundError

from tests.unit.fakes.waiting import until

from . import learning
from .conftest import CONTAINER, Subscription
from .learning import ended, log, submitted


@pytest.fixture
def ml(azure: Subscription) -> MLClient:
    return learning.client(azure)


def test_a_job_reads_its_inputs_writes_its_outputs_and_is_followed(
    ml: MLClient, azure: Subscription, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "rows.csv").write_text("a,b")
    data = ml.data.create_or_update(Data(name="rows", version="1", path=str(tmp_path / "rows.csv"), type="uri_file"))
    inputs = {"rows": Input(type="uri_file", path=data.id), "rate": 0.5}
    made = learning.job(ml, tmp_path, inputs=inputs, outputs={"model": Output(type="uri_folder")})
    wanted = {"read": "${{inputs.rows}}", "write": "${{outputs.model}}", "keep": "kept"}
    wanted["until"] = f"{azure.url}/{CONTAINER}"
    made.command = f"python job.py '{json.dumps(wanted)}' ${{{{inputs.rate}}}} $[[--none ${{{{inputs.none}}}}]]"
    named = str(ml.jobs.create_or_update(made).name)

    def let_go() -> None:
        until(azure.fake.calls, lambda calls: any(call["operation"] == "Runs_GetDetails" for call in calls))
        azure.container.upload_blob("go", b"")

    with ThreadPoolExecutor(1) as pool:
        gone = pool.submit(let_go)  # once it is followed
        ml.jobs.stream(named)
        gone.result()
    assert "\na,b\n" in capsys.readouterr().out and ended(ml, named) == "Completed"
    ml.jobs.download(named, download_path=tmp_path / "down")
    assert (tmp_path / "down/artifacts/outputs/kept.txt").read_text() == "kept"
    assert (tmp_path / "down/artifacts/user_logs/std_log.txt").read_text() == "a,b\n"
    ml.jobs.download(named, download_path=tmp_path / "down", output_name="model")
    told = json.loads((tmp_path / "down/named-outputs/model/said.json").read_text())
    assert told["argv"][1:] == ["0.5"]


def test_a_job_knows_who_it_is_and_reaches_the_storage_by_its_identity(
    ml: MLClient, azure: Subscription, tmp_path: Path
):
    own, outputs = {"OWN": "1"}, {"said": Output(type="uri_folder")}
    made = learning.job(ml, tmp_path, experiment_name="loans", environment_variables=own, outputs=outputs)
    url = f"{azure.url}/{CONTAINER}"
    made.command = f"""python job.py '{{"write": "${{{{outputs.said}}}}", "obstore": "{url}"}}'"""
    named = str(ml.jobs.create_or_update(made).name)
    assert ended(ml, named) == "Completed", log(azure, named)
    ml.jobs.download(named, download_path=tmp_path, output_name="said")
    told = json.loads((tmp_path / "named-outputs/said/said.json").read_text())["environment"]
    assert told["AZUREML_RUN_ID"] == told["AZUREML_ROOT_RUN_ID"] == named and told["OWN"] == "1"
    assert told["AZUREML_ARM_PROJECT_NAME"] == "loans"
    assert told["AZUREML_ARM_WORKSPACE_NAME"] == azure.fake.workspace
    assert azure.names() == ["own.txt"]


def test_a_job_that_fails_says_with_what(ml: MLClient, azure: Subscription, tmp_path: Path):
    named = submitted(ml, tmp_path, {"say": "no", "exit": 3})
    assert ended(ml, named) == "Failed" and log(azure, named) == "no\n"
    with pytest.raises(JobException, match="exited with status code 3"):
        ml.jobs.stream(named)


def test_a_job_goes_through_its_states(ml: MLClient, azure: Subscription, tmp_path: Path):
    azure.fake.set(queued=0.5)
    named = submitted(ml, tmp_path, {"sleep": 0.5})
    states: list[str] = []

    def ask() -> str:
        status = learning.status(ml, named)
        if status not in states:
            states.append(status)
        return status

    until(ask, lambda status: status == "Completed")
    assert [one for one in states if one in ("Queued", "Preparing", "Running", "Completed")] == [
        "Queued",
        "Preparing",
        "Running",
        "Completed",
    ]


@pytest.mark.parametrize("deaf", [True, False])
def test_a_job_is_cancelled_whether_it_listens_or_not(ml: MLClient, azure: Subscription, tmp_path: Path, deaf: bool):
    named = submitted(ml, tmp_path, {"say": "begun", "sleep": 600, **({"deaf": True} if deaf else {})})
    until(lambda: log(azure, named), bool)
    ml.jobs.begin_cancel(named).result()
    assert ended(ml, named) == "Canceled"
    assert log(azure, named) == ("begun\n" if deaf else "begun\nleft in order\n")
    until(azure.fake.processes, lambda pids: not pids)


def test_a_job_that_takes_too_long_is_cancelled(ml: MLClient, tmp_path: Path):
    made = learning.job(ml, tmp_path, {"sleep": 600})
    made.set_limits(timeout=1)
    named = str(ml.jobs.create_or_update(made).name)
    assert ended(ml, named) == "Canceled"


def test_a_job_whose_image_nobody_pushed_fails(ml: MLClient, azure: Subscription, tmp_path: Path):
    learning.environment(ml, "other", "hub/none:1")
    made = learning.job(ml, tmp_path)
    made.environment = "azureml:other:1"
    named = str(ml.jobs.create_or_update(made).name)
    assert ended(ml, named) == "Failed" and log(azure, named) == ""
    with pytest.raises(JobException, match="hub/none:1 cannot be pulled"):
        ml.jobs.stream(named)


def test_a_models_path_may_be_a_jobs_output(ml: MLClient, azure: Subscription, tmp_path: Path):
    made = learning.job(ml, tmp_path, outputs={"model": Output(type="uri_folder")})
    made.command = """python job.py '{"write": "${{outputs.model}}"}'"""
    named = str(ml.jobs.create_or_update(made).name)
    assert ended(ml, named) == "Completed"
    found = ml.models.create_or_update(Model(name="loan", version="1", path=f"azureml://jobs/{named}/outputs/model"))
    ml.models.download("loan", "1", download_path=tmp_path / "down")
    assert found.version == "1" and list((tmp_path / "down").rglob("said.json"))


def test_jobs_are_listed_archived_and_deleted(ml: MLClient, tmp_path: Path):
    first, second = submitted(ml, tmp_path), submitted(ml, tmp_path, tags={"a": "b"})
    assert ended(ml, first) == ended(ml, second) == "Completed"
    assert [one.name for one in ml.jobs.list()] == [second, first]
    found = ml.jobs.get(second)
    assert found.tags == {"a": "b"}
    found.tags["c"] = "d"
    assert ml.jobs.create_or_update(found).tags == {"a": "b", "c": "d"}


def test_what_there_is_not_is_not_found(ml: MLClient):
    with pytest.raises(ResourceNotFoundError):
        ml.jobs.get("none")
