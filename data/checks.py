"""Rules over several columns, known by name so that a data contract can name them.

A rule gets the columns in the contract's order and says of each row whether it holds. It is asked only about rows
that have a value in every one of its columns: whether a value may be missing is the column's own matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trivet.core.datacontract import Check
from trivet.core.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    Rule = Callable[..., pd.Series]


@dataclass(frozen=True)
class Registered:
    """One rule: its function, the sentence that a broken row gets, how many columns and which parameters it takes."""

    rule: Rule
    sentence: str
    columns: int | None = None
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


def complement(values: pd.DataFrame) -> pd.Series:
    """Of two flags exactly one is 1."""
    return values.iloc[:, 0].eq(1 - values.iloc[:, 1])


def exactly_one(values: pd.DataFrame) -> pd.Series:
    """Of several flags exactly one is 1 and the others are 0."""
    return values.isin([0, 1]).all(axis=1) & values.sum(axis=1).eq(1)


def less_or_equal(values: pd.DataFrame) -> pd.Series:
    """The columns do not fall from left to right."""
    return (values.diff(axis=1).iloc[:, 1:] >= 0).all(axis=1)


def implies(values: pd.DataFrame, *, when: float | str, then: float | str) -> pd.Series:
    """Where the first column is ``when``, the second is ``then``."""
    return values.iloc[:, 0].ne(when) | values.iloc[:, 1].eq(then)


def ratio(values: pd.DataFrame, *, tolerance: float = 1e-6) -> pd.Series:
    """The first column is the second divided by the third, within ``tolerance``."""
    return (values.iloc[:, 0] - values.iloc[:, 1] / values.iloc[:, 2]).abs() <= tolerance


def unique(values: pd.DataFrame) -> pd.Series:
    """No two rows have the same values in these columns."""
    return ~values.duplicated(keep=False)


CHECKS: Mapping[str, Registered] = {
    "complement": Registered(complement, "must be each other's complement", columns=2),
    "exactly_one": Registered(exactly_one, "must hold a single 1, else 0"),
    "implies": Registered(
        implies, "contradict each other: {when} demands {then}", columns=2, required=frozenset({"when", "then"})
    ),
    "less_or_equal": Registered(less_or_equal, "must not fall from left to right"),
    "ratio": Registered(
        ratio, "contradict each other: the first is the second by the third", 3, optional=frozenset({"tolerance"})
    ),
    "unique": Registered(unique, "occur together in another row"),
}


def rule_of(check: Check) -> tuple[Callable[[pd.DataFrame], pd.Series], str]:
    """The function over the check's columns that a contract means, and the sentence for a row that breaks it.

    :raises ConfigError: for an unknown name, or columns or parameters that the rule does not take.
    """
    registered = CHECKS.get(check.check)
    if registered is None:
        raise ConfigError(f"The data contract names the check {check.check!r}.", f"Known are: {', '.join(CHECKS)}.")
    if registered.columns not in (None, len(check.columns)):
        raise ConfigError(f"The check {check.check} takes {registered.columns} columns, not {len(check.columns)}.")
    given = set(check.params)
    if wrong := (registered.required - given) | (given - registered.required - registered.optional):
        raise ConfigError(f"The check {check.check} has missing or unknown parameters: {', '.join(sorted(wrong))}.")
    return _on_whole_rows(registered.rule, check), registered.sentence.format(**check.params)


def _on_whole_rows(rule: Rule, check: Check) -> Callable[[pd.DataFrame], pd.Series]:
    def holds(frame: pd.DataFrame) -> pd.Series:
        values = frame[list(check.columns)]
        params: dict[str, Any] = check.params
        whole = values.dropna()
        return rule(whole, **params).reindex(frame.index, fill_value=True)

    return holds
