"""Every command can be asked for JSON, is told its stack and explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from trivet.cli import app

WITHOUT_A_STACK = {"init", "models convert", "rehearse", "parity"}
BETWEEN_STACKS = {"models promote": {"--from", "--to"}, "endpoints compare": {"stacks"}}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        here = (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, here)
        else:
            yield " ".join(here), command


EVERY = dict(commands(typer.main.get_command(app)))


def test_the_verbs_are_those_that_were_promised() -> None:
    assert EVERY.keys() >= {
        *("demo", "init", "env", "up", "preview", "outputs", "destroy", "run", "train", "deploy", "predict"),
        *("status", "logs", "monitor", "ledger show", "ledger verify", "ledger export"),
        *("models list", "models register", "models approve", "models show", "models convert"),
    }


@pytest.mark.parametrize("name", EVERY)
def test_a_command_speaks_json_and_explains_itself(name: str) -> None:
    options = {option: one for one in EVERY[name].params for option in one.opts}
    assert "--json" in options
    assert BETWEEN_STACKS.get(name, set()) <= set(options)
    assert ("--stack" in options) == (name not in WITHOUT_A_STACK and name not in BETWEEN_STACKS)
    assert EVERY[name].help.endswith(".")
    assert [option for option, one in options.items() if option != "--help" and not one.help] == []
