"""Records in an object store: a real server that puts them into moto's S3, and what becomes of its answers."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from trivet.core.modelpackage import PROFILE, Profile
from trivet.core.records import Prediction, parse_record, segment_time
from trivet.rehearsal.s3 import S3
from trivet.serving.objectwriter import PUTS

from . import cloudstores, containers
from .rawhttp import wait_for

pytestmark = pytest.mark.slow

run = containers.run_containers
KEY = re.compile(r"predictions/loans/\d{4}-\d\d-\d\d/\d{8}T\d{6}\.\d{6}Z-([A-Za-z0-9.]+-[0-9a-f]{8})-\d+\.jsonl")


class Bucket:
    """A bucket for records, and what lies in it."""

    def __init__(self, s3: S3) -> None:
        self.s3 = s3
        self.name = s3.make_bucket()
        self.url = f"s3://{self.name}"
        s3.asked.clear()

    def predictions(self) -> list[Prediction]:
        lines = [line for data in self.objects().values() for line in data.splitlines(keepends=True)]
        assert all(line.endswith(b"\n") for line in lines)
        return [record for line in lines if isinstance(record := parse_record(line), Prediction)]

    def ids(self) -> list[str]:
        return [record.id for record in self.predictions()]

    def objects(self) -> dict[str, bytes]:
        return self.s3.objects(self.name)

    def writers(self) -> set[str]:
        found = [KEY.fullmatch(key) for key in self.objects()]
        return {match[1] for match in found if match}


@pytest.fixture(scope="module")
def cloud() -> Iterator[S3]:
    with S3() as cloud:
        yield cloud


@pytest.fixture
def bucket(cloud: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    yield Bucket(cloud)
    cloud.delay, cloud.refuses = 0.0, False


def ask(client: httpx.Client, url: str, made: Any, number: int, clients: int = 8) -> list[str]:
    """The ids of so many answers, by so many clients at a time."""

    def one(_: int) -> str:
        answer = client.post(f"{url}/infer", json=made.request())
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(number)))


@pytest.mark.parametrize("mode", ["complete", "sampled"])
def test_every_answer_has_its_record(start, made, client, bucket, mode):
    """Whole lines in objects of the server's own prefix, written and never read."""
    server = start(made, records=bucket.url, records_mode=mode)
    ids = ask(client, server.model, made, 60)
    if mode == "complete":
        assert sorted(bucket.ids()) == sorted(ids)
    client.post(f"{server.model}/infer", json=made.request(5, request_id="many"))
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 4  # nobody waits for what gathers
    assert sorted(bucket.ids()) == sorted([*ids, *(f"many#{row}" for row in range(5))])
    assert {method for method, path in bucket.s3.asked if path.startswith(f"/{bucket.name}/predictions")} <= {
        "PUT", "GET",  # the test's own
    }  # fmt: skip
    keys = sorted(bucket.objects())
    assert all(KEY.fullmatch(key) for key in keys), keys
    assert len(bucket.writers()) == 1
    assert [segment_time(key) for key in keys] == sorted(filter(None, map(segment_time, keys)))


def test_records_that_nobody_may_change_are_taken(start, made, client, bucket):
    name = bucket.s3.make_bucket(locked=True)
    server = start(made, records=f"s3://{name}", records_mode="complete")
    ids = ask(client, server.model, made, 10)
    assert server.stop() == 0
    lines = [line for data in bucket.s3.objects(name).values() for line in data.splitlines(keepends=True)]
    records = [parse_record(line) for line in lines]
    assert sorted(one.id for one in records if isinstance(one, Prediction)) == sorted(ids)


def test_the_server_asks_the_store_for_nothing_but_to_write(start, made, client, bucket):
    """Its role may do no more."""
    server = start(made, records=bucket.url)
    ask(client, server.model, made, 10)
    assert server.stop() == 0
    assert {method for method, _ in bucket.s3.asked} == {"PUT"}
    assert all(path.startswith(f"/{bucket.name}/predictions/loans/") for _, path in bucket.s3.asked)


