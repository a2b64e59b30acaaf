"""Policy packs: what they forbid is not done, what they change is what is made, and what they only advise is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trivet.core.errors import ConfigError, GateRefused, PlatformError
from trivet.infra.driver import Options

from .conftest import entries, held, say

pytestmark = pytest.mark.slow  # its environment is made first

ROOT = Path(__file__).resolve().parents[3]

PACK = """
import os
from pulumi_policy import *

def of_books(check):
    return lambda args, report: check(args, report) if args.resource_type == "shelf:index:Book" else None

def short(args, report):
    if args.props.get("pages", 0) > args.get_config()["most"]:
        report(f"{args.name} is too long for {args.provider.props.get('room', 'the hall')}")

def tagged(args):
    if args.resource_type == "shelf:index:Book" and "tags" not in args.props:
        return {**args.props, "tags": {"owner": os.environ["PULUMI_STACK"]}}

def few(args, report):
    books = [one for one in args.resources if one.resource_type == "shelf:index:Book"]
    if len(books) > 2:
        report(f"{len(books)} books, the last with number {books[-1].props['number']:g}")

def plain(args, report):
    if args.props.get("room") == "attic" or args.resource_type == "test:index:Box":
        report(f"no {args.resource_type}")

PolicyPack("library", [
    ResourceValidationPolicy("short", "Books are short.", of_books(short), EnforcementLevel.MANDATORY,
        PolicyConfigSchema({"most": {"type": "integer", "default": 300}})),
    ResourceValidationPolicy("titled", "Titles are long.",
        of_books(lambda args, report: len(args.props["title"]) > 1 or report("a one-letter title"))),
    ResourceValidationPolicy("tagged", "Books have tags.", None, EnforcementLevel.REMEDIATE, remediate=tagged),
    ResourceValidationPolicy("plain", "No attics, no boxes.", plain, EnforcementLevel.MANDATORY),
    StackValidationPolicy("few", "There are few books.", few, EnforcementLevel.MANDATORY),
])
"""


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that has Pulumi's policy SDK."""
    command = [sys.executable, str(ROOT / "tools" / "environments.py"), "policy"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def library(shelf, python, monkeypatch):
    """A project held to the pack, for each engine that is present."""
    return held_to_the_pack(shelf, python, monkeypatch)


@pytest.fixture
def embedded_library(embedded_shelf, python, monkeypatch):
    """The same for the embedded engine alone, whose words are checked."""
    return held_to_the_pack(embedded_shelf, python, monkeypatch)


def held_to_the_pack(shelf, python, monkeypatch):
    monkeypatch.delenv("PYTHONPATH")  # of this environment, not of the pack's
    folder = shelf.root / "library"
    folder.mkdir()
    options = {"virtualenv": str(Path(python).parent.parent)}
    (folder / "PulumiPolicy.yaml").write_text(
        yaml.safe_dump({"runtime": {"name": "python", "options": options}, "version": "0.3.0"})
    )
    (folder / "__main__.py").write_text(PACK)
    hold(shelf)
    return shelf


def hold(world, config: dict | None = None) -> None:
    """Make the driver hold its stack to the pack, with this config."""
    pack = world.root / "library"
    packs: object = (pack,)
    if config is not None:
        (world.root / "policies.json").write_text(json.dumps(config))
        packs = {pack: world.root / "policies.json"}
    world.options = Options(packs)  # type: ignore[arg-type]


def created(world) -> list[str]:
    return [what.split()[1] for what in world.asked() if what.startswith("create ")]


def test_what_is_allowed_is_made_as_the_remediation_says_and_advice_is_told(library):
    say(library, "book('a', pages=3)\nbook('long', pages=300, tags={'owner': 'me'})")
    assert library.preview() == library.up() == {"create": 3}
    tags = {name: one["tags"]["owner"] for name, one in held(library).items()}
    assert tags == {"hall-a-": "dev", "hall-long-": "me"}
    said = "\n".join(library.lines)
    assert "a one-letter title" in said and "tagged" in said
    assert library.up() == {"same": 3}


def test_what_a_mandatory_policy_forbids_is_not_made(library):
    say(library, "book('aa', pages=301)\nbook('bb', pages=302)")
    for operate in (library.preview, library.up):
        with pytest.raises(GateRefused, match="too long for the hall"):
            operate()
    assert library.files() == {} and created(library) == []

    say(library, "book('aa', pages=5)")
    library.up()
    say(library, "book('aa', pages=500)")
    with pytest.raises(GateRefused, match="aa is too long"):
        library.up()
    assert held(library)["hall-aa-"]["pages"] == 5
    say(library, "book('aa', pages=500, place='new')")
    with pytest.raises(GateRefused, match="aa is too long"):
        library.up()
    assert list(held(library)) == ["hall-aa-"]


def test_a_preview_tells_every_violation_and_then_fails(library):
    say(library, "book('aa', pages=301)\nbook('bb', pages=302)")
    lines = []
    with pytest.raises(GateRefused):
        library.preview(lines.append)
    said = "\n".join(lines)
    assert "aa is too long" in said and "bb is too long" in said


def test_a_policy_over_the_stack_sees_what_was_made(library):
    say(library, "book('aa')\nbook('bb')\nbook('cc')")
    with pytest.raises(GateRefused, match="3 books, the last with number 7"):
        library.up()
    assert len(held(library)) == 3  # it is held at the end, as Pulumi does
    say(library, "book('aa')\nbook('bb')")
    library.up()


def test_components_and_providers_are_held_to_policies_too(library):
    say(library, "class Box(pulumi.ComponentResource): pass\nBox('test:index:Box', 'b')")
    with pytest.raises(GateRefused, match="no test:index:Box"):
        library.up()
    say(library, "ProviderResource('shelf', 'up', {'room': 'attic'})")
    with pytest.raises(GateRefused, match="no pulumi:providers:shelf"):
        library.up()
    assert not [one for one in entries(library) if one["type"].startswith(("test", "pulumi:providers"))]


def test_a_config_says_how_strictly_a_policy_is_held(library):
    hold(library, {"short": {"most": 10}})
    say(library, "book('aa', pages=11)")
    with pytest.raises(GateRefused, match="aa is too long"):
        library.up()
    hold(library, {"short": {"enforcementLevel": "advisory", "most": 10}, "tagged": "disabled"})
    assert library.up() == {"same": 1, "create": 1}
    assert any("aa is too long" in line for line in library.lines)
    assert "tags" not in held(library)["hall-aa-"]
    hold(library, {"all": "disabled"})
    say(library, "book('aa', pages=999)")
    assert library.up() == {"same": 1, "update": 1}


def test_secrets_stay_so_through_a_remediation(library):
    library.driver.set_config({"trivet:cloud": "local"}, {"trial:word": "sesame-street"})
    say(library, "book('aa', pages=3, blurb=pulumi.Config().require_secret('word'))")
    library.up()
    assert held(library)["hall-aa-"]["blurb"] == "sesame-street"
    assert "sesame-street" not in "\n".join(library.lines)
    if library.is_embedded:
        assert "sesame-street" not in library.state_file().path.read_text()


def test_an_import_is_held_to_policies_as_its_provider_completes_it(library):
    hold(library, {"short": {"most": 50}, "tagged": "disabled"})
    there = {"title": "old", "pages": 100, "label": "hall: old", "number": 7}
    (library.root / "world" / "hall-old-").write_text(json.dumps(there))
    say(library, "book('old', options=ResourceOptions(import_='hall-old-'))")
    with pytest.raises(GateRefused, match="old is too long"):
        library.up()
    assert not [one for one in entries(library) if one["urn"].endswith("::old")]


def test_a_default_provider_is_held_to_policies(library):
    library.driver.set_config({"trivet:cloud": "local", "shelf:room": "attic"})
    say(library, "book('aa')")
    with pytest.raises(GateRefused, match="no pulumi:providers:shelf"):
        library.up()
    assert library.files() == {}


def test_a_copy_that_a_remediation_makes_of_a_secret_is_secret(library):
    library.driver.set_config({"trivet:cloud": "local"}, {"trial:word": "sesame-street"})
    pack = library.root / "library" / "__main__.py"
    copying = '{**args.props, "subtitle": args.props["blurb"] + "!", "tags": {"owner": os.environ["PULUMI_STACK"]}}'
    pack.write_text(PACK.replace('{**args.props, "tags": {"owner": os.environ["PULUMI_STACK"]}}', copying))
    say(library, "book('aa', pages=3, blurb=pulumi.Config().require_secret('word'))")
    library.up()
    assert held(library)["hall-aa-"]["subtitle"] == "sesame-street!"
    if library.is_embedded:
        assert "sesame-street" not in library.state_file().path.read_text()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"short": {"most": "ten"}}, "most: 'ten' is not of type 'integer'"),
        ({"shrot": "advisory"}, "'shrot', which is no policy"),
        ({"short": "strict"}, "'strict' is no enforcement level"),
        ([], "is no config of a policy pack"),
    ],
)
def test_a_config_that_no_policy_takes_is_refused(embedded_library, config, message):
    hold(embedded_library, config)
    with pytest.raises(ConfigError, match=message):
        embedded_library.up()
    assert embedded_library.files() == {}


