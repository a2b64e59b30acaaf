from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from trivet.core.errors import ConfigError, Locked, NotReady, PlatformError
from trivet.core.inference import request_of
from trivet.core.locks import lock
from trivet.core.specs import EndpointNative, EndpointSpec, EndpointStatus, LocalEndpoint, Release
from trivet.core.waiting import wait_for
from trivet.platforms.local import supervisor
from trivet.platforms.local.endpoints import LocalEndpoints
from trivet.platforms.local.processes import alive, wait
from trivet.platforms.local.supervision import Identity, Wanted, ask, running, stop, supervised
from trivet.rehearsal.rigs.local import LocalRig, processes_in
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, serving_of

Stored = Callable[..., Release]
StandingIn = Callable[..., LocalEndpoints]
NAME = "first"


def spec(release: Release, restarts: int = 5) -> EndpointSpec:
    native = EndpointNative(local=LocalEndpoint(restarts_per_minute=restarts))
    return EndpointSpec(name=NAME, releases=(release,), native=native)


def folder_of(rig: LocalRig) -> Path:
    return rig.home / "endpoints" / NAME


def supervisor_of(rig: LocalRig) -> Identity:
    there = running(folder_of(rig))
    assert there is not None
    return there


def until_ready(endpoints: LocalEndpoints, restarts: int) -> None:
    def probe() -> bool | None:
        state = endpoints.state(NAME)
        return (state.status is EndpointStatus.READY and state.restarts >= restarts) or None

    wait_for(probe, "The restart", seconds=30, longest=0.1)


def test_the_supervisor_outlives_its_starter_in_a_session_of_its_own(
    rig: LocalRig, stored: Stored, standing_in: StandingIn
) -> None:
    standing_in("serve").apply(spec(stored()))
    process = psutil.Process(supervisor_of(rig).pid)
    assert process.ppid() != os.getpid()
    assert os.getsid(process.pid) != os.getsid(0)
    assert process.terminal() is None
    [child] = process.children()
    assert "standin.py" in " ".join(child.cmdline())


def test_a_crashed_server_is_started_again_and_the_port_stays_open(
    rig: LocalRig, stored: Stored, standing_in: StandingIn
) -> None:
    endpoints = standing_in("serve")
    endpoints.apply(spec(stored()))
    first = endpoints.invoke(NAME, {})["pid"]
    os.kill(first, signal.SIGKILL)
    assert endpoints.invoke(NAME, {})["pid"] != first  # it waited in the socket's queue
    until_ready(endpoints, restarts=1)
    assert "SIGKILL" in "\n".join(endpoints.logs(NAME))


def test_too_many_crashes_end_it_until_the_next_apply(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    endpoints, release = standing_in("crash"), stored()
    endpoints.apply(spec(release, restarts=2))

    def failed() -> bool | None:
        with pytest.raises(NotReady):
            endpoints.invoke(NAME, {})
        return endpoints.state(NAME).status is EndpointStatus.FAILED or None

    wait_for(failed, "The end", seconds=30, longest=0.1)
    assert "more than 2 times" in endpoints.state(NAME).reason
    wait_for(lambda: not processes_in(rig.root) or None, "The end of the processes", seconds=10)
    with pytest.raises(NotReady):
        endpoints.invoke(NAME, {})
    assert standing_in("serve").apply(spec(release)).status is EndpointStatus.READY


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("exit", "exit code 3 before it was ready"), ("refuse", "I do not want to"), ("liar", "instead of")],
)
def test_a_server_that_does_not_become_ready_is_refused(
    rig: LocalRig, stored: Stored, standing_in: StandingIn, behaviour: str, reason: str
) -> None:
    good = stored(1)
    standing_in("serve").apply(spec(good))
    before = standing_in("serve").invoke(NAME, {})
    with pytest.raises(NotReady, match=reason):
        standing_in(behaviour).apply(spec(stored(2)))
    state = standing_in("serve").state(NAME)
    assert (state.status, state.releases) == (EndpointStatus.READY, (good,))
    assert standing_in("serve").invoke(NAME, {}) == before
    assert len(processes_in(folder_of(rig))) == 2