def test_the_records_are_those_that_a_folder_would_hold(start, made, client, bucket, tmp_path):
    server = start(made, records=bucket.url)
    client.post(f"{server.model}/infer", json=made.request(3, request_id="r"))
    records = bucket.predictions()
    [profile] = [one for one in Profile.read(made.folder / PROFILE).features if one.name == "income"]
    for at, (record, row) in enumerate(zip(records, made.rows(3), strict=True)):
        assert (record.id, record.endpoint, record.package) == (f"r#{at}", "loans", made.digest)
        assert record.inputs == row | {"income": {"bin": profile.bin_of(row["income"])}}
    in_folder = start(made, records=str(tmp_path / "records"))
    client.post(f"{in_folder.model}/infer", json=made.request(3, request_id="r"))
    [file] = (tmp_path / "records").iterdir()
    lines = [parse_record(line) for line in file.read_bytes().splitlines(keepends=True)]
    assert [one.model_copy(update={"time": None}) for one in lines] == [
        one.model_copy(update={"time": None}) for one in records
    ]


def test_many_requests_share_an_object_and_wait_for_no_more_than_two(start, made, client, bucket):
    """The store holds each object for longer than all the clients take to ask: who comes after the first objects shares
    the next, however slow the machine is."""
    bucket.s3.delay = 2.0
    server = start(made, records=bucket.url, max_concurrency=40)
    begun = time.monotonic()
    ids = ask(client, server.model, made, 40, clients=40)
    assert time.monotonic() - begun < 3 * bucket.s3.delay
    server.stop()
    bucket.s3.delay = 0.0
    assert sorted(bucket.ids()) == sorted(ids)
    assert len(bucket.objects()) <= PUTS + 2


def test_complete_survives_a_kill(start, made, bucket):
    """Whatever was answered before SIGKILL is in the store."""
    bucket.s3.delay = 0.01
    server = start(made, records=bucket.url)
    ids: list[str] = []

    def keep_asking(_: int) -> None:
        with httpx.Client(trust_env=False) as client:
            for _ in range(400):
                try:
                    ids.append(client.post(f"{server.model}/infer", json=made.request()).json()["id"])
                except httpx.TransportError:
                    return
                if len(ids) == 60:
                    server.process.send_signal(signal.SIGKILL)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep_asking, range(4)))
    assert len(ids) >= 60
    time.sleep(0.1)
    assert set(ids) <= set(bucket.ids())


def test_complete_withholds_what_the_store_refuses_and_recovers(start, made, client, bucket):
    server = start(made, records=bucket.url, deadline_seconds=4)
    url = f"{server.model}/infer"
    first = client.post(url, json=made.request()).json()["id"]
    bucket.s3.refuses = True
    for _ in range(2):
        refused = client.post(url, json=made.request())
        assert refused.status_code == 503, refused.text
        assert "the store of records did not take it" in refused.json()["error"]
        assert "withheld" in refused.json()["error"]
        assert bucket.name not in refused.text
        assert refused.headers["retry-after"] == "1"
    assert client.get(f"{server.url}/v2/health/live").status_code == 200
    bucket.s3.refuses = False
    last = client.post(url, json=made.request()).json()["id"]
    server.stop()
    assert sorted(bucket.ids()) == sorted([first, last])
    assert "503" in server.lines("records not stored")[0]["reason"]


def test_complete_withholds_what_nobody_stores(start, made, client, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    server = start(made, records=bucket.url, deadline_seconds=4)
    begun = time.monotonic()
    refused = client.post(f"{server.model}/infer", json=made.request())
    assert refused.status_code == 503, refused.text
    assert time.monotonic() - begun < 4
    assert server.stop() == 0
    assert server.lines("records not stored")


def test_complete_gives_a_slow_store_up_before_the_client_s_deadline(start, made, client, bucket):
    server = start(made, records=bucket.url, deadline_seconds=2)
    bucket.s3.delay = 30
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: client.post(f"{server.model}/infer", json=made.request()), range(12)))
    assert {answer.status_code for answer in answers} == {503}
    assert max(answer.elapsed.total_seconds() for answer in answers) < 2
    bucket.s3.delay = 0
    assert client.post(f"{server.model}/infer", json=made.request()).status_code == 200


