"""Hooks of resources, and objects that are there but do not work yet."""

from __future__ import annotations

import signal

import pytest

from trivet.core.errors import PlatformError

from .conftest import entries, held, say, wait_for

HOOKS = """
from pulumi import ErrorHook, ResourceHook, ResourceHookBinding, ResourceHookOptions

def tell(what):
    def hook(args):
        with open("told", "a") as file:
            of = {**(args.old_outputs or {}), **(args.new_inputs or {}), **(args.new_outputs or {})}
            file.write(f"{what} {args.name} {of.get('label')}\\n")
    return hook

def fail(args):
    raise ValueError("not today")

every = {kind: [ResourceHook(kind, tell(kind))] for kind in (
    "before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete")}
"""


def told(world) -> list[str]:
    path = world.root / "program" / "told"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def hooked(world, text: str) -> None:
    say(world, HOOKS + text)


def test_hooks_are_called_before_and_after_what_is_done(shelf):
    text = "book('a', pages=%d, place='%s', options=ResourceOptions(hooks=ResourceHookBinding(**every)))"
    hooked(shelf, text % (1, "x"))
    shelf.driver.preview()
    assert told(shelf) == []
    shelf.up()
    assert told(shelf) == ["before_create a None", "after_create a hall: a"]
    hooked(shelf, text % (2, "x"))
    shelf.up()
    assert told(shelf) == ["before_update a hall: a", "after_update a hall: a"]
    hooked(shelf, text % (2, "y"))
    shelf.up()
    assert [line.split()[0] for line in told(shelf)] == [
        "before_create",
        "after_create",
        "before_delete",
        "after_delete",
    ]
    hooked(shelf, "")
    shelf.up()  # it is deleted while the program that has the hooks is still there
    assert told(shelf) == ["before_delete a hall: a", "after_delete a hall: a"]
    assert held(shelf) == {}


def test_hooks_of_components_are_called_when_they_are_complete(shelf):
    hooked(
        shelf,
        """
class Box(pulumi.ComponentResource):
    def __init__(self, name, opts):
        super().__init__("test:index:Box", name, {}, opts)
        book("in", options=ResourceOptions(parent=self, hooks=ResourceHookBinding(after_create=[tell("inner")])))
        self.register_outputs({"label": "full"})

Box("b", ResourceOptions(hooks=ResourceHookBinding(**every)))
""",
    )
    shelf.up()
    lines = told(shelf)
    assert lines[0] == "before_create b None" and sorted(lines[1:]) == ["after_create b full", "inner in hall: in"]


def test_a_hook_for_previews_and_one_whose_failure_is_no_matter(shelf):
    hooked(
        shelf,
        """
dry = ResourceHook("dry", tell("dry"), ResourceHookOptions(on_dry_run=True))
weak = ResourceHook("weak", fail, ResourceHookOptions(ignore_errors=True))
book("a", options=ResourceOptions(hooks=ResourceHookBinding(before_create=[dry, weak])))
""",
    )
    assert shelf.driver.preview() == {"create": 2}
    assert told(shelf) == ["dry a None"]
    assert shelf.up() == {"create": 2}
    assert "not today" in "\n".join(shelf.lines)


def test_a_failing_hook_keeps_it_from_being_done_or_fails_what_was_done(shelf):
    hooked(
        shelf, "book('a', options=ResourceOptions(hooks=ResourceHookBinding(before_create=[ResourceHook('f', fail)])))"
    )
    with pytest.raises(PlatformError, match="not today"):
        shelf.up()
    assert held(shelf) == {}
    hooked(
        shelf, "book('a', options=ResourceOptions(hooks=ResourceHookBinding(after_create=[ResourceHook('f', fail)])))"
    )
    with pytest.raises(PlatformError, match="not today"):
        shelf.up()
    assert list(held(shelf)) == ["hall-a-"]
    assert shelf.up()["same"] == 2


def test_destroy_runs_the_program_for_the_hooks_where_it_is_told_to(embedded_shelf):
    world = embedded_shelf
    hooked(world, "book('a', options=ResourceOptions(hooks=ResourceHookBinding(before_delete=every['before_delete'])))")
    world.up()
    with pytest.raises(PlatformError, match="--run-program"):
        world.driver.destroy()
    assert list(held(world)) == ["hall-a-"]
    with world.driver._errors():
        world.driver._open().destroy(run_program=True)
    assert told(world) == ["before_delete a hall: a"] and held(world) == {} and entries(world) == []


