"""The part of Google's language for filters that Vertex AI and Cloud Logging are asked in here: AIP-160, in small."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from trivet.rehearsal.fakes.gcp.refusals import invalid

_TERM = re.compile(
    r"""\s*(?:AND\s+)?(?P<path>(?:[\w@./\-]|"[^"]*(?="\s*[:=]))+?)\s*(?P<test>>=|<=|!=|=|:|<|>)\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|[^\s"]+)\s*"""
)
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    ">=": lambda found, wanted: found >= wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    "<": lambda found, wanted: found < wanted,
}


def terms(text: str) -> Iterator[tuple[str, str, str]]:
    """Path, test and value of each term; all must hold.

    :raises Refused: for a filter that this fake does not read.
    """
    at = 0
    while at < len(text.rstrip()):
        found = _TERM.match(text, at)
        if found is None:
            said = f"This fake of Google Cloud does not read the filter '{text}': write NAME=\"VALUE\" AND …."
            raise invalid(said)
        value = found["value"]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        yield found["path"], found["test"], value
        at = found.end()


def matches(text: str, one: Any, names: dict[str, Callable[[Any], Any]]) -> bool:
    """Whether a resource is what a filter asks for."""
    held = True
    for path, test, value in terms(text):
        found = _found(one, path, names)
        if test == ":":
            held &= found is not None and value in ("*", str(found))
        else:
            held &= found is not None and _TESTS[test](str(found), value)
    return held


def ordered(found: Sequence[Any], text: str, names: dict[str, Callable[[Any], Any]]) -> list[Any]:
    """Resources as ``order_by`` wants them."""
    kept = list(found)
    for part in reversed([part.strip() for part in text.split(",") if part.strip()]):
        path, _, way = part.partition(" ")
        if path not in names or way.strip() not in ("", "asc", "desc"):
            raise invalid(f"Invalid order_by: '{part}'; one can order by {', '.join(names)}.")
        kept.sort(key=names[path], reverse=way.strip() == "desc")
    return kept


def _found(one: Any, path: str, names: dict[str, Callable[[Any], Any]]) -> Any:
    if path in names:
        return names[path](one)
    name, _, key = path.partition(".")
    if name == "labels" and key and "labels" in names:
        return names["labels"](one).get(key.strip('"'))
    raise invalid(f"Invalid filter: '{path}' is none of {', '.join(names)}.")
