"""One endpoint and several releases: what the gate stops, what takes over, what goes back, and what brings it back.

The tests share one stack, leave it serving, and say themselves which release they begin with.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from trivet.core.waiting import wait_for

pytestmark = pytest.mark.slow

EXAMPLE = "examples/loan_approval"


@dataclass
class Calls:
    """What the endpoint answered while something else went on."""

    packages: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def calling(demo) -> Iterator[Calls]:
    """Ask the endpoint again and again, over new and over kept connections, until the block ends."""
    request = Path(demo.report["run"]["report"]).with_name("request.json").read_bytes()
    headers = {"Content-Type": "application/json"}
    calls, done = Calls(), threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=30) as kept:
            while not done.wait(0.02):
                for post in (kept.post, httpx.post):
                    try:
                        response = post(f"{demo.url}/v2/models/loan/infer", content=request, headers=headers)
                        response.raise_for_status()
                        calls.packages.append(response.json()["parameters"]["package"])
                    except httpx.HTTPError as error:
                        calls.failures.append(repr(error))

    caller = threading.Thread(target=ask)
    caller.start()
    try:
        yield calls
    finally:
        done.set()
        caller.join()


@pytest.fixture(scope="module")
def strict(demo):
    """The example's strict variant, and the state of things before."""
    before = State.of(demo)
    return demo.checkout.trivet("run", EXAMPLE, "--variant", "strict", expect=5), before, State.of(demo)


@pytest.fixture(scope="module")
def takeover(demo, strict):
    """The mitigated variant taking over from the default."""
    with calling(demo) as calls:
        ran = demo.checkout.trivet("run", EXAMPLE, "--variant", "mitigated", "--json")
    return ran.json, calls


@dataclass(frozen=True)
class State:
    """What a stack holds."""

    versions: dict[str, str]
    champion: str
    jobs: set[str]
    entries: int
    serving: dict
    restarts: int

    @classmethod
    def of(cls, demo) -> State:
        checkout = demo.checkout
        word = supervised(demo)
        return cls(
            checkout.versions(),
            checkout.champion(),
            checkout.jobs(),
            len(checkout.ledger()),
            word["serving"],
            word["restarts"],
        )

    @property
    def release(self) -> str:
        """Name and version of what is served."""
        return f"{self.serving['release']['model']}/{self.serving['release']['version']}"


def supervised(demo) -> dict:
    """How the endpoint's supervisor described itself last."""
    return json.loads((demo.checkout.home() / "endpoints" / "loan" / "state.json").read_text())


def serve(demo, version: str) -> State:
    """Begin with a version in service."""
    if State.of(demo).release != version:
        demo.checkout.trivet("deploy", version)
    return State.of(demo)


def status(demo) -> dict:
    [endpoint] = demo.checkout.trivet("status", "--json").json["endpoints"]
    return endpoint


