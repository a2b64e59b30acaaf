"""Reasons in words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trivet.core.datacontract import Column, DataContract, Tag
from trivet.core.modelpackage import FeatureProfile, Profile
from trivet.governance.explain import in_words

CONTRACT = DataContract(
    name="loans",
    columns=(
        Column(name="approve", type="integer", tags=(Tag.TARGET,)),
        Column(name="obrat", type="number", description="All obligations, % of income"),
        Column(name="pubrec", type="integer", allowed=(0, 1), description="1 if there is a public record of default"),
        Column(name="cosign", type="integer", minimum=0, maximum=1, description="1 if there is a cosigner."),
        Column(name="liq", type="number", description="Liquid assets, $1000. 1000000 stands for unknown"),
        Column(name="rate", type="category", allowed=("fixed", "adjustable")),
    ),
)
PROFILE = Profile(
    rows=300,
    features=(FeatureProfile(name="obrat", edges=(28.0, 36.0), counts=(100, 110, 90)),),
    score=FeatureProfile(name="score", edges=(0.5,), counts=(10, 290)),
)


def test_a_reason_says_what_the_feature_is_and_how_it_stands() -> None:
    (high,) = in_words([("obrat", -0.8)], CONTRACT, {"obrat": 47.5}, PROFILE)
    assert (high.text, high.direction) == ("All obligations, % of income: 47.5, which is high", "against")
    (low,) = in_words([("obrat", 0.2)], CONTRACT, {"obrat": 12}, PROFILE)
    assert (low.text, low.direction) == ("All obligations, % of income: 12, which is low", "for")
    (usual,) = in_words([("obrat", 0.1)], CONTRACT, {"obrat": 30}, PROFILE)
    assert usual.text == "All obligations, % of income: 30"


def test_a_yes_or_no_is_told_as_one() -> None:
    reasons = in_words([("pubrec", -1.0), ("cosign", -0.1)], CONTRACT, {"pubrec": 1, "cosign": 0})
    assert [reason.text for reason in reasons] == [
        "There is a public record of default: yes",
        "There is a cosigner: no",
    ]


def test_a_category_is_told_by_its_value_and_a_column_without_a_description_by_its_name() -> None:
    assert in_words([("rate", -0.3)], CONTRACT, {"rate": "adjustable"}, PROFILE)[0].text == "Rate: adjustable"


def test_without_the_row_the_feature_is_told_alone() -> None:
    assert in_words([("obrat", -0.8)], CONTRACT)[0].text == "All obligations, % of income"


def test_only_the_first_sentence_of_a_description_is_told() -> None:
    assert in_words([("liq", -0.8)], CONTRACT, {"liq": 12345.678})[0].text == "Liquid assets, $1000: 12,345.7"


@given(st.data())
def test_at_most_four_and_the_strongest_first(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from([column.name for column in CONTRACT.columns]), unique=True))
    reasons = [(name, data.draw(st.floats(-9, 9))) for name in names]
    told = in_words(reasons, CONTRACT)
    assert len(told) == min(4, len(reasons))
    strengths = [abs(reason.weight) for reason in told]
    assert strengths == sorted((abs(weight) for _, weight in reasons), reverse=True)[:4]
