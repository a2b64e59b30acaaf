"""Every type that is served, in a real plugin process, by Pulumi's protocol: made, read, compared, changed, gone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import grpc
import pytest

from trivet.infra.engine.provider import Provider
from trivet.infra.engine.state import Resource
from trivet.rehearsal.plugins import sdk
from trivet.rehearsal.plugins.guards import STORE
from trivet.rehearsal.plugins.kinds import Kind, Stored
from trivet.rehearsal.plugins.listing import all_kinds, share
from trivet.rehearsal.plugins.packages import package
from trivet.rehearsal.plugins.path import rehearsing
from trivet.rehearsal.plugins.store import Store

from . import aws_world, examples
from .conftest import CONFIG, client

KINDS = {kind.token: kind for kind in all_kinds()}


class Plugin:
    """A plugin's process, the provider behind it, and what both refer to."""

    def __init__(self, name: str, folder: Path, moto: str) -> None:
        self.environment = {**rehearsing(folder, os.environ), "AWS_ENDPOINT_URL": moto}
        command = [str(folder / "bin" / f"pulumi-resource-{name}")]
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self.provider = Provider(grpc.insecure_channel(f"127.0.0.1:{self.port}"), lambda: None)
        config = {key.split(":")[1]: value for key, value in CONFIG.items() if key.startswith(f"{name}:")}
        entry = Resource(f"urn:pulumi:dev::lending::pulumi:providers:{name}::default", True, f"pulumi:providers:{name}")
        self.provider.configure(entry, config)
        self.store = Store(Path(self.environment[STORE]))
        self.account = package(name).configure(config, self.store)

    def stop(self) -> None:
        self.provider.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture(scope="module")
def plugins(moto: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Plugin]]:
    urlopen(Request(f"{moto}/moto-api/reset", method="POST")).close()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "ARM_"))]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", moto)
        folder = tmp_path_factory.mktemp("rehearsal")
        made = {name: Plugin(name, folder, moto) for name in ("aws", "gcp", "azure-native")}
        yield made
        for plugin in made.values():
            plugin.stop()