def test_a_policy_sees_the_options_of_a_resource(library):
    pack = library.root / "library" / "__main__.py"
    seen = 'report(f"{args.opts.protect} {args.opts.delete_before_replace} {args.opts.ignore_changes}")'
    pack.write_text(PACK.replace('len(args.props["title"]) > 1 or report("a one-letter title")', seen))
    say(
        library,
        "book('a', pages=3, options=ResourceOptions(protect=True, delete_before_replace=True, ignore_changes=['x']))",
    )
    library.up()
    assert any("True True ['x']" in line for line in library.lines)


def test_packs_that_cannot_run_are_named_before_anything_is_done(library):
    say(library, "book('aa')")
    pack = library.root / "library"
    (pack / "__main__.py").write_text("raise RuntimeError('torn')")
    with pytest.raises(PlatformError, match="library"):
        library.up()
    (pack / "__main__.py").write_text(PACK.replace("def short(args, report):", "def short(args, report):\n    1 / 0"))
    with pytest.raises(PlatformError, match="library"):
        library.up()
    if library.is_embedded:
        for text, message in {
            "runtime: nodejs": "one in 'nodejs'",
            "main: x": "no policy pack",
            "runtime: {name: python, options: {virtualenv: gone}}": "'gone', which is not there",
        }.items():
            (pack / "PulumiPolicy.yaml").write_text(text)
            with pytest.raises(ConfigError, match=message):
                library.up()
    assert library.files() == {}
