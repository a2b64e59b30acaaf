"""Every feature that is announced to the SDK does something: for each, a program that fails where it is a no-op.

The SDK asks which features there are and behaves by them; to announce one that does nothing would be silent.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trivet.infra.engine.limits import LIMITS
from trivet.infra.engine.monitor import FEATURES

from .conftest import World, entries, held, say
from .test_remote import ROOM

CHECKS: dict[str, Callable[[World], None]] = {}


def of(feature: str) -> Callable[[Callable[[World], None]], None]:
    def keep(check: Callable[[World], None]) -> None:
        CHECKS[feature] = check

    return keep


@pytest.mark.parametrize("feature", FEATURES)
def test_an_announced_feature_does_something(shelf, feature):
    CHECKS[feature](shelf)


def test_nothing_else_has_a_check():
    assert CHECKS.keys() == FEATURES.keys()


@of("secrets")
def _(world):
    say(world, "book('a', blurb=Output.secret('open-sesame'))")
    world.up()
    assert held(world)["hall-a-"]["blurb"] == "open-sesame"
    if world.is_embedded:
        assert "open-sesame" not in world.state_file().path.read_text()


@of("aliasSpecs")
def _(world):
    say(world, "book('a', title='x')")
    world.up()
    say(world, "book('b', title='x', options=ResourceOptions(aliases=[pulumi.Alias(name='a')]))")
    assert world.up() == {"same": 2}


@of("deletedWith")
def _(world):
    say(world, "one = book('one')\nbook('two', options=ResourceOptions(deleted_with=one))")
    world.up()
    world.asked()
    world.driver.destroy()
    assert [what for what in world.asked() if what.startswith("delete")] == ["delete hall-one-"]
    assert list(held(world)) == ["hall-two-"]  # with what it was said to go with, as far as anyone knows


@of("transforms")
def _(world):
    say(
        world,
        """
def renamed(args):
    if args.type_ == "shelf:index:Book":
        return pulumi.ResourceTransformResult(props={**args.props, "title": "by transform"}, opts=args.opts)
book("a", options=ResourceOptions(transforms=[renamed]))
""",
    )
    world.up()
    assert list(held(world)) == ["hall-by transform-"]


@of("invokeTransforms")
def _(world):
    say(
        world,
        """
def changed(args):
    return pulumi.InvokeTransformResult(args={"of": "nothing"}, opts=args.opts)
pulumi.runtime.register_invoke_transform(changed)
count()
""",
    )
    with pytest.raises(Exception, match="there is no such thing"):
        world.up()


@of("resourceReferences")
def _(world):
    say(world, f"{ROOM}\nroom = Room('r', titles=['a'])\npulumi.export('said', room.say('hello'))")
    world.up()  # the plugin asks the resource that it is called on for its number
    assert world.driver.outputs()["said"] == {"said": "r, 7: hello"}


@of("outputValues")
def _(world):
    say(
        world,
        f"""{ROOM}
first = book("first")
room = Room("r", titles=["a", first.number.apply(lambda number: f"{{number:g}}")])
""",
    )
    assert world.driver.preview() == {"create": 4}  # of the list, only the second title is unknown
    world.up()
    assert sorted(held(world)) == ["hall-a+7-", "hall-first-"]


@of("replaceWith")
def _(world):
    text = "one = book('one', place='%s')\nbook('two', options=ResourceOptions(replace_with=[one]))"
    say(world, text % "x")
    world.up()
    say(world, text % "y")
    assert world.up() == {"same": 1, "replace": 2}


@of("replacementTrigger")
def _(world):
    text = "book('one', options=ResourceOptions(replacement_trigger={'of': [%d]}))"
    say(world, text % 1)
    world.up()
    assert world.up() == {"same": 2}
    say(world, text % 2)
    assert world.up() == {"same": 1, "replace": 1}


@of("resourceHooks")
def _(world):
    say(
        world,
        """
def hook(args):
    open("told", "w").write(args.urn)
book("a", options=ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[hook])))
""",
    )
    world.up()
    assert (world.root / "program" / "told").read_text().endswith("::a")


@of("errorHooks")
def _(world):
    (world.root / "busy").write_text(".")
    say(
        world,
        """
again = pulumi.ErrorHook("again", lambda args: True)
book("a", options=ResourceOptions(hooks=pulumi.ResourceHookBinding(on_error=[again])))
""",
    )
    world.up()
    assert list(held(world)) == ["hall-a-"]


def test_what_is_not_announced_is_refused_by_the_sdk(embedded_shelf):
    say(
        embedded_shelf,
        "book('a', options=ResourceOptions(state_migrations=[lambda args: None]))",
    )
    with pytest.raises(Exception, match="does not support state migrations"):
        embedded_shelf.up()


def test_what_a_transform_gets_says_what_it_depends_on(shelf):
    say(
        shelf,
        """
def seen(args):
    if args.name == "second":
        title = args.props["title"]
        assert isinstance(title, Output), title
        title.apply(lambda title: open("told", "w").write(title))
book("second", title=book("first").label, options=ResourceOptions(transforms=[seen]))
""",
    )
    shelf.up()
    assert (shelf.root / "program" / "told").read_text() == "hall: first"
    [second] = [one for one in entries(shelf) if one["urn"].endswith("second")]
    assert [urn.split("::")[-1] for urn in second["propertyDependencies"]["title"]] == ["first"]


def test_the_limits_are_told_where_it_is_asked_for(embedded_shelf):
    say(embedded_shelf, "book('a')")
    lines: list[str] = []
    with embedded_shelf.driver._errors():
        embedded_shelf.driver._open().preview(on_output=lines.append, log_verbosity=1)
    assert all(any(limit.what.replace("`", "'") in line for line in lines) for limit in LIMITS)
