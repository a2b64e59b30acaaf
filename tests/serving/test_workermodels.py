"""Models of several worker processes: they change in all of them or in none, and what they did adds up."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from trivet.core.errors import ExitCode

from . import crew
from .crew import begun, load_on, packages_of, workers_of
from .rawhttp import wait_for

runtime, repository = crew.runtime_of_its_own, crew.repository_of_two


# --- models change in all


def test_a_swap_under_load_shows_one_package_a_response_and_then_only_the_new(start, made, other, repository):
    server = start(made, workers=2, **repository.settings)
    digests = {"1": made.digest, "2": other.digest}
    calls: list[tuple[float, float, str]] = []  # when a load call began and had returned, and with which package
    with load_on(server, made.request(request_id="same")) as load:
        load.more()
        for turn in range(10):
            version = str(2 - turn % 2)
            called = time.monotonic()
            answer = repository.do("loan/load", version=version)
            calls.append((called, time.monotonic(), digests[version]))
            assert answer.json() == {"name": "loan", "version": version, "package": digests[version]}
            load.more(60)
    assert load.broken == []
    assert {answer.status for answer in load.answers} == {200}
    bodies: dict[str, set[bytes]] = {}
    for answer in load.answers:
        bodies.setdefault(answer.package, set()).add(re.sub(rb'"model_version":"\d"', b"", answer.body))
    assert bodies.keys() == {made.digest, other.digest}
    assert all(len(each) == 1 for each in bodies.values()), "a response mixes two models"
    for (_, returned, package), (called, _, _) in pairwise([*calls, (time.monotonic(), 0.0, "")]):
        between = [one.package for one in load.answers if returned <= one.asked and one.answered <= called]
        assert set(between) == {package}
    assert server.stop() == ExitCode.OK


def test_after_the_load_call_every_worker_answers_with_the_new(start, made, other, repository):
    server = start(made, workers=3, **repository.settings)
    for version, package in (("2", other.digest), ("1", made.digest), ("2", other.digest)):
        assert repository.do("loan/load", version=version).status_code == 200
        assert packages_of(server, made.request()) == {package}
        assert repository.index() == [{"name": "loan", "version": version, "state": "READY", "reason": ""}]


def test_the_newest_version_is_the_same_for_all(start, made, other, repository):
    server = start(made, workers=2, **repository.settings)
    assert repository.do("loan/load").json()["version"] == "2"
    assert packages_of(server, made.request()) == {other.digest}


def test_a_load_that_fails_changes_nothing_anywhere(start, made, other, repository):
    repository.add(other, "3")
    (repository.folder / "loan" / "3" / "serving.json").write_text("{}")
    server = start(made, workers=2, **repository.settings)
    for version in ("3", "4"):
        answer = repository.do("loan/load", version=version)
        assert answer.status_code >= 400
        assert list(answer.json()) == ["error"]
    assert packages_of(server, made.request()) == {made.digest}
    assert repository.index() == [{"name": "loan", "version": "1", "state": "READY", "reason": ""}]
    assert repository.do("loan/load", version="2").status_code == 200
    assert packages_of(server, made.request()) == {other.digest}
    assert server.lines("worker ended") == []


@pytest.mark.parametrize("place", [0, 1])
def test_a_load_that_fails_in_one_worker_changes_nothing_in_the_other(start, made, other, repository, place):
    """One of them has no descriptor left with which it could open a file of the package."""
    server = start(made, workers=2, **repository.settings)
    pid = begun(server)[place]
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir()}
    free = next(number for number in range(1000) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + 1, limits[1]))  # one, for the connection that asks it
    answer = repository.do("loan/load", version="2")
    assert answer.status_code >= 400
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert packages_of(server, made.request()) == {made.digest}
    assert repository.do("loan/load", version="2").status_code == 200
    assert packages_of(server, made.request()) == {other.digest}
    assert server.lines("worker ended") == []


def test_a_replacement_loads_what_is_published_now(start, made, other, repository):
    """Not what was configured at the start, which is even gone from the disk."""
    first = repository.folder / "loan" / "1"
    model = {"name": "loan", "version": "1", "package": str(first)}
    server = start(made, workers=2, models=[model], **repository.settings)
    assert repository.do("loan/load", version="2").status_code == 200
    shutil.rmtree(first)
    for death, pid in enumerate(workers_of(server)):
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda death=death: server.lines("worker ready")[death:])
        assert packages_of(server, made.request()) == {other.digest}
    assert repository.do("loan/unload").status_code == 200
    repository.do("loan/load", version="2")
    assert packages_of(server, made.request()) == {other.digest}


def test_a_replacement_that_finds_another_package_is_not_let_in(start, made, other, repository):
    server = start(made, workers=2, **repository.settings)
    repository.do("loan/load", version="2")
    second = repository.folder / "loan" / "2"
    second.rename(second.with_name("hidden"))
    repository.add(made, "2")
    os.kill(workers_of(server)[0], signal.SIGKILL)
    wait_for(lambda: [line for line in server.lines("worker ended") if f"not {other.digest[:19]}" in line["reason"]])
    shutil.rmtree(second)
    second.with_name("hidden").rename(second)
    wait_for(lambda: server.lines("worker ready"))
    assert packages_of(server, made.request()) == {other.digest}


def test_a_worker_that_dies_while_they_change_changes_with_them(start, made, other, repository):
    server = start(made, workers=2, **repository.settings)
    for turn in range(4):
        version, package = ("2", other.digest) if turn % 2 == 0 else ("1", made.digest)
        victim = workers_of(server)[turn % 2]
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(repository.do, "loan/load", version=version)
            time.sleep(0.05 * turn)
            os.kill(victim, signal.SIGKILL)
            assert answer.result(60).json()["package"] == package
        assert packages_of(server, made.request()) == {package}
        wait_for(lambda turn=turn: server.lines("worker ready")[turn:])
        assert packages_of(server, made.request()) == {package}


def test_a_worker_that_starts_while_they_change_starts_with_the_new(start, made, other, repository):
    """A load call waits for whoever is about to start; it would come up with what was published when it was started."""
    server = start(made, workers=2, **repository.settings)
    before = set(workers_of(server))
    os.kill(min(before), signal.SIGKILL)
    [starting] = wait_for(lambda: set(workers_of(server)) - before)
    os.kill(starting, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(repository.do, "loan/load", version="2")
        time.sleep(0.5)
        os.kill(starting, signal.SIGCONT)
        assert answer.result(60).json()["package"] == other.digest
    wait_for(lambda: server.lines("worker ready"))
    assert packages_of(server, made.request()) == {other.digest}


def test_models_come_and_go_in_all(start, made, other, client, repository):
    repository.add(other, "7", name="second")
    server = start(made, workers=2, **repository.settings)
    assert repository.do("second/load").status_code == 200
    url = f"{server.url}/v2/models/second/ready"
    assert {_status(url) for _ in range(20)} == {200}
    os.kill(workers_of(server)[0], signal.SIGKILL)
    wait_for(lambda: server.lines("worker ready"))
    assert {_status(url) for _ in range(20)} == {200}
    assert repository.do("second/unload").json() == {"name": "second"}
    assert {_status(url) for _ in range(20)} == {404}
    assert repository.do("second/unload").status_code == 404
    assert [model["name"] for model in repository.index()] == ["loan"]
    assert packages_of(server, made.request()) == {made.digest}


def _status(url: str) -> int:
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.get(url).status_code


def test_the_admin_plane_of_all_asks_for_its_token_and_knows_no_stages(start, made, repository):
    start(made, workers=2, **repository.settings)
    without = {"Authorization": "Bearer something-else-of-that-length"}
    for operation in ("loan/load", "loan/unload"):
        url = f"http://admin/v2/repository/models/{operation}"
        assert repository.client.post(url, headers=without).status_code == 401
        assert repository.client.get(url).status_code == 405
    assert repository.do("loan/load", version="2", stage="publish").status_code == 400
    assert [model["version"] for model in repository.index()] == ["1"]


# --- measures


def test_metrics_add_up_over_workers_and_outlive_them(start, made, client):
    server = start(made, workers=2)
    packages_of(server, made.request(2), 40)
    wait_for(lambda: measure(server, "trivet_rows_total") == 80)  # each worker tells of its own a moment later
    assert measure(server, "trivet_ready") == 2
    assert measure(server, "trivet_request_seconds_count", 'route="/v2/models/{model}/infer"') == 40
    os.kill(workers_of(server)[0], signal.SIGKILL)
    wait_for(lambda: server.lines("worker ready"))
    packages_of(server, made.request(2), 10)
    wait_for(lambda: measure(server, "trivet_rows_total") == 100)
    assert measure(server, "trivet_ready") == 2


def measure(server: Any, name: str, label: str = "") -> float:
    """The sum of a measure's lines that carry a label."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        lines = client.get(f"{server.url}/metrics").text.splitlines()
    found = [line for line in lines if re.match(rf"{name}(\{{|\s)", line) and label in line]
    assert found, f"there is no {name}"
    return sum(float(line.rpartition(" ")[2]) for line in found)
