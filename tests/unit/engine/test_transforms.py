"""Transforms: what the program changes of every resource and every function call before it is done."""

from __future__ import annotations

from typing import Any

import pytest

from trivet.core.errors import PlatformError

from .conftest import entries, held, say


def test_a_stack_s_transform_changes_properties_and_options(shelf: Any) -> None:
    say(
        shelf,
        """
def tag(args):
    if args.type_ == "shelf:index:Book":
        opts = ResourceOptions.merge(args.opts, ResourceOptions(ignore_changes=["pages"]))
        return pulumi.ResourceTransformResult(props={**args.props, "tags": {"by": "all"}}, opts=opts)

pulumi.runtime.register_resource_transform(tag)
book("a", pages=1)
""",
    )
    assert shelf.driver.preview() == shelf.up() == {"create": 2}
    assert held(shelf)["hall-a-"]["tags"] == {"by": "all"}
    program = shelf.root / "program" / "__main__.py"
    program.write_text(program.read_text().replace("pages=1", "pages=2"))
    assert shelf.up() == {"same": 2}


def test_own_transforms_come_before_the_parents_and_the_stack_s(shelf: Any) -> None:
    say(
        shelf,
        """
def by(who):
    def transform(args):
        if args.type_ == "shelf:index:Book":
            trail = args.props.get("trail", "") + who
            return pulumi.ResourceTransformResult(props={**args.props, "trail": trail}, opts=args.opts)
    return transform

pulumi.runtime.register_resource_transform(by("s"))

class Case(pulumi.ComponentResource):
    def __init__(self, name, opts):
        super().__init__("test:index:Case", name, {}, opts)

case = Case("c", ResourceOptions(transforms=[by("p")]))
book("a", options=ResourceOptions(parent=case, transforms=[by("o")]))
book("b")
""",
    )
    shelf.up()
    assert {name: item["trail"] for name, item in held(shelf).items()} == {"hall-a-": "ops", "hall-b-": "s"}
    assert shelf.up()["same"] == 4


def test_a_transform_of_function_calls(shelf: Any) -> None:
    say(
        shelf,
        """
pulumi.runtime.register_invoke_transform(
    lambda args: pulumi.InvokeTransformResult(args={"of": "nothing"}, opts=args.opts)
)
count("books")
""",
    )
    with pytest.raises(Exception, match="there is no such thing"):
        shelf.up()


def test_a_transform_that_fails_is_told_and_nothing_is_made(shelf: Any) -> None:
    say(
        shelf,
        """
def fail(args):
    raise ValueError("no such tag")

book("a", options=ResourceOptions(transforms=[fail]))
""",
    )
    with pytest.raises(PlatformError, match="no such tag"):
        shelf.up()
    assert shelf.files() == {}


def test_secrets_reach_a_transform_as_outputs_and_stay_secret(shelf: Any) -> None:
    say(
        shelf,
        """
def add(args):
    if args.type_ == "shelf:index:Book":
        tags = Output.from_input(args.props["tags"]).apply(lambda tags: {**tags, "by": "me"})
        return pulumi.ResourceTransformResult(props={**args.props, "tags": tags}, opts=args.opts)

pulumi.runtime.register_resource_transform(add)
book("a", tags=Output.secret({"pw": "hunter2hunter"}))
""",
    )
    shelf.up()
    assert held(shelf)["hall-a-"]["tags"] == {"pw": "hunter2hunter", "by": "me"}
    if shelf.is_embedded:
        assert "hunter2hunter" not in shelf.state_file().path.read_text()
    assert shelf.up() == {"same": 2}


def test_what_a_transform_leaves_out_stays(shelf: Any) -> None:
    say(
        shelf,
        """
def tag(args):
    if args.type_ == "shelf:index:Book":
        return pulumi.ResourceTransformResult(props={**args.props, "tags": {"by": "all"}}, opts=None)

pulumi.runtime.register_resource_transform(tag)
north = ProviderResource("shelf", "north", {"room": "north"})
book("a", options=ResourceOptions(provider=north, protect=True))
""",
    )
    shelf.up()
    assert list(shelf.files()) == ["north-a-"]
    [entry] = [item for item in entries(shelf) if item["type"] == "shelf:index:Book"]
    assert entry["protect"] is True


def test_a_secret_in_a_transform_s_failure_is_not_told(shelf: Any) -> None:
    say(
        shelf,
        """
def fail(args):
    if args.type_ == "shelf:index:Book":
        raise ValueError("cannot take hunter2hunter")

book("a", tags=Output.secret("hunter2hunter"), options=ResourceOptions(transforms=[fail]))
""",
    )
    with pytest.raises(PlatformError) as told:
        shelf.up()
    if shelf.is_embedded:
        assert "hunter2hunter" not in str(told.value) + "".join(shelf.lines)
