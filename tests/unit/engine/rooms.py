"""A provider plugin of components, on Pulumi's own server for them: ``pulumi-resource-rooms``.

A room holds a book with all its titles, from the plugin of the shelf; asked to say something, it says it.
"""

from __future__ import annotations

import sys
from typing import Any

import pulumi
from pulumi.provider import CallResult, CheckFailure, ConstructResult, Provider, main


class Room(pulumi.ComponentResource):
    def __init__(self, name: str, inputs: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("rooms:index:Room", name, {}, opts)
        title = pulumi.Output.all(*inputs["titles"]).apply("+".join)
        props = {"title": title, "blurb": inputs.get("word"), "label": None, "number": None}
        options = pulumi.ResourceOptions(parent=self, version="1.2.0")
        self.book = pulumi.CustomResource("shelf:index:Book", name, props, options)
        self.state = {"title": title, "word": inputs.get("word"), "number": self.book.number}
        self.register_outputs(self.state)


class Known(pulumi.ComponentResource):
    """A room that is there already, as a reference to it arrives."""

    number: pulumi.Output[float]

    def __init__(self, name: str, urn: str) -> None:
        super().__init__("rooms:index:Room", name, {"number": None}, pulumi.ResourceOptions(urn=urn))


class Module:
    def version(self) -> None:
        return None

    def construct(self, name: str, kind: str, urn: str) -> pulumi.Resource:
        return Known(name, urn)


class Rooms(Provider):
    def __init__(self) -> None:
        super().__init__("0.1.0")

    def construct(self, name: str, resource_type: str, inputs: Any, options: Any = None) -> ConstructResult:
        if resource_type != "rooms:index:Room":
            raise ValueError("the roof fell in")
        room = Room(name, inputs, options)
        return ConstructResult(room.urn, room.state)

    def call(self, token: str, args: Any) -> CallResult:
        if args["what"] == "":
            return CallResult({}, [CheckFailure("what", "is empty")])
        room = args["__self__"]
        said = pulumi.Output.all(what=args["what"], who=room.urn, number=room.number)
        said = said.apply(lambda of: f"{of['who'].split('::')[-1]}, {of['number']:g}: {of['what']}")
        return CallResult({"said": said})


if __name__ == "__main__":
    pulumi.runtime.register_resource_module("rooms", "index", Module())
    main(Rooms(), sys.argv[1:])
