"""Reasons in words: the features that decided, as the data contract describes them.

Regulation B, 12 CFR 1002.9(b)(2), wants a denial's specific principal reasons; its official comment 1 finds that more
than four are not likely to help. What is said here is what the model's exact contributions say, not a cause.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

from trivet.core.datacontract import Column, DataContract
from trivet.core.document import Document
from trivet.core.inference import REASONS, Value
from trivet.core.modelpackage import FeatureProfile, Profile
from trivet.governance.wording import first_sentence, headline


class Reason(Document):
    """One feature that decided, in words."""

    feature: str
    text: str
    direction: str  # "against" or "for" the positive decision
    weight: float  # log-odds


def in_words(
    reasons: Sequence[tuple[str, float]],
    contract: DataContract,
    row: Mapping[str, Value] | None = None,
    profile: Profile | None = None,
) -> tuple[Reason, ...]:
    """At most four reasons, strongest first, each with the contract's description of its feature.

    With the ``row`` a reason tells its value, and with the training ``profile`` whether that is high or low.
    """
    strongest = sorted(reasons, key=lambda reason: -abs(reason[1]))[:REASONS]
    profiles = {feature.name: feature for feature in profile.features} if profile else {}
    return tuple(
        Reason(
            feature=name,
            text=_text(contract[name], (row or {}).get(name), profiles.get(name)),
            direction="against" if weight < 0 else "for",
            weight=weight,
        )
        for name, weight in strongest
    )


def _text(column: Column, value: Value, profile: FeatureProfile | None) -> str:
    """The first sentence of the description, which says what the column is, and the value where there is one."""
    description = column.description or column.name
    if _is_flag(column):
        description = description.removeprefix("1 if ")
    told = headline(first_sentence(description))
    if value is None:
        return told
    if _is_flag(column):
        return f"{told}: {'yes' if value else 'no'}"
    shown = f"{value:,.6g}" if isinstance(value, float | int) else value
    return f"{told}: {shown}{_standing(value, profile)}"


def _is_flag(column: Column) -> bool:
    whole = column.type == "integer"
    return whole and (set(column.allowed or ()) == {0, 1} or (column.minimum, column.maximum) == (0, 1))


def _standing(value: Value, profile: FeatureProfile | None) -> str:
    """Whether the value's bin lies above or below the bin of the training snapshot's median."""
    if profile is None or not profile.edges or not isinstance(value, float | int):
        return ""
    cumulated = list(accumulate(profile.counts))
    median, own = bisect_right(cumulated, cumulated[-1] / 2), profile.bin_of(value)
    return "" if own == median else ", which is high" if own > median else ", which is low"
