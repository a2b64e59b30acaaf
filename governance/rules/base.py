"""What a rule is, and what it is asked about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Severity = Literal["low", "medium", "high", "critical"]
Check = Callable[["Resource", "Setting"], Iterable[str]]
StackCheck = Callable[["Graph", "Setting"], Iterable[str]]
AmongCheck = Callable[["Resource", "Graph"], Iterable[str]]
Found = tuple["Resource | None", str]

_NAMES = ("bucket", "name", "identifier", "id", "arn")


@dataclass(frozen=True)
class Resource:
    """One resource as the program asks for it.

    :param type: Pulumi's token, such as ``aws:s3/bucket:Bucket``.
    :param inputs: by the names that travel on the wire, in camel case.
    :param key: what others refer to it by; its name where nothing is said.
    :param refers: keys of the resources from which an input comes, by input; may be left out where names tell.
    """

    type: str
    name: str
    inputs: Mapping[str, Any]
    key: str = ""
    refers: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether an input is given, be its value known or not."""
        return any(given == name for given in self.inputs)

    def refers_to(self, other: Resource, through: str) -> bool:
        """Whether the input comes from another resource: as Pulumi says, else by a name that both have."""
        if through in self.refers:
            return (other.key or other.name) in self.refers[through]
        value = self.inputs.get(through)
        return value is not None and value in [other.key, *(other.inputs.get(name) for name in _NAMES)]


@dataclass(frozen=True)
class Setting:
    """What the stack is for: rules may ask more of one that matters.

    :param required_tags: beside Trivet's own.
    """

    environment: str = "prod"
    regulated: bool = False
    required_tags: tuple[str, ...] = ()

    @property
    def binds(self) -> bool:
        """Whether rules are mandatory; elsewhere they advise."""
        return self.environment != "dev" or self.regulated


class Graph:
    """All resources of a stack."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = list(resources)

    def of(self, *types: str) -> list[Resource]:
        """Those of a type."""
        return [one for one in self.resources if one.type in types]

    def has_package(self, package: str) -> bool:
        """Whether a cloud's provider makes anything of it."""
        return any(one.type.startswith(f"{package}:") for one in self.resources)

    def around(self, target: Resource, type_: str, through: str) -> list[Resource]:
        """Those of a type that say by one input that they belong to ``target``."""
        return [one for one in self.of(type_) if one.refers_to(target, through)]


@dataclass(frozen=True)
class Rule:
    """One rule.

    :param id: begins with the service; a policy pack's config names it.
    :param sentence: what it demands.
    :param control: whose demand that is, with its number there.
    :param types: the types that it looks at one by one; none for a rule over the whole stack.
    :param targets: the types that a rule over the whole stack looks at one by one among all others, if it does.
    """

    id: str
    sentence: str
    control: str
    severity: Severity
    types: tuple[str, ...]
    check: Check | None = None
    check_stack: StackCheck | None = None
    check_among: AmongCheck | None = None
    targets: tuple[str, ...] = ()

    def of(self, resource: Resource, setting: Setting) -> Iterable[str]:
        """What is wrong with one resource."""
        return self.check(resource, setting) if self.check and resource.type in self.types else ()

    def of_stack(self, graph: Graph, setting: Setting) -> Iterator[Iterator[Found]]:
        """What is wrong with all together, and with which of them: in parts, so that a value which nobody knows yet
        ends the part that asks for it and no other."""
        if self.check_stack:
            yield ((None, wrong) for wrong in self.check_stack(graph, setting))
        for target in graph.of(*self.targets):
            yield self._among(target, graph)

    def _among(self, target: Resource, graph: Graph) -> Iterator[Found]:
        if self.check_among:
            yield from ((target, wrong) for wrong in self.check_among(target, graph))


class Violation(NamedTuple):
    """What is wrong: the rule, the resource's name where it is about one, and a clause that says it."""

    rule: Rule
    resource: str | None
    message: str


def opened(value: Any) -> Mapping[str, Any]:
    """An object, which among a provider's inputs travels as JSON within text."""
    return json.loads(value) if isinstance(value, str) else (value or {})


def rule(id: str, sentence: str, control: str, severity: Severity, *types: str) -> Callable[[Check], Rule]:  # noqa: A002
    """A rule that looks at each resource of these types."""
    return lambda check: Rule(id, sentence, control, severity, types, check=check)


def stack_rule(id: str, sentence: str, control: str, severity: Severity) -> Callable[[StackCheck], Rule]:  # noqa: A002
    """A rule over the whole stack, such as that something is there."""
    return lambda check: Rule(id, sentence, control, severity, (), check_stack=check)


def among_rule(
    id: str,  # noqa: A002
    sentence: str,
    control: str,
    severity: Severity,
    *targets: str,
) -> Callable[[AmongCheck], Rule]:
    """A rule that looks at each resource of these types among all others, such as that something belongs to it."""
    return lambda check: Rule(id, sentence, control, severity, (), check_among=check, targets=targets)


def collected(*modules: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules among the names of modules, in their order."""
    return tuple(value for names in modules for value in names.values() if isinstance(value, Rule))


def violations(rules: Iterable[Rule], resources: Iterable[Resource], setting: Setting) -> list[Violation]:
    """Everything that is wrong."""
    graph = Graph(resources)
    return list(_violations(rules, graph, setting))


def _violations(rules: Iterable[Rule], graph: Graph, setting: Setting) -> Iterator[Violation]:
    for one in rules:
        for resource in graph.resources:
            yield from (Violation(one, resource.name, message) for message in one.of(resource, setting))
        for part in one.of_stack(graph, setting):
            yield from (Violation(one, found and found.name, message) for found, message in part)
