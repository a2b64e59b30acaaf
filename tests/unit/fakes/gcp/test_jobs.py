"""Custom jobs run as in Vertex AI's container: what they find, what becomes of what they leave, how they end."""

from __future__ import annotations

import json

import psutil
import pytest
from google.api_core import exceptions
from google.cloud import aiplatform

from tests.unit.fakes.waiting import until

from . import vertex
from .conftest import BUCKET, Project
from .vertex import ended, entries, messages, submitted


@pytest.fixture(autouse=True)
def _sdk(gcp: Project) -> None:
    vertex.begin(gcp)


def test_a_job_finds_what_vertex_gives_and_its_files_are_kept(gcp: Project):
    gcp.put("data/a.csv", b"1,2")
    gcp.put("data/deep/b.csv", b"3,4")
    gcp.storage.create_bucket("other-1")
    gcp.storage.bucket("other-1").blob("c.csv").upload_from_string("5")
    made = vertex.job({"obstore": f"gs://{BUCKET}/own", "remove": f"{BUCKET}/data/a.csv"})
    made.run(sync=True, create_request_timeout=30)
    assert made.state.name == "JOB_STATE_SUCCEEDED"
    shown = made.gca_resource
    assert shown.create_time <= shown.start_time <= shown.end_time
    assert shown.name.startswith(f"projects/{gcp.fake.number}/locations/{gcp.fake.location}/customJobs/")
    assert made.name.isdecimal() and len(made.name) == 19
    said = json.loads(gcp.get("out/train/model/said.json"))
    files = {f"{BUCKET}/data/a.csv": "1,2", f"{BUCKET}/data/deep/b.csv": "3,4", "other-1/c.csv": "5"}
    assert said["files"] == files
    environment = said["environment"]
    assert environment["AIP_MODEL_DIR"] == f"gs://{BUCKET}/out/train/model/"
    assert environment["AIP_CHECKPOINT_DIR"] == f"gs://{BUCKET}/out/train/checkpoints/"
    assert environment["AIP_TENSORBOARD_LOG_DIR"] == f"gs://{BUCKET}/out/train/logs/"
    assert environment["CLOUD_ML_JOB_ID"] == made.name and environment["CLOUD_ML_PROJECT_ID"] == gcp.fake.number
    assert json.loads(environment["CLUSTER_SPEC"])["task"] == {"type": "workerpool0", "index": 0}
    assert "PYTEST_CURRENT_TEST" not in environment and "HOME" not in environment
    if gcp.fake.mode == "namespaces":
        assert said["pid"] == 1
    assert gcp.names() == ["data/deep/b.csv", "out/train/model/said.json", "own/own.txt"]


def test_variables_of_the_output_are_there_only_where_there_is_one(gcp: Project):
    spec = {"command": ["sh", "-c", "env"], "env": [{"name": "LEVEL", "value": "debug"}]}
    made = aiplatform.CustomJob("plain", [vertex.pool(**spec)], staging_bucket=f"gs://{BUCKET}")
    made._gca_resource.job_spec.base_output_directory.output_uri_prefix = ""
    del made._gca_resource.job_spec.base_output_directory
    made.submit()
    assert ended(made).state.name == "JOB_STATE_SUCCEEDED"
    said = messages(gcp, made)
    assert "LEVEL=debug" in said and not [line for line in said if line.startswith("AIP_")]


def test_a_job_that_fails_says_why_and_its_log_says_more(gcp: Project):
    made = vertex.job({"say": "The column income is missing.", "exit": 7})
    with pytest.raises(RuntimeError, match="code: 3") as error:
        made.run(sync=True)
    assert "The replica workerpool0-0 exited with a non-zero status of 7." in str(error.value)
    assert f"job_id%2F{made.name}" in str(error.value)
    assert messages(gcp, made) == ["The column income is missing."]
    [entry] = entries(gcp, f'resource.labels.job_id="{made.name}"')
    assert entry["logName"] == f"projects/{gcp.fake.project}/logs/workerpool0-0"
    assert entry["resource"]["labels"]["task_name"] == "workerpool0-0" and entry["severity"] == "INFO"
    said = "The column income is missing."
    assert entry["jsonPayload"] == {"attrs": {"tag": "workerpool0-0"}, "levelname": "INFO", "message": said}
    assert entries(gcp, 'resource.labels.job_id="1"') == []


def test_an_image_that_was_never_pushed_and_a_command_that_is_none_fail_the_job(gcp: Project):
    assert "cannot be pulled" in ended(submitted(image="europe-docker.pkg.dev/p/r/none:1")).error.message
    gone = ended(submitted(spec={"command": ["/no/such/command"]}))
    code = 127 if gcp.fake.mode == "namespaces" else 1
    assert f"workerpool0-0 exited with a non-zero status of {code}." in gone.error.message


def test_a_cancelled_job_may_finish_in_order(gcp: Project):
    gcp.fake.set(grace=0.2)
    made = submitted({"say": "trains", "checkpoint": True, "sleep": 600})
    until(lambda: messages(gcp, made), lambda lines: "begins at 0" in lines)
    assert made.state.name == "JOB_STATE_RUNNING"
    made.cancel()
    assert ended(made).state.name == "JOB_STATE_CANCELLED"
    assert messages(gcp, made)[-1] == "left in order"
    assert gcp.get("out/train/left.txt") == b"in order"
    assert "out/train/model/said.json" not in gcp.names()