@pytest.fixture(scope="module")
def there(moto: str, plugins: dict[str, Plugin]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """The examples of moto's types, by token."""
    found = examples.moto(aws_world.world(lambda service: client(moto, service)))
    short = {
        f"{token.split(':')[1].split('/')[0]}:{token.split(':')[2]}": token for token in KINDS if token[:4] == "aws:"
    }
    return {short[name]: example for name, example in found.items()}


def resource(kind: Kind, inputs: dict[str, Any], **more: Any) -> Resource:
    return Resource(f"urn:pulumi:dev::lending::{kind.token}::made", True, kind.token, inputs=inputs, **more)


def make_needed(kind: Kind, plugin: Plugin, inputs: dict[str, Any]) -> None:
    """Put into the store what the object cannot be without."""
    if isinstance(kind, Stored):
        bag = kind.bag(plugin.account, inputs)
        for need in (template.format_map(bag) for template in kind.needed()):
            if not plugin.store.exists(kind.package, need):
                number = plugin.store.begin(f"{kind.package}:test:Needed", "urn:needed", {})
                assert plugin.store.finish(number, need, {})


@pytest.mark.parametrize("token", KINDS)
def test_a_type_from_its_making_to_its_end(token: str, plugins: dict[str, Plugin], there: Any):
    kind = KINDS[token]
    plugin, provider = plugins[kind.package], plugins[kind.package].provider
    given, change = there[token] if kind.backend == "moto" else (examples.required(token), {})

    want = resource(kind, given)
    inputs = provider.check(want, {})
    make_needed(kind, plugin, inputs)
    want = resource(kind, inputs)
    foreseen = provider.create(want, preview=True).outputs
    assert plugin.store.all(token) == []
    identity, _, outputs, failures = provider.create(want)
    assert identity and not failures
    declared = sdk.declared(token)
    assert set(outputs) <= set(declared.outputs) and set(foreseen) <= set(declared.outputs)
    scalars = {name for name in declared.given if sdk.options(declared.outputs[name])[0] in (str, bool, int, float)}
    assert scalars <= set(outputs), "an output that the SDK promises"
    made = resource(kind, inputs, id=identity, outputs=outputs)

    if kind.backend == "moto":  # of what the listing says that moto shows, nothing is only taken and dropped
        [entry] = plugin.store.all(token)
        assert set(inputs) - {"__defaults"} - set(kind.kept_beside()) <= set(entry.outputs["seen"])
    live = provider.read(made)
    assert live and live.id == identity and live.inputs == inputs and live.outputs == outputs
    assert not provider.diff(made, inputs).differs
    imported = provider.read(resource(kind, {}, id=identity))
    assert imported and imported.inputs is not None
    secret = {"password"}  # AWS never gives one back
    said = {name: value for name, value in inputs.items() if name not in secret}
    assert not provider.diff(resource(kind, imported.inputs, id=identity, outputs=outputs), said).differs

    if change:
        new = resource(kind, {**inputs, **change}, id=identity)
        verdict = provider.diff(made, new.inputs)
        assert verdict.changes and not verdict.replaces
        outputs = provider.update(made, new).outputs
        assert {name: outputs[name] for name in change} == change
        made = resource(kind, new.inputs, id=identity, outputs=outputs)
        again = provider.read(made)
        assert again and again.inputs == new.inputs
        found = provider.read(resource(kind, {}, id=identity))  # in the back end's own words, not in ours
        assert found and found.inputs is not None
        assert not provider.diff(
            resource(kind, found.inputs, id=identity, outputs=outputs),
            {name: value for name, value in new.inputs.items() if name not in secret},
        ).differs

    if getattr(kind, "protected", False):
        made = resource(kind, {**made.inputs, "deletionProtection": False}, id=identity, outputs=outputs)
        provider.update(resource(kind, inputs, id=identity, outputs=outputs), made)
    provider.delete(made)
    assert plugin.store.all(token) == []
    if not getattr(kind, "stays", False):
        assert provider.read(made) is None
        provider.delete(made)


@pytest.mark.parametrize(("name", "key"), [("aws", "region"), ("gcp", "project"), ("azure-native", "subscriptionId")])
def test_another_place_makes_all_its_objects_others(plugins: dict[str, Plugin], name: str, key: str):
    entry = Resource("urn:pulumi:dev::lending::pulumi:providers:a::a", True, "pulumi:providers:a", inputs={key: "here"})
    assert plugins[name].provider.diff_config(entry, {key: "there"}).replaces
    assert not plugins[name].provider.diff_config(entry, {key: "here", "skipMetadataApiCheck": "true"}).replaces


def test_what_is_below_an_object_of_azure_goes_with_it(plugins: dict[str, Plugin]):
    provider = plugins["azure-native"].provider
    made = []
    for token, inputs in (
        ("azure-native:resources:ResourceGroup", {"resourceGroupName": "all", "location": "westeurope"}),
        ("azure-native:resources:ResourceGroup", {"resourceGroupName": "all-others", "location": "westeurope"}),
        ("azure-native:managedidentity:UserAssignedIdentity", {"resourceGroupName": "all", "resourceName": "a"}),
        ("azure-native:managedidentity:UserAssignedIdentity", {"resourceGroupName": "all-others", "resourceName": "a"}),
    ):
        want = resource(KINDS[token], inputs)
        identity, _, outputs, _ = provider.create(want)
        made.append(resource(KINDS[token], inputs, id=identity, outputs=outputs))
    group, other, inside, outside = made
    provider.delete(group)
    assert [provider.read(one) is None for one in (group, inside, other, outside)] == [True, True, False, False]
    provider.delete(other)


def test_each_type_of_moto_has_an_example_and_no_other_has(there: Any):
    assert set(there) == {token for token, kind in KINDS.items() if kind.backend == "moto"}


def test_the_share_of_each_back_end():
    counts = share()
    assert sum(count.total() for count in counts.values()) == len(KINDS) >= 200
    assert counts["aws"]["moto"] >= 55