@pytest.mark.parametrize("weather", ["refuses", "slow", "nobody"])
def test_sampled_answers_whatever_the_store_does_and_says_what_it_dropped(
    start, made, client, bucket, monkeypatch, weather
):
    bucket.s3.refuses = weather == "refuses"
    bucket.s3.delay = 30 if weather == "slow" else 0
    if weather == "nobody":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    server = start(made, records=bucket.url, records_mode="sampled", deadline_seconds=2)
    for _ in range(20):
        answer = client.post(f"{server.model}/infer", json=made.request(100))
        assert answer.status_code == 200
        assert answer.elapsed.total_seconds() < 1
    assert server.stop() == 0
    assert sum(line["count"] for line in server.lines("records dropped")) == 2000
    bucket.s3.delay, bucket.s3.refuses = 0, False
    assert bucket.ids() == []


def test_a_server_that_starts_again_writes_beside_what_is_there(start, made, client, bucket):
    ids: list[str] = []
    for _ in range(3):
        server = start(made, records=bucket.url)
        ids += ask(client, server.model, made, 10)
        assert server.stop() == 0
    assert sorted(bucket.ids()) == sorted(ids)
    assert len(bucket.writers()) == 3


@pytest.mark.parametrize("mode", ["complete", "sampled"])
def test_workers_do_not_write_over_one_another(start, made, bucket, mode):
    server = start(made, records=bucket.url, records_mode=mode, workers=2)
    ids: list[str] = []
    for _ in range(40):
        with httpx.Client(trust_env=False) as client:
            ids.append(client.post(f"{server.model}/infer", json=made.request()).json()["id"])
    assert server.stop() == 0
    assert sorted(bucket.ids()) == sorted(ids)
    assert len(bucket.writers()) == 2


def test_a_container_is_told_by_its_environment(run, made, client, bucket):
    container = run(
        TRIVET_RECORDS=f"{bucket.url}/team",
        TRIVET_MODEL=str(made.folder),
        TRIVET_SIGNED="false",
        TRIVET_ENDPOINT="loans",
        TRIVET_DRAIN_SECONDS="0",
        **bucket.s3.environment,
    )
    assert client.post(f"{container.url}/v2/models/loan/infer", json=made.request(request_id="r")).status_code == 200
    assert bucket.ids() == ["r"]
    [key] = bucket.objects()
    assert key.startswith("team/predictions/loans/")


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_other_clouds_stores_take_the_same_objects(start, made, client, tmp_path, monkeypatch, scheme):
    _, environment = cloudstores.serve_others(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = start(made, records=f"{scheme}://bucket-{scheme}/team")
    client.post(f"{server.model}/infer", json=made.request(2, request_id="r"))
    assert server.stop() == 0
    [(key, blob)] = cloudstores.Fake.buckets[f"bucket-{scheme}"].items()
    assert KEY.fullmatch(key.removeprefix("team/"))
    assert [parse_record(line).id for line in blob.data.splitlines(keepends=True)] == ["r#0", "r#1"]


@pytest.mark.parametrize("url", ["http://host/records", "s3://", "s3://key@bucket", "gs://bucket?token=x", "s4://b"])
def test_a_url_that_is_no_store_is_refused_at_the_start(start, made, url):
    server = start(made, records=url)
    assert "no place for records" in server.said
    assert "token" not in server.said
    assert server.process.wait(10) == 3


def test_what_waits_for_a_store_that_hangs_is_bounded(start, made, client, bucket):
    """Sampled records of far more than fits are offered; the process does not grow by more than it holds."""
    bucket.s3.delay = 600
    server = start(made, records=bucket.url, records_mode="sampled", deadline_seconds=60, log_level="info")
    status = Path(f"/proc/{server.process.pid}/status")

    def resident() -> int:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read_text())[1]) << 10  # type: ignore[index]

    body = made.request(2000)
    for _ in range(5):
        client.post(f"{server.model}/infer", json=body)
    before = resident()
    for _ in range(60):
        assert client.post(f"{server.model}/infer", json=body).status_code == 200
    wait_for(lambda: server.lines("records dropped"))
    assert resident() - before < 64 << 20
