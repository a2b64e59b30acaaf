"""Property paths, by which resource options name a part of a resource's properties: ``tags["a.b"]``, ``rules[0].*``.

Source: Pulumi's documentation of ``ignoreChanges``, "Property paths".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from trivet.core.errors import ConfigError
from trivet.infra.engine.state import Resource
from trivet.infra.engine.values import is_secret, reveal, secret

ANY = "*"
Path = tuple[str | int, ...]

_PART = re.compile(
    r"""(?P<index>\[\d+\]) | (?P<any>\[\*\]) | \["(?P<quoted>(?:[^"\\]|\\.)*)"\] | \.?(?P<name>[^.\[\]"]+)""",
    re.VERBOSE,
)


def parse(text: str) -> Path:
    """A path's parts: names, indexes, and ``ANY`` for every one of them.

    :raises ConfigError: for what is none.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        found = _PART.match(text, at)
        if found is None:
            raise ConfigError(f"'{text}' is no property path.", 'Write it as in `tags["a.b"]` or `rules[0].name`.')
        if found["index"]:
            parts.append(int(found["index"][1:-1]))
        elif found["any"]:
            parts.append(ANY)
        elif found["quoted"] is not None:
            parts.append(re.sub(r"\\(.)", r"\1", found["quoted"]))
        else:
            parts.append(found["name"])
        at = found.end()
    if not parts:
        raise ConfigError("An empty text is no property path.")
    return tuple(parts)


def keep(path: Path, old: Any, new: Any) -> Any:
    """``new`` with what stands at the path as it is in ``old``; what is not there in ``old`` is not in ``new`` either.
    What was secret stays so.

    :raises LookupError: when ``new`` lacks what is around something that ``old`` has at the path.
    """
    if is_secret(new):
        return secret(keep(path, reveal(old), new["value"]))
    if is_secret(old):
        kept = keep(path, old["value"], new)
        return new if kept == new else secret(kept)
    head, *rest = path
    if isinstance(new, list) and isinstance(old, list):
        items = list(new)
        for index in range(min(len(old), len(new))) if head == ANY else [head]:
            if isinstance(index, int) and index < min(len(old), len(new)):
                items[index] = keep(tuple(rest), old[index], new[index]) if rest else old[index]
            elif isinstance(index, int) and index < len(old) and _is_there(rest, old[index]):
                raise LookupError(index)
        return items
    if isinstance(new, dict) and isinstance(old, dict):
        named = dict(new)
        for name in {*old, *new} if head == ANY else {head}:
            if rest and name in new:
                named[name] = keep(tuple(rest), old.get(name, {}), new[name])
            elif rest:
                if name in old and head != ANY and _is_there(rest, old[name]):
                    raise LookupError(name)
            elif not rest and name in old:
                named[name] = old[name]
            elif not rest:
                named.pop(name, None)
        return named
    return new


def _is_there(path: Sequence[str | int], value: Any) -> bool:
    """Whether the value has anything at the path."""
    value = value["value"] if is_secret(value) else value
    if not path:
        return True
    head, *rest = path
    if isinstance(value, dict):
        return any(_is_there(rest, value[name]) for name in (value if head == ANY else {head} & value.keys()))
    if isinstance(value, list):
        places = range(len(value)) if head == ANY else [head]
        return any(_is_there(rest, value[at]) for at in places if isinstance(at, int) and at < len(value))
    return False


def differ(path: Path, old: Any, new: Any) -> bool:
    """Whether anything at the path is another in ``new`` than in ``old``."""
    old, new = reveal(old), reveal(new)
    if not path:
        return old != new
    head, *rest = path
    pairs = _pairs(head, old, new)
    return any(differ(tuple(rest), before, after) for before, after in pairs)


def _pairs(head: str | int, old: Any, new: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(old, list) or isinstance(new, list):
        before, after = (value if isinstance(value, list) else [] for value in (old, new))
        indexes = range(max(len(before), len(after))) if head == ANY else [head] if isinstance(head, int) else []
        return [(_at(before, index), _at(after, index)) for index in indexes]
    before, after = (value if isinstance(value, dict) else {} for value in (old, new))
    names = {*before, *after} if head == ANY else {head}
    return [(before.get(name), after.get(name)) for name in names]


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def ignoring(want: Resource, old: Resource) -> Resource:
    """The goal with the old value of every input whose changes are to be ignored."""
    inputs = want.inputs
    for path in want.ignore_changes:
        try:
            inputs = keep(parse(path), old.inputs, inputs)
        except LookupError:
            raise ConfigError(
                f"Changes of {want.name} at '{path}' cannot be ignored: the inputs have nothing there any more.",
                "Keep what is around it in the program, or drop it from ignore_changes.",
            ) from None
    return replace(want, inputs=inputs)