def test_a_job_that_does_not_listen_is_killed_with_all_that_it_started(gcp: Project):
    made = submitted({"deaf": True, "child": True, "sleep": 600})
    alive = until(gcp.fake.processes, lambda pids: len(pids) >= 3)
    made.cancel()
    assert ended(made).state.name == "JOB_STATE_CANCELLED"
    assert not [pid for pid in alive if psutil.pid_exists(pid)]


def test_a_job_ends_when_its_time_is_over():
    shown = ended(submitted({"sleep": 600}, timeout=1))
    assert shown.state.name == "JOB_STATE_FAILED" and "longer than its timeout" in shown.error.message


def test_a_job_whose_machine_is_taken_begins_again_from_its_checkpoints(gcp: Project):
    made = submitted({"deaf": True, "checkpoint": True, "sleep": 600})
    until(lambda: messages(gcp, made), lambda lines: "begins at 0" in lines)
    gcp.fake.interrupt(made.name)
    assert ended(made).state.name == "JOB_STATE_SUCCEEDED"
    assert messages(gcp, made) == ["begins at 0", "begins at 1"]
    assert gcp.get("out/train/checkpoints/step") == b"2"


def test_a_code_that_may_pass_is_tried_again_three_times(gcp: Project):
    made = submitted({"say": "again", "exit": 139})
    assert "non-zero status of 139" in ended(made).error.message
    assert messages(gcp, made) == ["again"] * 4
    once = submitted({"say": "once", "exit": 139}, disable_retries=True)
    assert ended(once).state.name == "JOB_STATE_FAILED" and messages(gcp, once) == ["once"]


def test_a_job_is_queued_before_it_runs(gcp: Project):
    gcp.fake.set(queued=1.0)
    made = submitted({})
    seen = []
    until(lambda: seen.append(made.state.name) or seen[-1], lambda state: state == "JOB_STATE_SUCCEEDED")
    assert list(dict.fromkeys(seen))[:2] == ["JOB_STATE_QUEUED", "JOB_STATE_PENDING"]


def test_jobs_run_side_by_side_and_are_listed_and_deleted(gcp: Project):
    made = [submitted({"say": f"number {n}"}, name=f"many-{n}", labels={"n": str(n)}) for n in range(6)]
    assert {ended(one).state.name for one in made} == {"JOB_STATE_SUCCEEDED"}
    assert sorted(line for one in made for line in messages(gcp, one)) == [f"number {n}" for n in range(6)]
    found = aiplatform.CustomJob.list(filter='display_name="many-3"')
    assert [one.resource_name for one in found] == [made[3].resource_name]
    assert [one.display_name for one in aiplatform.CustomJob.list(filter="labels.n=2")] == ["many-2"]
    names = [one.display_name for one in aiplatform.CustomJob.list(order_by="display_name desc")]
    assert names == [f"many-{n}" for n in reversed(range(6))]
    client = made[0].api_client
    pages = client.list_custom_jobs(request={"parent": vertex.parent(gcp), "page_size": 4}).pages
    assert [len(page.custom_jobs) for page in pages] == [4, 2]
    made[3].delete()
    with pytest.raises(exceptions.NotFound, match="does not exist"):
        aiplatform.CustomJob.get(made[3].resource_name)


def test_operations_take_time(gcp: Project):
    made = submitted({})
    ended(made)
    gcp.fake.set(operation=2.0)
    operation = made.api_client.delete_custom_job(name=made.resource_name)
    assert not operation.done() and aiplatform.CustomJob.get(made.resource_name).name == made.name
    operation.result(timeout=30)
    assert operation.done()


def test_logs_come_in_pages_and_by_time_and_what_is_no_question_is_refused(gcp: Project):
    made = submitted({"say": "one\ntwo\nthree"})
    ended(made)
    mine = f'resource.labels.job_id="{made.name}"'
    request = {"resourceNames": [f"projects/{gcp.fake.project}"], "filter": mine, "pageSize": 2}
    first = json.loads(gcp.send("POST", "/v2/entries:list", json.dumps(request).encode())[2])
    second = entries(gcp, mine, pageToken=first["nextPageToken"])
    said = [entry["jsonPayload"]["message"] for entry in [*first["entries"], *second]]
    assert said == ["one", "two", "three"] and len(first["entries"]) == 2
    assert [entry["jsonPayload"]["message"] for entry in entries(gcp, mine, orderBy="timestamp desc")] == said[::-1]
    later = first["entries"][0]["timestamp"]
    assert len(entries(gcp, f'{mine} AND timestamp>="{later}"')) == 3
    assert entries(gcp, f'{mine} AND timestamp<"{later}"') == []
    assert len(entries(gcp, f'{mine} severity="INFO" jsonPayload.message:"two"')) == 1
    for wrong in (
        {"resourceNames": []},
        {"resourceNames": ["projects/other"]},
        {"surprise": 1},
        {"pageSize": "many"},
        {"pageToken": "x"},
        {"filter": "one OR two"},
    ):
        assert gcp.send("POST", "/v2/entries:list", json.dumps({**request, **wrong}).encode())[0] == 400, wrong
    assert gcp.send("GET", "/v2/entries:list")[0] == 501
