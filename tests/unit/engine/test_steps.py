"""Random graphs, random edits, and death at any point of the journal.

The provider is a gRPC service whose content is a dictionary: what lies there is the oracle. The SDK and the processes
are left out, so that many cases run; ``test_contract`` and ``test_endings`` have them in.
"""
# ruff: noqa: N802 — names of the protocol

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from trivet.core import faults
from trivet.core.errors import PlatformError
from trivet.infra.engine.callbacks import Callbacks
from trivet.infra.engine.checkpoint import Backend, StateFile
from trivet.infra.engine.crypt import Vault
from trivet.infra.engine.events import Report
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.hooks import Hooks
from trivet.infra.engine.policy import Policies
from trivet.infra.engine.provider import Provider
from trivet.infra.engine.providers import Providers
from trivet.infra.engine.state import STACK_TYPE, Resource, make_urn, verify
from trivet.infra.engine.steps import Goal, Run, Steps
from trivet.infra.engine.values import UNKNOWN, from_struct, to_struct

TYPE = "pulumi-python:dynamic:File"
VAULT = Vault.new(lambda: "passphrase")


@dataclass(frozen=True)
class Item:
    """One resource of a program: what it takes from earlier ones, and what makes it another one."""

    name: str
    kind: str
    content: str
    takes: tuple[str, ...]
    bound: tuple[str, ...]
    after: tuple[str, ...]
    first: bool


class Dictionary(provider_pb2_grpc.ResourceProviderServicer):
    """A provider whose objects are entries of a dictionary; ids follow from what forces a replacement."""

    def __init__(self) -> None:
        self.world: dict[str, str] = {}

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse()

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        olds, news = from_struct(request.old_inputs), from_struct(request.news)
        forcing = [name for name in news if name == "kind" or name.startswith("bound_")]
        forcing += [name for name in olds if name not in news and name.startswith("bound_")]
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_UNKNOWN,
            replaces=[name for name in forcing if olds.get(name) != news.get(name)],
        )

    def Create(self, request: Any, context: Any) -> Any:
        inputs = from_struct(request.properties)
        identity = identify(inputs)
        self.world[identity] = text(inputs)
        return provider_pb2.CreateResponse(id=identity, properties=to_struct({**inputs, "path": identity}))

    def Update(self, request: Any, context: Any) -> Any:
        inputs = from_struct(request.news)
        self.world[request.id] = text(inputs)
        return provider_pb2.UpdateResponse(properties=to_struct({**inputs, "path": request.id}))

    def Delete(self, request: Any, context: Any) -> Any:
        self.world.pop(request.id, None)
        return empty_pb2.Empty()


def identify(inputs: dict[str, Any]) -> str:
    forcing = sorted((name, value) for name, value in inputs.items() if name == "kind" or name.startswith("bound_"))
    return f"{inputs['name']}-{hashlib.sha256(repr(forcing).encode()).hexdigest()[:6]}"


def text(inputs: dict[str, Any]) -> str:
    return f"{inputs['content']} {sorted(value for name, value in inputs.items() if name.startswith('from_'))}"


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[Dictionary, Provider]]:
    dictionary = Dictionary()
    server = grpc.server(ThreadPoolExecutor(2))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(dictionary, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    provider = Provider(channel, lambda: AssertionError("it does not end"))  # type: ignore[arg-type, return-value]
    provider.configure(Resource("urn", custom=True, type="pulumi:providers:pulumi-python"), {})
    yield dictionary, provider
    channel.close()
    server.stop(None).wait()


class OnePlugin:
    """The plugins of an operation that has one."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def greeted(self, entry: Resource) -> Provider:
        return self._provider

    def of(self, entry: Resource) -> Provider:
        return self._provider


def steps_of(state: Any, provider: Provider, report: Report, gate: Gate, *, preview: bool, parallel: int) -> Steps:
    providers = Providers("dev", "trial", state, OnePlugin(provider), {}, lambda name: state, preview=preview)  # type: ignore[arg-type]
    hooks = Hooks(Callbacks(), gate, report, preview=preview)
    how = Run(preview, parallel=parallel)
    return Steps(state, providers, Policies((), report, preview=preview), hooks, report, gate, how)


def run(program: list[Item] | None, provider: Provider, file: StateFile, *, preview: bool = False) -> dict[str, int]:
    """What the engine does for a program (``None`` destroys), without the program's process."""
    report = Report(lambda line: None, preview=preview)

    def work(state: Any) -> None:
        steps = steps_of(state, provider, report, Gate(), preview=preview, parallel=4)
        if program is not None:
            register(program, steps)
        steps.finish()

    if preview:
        work(file.load(lambda salt: VAULT))
    else:
        with file.writing(lambda salt: VAULT) as state:
            work(state)
    return dict(report.changes)


def register(program: list[Item], steps: Steps) -> None:
    stack = make_urn("dev", "trial", "", STACK_TYPE, "trial-dev")
    steps.register(Goal(Resource(stack, custom=False, type=STACK_TYPE)))
    made: dict[str, Resource] = {}
    for item in program:
        inputs: dict[str, Any] = {"name": item.name, "kind": item.kind, "content": item.content}
        origins = {f"from_{name}": name for name in item.takes} | {f"bound_{name}": name for name in item.bound}
        inputs |= {key: made[name].outputs.get("path", UNKNOWN) for key, name in origins.items()}
        want = Resource(
            make_urn("dev", "trial", stack, TYPE, item.name),
            custom=True,
            type=TYPE,
            inputs=inputs,
            parent=stack,
            dependencies=tuple(sorted({made[name].urn for name in (*origins.values(), *item.after)})),
            property_dependencies={key: [made[name].urn] for key, name in origins.items()},
        )
        made[item.name] = steps.register(Goal(want, delete_before_replace=item.first))


def expected(program: list[Item]) -> dict[str, str]:
    """What the dictionary should hold."""
    paths: dict[str, str] = {}
    world: dict[str, str] = {}
    for item in program:
        inputs = {"name": item.name, "kind": item.kind, "content": item.content}
        inputs |= {f"from_{name}": paths[name] for name in item.takes}
        inputs |= {f"bound_{name}": paths[name] for name in item.bound}
        paths[item.name] = identify(inputs)
        world[paths[item.name]] = text(inputs)
    return world


def sound(file: StateFile, world: dict[str, str]) -> None:
    state = file.load(lambda salt: VAULT)
    verify(resource for _, resource in state.ordered())
    assert not state.pending
    assert not [item for item in state.resources.values() if item.delete or item.pending_replacement]
    assert sorted(item.id for item in state.resources.values() if item.type == TYPE) == sorted(world)


@st.composite
def programs(draw: st.DrawFn, least: int = 0) -> list[Item]:
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=least, max_size=6))
    items = []
    for place, name in enumerate(names):
        earlier = st.lists(st.sampled_from(names[:place]), unique=True, max_size=3) if place else st.just([])
        items.append(
            Item(
                name,
                draw(st.sampled_from("xy")),
                draw(st.sampled_from("12")),
                *(tuple(sorted(draw(earlier))) for _ in range(3)),
                draw(st.booleans()),
            )
        )
    return items


