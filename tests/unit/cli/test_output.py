"""How a command speaks."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trivet.cli import output
from trivet.core.findings import StandIn

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def fresh_consoles() -> Iterator[None]:
    """A console looks once whether there is a terminal."""
    output.console.cache_clear()
    yield
    output.console.cache_clear()


@pytest.mark.parametrize("text", ["[red]x[/]", ":x: and :warning:", "[a", "x" * 500, r"\[b]", "12:34:56"])
def test_a_line_is_written_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    output.say(text)
    output.say(text, error=True)
    assert capsys.readouterr() == (f"{text}\n", f"{text}\n")


def test_a_cell_of_a_table_is_written_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.table("a", "b", rows=[("[red]x[/]", ":x:"), ("pass", "")])
    shown = capsys.readouterr().out
    assert "[red]x[/]" in shown
    assert ":x:" in shown
    assert "\x1b" not in shown


def test_names_and_values_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    output.pairs([("a", "1"), ("long", "2")])
    assert capsys.readouterr().out == "a     1\nlong  2\n"
    output.pairs([])
    assert capsys.readouterr().out == ""


def test_documents_become_json_at_any_depth(capsys: pytest.CaptureFixture[str]) -> None:
    stand_in = StandIn(feature="town", group="old", auc=0.7)
    output.show({"of": [stand_in, (1, "ü")]}, True, lambda _: pytest.fail("drawn as well"))
    shown = capsys.readouterr().out
    assert json.loads(shown)["of"][0]["auc"] == 0.7
    assert json.loads(shown)["of"][1] == [1, "ü"]
    assert "ü" in shown


def test_a_step_is_told_when_it_has_ended_well(capsys: pytest.CaptureFixture[str]) -> None:
    progress = output.Progress(quiet=False)
    with progress.step("Bake [bread]") as note:
        note("in [the oven]")
        note("it is [done]")
    with pytest.raises(KeyError), progress.step("Burn it"):
        raise KeyError
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "✓ Bake [bread]  it is [done]\n"


def test_beside_json_no_step_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with output.Progress(quiet=True).step("Bake") as note:
        note("done")
    assert capsys.readouterr() == ("", "")


def test_a_spinner_turns_on_a_terminal_and_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    code = "from trivet.cli.output import busy\nimport time\nwith busy('Bake'): time.sleep(0.3)"
    with output.busy("Bake"):
        pass
    assert capsys.readouterr() == ("", "")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True, env=environment)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        assert "Bake" in re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", terminal.read1(4096).decode())
