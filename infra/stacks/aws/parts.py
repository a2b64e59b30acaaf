"""What the roles of a stack work with: ARNs, before and after Pulumi knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pulumi

Statement = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where the stack is, in words that ARNs are made of."""

    partition: str
    account: str
    region: str
    prefix: str
    namespace: str
    stack: str
    project: str

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


class Served(NamedTuple):
    """One endpoint, by Trivet's name and by SageMaker's."""

    name: str
    physical: str


@dataclass(frozen=True)
class Known:
    """The same as :class:`Parts`, once it is known."""

    place: Place
    store: str
    records: str
    key: str
    signing: str
    versions: str
    group: str
    image_repository: str | None
    subnets: list[str]
    security_group: str | None
    database: str | None


@dataclass(frozen=True)
class Parts:
    """ARNs of what the roles work with."""

    place: Place
    store: pulumi.Input[str]
    records: pulumi.Input[str]
    key: pulumi.Input[str]
    signing: pulumi.Input[str]
    versions: pulumi.Input[str]
    group: pulumi.Input[str]
    image_repository: pulumi.Input[str] | None
    subnets: list[pulumi.Input[str]]
    security_group: pulumi.Input[str] | None
    database: pulumi.Input[str] | None


def of(parts: Parts, rights: Callable[[Known], list[Statement]]) -> pulumi.Output[list[Statement]]:
    """The statements, when the ARNs are known."""
    values = {name: getattr(parts, name) for name in Parts.__dataclass_fields__ if name != "place"}
    return pulumi.Output.all(**values).apply(lambda known: rights(Known(place=parts.place, **known)))