def test_the_last_words_of_a_server_are_in_the_log(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    with pytest.raises(NotReady):
        standing_in("exit").apply(spec(stored()))
    assert "my last words" in list(standing_in("exit").logs(NAME))


def test_a_server_that_says_nothing_is_given_up_in_time(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    standing_in("serve").apply(spec(stored()))
    wanted = Wanted.read(folder_of(rig) / supervisor.WANTED)
    command = (*wanted.command[:-1], "never")
    fields = wanted.model_dump(exclude={"asked", "generation", "command", "ready_seconds"})
    with pytest.raises(NotReady, match="not ready within"):
        ask(folder_of(rig), Wanted.of(command=command, ready_seconds=0.5, **fields))
    assert standing_in("serve").state(NAME).status is EndpointStatus.READY


def test_no_request_is_lost_while_releases_change(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    """Each of the requests that are on their way all the time is answered, by either server."""
    endpoints, releases = standing_in("serve"), [stored(1), stored(2)]
    endpoints.apply(spec(releases[0]))
    over, pids = threading.Event(), set()

    def ask_on() -> int:
        count = 0
        while not over.is_set():
            pids.add(endpoints.invoke(NAME, {})["pid"])
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        counts = [pool.submit(ask_on) for _ in range(4)]
        try:
            for turn in range(4):
                endpoints.apply(spec(releases[(turn + 1) % 2]))
        finally:
            over.set()
    assert len(pids) > 1
    assert all(count.result() for count in counts)


def test_no_request_is_lost_by_the_real_server(rig: LocalRig, stored: Stored) -> None:
    endpoints, releases = rig.platform.endpoints, [stored(1), stored(2)]
    request = request_of(GOLDEN_ROWS, serving_of("loan", 0.0))
    endpoints.apply(spec(releases[0]))
    over, digests = threading.Event(), set()

    def ask_on() -> int:
        count = 0
        while not over.is_set():
            digests.add(endpoints.invoke(NAME, request)["parameters"]["package"])
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        counts = [pool.submit(ask_on) for _ in range(2)]
        try:
            endpoints.apply(spec(releases[1]))
            endpoints.apply(spec(releases[0]))
        finally:
            over.set()
    assert digests == {release.digest for release in releases}
    assert all(count.result() for count in counts)


def test_apply_returns_when_only_the_new_release_answers(
    rig: LocalRig, stored: Stored, standing_in: StandingIn
) -> None:
    endpoints, releases = standing_in("slow"), [stored(1), stored(2)]
    endpoints.apply(spec(releases[0]))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(endpoints.invoke, NAME, {})
        wait_for(lambda: _connected(rig) or None, "The request", seconds=10)
        endpoints.apply(spec(releases[1]))
        assert len(processes_in(folder_of(rig))) == 2, "the one before has left"
    assert endpoints.state(NAME).releases == (releases[1],)
    assert endpoints.invoke(NAME, {})["pid"] != slow.result()["pid"]


def _connected(rig: LocalRig) -> bool:
    port = rig.platform.outputs.endpoints[NAME].port
    there = supervised(folder_of(rig))
    assert there is not None
    assert there.serving is not None
    connections = psutil.Process(there.serving.pid).net_connections("tcp")
    return any(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in connections)


def test_kill_9_of_the_supervisor_leaves_no_orphan_and_apply_starts_it_again(
    rig: LocalRig, stored: Stored, standing_in: StandingIn
) -> None:
    endpoints, release = standing_in("serve"), stored()
    endpoints.apply(spec(release))
    there = supervisor_of(rig)
    os.kill(there.pid, signal.SIGKILL)
    assert wait(there.process, 10)
    wait_for(lambda: not processes_in(rig.root) or None, "The end of the server", seconds=10)
    state = endpoints.state(NAME)
    assert (state.status, state.releases) == (EndpointStatus.STOPPED, ())
    assert "deploy" in state.reason
    assert endpoints.apply(spec(release)).status is EndpointStatus.READY


def test_a_pid_that_was_given_away_is_not_taken_for_the_supervisor(
    rig: LocalRig, stored: Stored, standing_in: StandingIn
) -> None:
    endpoints, release = standing_in("serve"), stored()
    endpoints.apply(spec(release))
    path = folder_of(rig) / supervisor.IDENTITY
    stop(folder_of(rig))
    identity = Identity.read(path)
    path.write_bytes(identity.model_copy(update={"pid": os.getpid()}).canonical())
    assert endpoints.state(NAME).status is EndpointStatus.STOPPED
    assert endpoints.apply(spec(release)).status is EndpointStatus.READY


def test_a_taken_port_is_named_in_one_sentence(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    port = rig.platform.outputs.endpoints[NAME].port
    with socket.create_server(("127.0.0.1", port)), pytest.raises(NotReady, match=f"Port {port} .* in use"):
        standing_in("serve").apply(spec(stored()))
    assert standing_in("serve").apply(spec(stored(2))).status is EndpointStatus.READY


def test_a_second_writer_is_told_who_holds_the_lock(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    with (
        lock(folder_of(rig) / "apply.lock", "Endpoint first"),
        pytest.raises(Locked, match=rf"process {os.getpid()} "),
    ):
        standing_in("serve").apply(spec(stored()))


def test_stop_waits_for_every_process_and_is_idempotent(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    standing_in("serve").apply(spec(stored()))
    stop(folder_of(rig))
    assert processes_in(rig.root) == []
    stop(folder_of(rig))
    assert standing_in("serve").state(NAME).status is EndpointStatus.STOPPED


def test_a_server_that_does_not_leave_is_ended(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    standing_in("serve").apply(spec(stored()))
    wanted = Wanted.read(folder_of(rig) / supervisor.WANTED)
    command = (*wanted.command[:-1], "stubborn")
    fields = wanted.model_dump(exclude={"asked", "generation", "command", "leave_seconds"})
    ask(folder_of(rig), Wanted.of(command=command, leave_seconds=0.3, **fields))
    stop(folder_of(rig))
    assert processes_in(rig.root) == []


@pytest.mark.parametrize(
    ("behaviour", "error"), [("400", ConfigError), ("429", NotReady), ("503", NotReady), ("500", PlatformError)]
)
def test_what_the_server_refuses_is_told_by_whose_turn_it_is(
    rig: LocalRig, stored: Stored, standing_in: StandingIn, behaviour: str, error: type[Exception]
) -> None:
    endpoints = standing_in(behaviour)
    endpoints.apply(spec(stored()))
    with pytest.raises(error, match=f"I say {behaviour}"):
        endpoints.invoke(NAME, {})


def test_what_is_no_json_object_is_not_our_server(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    endpoints = standing_in("prose")
    endpoints.apply(spec(stored()))
    with pytest.raises(PlatformError, match="not Trivet's"):
        endpoints.invoke(NAME, {})


def test_what_does_not_say_what_it_serves_is_no_release(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    with pytest.raises(NotReady, match="not Trivet's"):
        standing_in("impostor").apply(spec(stored()))
    state = standing_in("impostor").state(NAME)
    assert (state.status, state.releases) == (EndpointStatus.FAILED, ())
    assert "not Trivet's" in state.reason


def test_the_log_stays_bounded(rig: LocalRig, stored: Stored, standing_in: StandingIn) -> None:
    endpoints, releases = standing_in("talkative"), [stored(1), stored(2)]
    for turn in range(9):  # a megabyte each
        endpoints.apply(spec(releases[turn % 2]))
    sizes = [path.stat().st_size for path in folder_of(rig).glob("endpoint.log*")]
    assert len(sizes) == 2
    assert max(sizes) <= 5 << 20


def test_a_folder_that_moved_is_served_from_its_new_place(
    rig: LocalRig, stored: Stored, standing_in: StandingIn, tmp_path: Path
) -> None:
    release = stored()
    rig.platform.endpoints.apply(spec(release))
    before = supervisor_of(rig)
    rig.move(tmp_path / "elsewhere")
    endpoints = rig.platform.endpoints
    assert endpoints.state(NAME).status is EndpointStatus.READY
    assert endpoints.apply(spec(release)).status is EndpointStatus.READY
    assert not alive(before.process)
    assert supervisor_of(rig).is_in(folder_of(rig))
    assert Path(rig.root).name == "elsewhere"
