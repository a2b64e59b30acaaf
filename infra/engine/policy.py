"""Policy packs: processes that look at each resource before anything is done to it, spoken to in Pulumi's analyzer
protocol.

A remediation may change the inputs; then a mandatory policy that is violated keeps the resource from being touched, and
an advisory one is only told. Policies over the whole stack are held once everything else went well. A preview tells all
violations and fails at its end, as Pulumi's does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import yaml
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from trivet.core.errors import ConfigError, GateRefused
from trivet.infra.engine.children import Child, Show
from trivet.infra.engine.events import Report, Violation
from trivet.infra.engine.failures import failure
from trivet.infra.engine.state import Resource
from trivet.infra.engine.values import Properties, from_struct, mark_copies, mark_like, to_struct, without_references

_LEVELS = {
    "advisory": analyzer_pb2.ADVISORY,
    "mandatory": analyzer_pb2.MANDATORY,
    "disabled": analyzer_pb2.DISABLED,
    "remediate": analyzer_pb2.REMEDIATE,
}
_BLOCKING = ("mandatory", "remediate")  # what a remediation left as it was is as bad
_ALL = "all"  # in a config: every policy of the pack, whose level alone it sets
_LEVEL = "enforcementLevel"
_PROJECT = "PulumiPolicy.yaml"


@dataclass(frozen=True)
class PackSource:
    """A folder with ``PulumiPolicy.yaml``, and the JSON file with its config, if there is one."""

    folder: Path
    config: Path | None = None

    def project(self) -> dict[str, Any]:
        """What ``PulumiPolicy.yaml`` says.

        :raises ConfigError: for a folder that is no policy pack.
        """
        path = self.folder / _PROJECT
        try:
            project = yaml.safe_load(path.read_text())
            runtime = project["runtime"]
            return project | {"runtime": {"name": runtime} if isinstance(runtime, str) else dict(runtime)}
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{self.folder} is no policy pack.", f"It needs a {_PROJECT} that says its runtime."
            ) from error


class Pack:
    """One policy pack behind its process, which starts with this object."""

    def __init__(self, source: PackSource, engine: str, env: Mapping[str, str], show: Show) -> None:
        project = source.project()
        program = str(source.folder / project.get("main", ""))
        command = [_python(source.folder, project["runtime"]), "-u", "-m", "pulumi.policy", engine, program]
        self._source = source
        self._child = Child(f"The policy pack '{source.folder.name}'", command, source.folder, env)
        self._child.hear(show)
        self._channel: grpc.Channel | None = None
        self.name = source.folder.name
        self.version = str(project.get("version", ""))

    def configure(self) -> None:
        """Wait until it answers, and tell it how strictly to hold each policy.

        :raises ConfigError: for a config that is not what its policies take.
        """
        self._channel = self._child.channel()
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        info = self._ask(self._stub.GetAnalyzerInfo, empty_pb2.Empty())
        self.name, self.version = info.name, self.version or info.version
        config = {
            name: analyzer_pb2.PolicyConfig(enforcementLevel=_LEVELS[level], properties=to_struct(values))
            for name, (level, values) in _config(info, self._source.config).items()
        }
        self._ask(self._stub.Configure, analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=config))

    def remediate(
        self, resource: Resource, entry: Resource | None, wish: bool | None
    ) -> list[analyzer_pb2.Remediation]:
        """What it would change, one after the other."""
        asked = analyzer_pb2.AnalyzeRequest(**_described(resource, entry, wish))
        return list(self._ask(self._stub.Remediate, asked).remediations)

    def analyze(self, resource: Resource, entry: Resource | None, wish: bool | None) -> list[Violation]:
        """What it finds wrong with a resource."""
        asked = analyzer_pb2.AnalyzeRequest(**_described(resource, entry, wish))
        found = self._ask(self._stub.Analyze, asked).diagnostics
        return [replace(_violation(one), urn=resource.urn) for one in found]

    def analyze_stack(self, resources: Iterable[tuple[Resource, Resource | None]]) -> list[Violation]:
        """What it finds wrong with all resources together, each with the entry of its provider."""
        asked = [
            analyzer_pb2.AnalyzerResource(
                **_described(replace(one, inputs=one.outputs), entry),
                parent=one.parent,
                dependencies=one.dependencies,
                propertyDependencies={
                    name: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
                    for name, urns in one.property_dependencies.items()
                },
            )
            for one, entry in resources
        ]
        found = self._ask(self._stub.AnalyzeStack, analyzer_pb2.AnalyzeStackRequest(resources=asked)).diagnostics
        return [_violation(one) for one in found]

    def stop(self) -> None:
        """End its process."""
        if self._channel:
            self._channel.close()
        self._child.stop()

    def _ask(self, method: Any, request: Any) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            told = error.details()  # pyright: ignore[reportAttributeAccessIssue] grpc raises calls
            if error.code() == grpc.StatusCode.UNAVAILABLE and (ended := self._child.ended()):  # pyright: ignore[reportAttributeAccessIssue]
                raise ended from error
            raise failure(f"The policy pack '{self.name}' failed", told or str(error)) from error


class Policies:
    """The policy packs of one operation; mostly there are none. Its methods may be called from any thread."""

    def __init__(self, packs: Sequence[Pack], report: Report, *, preview: bool) -> None:
        self._packs = packs
        self._report = report
        self._preview = preview
        self._seen: dict[Violation, None] = {}

    def configure(self) -> None:
        """Make every pack ready; before the program runs."""
        for pack in self._packs:
            pack.configure()
            self._report.packs[pack.name] = pack.version

    def admit(self, want: Resource, entry: Resource | None = None, wish: bool | None = None) -> Resource:
        """The resource as remediations make it.

        :param entry: of its provider.
        :param wish: whether it is to be deleted before it is replaced; ``None`` where the program does not say.
        :raises GateRefused: when a mandatory policy is violated; in a preview only :meth:`admit_stack` raises.
        """
        for pack in self._packs:
            want = replace(want, inputs=self._remedied(pack, want, entry, wish))
        found = [violation for pack in self._packs for violation in pack.analyze(want, entry, wish)]
        self._tell(found)
        if not self._preview:
            _refuse(found)
        return want

    def admit_stack(self, resources: Iterable[tuple[Resource, Resource | None]]) -> None:
        """Hold the policies over the whole stack.

        :raises GateRefused: when a mandatory one is violated; in a preview also when one of :meth:`admit` was.
        """
        together = list(resources)
        found = [violation for pack in self._packs for violation in pack.analyze_stack(together)]
        self._tell(found)
        _refuse(self._seen if self._preview else found)

    def _remedied(self, pack: Pack, want: Resource, entry: Resource | None, wish: bool | None) -> Properties:
        inputs = want.inputs
        for one in pack.remediate(want, entry, wish):
            if one.diagnostic:
                self._report.diagnostic("warning", one.diagnostic, want.urn)
            else:
                before, inputs = inputs, mark_copies(mark_like(from_struct(one.properties), want.inputs), want.inputs)
                self._report.hide(inputs)
                self._report.remediation(one.policyName, pack.name, pack.version, want, before, inputs)
        return inputs

    def _tell(self, found: Iterable[Violation]) -> None:
        for violation in found:
            if violation not in self._seen:  # a replacement is looked at twice
                self._seen[violation] = None
                self._report.violation(violation)


def _python(folder: Path, runtime: dict[str, Any]) -> str:
    """The interpreter that a pack asks for."""
    if runtime.get("name") != "python":
        raise ConfigError(
            f"The embedded engine runs policy packs in Python, and {folder} is one in '{runtime.get('name')}'.",
            "Use the pulumi CLI.",
        )
    environment = (runtime.get("options") or {}).get("virtualenv")
    if environment is None:
        return sys.executable
    python = folder / environment / "bin" / "python"
    if not python.exists():
        raise ConfigError(
            f"The policy pack {folder} names the environment '{environment}', which is not there.",
            "Make it and install pulumi-policy there, or name another one in its PulumiPolicy.yaml.",
        )
    return str(python)


def _refuse(found: Iterable[Violation]) -> None:
    blocking = [violation for violation in found if violation.level in _BLOCKING]
    if blocking:
        more = f", and {len(blocking) - 1} more" if len(blocking) > 1 else ""
        raise GateRefused(
            f"A mandatory policy is violated: {blocking[0].sentence}{more}.",
            "Correct the program, or ask for a waiver.",
        )


def _violation(found: analyzer_pb2.AnalyzeDiagnostic) -> Violation:
    levels = {number: name for name, number in _LEVELS.items()}
    message = " ".join((found.message or found.description).split()).rstrip(".")
    level = levels[found.enforcementLevel]
    return Violation(found.policyName, found.policyPackName, found.policyPackVersion, level, message, found.urn)


def _described(resource: Resource, entry: Resource | None, wish: bool | None = None) -> dict[str, Any]:
    provider = entry and analyzer_pb2.AnalyzerProviderResource(
        type=entry.type, properties=to_struct(entry.inputs), urn=entry.urn, name=entry.name
    )
    options = analyzer_pb2.AnalyzerResourceOptions(
        protect=resource.protect,
        ignoreChanges=resource.ignore_changes,
        deleteBeforeReplace=bool(wish),
        deleteBeforeReplaceDefined=wish is not None,
        additionalSecretOutputs=resource.additional_secret_outputs,
        aliases=resource.aliases,
        customTimeouts=analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(**resource.custom_timeouts),
        parent=resource.parent,
    )
    return {
        "type": resource.type,
        "properties": to_struct(without_references(resource.inputs)),
        "urn": resource.urn,
        "name": resource.name,
        "options": options,
        "provider": provider,
    }


def _config(info: analyzer_pb2.AnalyzerInfo, path: Path | None) -> dict[str, tuple[str, Properties]]:
    """How strictly each policy is held, and its own settings: its defaults, then the pack's, then the file's.

    :raises ConfigError: naming the file and what in it no policy takes.
    """
    names = {number: name for name, number in _LEVELS.items()}
    own = {
        name: {_LEVEL: names[one.enforcementLevel], **from_struct(one.properties)}
        for name, one in info.initialConfig.items()
    }
    given = _read(path) if path else {}
    policies = {policy.name: policy for policy in info.policies}
    if unknown := given.keys() - policies.keys() - {_ALL}:
        raise ConfigError(f"{path} names '{min(unknown)}', which is no policy of '{info.name}'.")
    settled: dict[str, tuple[str, Properties]] = {}
    for name, policy in policies.items():
        schema = json_format.MessageToDict(policy.configSchema)
        values: dict[str, Any] = {_LEVEL: names[policy.enforcementLevel]}
        values |= {key: one["default"] for key, one in schema.get("properties", {}).items() if "default" in one}
        for layer in (own, given):
            values |= {key: one for key, one in layer.get(_ALL, {}).items() if key == _LEVEL} | layer.get(name, {})
        level = values.pop(_LEVEL)
        if level not in _LEVELS:
            raise ConfigError(
                f"'{level}' is no enforcement level for '{name}'.", f"Choose one of: {', '.join(_LEVELS)}."
            )
        if level != "disabled":
            _hold(values, schema, f"The config of the policy '{name}' of '{info.name}'")
        settled[name] = level, values
    return settled


def _hold(values: Properties, schema: dict[str, Any], what: str) -> None:
    import jsonschema  # most operations have no policy pack, and it takes 60 ms

    wrong = jsonschema.Draft7Validator({"type": "object", **schema}).iter_errors(values)
    reasons = [f"{'.'.join(map(str, error.path))}: {error.message}".lstrip(": ") for error in wrong]
    if reasons:
        raise ConfigError(f"{what} is wrong: {'; '.join(reasons)}.", "Correct the file of --policy-pack-config.")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The file's settings by policy; a level alone may stand for all of them."""
    try:
        given = json.loads(path.read_text())
        return {name: {_LEVEL: value} if isinstance(value, str) else dict(value) for name, value in given.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"{path} is no config of a policy pack.", "Write a JSON object with policies' names."
        ) from error