class Death(BaseException):
    """Stands for kill -9: what is on the disk at that moment is all that is left."""


@contextmanager
def passing(action: Callable[[int], None]) -> Iterator[None]:
    """Call ``action`` with 1, 2, … at each point at which a process may die."""
    passed = itertools.count(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "point", lambda name: action(next(passed)))
        yield


def die(moment: float, program: list[Item] | None, dictionary: Dictionary, provider: Provider, file: StateFile) -> None:
    """Run a program until a moment between its first point (0) and its last (1); only the disk is left as it was."""
    backend = file.path.parents[3]
    kept, world = backend.with_name("kept"), dict(dictionary.world)
    shutil.copytree(backend, kept)
    points = [0]
    with passing(points.append):
        run(program, provider, file)
    dictionary.world = world
    shutil.rmtree(backend)
    kept.rename(backend)

    def at(point: int) -> None:
        if point == 1 + round(moment * (points[-1] - 1)):
            shutil.copytree(backend, kept)
            raise Death

    with passing(at):
        try:
            run(program, provider, file)
        except Death:
            shutil.rmtree(backend)
            kept.rename(backend)


@settings(deadline=None, max_examples=25)
@given(st.lists(programs(), min_size=1, max_size=4))
def test_any_program_after_any_other(service, sequence):
    dictionary, provider = service
    dictionary.world = {}
    with TemporaryDirectory() as folder:
        file = Backend(f"file://{folder}/backend", Path()).create("trial", "dev", VAULT)
        for program in sequence:
            before, written = dict(dictionary.world), file.path.read_bytes()
            run(program, provider, file, preview=True)
            assert (dictionary.world, file.path.read_bytes()) == (before, written)
            run(program, provider, file)
            assert dictionary.world == expected(program)
            sound(file, dictionary.world)

            written = file.path.read_bytes()
            assert run(program, provider, file) == {"same": len(program) + 1}
            assert file.path.read_bytes() == written
        run(None, provider, file)
        assert dictionary.world == {}
        assert not file.load(lambda salt: VAULT).resources


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(programs(least=2) | programs(least=4) | st.none(), st.floats(0, 1)),
        min_size=2,
        max_size=4,
    ),
    programs() | st.none(),
)
def test_after_death_upon_death_the_next_call_finishes(service, deaths, last):
    dictionary, provider = service
    dictionary.world = {}
    with TemporaryDirectory() as folder:
        file = Backend(f"file://{folder}/backend", Path()).create("trial", "dev", VAULT)
        for program, moment in deaths:
            die(moment, program, dictionary, provider, file)
        before = dict(dictionary.world)
        run(last, provider, file, preview=True)
        assert dictionary.world == before
        run(last, provider, file)
        assert dictionary.world == expected(last or [])
        sound(file, dictionary.world)


def test_what_waits_for_its_turn_does_not_begin_once_another_has_failed(service, tmp_path):
    dictionary, provider = service
    dictionary.world = {}
    file = Backend(f"file://{tmp_path}", tmp_path).create("trial", "dev", VAULT)
    gate, begun, go_on = Gate(), Event(), Event()

    class Waiting(Report):
        def begins(self, op: str, resource: Resource) -> None:
            begun.set()
            assert go_on.wait(10)

    def goal(name: str) -> Goal:
        inputs = {"name": name, "kind": "x", "content": "1"}
        return Goal(Resource(make_urn("dev", "trial", "", TYPE, name), custom=True, type=TYPE, inputs=inputs))

    with file.writing(lambda salt: VAULT) as state, ThreadPoolExecutor(2) as pool:
        report = Waiting(lambda line: None)
        steps = steps_of(state, provider, report, gate, preview=False, parallel=1)
        first = pool.submit(steps.register, goal("first"))
        assert begun.wait(10)
        second = pool.submit(steps.register, goal("second"))
        gate.close(PlatformError("a failure elsewhere"))
        go_on.set()
        assert first.result().name == "first"
        with pytest.raises(PlatformError, match="elsewhere"):
            second.result()
    assert len(dictionary.world) == 1