@contextmanager
def held(lock: Path) -> Iterator[int]:
    """The pid of another process that holds a lock."""
    code = (
        "import sys; from pathlib import Path; from trivet.core.locks import lock\n"
        "with lock(Path(sys.argv[1]), 'it'): print(flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    try:
        yield holder.pid
    finally:
        holder.communicate()


def test_what_fails_at_the_gate_goes_nowhere(strict) -> None:
    ran, before, after = strict
    assert ran.stdout == ""
    error = ran.stderr.splitlines()[-1]
    assert error.startswith("Error: The gate says fail of loan (strict)")
    assert "the whole interval misses it" in error
    assert "fail" in Path(error.rpartition("The report: ")[2]).read_text()
    assert after.versions == before.versions
    assert after.champion == before.champion
    assert after.serving == before.serving


def test_the_ledger_knows_of_what_the_gate_refused(demo, strict) -> None:
    _, before, _ = strict
    [refused] = [one for one in demo.checkout.ledger(kind="gate") if one["body"]["verdict"] == "fail"]
    assert refused["body"]["candidate"] == "loan-approval/strict"
    assert refused["seq"] > before.entries


def test_what_passes_takes_over_without_losing_a_request(demo, takeover) -> None:
    report, calls = takeover
    assert {gate["candidate"]: gate["verdict"] for gate in report["gates"]}["mitigated"] == "pass"
    assert calls.failures == []
    assert set(calls.packages) == {demo.report["run"]["package"], report["package"]}
    assert calls.packages[-1] == report["package"]
    assert (report["version"]["version"], report["version"]["aliases"]) == (2, ["champion"])


def test_the_challenger_was_compared_with_what_served(takeover) -> None:
    report, _ = takeover
    [mitigated] = [gate for gate in report["gates"] if gate["candidate"] == "mitigated"]
    [difference] = [one for one in mitigated["measures"] if one["name"] == "auc_difference_to_served"]
    assert difference["verdict"] == "pass"
    assert difference["low"] <= difference["value"] <= difference["high"]


def test_the_same_run_again_changes_nothing(demo, takeover) -> None:
    before = serve(demo, "loan/2")
    again = demo.checkout.trivet("run", EXAMPLE, "--variant", "mitigated", "--json").json
    assert again["version"] == takeover[0]["version"]
    assert State.of(demo) == before


def test_deploy_goes_back_and_the_champion_with_it(demo, takeover) -> None:
    serve(demo, "loan/2")
    with calling(demo) as calls:
        state = demo.checkout.trivet("deploy", "loan/1", "--json").json
    assert calls.failures == []
    assert state["releases"][0]["digest"] == demo.report["run"]["package"]
    back = State.of(demo)
    assert back.champion == back.release == "loan/1"
    demo.checkout.trivet("deploy", "loan@champion")
    assert State.of(demo) == back


def test_a_second_deploy_is_told_who_is_at_it(demo, takeover) -> None:
    before = State.of(demo)
    with held(demo.checkout.home() / "locks" / "deploy-loan.lock") as holder:
        ran = demo.checkout.trivet("deploy", "loan/2", expect=6)
    assert f"endpoint loan is locked by process {holder}" in ran.stderr
    assert State.of(demo) == before


def test_what_a_person_rejected_no_policy_approves_again(demo, takeover) -> None:
    before = serve(demo, "loan/1")
    words = ("--reason", "Ask the owner first.")
    demo.checkout.trivet("models", "approve", "loan/2", "--reject", *words, TRIVET_ACTOR="grace")
    ran = demo.checkout.trivet("run", EXAMPLE, "--variant", "mitigated", expect=5)
    assert "loan/2 was rejected by grace: Ask the owner first." in ran.stderr
    assert State.of(demo).serving == before.serving
    demo.checkout.trivet("models", "approve", "loan/2", "--reason", "I asked.", TRIVET_ACTOR="grace")
    assert serve(demo, "loan/2").champion == "loan/2"


def test_what_the_readme_calls_works(demo, takeover) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", (demo.checkout.root / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks if EXAMPLE in block for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/trivet ")]
    assert ["ledger", "verify"] in commands
    for words in commands:
        demo.checkout.trivet(*words)


def test_a_server_that_dies_is_started_again(demo) -> None:
    before = status(demo)
    psutil.Process(supervised(demo)["serving"]["pid"]).kill()

    def revived() -> dict | None:
        found = status(demo)
        return found if found["status"] == "ready" and found["restarts"] > before["restarts"] else None

    after = wait_for(revived, "The restart", seconds=60, longest=0.2)
    assert (after["releases"], after["url"]) == (before["releases"], before["url"])
    assert httpx.get(f"{demo.url}/v2/models/loan/ready").status_code == 200
    assert "The server ended with" in demo.checkout.trivet("logs").stdout


def test_without_its_supervisor_an_endpoint_stops_and_deploy_brings_it_back(demo) -> None:
    before, server = State.of(demo), psutil.Process(supervised(demo)["serving"]["pid"])
    folder = demo.checkout.home() / "endpoints" / "loan"
    psutil.Process(json.loads((folder / "supervisor.json").read_text())["pid"]).kill()
    server.wait(30)  # lest it hold the port with nobody to look after it
    assert demo.checkout.processes() == []
    stopped = status(demo)
    assert stopped["status"] == "stopped"
    assert f"`trivet deploy {before.release}` starts it again" in stopped["reason"]
    told = demo.checkout.trivet("predict", "{}", expect=9).stderr
    assert "stopped" in told
    assert "trivet deploy" in told
    after = demo.checkout.trivet("deploy", before.release, "--json").json
    assert (after["status"], after["url"]) == ("ready", demo.url)
    assert State.of(demo).release == before.release


def test_a_checkout_that_moved_goes_on(demo, takeover) -> None:
    before = serve(demo, "loan/2")
    checkout = demo.checkout
    checkout.root = checkout.root.rename(checkout.root.with_name("moved, here & there"))
    assert status(demo)["status"] == "ready"
    assert httpx.get(f"{demo.url}/v2/models/loan/ready").status_code == 200
    assert checkout.trivet("up", "--json").json["changes"].keys() == {"same"}
    checkout.trivet("ledger", "verify")
    checkout.trivet("run", EXAMPLE, "--variant", "mitigated")
    after = State.of(demo)
    assert (after.versions, after.champion, after.jobs) == (before.versions, before.champion, before.jobs)
    assert serve(demo, "loan/1").champion == "loan/1"
    assert status(demo)["url"] == demo.url
