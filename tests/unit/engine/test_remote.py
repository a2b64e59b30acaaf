"""Remote components and their methods; resources and outputs as values that go to and fro."""

from __future__ import annotations

import pytest

from trivet.core.errors import ConfigError, PlatformError

from .conftest import entries, held, say

ROOM = """
class Room(pulumi.ComponentResource):
    title: Output[str]
    word: Output[str]
    number: Output[float]

    def __init__(self, name, options=None, kind="Room", **props):
        props = {"title": None, "word": None, "number": None, **props}
        super().__init__(f"rooms:index:{kind}", name, props, options, remote=True)

    def say(self, what):
        return pulumi.runtime.call("rooms:index:Room/say", {"__self__": self, "what": what}, self)

"""


def urns(world) -> dict[str, str]:
    return {one["urn"].split("::")[-1]: one["urn"].split("::")[2] for one in entries(world)}


def test_a_remote_component_registers_what_is_in_it(shelf):
    say(
        shelf,
        f"""{ROOM}
first = book("first")
room = Room("r", titles=["a", first.label])
pulumi.export("title", room.title)
after = book("after", title=room.title.apply(lambda title: "after " + title))
""",
    )
    assert shelf.driver.preview() == shelf.up() == {"create": 5}
    assert sorted(held(shelf)) == ["hall-a+hall: first-", "hall-after a+hall: first-", "hall-first-"]
    assert shelf.driver.outputs()["title"] == "a+hall: first"
    found = {one["urn"].split("::")[-1]: one for one in entries(shelf) if one["type"].endswith(("Book", "Room"))}
    assert urns(shelf)["r"] == "rooms:index:Room$shelf:index:Book"
    # What a component's output depends on is known: it is what was told with it.
    assert any(urn.endswith("::first") for urn in found["after"]["propertyDependencies"]["title"])
    assert shelf.up() == {"same": 5}

    say(shelf, "")
    assert shelf.up() == {"same": 1, "delete": 4}
    assert held(shelf) == {}


def test_options_of_a_remote_component_reach_it(shelf):
    say(
        shelf,
        f"""{ROOM}
box = pulumi.ComponentResource("test:index:Box", "box")
first = book("first")
Room("r", ResourceOptions(parent=box, protect=True, depends_on=[first]), titles=["a"])
""",
    )
    shelf.up()
    [room] = [one for one in entries(shelf) if one["type"] == "rooms:index:Room"]
    assert room["protect"] and room["parent"].endswith("::box")
    with pytest.raises(ConfigError, match="rotected"):
        shelf.driver.destroy()
    assert len(held(shelf)) == 2


def test_a_provider_for_what_is_in_a_remote_component(shelf):
    say(
        shelf,
        f"""{ROOM}
cellar = ProviderResource("shelf", "attic", {{"room": "attic"}})
Room("r", ResourceOptions(providers={{"shelf": cellar}}), titles=["a"])
""",
    )
    shelf.up()
    assert list(held(shelf)) == ["attic-a-"]


def test_methods_are_called_also_with_what_comes_with_the_apply(shelf):
    text = f"{ROOM}\nroom = Room('r', titles=['a'])\n"
    say(shelf, text + "pulumi.export('said', room.say(room.number.apply(lambda number: f'{number:g}')))")
    assert shelf.driver.preview() == shelf.up() == {"create": 3}
    assert shelf.driver.outputs()["said"] == {"said": "r, 7: 7"}
    say(shelf, text + "room.say('')")
    with pytest.raises(ConfigError, match="what: is empty"):
        shelf.up()


def test_a_secret_stays_one_through_a_component_and_back(shelf):
    shelf.driver.set_config({"trivet:cloud": "local"}, {"trial:word": "open-sesame"})
    say(
        shelf,
        f"""{ROOM}
room = Room("r", titles=["a"], word=pulumi.Config().require_secret("word"))
pulumi.export("word", room.word)
""",
    )
    shelf.up()
    assert held(shelf)["hall-a-"]["blurb"] == "open-sesame"
    exported = str(shelf.state_file().path.read_text()) if shelf.is_embedded else ""
    assert "open-sesame" not in exported + "\n".join(shelf.lines)
    assert shelf.driver.outputs()["word"] == "open-sesame"


def test_a_component_that_fails_and_a_plugin_without_components(shelf):
    say(shelf, f"{ROOM}\nRoom('r', titles=['a'], kind='Ruin')")
    with pytest.raises(PlatformError, match="the roof fell in"):
        shelf.up()
    say(shelf, "class Case(pulumi.ComponentResource): pass\nCase('shelf:index:Case', 'c', {}, remote=True)")
    with pytest.raises(PlatformError, match="onstruct"):
        shelf.up()
    assert held(shelf) == {}


def test_a_resource_as_an_input_is_its_id_to_a_plugin_that_takes_no_references(shelf):
    say(
        shelf,
        """
first = book("first")
box = pulumi.ComponentResource("test:index:Box", "box")
book("second", about=first, on=[box])
pulumi.export("first", first)
""",
    )
    assert shelf.driver.preview() == shelf.up() == {"create": 4}
    second = held(shelf)["hall-second-"]
    assert second["about"] == "hall-first-" and second["on"][0].endswith("test:index:Box::box")
    [entry] = [one for one in entries(shelf) if one["urn"].endswith("second")]
    assert any(urn.endswith("first") for urn in entry["propertyDependencies"]["about"])
    assert shelf.up() == {"same": 4}


def test_transforms_of_a_remote_component_reach_what_is_in_it(shelf):
    say(
        shelf,
        f"""{ROOM}
def tagged(args):
    if args.type_ == "shelf:index:Book":
        return pulumi.ResourceTransformResult(props={{**args.props, "tags": {{"by": "room"}}}}, opts=args.opts)

Room("r", ResourceOptions(transforms=[tagged]), titles=["a"])
""",
    )
    shelf.up()
    assert held(shelf)["hall-a-"]["tags"] == {"by": "room"}
