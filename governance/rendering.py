"""Pages out of templates: everything that goes in is escaped, and nothing outside the page is needed to read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivet.core.findings import Measure
from trivet.core.policy import Bound
from trivet.governance.intervals import limit_of
from trivet.governance.wording import first_sentence, headline, label

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
NONE = "\N{EM DASH}"
MINUS = "\N{MINUS SIGN}"
SHOWN = 0.0005  # a smaller share is none in percent with one decimal

_INLINE = re.compile(r"([\\`*_\[\]<>|~&])")
_LEADING = re.compile(r"^(\d*)([.)]|[-+=#]+)(?=\s|$)")


def render(template: str, **values: Any) -> str:
    """Fill a template of this room. A name that the template uses and ``values`` lacks is an error."""
    return _environment(markdown=template.endswith(".md.j2")).get_template(template).render(values)


@cache
def _environment(*, markdown: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=not markdown,  # noqa: S701  Markdown has an escaping of its own
        finalize=escape_markdown if markdown else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": number,
        "interval": interval,
        "percent": percent,
        "points": points,
        "short": short,
        "label": label,
        "headline": headline,
        "first_sentence": first_sentence,
        "spaced": spaced,
        "moment": moment,
        "demand": demand,
    }
    environment.tests["nested"] = lambda value: isinstance(value, Mapping)
    environment.globals["outline"] = outline
    return environment


def outline(facts: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[int, str, Any]]:
    """Nested facts as lines: depth, name, and the value, which is ``None`` above further lines."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield depth, name, None
            yield from outline(value, depth + 1)
        else:
            yield depth, name, value


def escape_markdown(value: object) -> str:
    """Text that no Markdown reader takes for markup, on one line."""
    line = " ".join(str(value).split())
    return _LEADING.sub(r"\1\\\2", _INLINE.sub(r"\\\1", line))


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals, or a dash where there is none."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def interval(measure: Measure, digits: int = 2) -> str:
    """A measure's bounds, or nothing where it has none."""
    return "" if measure.low is None else f"{number(measure.low, digits)} to {number(measure.high, digits)}"


def percent(value: float | None) -> str:
    """A share in percent with one decimal."""
    return NONE if value is None else f"{value:.1%}"


def points(value: float) -> str:
    """A difference of two shares in percentage points, signed unless it is none."""
    return f"{100 * value:+.1f}".replace("-", MINUS) if abs(value) >= SHOWN else "0.0"


def short(digest: str) -> str:
    """The first twelve digits of a digest, enough to compare by eye."""
    return digest.removeprefix("sha256:")[:12]


def spaced(name: str) -> str:
    """A name of the form ``a_b`` in words."""
    return name.replace("_", " ")


def moment(time: datetime) -> str:
    """A time in UTC, to the minute."""
    return f"{time.astimezone(UTC):%-d %B %Y, %H:%M} UTC"


def demand(bound: Bound | None) -> str:
    """What a bound asks for."""
    if bound is None:
        return NONE
    return f"{'at least' if bound.minimum is not None else 'at most'} {number(limit_of(bound))}"