def test_what_failed_is_tried_again_as_long_as_a_hook_wants(shelf):
    text = """
def again(args):
    with open("told", "a") as file:
        file.write(f"{args.failed_operation} {len(args.errors)}\\n")
    return len(args.errors) < 3

book("a", options=ResourceOptions(hooks=ResourceHookBinding(on_error=[ErrorHook("again", again)])))
"""
    hooked(shelf, text)
    (shelf.root / "busy").write_text("..")
    shelf.up()
    assert told(shelf) == ["create 1", "create 2"] and list(held(shelf)) == ["hall-a-"]
    hooked(shelf, text.replace("book('a'", "book('a', pages=5").replace('book("a"', 'book("a", place="z"'))
    (shelf.root / "busy").write_text("....")
    with pytest.raises(PlatformError, match="the desk is busy"):
        shelf.up()
    assert told(shelf) == ["create 1", "create 2", "create 3"]


def test_an_object_that_is_there_but_does_not_work_is_recorded_and_mended(shelf):
    say(shelf, "first = book('a', binding='loose')\nbook('b', title=first.label)")
    with pytest.raises(PlatformError, match="it is loose"):
        shelf.up()
    assert list(held(shelf)) == ["hall-a-"]
    [entry] = [one for one in entries(shelf) if one["urn"].endswith("::a")]
    assert entry["id"] == "hall-a-" and entry["initErrors"] == ["it is loose"] and entry["outputs"]["number"] == 7

    with pytest.raises(PlatformError, match="it is loose"):
        shelf.up()  # it is updated, though nothing changed
    assert [what for what in shelf.asked() if what.startswith(("create", "update"))][1:] == ["update hall-a-"]
    say(shelf, "first = book('a', binding='firm')\nbook('b', title=first.label)")
    shelf.up()
    assert sorted(held(shelf)) == ["hall-a-", "hall-hall: a-"]
    assert not any(one.get("initErrors") for one in entries(shelf))
    assert shelf.up() == {"same": 3}


def test_hooks_may_call_functions_of_providers(embedded_shelf):
    hooked(
        embedded_shelf,
        """
async def count_them(args):
    await pulumi.runtime.invoke_async("shelf:index:count", {"of": "books"}, pulumi.InvokeOptions(version="1.2.0"))

counting = ResourceHookBinding(before_create=[ResourceHook("counting", count_them)])
for number in range(3):
    book(f"a{number}", options=ResourceOptions(hooks=counting))
""",
    )
    with embedded_shelf.driver._errors():
        embedded_shelf.driver._open().up(parallel=1)
    assert len(held(embedded_shelf)) == 3


def test_nothing_is_tried_again_once_the_operation_is_ending(embedded_shelf):
    world = embedded_shelf
    hooked(
        world,
        """
def again(args):
    open("told", "a").write("again\\n")
    return True

book("a", title="outage", options=ResourceOptions(hooks=ResourceHookBinding(on_error=[ErrorHook("again", again)])))
""",
    )
    process = world.begin("up")
    wait_for((world.root / "program" / "told").exists)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    assert world.processes() == [] and held(world) == {}


def test_what_nobody_knows_the_outcome_of_is_not_tried_again(embedded_shelf):
    hooked(
        embedded_shelf,
        """
def again(args):
    open("told", "a").write("again\\n")
    return True

binding = ResourceHookBinding(on_error=[ErrorHook("again", again)])
book("a", title="collapse", options=ResourceOptions(hooks=binding))
""",
    )
    with pytest.raises(PlatformError):
        embedded_shelf.up()
    assert told(embedded_shelf) == []
    assert [what for what in embedded_shelf.asked() if "create" in what] == ["create collapse timeout=0"]


def test_hooks_have_names_of_their_own(shelf):
    hooked(
        shelf,
        """
one, two = ResourceHook("same", tell("one")), ResourceHook("same", tell("two"))
book("a", options=ResourceOptions(hooks=ResourceHookBinding(after_create=[one, two])))
""",
    )
    with pytest.raises(Exception, match="same"):
        shelf.up()
    assert held(shelf) == {}


def test_what_a_hook_tells_of_a_secret_that_only_the_state_has(shelf):
    shelf.driver.set_config({"trivet:cloud": "local"}, {"trial:word": "open-sesame"})
    text = """
async def tell_all(args):
    raise ValueError(f"cannot: {await args.old_inputs['blurb'].future()}")
binding = ResourceHookBinding(before_delete=[ResourceHook("tells", tell_all)])
"""
    made = "book('a', blurb=pulumi.Config().require_secret('word'), options=ResourceOptions(hooks=binding))"
    hooked(shelf, text + made)
    shelf.up()
    hooked(shelf, text)
    with pytest.raises(PlatformError, match="cannot: ") as told_of:
        shelf.up()
    assert "open-sesame" not in str(told_of.value) + "\n".join(shelf.lines)
