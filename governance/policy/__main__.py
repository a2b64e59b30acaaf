"""The Pulumi policy pack: :mod:`trivet.governance.rules` over every resource before it is made, and over the stack.

Mandatory where the stack's own config says ``staging``, ``prod`` or ``regulated``, else advisory; a config of the pack
may say otherwise, rule by rule. It runs in an environment of its own, with Pulumi's policy SDK and without Trivet's
packages: the rules need none. Nothing but this file may make a ``PolicyPack``, since that starts a server.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pulumi
from pulumi_policy import (  # pyright: ignore[reportMissingImports] of the pack's own environment
    EnforcementLevel,
    Policy,
    PolicyPack,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError  # pyright: ignore[reportMissingImports]

HERE = Path(__file__).resolve()
# In a checkout and in an installation alike; last, so that the pack's own packages come first.
sys.path += [str(folder) for folder in HERE.parents[2:4] if (folder / "trivet").is_dir()]

from trivet.governance.rules import RULES, Graph, Resource, Rule, Setting  # noqa: E402

NAME = "trivet"
Report = Callable[..., None]


def setting() -> Setting:
    """What the stack's config says it is for; nothing said is ``prod``, so that nothing is forgotten."""
    config = pulumi.Config(NAME)
    return Setting(
        environment=config.get("environment") or "prod",
        regulated=bool(config.get_bool("regulated")),
        required_tags=tuple(config.get_object("required_tags") or ()),
    )


def policy(rule: Rule, stack: Setting) -> Policy:
    """One rule as Pulumi's."""
    kind = ResourceValidationPolicy if rule.types else StackValidationPolicy
    validate = of_resource(rule, stack) if rule.types else of_stack(rule, stack)
    described = f"{rule.sentence} ({rule.control})."
    return kind(rule.id, described, validate=validate, severity=Severity(rule.severity))


def of_resource(rule: Rule, stack: Setting) -> Callable[[ResourceValidationArgs, Report], None]:
    def validate(args: ResourceValidationArgs, report: Report) -> None:
        resource = Resource(args.resource_type, args.name, args.props, args.urn)
        told(((resource, wrong) for wrong in rule.of(resource, stack)), report)

    return validate


def of_stack(rule: Rule, stack: Setting) -> Callable[[StackValidationArgs, Report], None]:
    def validate(args: StackValidationArgs, report: Report) -> None:
        for part in rule.of_stack(Graph(resource_of(one) for one in args.resources), stack):
            told(part, report)

    return validate


def resource_of(given: Any) -> Resource:
    """A resource, with the resources from which each of its inputs comes."""
    refers = {name: [one.urn for one in others] for name, others in given.property_dependencies.items()}
    return Resource(given.resource_type, given.name, given.props, given.urn, refers)


def told(wrong: Iterable[tuple[Resource | None, str]], report: Report) -> None:
    """Report what is wrong. What is not known in a preview is held when it is: before its resource is made."""
    try:
        for resource, message in wrong:
            name = f"{resource.name}: " if resource else ""
            report(f"{name}{message}", resource and resource.key)
    except UnknownValueError:
        return


STACK = setting()
PolicyPack(
    name=NAME,
    policies=[policy(rule, STACK) for rule in RULES],
    enforcement_level=EnforcementLevel.MANDATORY if STACK.binds else EnforcementLevel.ADVISORY,
)
