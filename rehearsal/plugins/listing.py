"""What is served, and by what: for the command line and for the docs."""

from __future__ import annotations

from collections import Counter

from trivet.rehearsal.plugins.kinds import Kind
from trivet.rehearsal.plugins.packages import MODULES, package


def all_kinds() -> list[Kind]:
    """Every type of every package."""
    return [kind for name in MODULES for kind in package(name).kinds.values()]


def share() -> dict[str, Counter[str]]:
    """How many types each back end has, by package."""
    return {name: Counter(kind.backend for kind in package(name).kinds.values()) for name in MODULES}


def listing() -> str:
    """One line for each type, then the share of each back end."""
    lines = [f"{kind.token}  {kind.backend}" for kind in all_kinds()]
    lines += [f"{name}: {summary(counts)}" for name, counts in share().items()]
    return "\n".join([*lines, ""])


def page() -> str:
    """The same as tables in Markdown, with the inputs of a type that its back end does not hold."""
    parts = [f"- `{name}`: {summary(counts)}" for name, counts in share().items()]
    for name in MODULES:
        served = package(name)
        parts += [
            "",
            f"## `{name}`",
            "",
            f"Functions: {', '.join(f'`{one}`' for one in sorted(served.functions))}.",
            "",
        ]
        parts += ["| type | back end | inputs kept beside it |", "| --- | --- | --- |"]
        parts += [
            f"| `{kind.token}` | {kind.backend} | {', '.join(f'`{one}`' for one in kind.kept_beside())} |"
            for kind in sorted(served.kinds.values(), key=lambda kind: kind.token)
        ]
    return "\n".join([*parts, ""])


def summary(counts: Counter[str]) -> str:
    """Such as ``80 types: 50 moto, 30 strict store``."""
    return f"{counts.total()} types: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
