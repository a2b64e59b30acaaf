"""``--continue-on-error``: what does not need what failed is done, and nothing is lost of what failed."""

from __future__ import annotations

import pytest

from trivet.core.errors import PlatformError, TrivetError
from trivet.infra.driver import Options

from .conftest import entries, held, say
from .test_hooks import hooked


def going_on(world) -> dict[str, int]:
    return world.driver.up(world.lines.append, Options(goes_on=True))


def test_going_on_after_a_failure_does_what_does_not_need_it(shelf):
    say(shelf, "book('old')\nbook('needed')")
    shelf.up()
    text = """
bad = book("bad", title="outage")
book("after", title=bad.label)
book("later", options=ResourceOptions(depends_on=[bad]))
one = book("one")
book("two", title=one.label)
"""
    say(shelf, text)
    with pytest.raises(PlatformError, match="down for maintenance"):
        going_on(shelf)
    assert sorted(held(shelf)) == ["hall-hall: one-", "hall-one-"]
    say(shelf, text.replace("outage", "fixed"))
    assert going_on(shelf) == {"same": 3, "create": 3}


def test_going_on_keeps_what_a_failed_one_still_needs(shelf):
    say(shelf, "first = book('first')\nbook('second', number_of=first.number)")
    shelf.up()
    say(shelf, "book('second', title='outage', place='new')")  # it is to be replaced, and needs 'first' until then
    with pytest.raises(PlatformError, match="down for maintenance"):
        going_on(shelf)
    assert sorted(held(shelf)) == ["hall-first-", "hall-second-"]
    say(shelf, "book('second', title='new')")
    going_on(shelf)
    assert {name: one["title"] for name, one in held(shelf).items()} == {"hall-second-": "new"}


def test_going_on_keeps_an_object_that_has_another_name_now(shelf):
    say(shelf, "book('old', title='t')")
    shelf.up()
    text = """
bad = book("bad", title="outage")
book("new", title="t", number_of=bad.number, options=ResourceOptions(aliases=[pulumi.Alias(name="old")]))
"""
    say(shelf, text)
    with pytest.raises(PlatformError, match="down for maintenance"):
        going_on(shelf)
    assert list(held(shelf)) == ["hall-t-"]
    say(shelf, text.replace("outage", "fixed"))
    going_on(shelf)
    assert sorted(held(shelf)) == ["hall-fixed-", "hall-t-"]


def test_nothing_is_made_of_what_is_not_known(shelf):
    say(
        shelf,
        """
bad = book("bad", title="outage")
got = pulumi.runtime.invoke_output("shelf:index:count", {"of": bad.label}, pulumi.InvokeOutputOptions(version="1.2.0"))
book("after", title=got.apply(lambda found: f"n{found['count']}"))
look = CustomResource("shelf:index:Book", "look", {}, ResourceOptions(id=bad.id, version="1.2.0"))
""",
    )
    with pytest.raises(TrivetError):
        going_on(shelf)
    assert held(shelf) == {}
    assert not [one for one in entries(shelf) if "04da6b54" in str(one)]


def test_outputs_of_the_stack_that_are_not_known_stay_what_they_were(shelf):
    text = "a = book('a', title='%s', place='%s')\npulumi.export('label', a.label)\npulumi.export('run', %d)"
    say(shelf, text % ("a", "x", 1))
    shelf.up()
    say(shelf, text % ("outage", "y", 2))
    with pytest.raises(PlatformError):
        going_on(shelf)
    assert shelf.driver.outputs() == {"label": "hall: a", "run": 2}
    say(shelf, "raise RuntimeError('before any export')")
    with pytest.raises(PlatformError):
        shelf.up()
    assert shelf.driver.outputs() == {"label": "hall: a", "run": 2}


def test_a_hook_that_fails_afterwards_keeps_nothing_from_being_done(shelf):
    hooked(
        shelf,
        """
failing = ResourceHookBinding(after_create=[ResourceHook("late", fail)])
first = book("first", options=ResourceOptions(hooks=failing))
book("second", title=first.label)

class Box(pulumi.ComponentResource):
    def __init__(self, name, opts):
        super().__init__("test:index:Box", name, {}, opts)
        self.register_outputs({})

Box("b", ResourceOptions(hooks=failing))
book("third")
""",
    )
    with pytest.raises(PlatformError, match="not today"):
        going_on(shelf)
    assert sorted(held(shelf)) == ["hall-first-", "hall-hall: first-", "hall-third-"]
