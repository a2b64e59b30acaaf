"""Rows against the data contract: what keeps it goes on, what breaks it goes to quarantine, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from trivet.core.datacontract import DataContract
from trivet.core.document import Document
from trivet.core.errors import DataContractBroken
from trivet.data.schema import NOT_A_TYPE, PLACEHOLDER, as_text, rule_schemas, types_schema, values_schema

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

TOP = 3  # reasons in an error's sentence; the report has them all


class Reason(Document):
    """Why one row is in quarantine."""

    columns: tuple[str, ...]
    value: str | None = Field(description="As it was found; None where the value is missing or several columns are.")
    rule: str

    def __str__(self) -> str:
        value = "" if self.value is None else f" {self.value}"
        return f"{', '.join(self.columns)}{value} {self.rule}"


class ReasonCount(Document):
    """How many rows broke one rule, with one of them as an example."""

    columns: tuple[str, ...]
    rule: str
    rows: int
    example: str | None

    def __str__(self) -> str:
        value = "" if self.example is None else f" {self.example}"
        rows = "row" if self.rows == 1 else "rows"
        return f"{', '.join(self.columns)}{value} {self.rule} ({self.rows:,} {rows})"


class QualityReport(Document):
    """What the data contract found in a data set."""

    contract: str = Field(description="Digest of the data contract.")
    rows: int
    accepted: int
    quarantined: int
    max_share: float
    reasons: tuple[ReasonCount, ...] = Field(description="Most frequent first; a row may have several.")

    @property
    def share(self) -> float:
        """The part of the rows that is in quarantine."""
        return self.quarantined / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Validation:
    """The rows that keep the contract, those that do not with all their reasons, and the report.

    Both frames keep the index of the input, so a row can be found again in the source. ``accepted`` has the
    contract's types (``float64``, or ``str`` for a category); ``quarantined`` holds the values as they were found.
    """

    accepted: pd.DataFrame
    quarantined: pd.DataFrame
    reasons: dict[int, tuple[Reason, ...]]
    report: QualityReport


def validate(frame: pd.DataFrame, contract: DataContract) -> Validation:
    """Hold every row against the contract. ``frame`` has the contract's columns and a unique integer index.

    :raises DataContractBroken: when more rows break it than its tolerance allows, or too few keep it; the sentence
        has the most frequent reasons.
    """
    reasons: dict[int, list[Reason]] = {}
    _collect(reasons, _type_failures(frame, contract))
    typed = types_schema(contract).validate(frame.drop(index=list(reasons)).astype(object))
    _collect(reasons, _value_failures(typed, contract))
    _collect(reasons, _rule_failures(typed, contract))
    broken = sorted(reasons)
    validation = Validation(
        accepted=typed.drop(index=[row for row in broken if row in typed.index]),
        quarantined=frame.loc[broken],
        reasons={row: tuple(reasons[row]) for row in broken},
        report=_report(len(frame), reasons, contract),
    )
    _within_tolerance(validation.report, contract)
    return validation


Failure = tuple[int, Reason]


def _type_failures(frame: pd.DataFrame, contract: DataContract) -> Iterator[Failure]:
    for row, column, _, value in _failures(types_schema(contract), frame):
        known = str(value) in {str(placeholder) for placeholder in contract[column].placeholders}
        rule = PLACEHOLDER if known else NOT_A_TYPE[contract[column].type]
        yield row, Reason(columns=(column,), value=as_text(value), rule=rule)


def _value_failures(typed: pd.DataFrame, contract: DataContract) -> Iterator[Failure]:
    for row, column, check, value in _failures(values_schema(contract), typed):
        if check == "not_nullable":
            yield row, Reason(columns=(column,), value=None, rule="is missing")
        else:
            yield row, Reason(columns=(column,), value=as_text(value), rule=check)


def _rule_failures(typed: pd.DataFrame, contract: DataContract) -> Iterator[Failure]:
    for columns, schema in rule_schemas(contract):
        broken = {row: check for row, _, check, _ in _failures(schema, typed[list(columns)])}
        for row, check in broken.items():
            yield row, Reason(columns=columns, value=None, rule=check)


def _failures(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> Iterator[tuple[int, str, str, object]]:
    """Row, column, check and value of everything that breaks a schema; one check for each cell, the first."""
    import pandera.pandas as pa

    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return
    cells = cases.drop_duplicates(["index", "column"])
    yield from zip(cells["index"].astype(int), cells["column"], cells["check"], cells["failure_case"], strict=True)


def _collect(reasons: dict[int, list[Reason]], failures: Iterator[Failure]) -> None:
    for row, reason in failures:
        reasons.setdefault(row, []).append(reason)


def _report(rows: int, reasons: dict[int, list[Reason]], contract: DataContract) -> QualityReport:
    by_rule: dict[tuple[tuple[str, ...], str], list[Reason]] = {}
    for row in sorted(reasons):
        for reason in reasons[row]:
            by_rule.setdefault((reason.columns, reason.rule), []).append(reason)
    counts = [
        ReasonCount(columns=columns, rule=rule, rows=len(found), example=found[0].value)
        for (columns, rule), found in by_rule.items()
    ]
    return QualityReport(
        contract=contract.content_digest(),
        rows=rows,
        accepted=rows - len(reasons),
        quarantined=len(reasons),
        max_share=contract.tolerance.max_share,
        reasons=tuple(sorted(counts, key=lambda count: (-count.rows, count.columns, count.rule))),
    )


def _within_tolerance(report: QualityReport, contract: DataContract) -> None:
    why = "; ".join(str(count) for count in report.reasons[:TOP])
    if report.share > contract.tolerance.max_share:
        raise DataContractBroken(
            f"{report.quarantined:,} of {report.rows:,} rows ({report.share:.1%}) break the data contract "
            f"{contract.name}, which tolerates {contract.tolerance.max_share:.1%}: {why}.",
            "Correct the data, or the contract where it promises too much.",
        )
    if report.accepted < contract.tolerance.min_rows:
        raise DataContractBroken(
            f"{report.accepted:,} rows keep the data contract {contract.name}, which asks for at least "
            f"{contract.tolerance.min_rows:,}{': ' + why if why else ''}.",
            "Collect more data.",
        )
