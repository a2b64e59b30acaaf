"""How a command speaks: tables for people, JSON for programs, one sentence for an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPED_WIDTH = 160  # no terminal tells its width there, and a log is easier to search when a row is one line
STYLES = {
    "pass": "green",
    "ok": "green",
    "ready": "green",
    "warn": "yellow",
    "inconclusive": "yellow",
    "insufficient": "yellow",
    "unknown": "yellow",
    "starting": "yellow",
    "stopped": "yellow",
    "fail": "red",
    "alarm": "red",
    "failed": "red",
}


@cache
def console(error: bool = False) -> Console:
    """The terminal; standard error where ``error``."""
    from rich.console import Console

    terminal = (sys.stderr if error else sys.stdout).isatty()
    return Console(stderr=error, highlight=False, emoji=False, width=None if terminal else PIPED_WIDTH)


def say(text: str = "", *, error: bool = False) -> None:
    """Write a line as it is."""
    console(error).print(text, markup=False, soft_wrap=True)


def show(value: Any, as_json: bool, render: Callable[[Any], object]) -> None:
    """Write ``value``: as JSON where asked, else as ``render`` draws it."""
    if as_json:
        print(json.dumps(jsonable(value), indent=2, ensure_ascii=False))  # noqa: T201  programs read it
    else:
        render(value)


def jsonable(value: Any) -> Any:
    """Documents, and sequences and mappings of them, as plain JSON values."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value


def table(*columns: str, rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """Draw a table; a word that is a verdict is coloured."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn: Table = Table(*columns, box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for row in rows:
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console().print(drawn)


def pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Draw names and values, aligned."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        say(f"{name.ljust(width)}  {value}")


def busy(title: str) -> AbstractContextManager[object]:
    """A spinner on a terminal while the block runs, and nothing elsewhere: for a command whose result says it all."""
    return console(error=True).status(title)


class Progress:
    """Steps of a long command: a spinner on a terminal, a line per step elsewhere, nothing beside JSON."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show a step while the block runs; call what it gives with what the step found."""
        notes: list[str] = []
        if self.quiet:
            yield notes.append
            return
        with console(error=True).status(title):
            yield notes.append
        console(error=True).print(
            f"[green]✓[/] {_escape(title)}" + (f"  [dim]{_escape(notes[-1])}[/]" if notes else "")
        )


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
