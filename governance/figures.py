"""The measures of a report as tables, each with one kind of figure: an interval beside the bound it has to meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from trivet.core.findings import GateReport, Measure
from trivet.core.policy import Bound, Policy
from trivet.governance.gate import bounds_of
from trivet.governance.intervals import limit_of

WIDTH, MARGIN = 220.0, 8.0


@dataclass(frozen=True)
class Axis:
    """A range of values laid over the width of a figure."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a value lies, in the figure's units; values beyond the axis lie at its ends."""
        inside = min(max(value, self.low), self.high)
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (inside - self.low) / (self.high - self.low), 1)


@dataclass(frozen=True)
class Figure:
    """Where the parts of one interval lie."""

    value: float
    low: float
    high: float
    bound: float
    meets_from: float
    meets_to: float
    width: float = WIDTH


@dataclass(frozen=True)
class MeasureTable:
    """Measures that share an axis, under a heading a group; the figures by name and group of their measure."""

    title: str
    sections: Mapping[str, tuple[Measure, ...]]
    figures: Mapping[tuple[str, str], Figure]


def measure_tables(report: GateReport, policy: Policy) -> tuple[MeasureTable, ...]:
    """The report's measures of the model and of its groups."""
    model = [measure for measure in report.measures if not measure.group]
    groups = [measure for measure in report.measures if measure.group]
    bounds = bounds_of(policy)
    return tuple(
        MeasureTable(title, _sections(measures), figures(measures, bounds))
        for title, measures in (("The model", model), ("The groups", groups))
        if measures
    )


def _sections(measures: Iterable[Measure]) -> dict[str, tuple[Measure, ...]]:
    by_heading = groupby(
        measures, lambda measure: f"{measure.group} against {measure.reference}" if measure.group else ""
    )
    return {heading: tuple(section) for heading, section in by_heading}


def figures(measures: Iterable[Measure], bounds: Mapping[str, Bound]) -> dict[tuple[str, str], Figure]:
    """A figure for each bounded measure that has an interval, by name and group; all on one axis."""
    shown = [measure for measure in measures if measure.verdict and measure.value is not None]
    if not shown:
        return {}
    axis = _axis(shown)
    return {(measure.name, measure.group): _figure(measure, bounds[measure.name], axis) for measure in shown}


def _axis(measures: list[Measure]) -> Axis:
    """From a little below to a little above everything that is shown."""
    values = [
        value for measure in measures for value in (measure.low, measure.high, measure.bound) if value is not None
    ]
    low, high = min(values), max(values)
    room = max(high - low, 0.1) / 12
    return Axis(low - room, high + room)


def _figure(measure: Measure, bound: Bound, axis: Axis) -> Figure:
    low, value, high = (axis.at(number or 0.0) for number in (measure.low, measure.value, measure.high))
    limit = axis.at(limit_of(bound))
    meets = (limit, WIDTH) if bound.minimum is not None else (0.0, limit)
    return Figure(value, low, high, limit, *meets)
